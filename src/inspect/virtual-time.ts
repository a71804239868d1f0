/** The core's timers in a time that jumps from frame to frame. */
import type { Core } from '../core/core';

/** How often the core expects to be called. */
const TICK_MS = 100;
/** The core's sweep for records to drop, which is all its timers do here, looks at so many of them in a tick. */
const SWEEP_RECORDS = 1024;

export class VirtualTime {
  nowMs = 0;
  #tickedMs = 0;
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /** @param nowMs not before the last one */
  advance(nowMs: number): void {
    this.nowMs = nowMs;
    const due = Math.floor((nowMs - this.#tickedMs) / TICK_MS);
    if (due === 0) return;
    this.#tickedMs = nowMs;
    // A gap of a day needs no more than one sweep of all records at its end.
    const sweep = Math.ceil(this.#core.connectionsUsed() / SWEEP_RECORDS);
    for (let n = Math.min(due, sweep); n > 0; n--) this.#core.tick(nowMs >>> 0);
  }
}
