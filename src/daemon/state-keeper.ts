/**
 * Keeps the state file up to date while a replica serves. Connections are read from the core in slices, with time for
 * packets between them, so the file is a picture taken over some milliseconds: each connection in it is whole, and
 * what has moved since moves on within the window that the core allows a segment anyway.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Core } from '../core/core';
import { reasonOf } from '../reason';
import type { MonotonicClock } from './clock';
import type { Logger } from './contract';
import type { StateFile, TakenService } from './state-file';

/**
 * What a killed daemon forgets at most: connections made since the last picture, which are reset after it. Arbitrary:
 * a restart takes about as long.
 */
const PAUSE_MS = 250;
/** Writing takes a tenth of the time at most. */
const PAUSE_FACTOR = 9;

export class StateKeeper {
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;
  /** Told once, until it is well again. */
  #hasFailed = false;

  /** @param taken the services that are not the primary's any more */
  constructor(
    private readonly file: Pick<StateFile, 'write' | 'remove'>,
    private readonly core: Pick<Core, 'exportLive'>,
    private readonly taken: () => readonly TakenService[],
    private readonly clock: MonotonicClock,
    private readonly log: Logger,
  ) {
    this.#wait(PAUSE_MS);
  }

  /** Writes no more. Once this has settled, the file is gone: what it was for has been given back. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    this.file.remove();
  }

  /** Takes a last picture and leaves it for the next daemon. */
  async leave(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#save();
  }

  #wait(pauseMs: number): void {
    this.#timer = setTimeout(() => {
      this.#writing = this.#save();
    }, pauseMs);
  }

  async #save(): Promise<void> {
    const beganMs = this.clock();
    const services = this.taken();
    if (services.length > 0) {
      try {
        await this.file.write({ services, records: await this.#collect() });
        this.#hasFailed = false;
      } catch (error) {
        if (!this.#hasFailed) this.log.error({ reason: reasonOf(error) }, 'the state of connections cannot be kept');
        this.#hasFailed = true;
      }
    }
    if (!this.#isClosed) this.#wait(Math.max(PAUSE_MS, (this.clock() - beganMs) * PAUSE_FACTOR));
  }

  async #collect(): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for (let first = 0; ;) {
      const { records, next } = this.core.exportLive(first);
      if (records.length === 0) return Buffer.concat(parts);
      parts.push(records);
      first = next;
      await nextTurn();
    }
  }
}
