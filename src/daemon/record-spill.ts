/**
 * Keeps on the disk what the core's memory has no room for: the oldest bytes of recorded streams, until the replica has
 * read them or nobody needs them any more. The packet loop asks it between frames (packet-loop.ts).
 *
 *   spill    at each tick: what the core hands out, to the file
 *   supply   while the core works: what a replica is to read next, from the file
 *
 * When the file is full the core is not asked, and gives up by itself those records that outgrow its memory; when the disk
 * fails, the record whose bytes it was to take is given up. Either is told, and the connection says why it is at risk.
 */
import { type Core, RX_FRAME_BYTES } from '../core/core';
import { NO_CONNECTION } from '../core/record-exchange';
import { reasonOf } from '../reason';
import { bytes as bytesText } from '../report/text';
import type { Logger } from './contract';
import type { ExtentFile, Stream } from './extent-file';
import type { RecordKeeper } from './packet-loop';

export type Exchange = Pick<
  Core['exchange'],
  | 'rx'
  | 'spill'
  | 'spilledConnection'
  | 'spilledOffset'
  | 'fail'
  | 'wanted'
  | 'wantedFrom'
  | 'wantedLength'
  | 'supply'
  | 'incarnation'
  | 'needs'
>;

interface Spilled extends Stream {
  readonly incarnation: number;
}

/** At a tick, of 64 KiB at most. Arbitrary: 16 MiB each 100 ms is more than a gigabit brings. */
const SPILLS_PER_TICK = 256;
const SWEEP_MS = 1000;
/** How long a disk that has failed is left alone: each attempt costs a record. Arbitrary. */
const RETRY_MS = 10_000;
const TELL_MS = 60_000;

export class RecordSpill implements RecordKeeper {
  readonly #spilled = new Map<number, Spilled>();
  #sweptMs: number;
  #failedMs: number | undefined;
  #toldMs: number | undefined;
  /** Records given up since that was told. */
  #untold = 0;

  /** @param nowMs on the core's clock, as everywhere here */
  constructor(
    private readonly core: Exchange,
    private readonly file: ExtentFile,
    private readonly log: Logger,
    nowMs: number,
  ) {
    this.#sweptMs = nowMs;
  }

  get usedBytes(): number {
    return this.file.usedBytes;
  }

  /** Of the connection's stream, in the file. */
  bytesOf(connection: number, incarnation: number): number {
    const spilled = this.#spilled.get(connection);
    return spilled?.incarnation === incarnation ? spilled.bytes : 0;
  }

  spill(nowMs: number): void {
    if (elapsed(this.#sweptMs, nowMs) >= SWEEP_MS) this.#sweep(nowMs);
    if (this.#failedMs !== undefined && elapsed(this.#failedMs, nowMs) < RETRY_MS) return;
    for (let left = SPILLS_PER_TICK; left > 0; left--) {
      if (!this.file.hasRoomFor(RX_FRAME_BYTES)) {
        this.#tell(`record.disk, ${bytesText(this.file.limitBytes)}, is used up`, nowMs);
        return;
      }
      const length = this.core.spill();
      if (length === 0 || !this.#keep(this.core.spilledConnection(), this.core.spilledOffset(), length, nowMs)) return;
    }
  }

  supply(nowMs: number): number {
    const connection = this.core.wanted();
    if (connection === NO_CONNECTION) return -1;
    // Without its bytes the connection is to be given up, and that is for the core to do: it is answered all the same.
    return this.core.supply(connection, this.#load(connection, nowMs), nowMs);
  }

  close(): void {
    this.#spilled.clear();
    this.file.close();
  }

  /** Takes the bytes in the slot. @returns whether the disk did */
  #keep(connection: number, offset: number, length: number, nowMs: number): boolean {
    const spilled = this.#streamFor(connection);
    try {
      if (spilled.bytes !== offset) throw new Error(`bytes from ${spilled.bytes} on expected, and ${offset} found`);
      this.file.append(spilled, this.core.rx, length);
      this.#failedMs = undefined;
      return true;
    } catch (error) {
      this.#failedMs = nowMs;
      this.#giveUp(connection, error, nowMs);
      return false;
    }
  }

  /** A connection begins with an empty stream, whoever had its record before. */
  #streamFor(connection: number): Spilled {
    const incarnation = this.core.incarnation(connection);
    const known = this.#spilled.get(connection);
    if (known?.incarnation === incarnation) return known;
    if (known !== undefined) this.file.release(known);
    const fresh = { incarnation, extents: [], bytes: 0 };
    this.#spilled.set(connection, fresh);
    return fresh;
  }

  /** Puts the bytes that are wanted into the slot. @returns how many: 0 when they are lost */
  #load(connection: number, nowMs: number): number {
    const from = this.core.wantedFrom(connection);
    const spilled = this.#spilled.get(connection);
    try {
      const length = Math.min(
        this.core.wantedLength(connection),
        this.bytesOf(connection, this.core.incarnation(connection)) - from,
      );
      if (spilled === undefined || length <= 0) throw new Error(`the bytes from ${from} on are not in the file`);
      this.file.read(spilled, from, this.core.rx, length);
      return length;
    } catch (error) {
      this.#giveUp(connection, error, nowMs);
      return 0;
    }
  }

  #giveUp(connection: number, error: unknown, nowMs: number): void {
    this.core.fail(connection);
    this.#forget(connection);
    this.#untold++;
    this.#tell(reasonOf(error), nowMs);
  }

  #forget(connection: number): void {
    const spilled = this.#spilled.get(connection);
    if (spilled !== undefined) this.file.release(spilled);
    this.#spilled.delete(connection);
  }

  #sweep(nowMs: number): void {
    this.#sweptMs = nowMs;
    for (const [connection, { incarnation }] of this.#spilled) {
      if (!this.core.needs(connection, incarnation)) this.#forget(connection);
    }
  }

  #tell(reason: string, nowMs: number): void {
    if (this.#toldMs !== undefined && elapsed(this.#toldMs, nowMs) < TELL_MS) return;
    this.#toldMs = nowMs;
    this.log.warn({ reason, givenUp: this.#untold }, 'there is no room on the disk for records of connections');
    this.#untold = 0;
  }
}

/** Both of a clock that wraps. */
function elapsed(fromMs: number, toMs: number): number {
  return (toMs - fromMs) >>> 0;
}
