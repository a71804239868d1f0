/** Time in the daemon: one monotonic clock, which the core sees modulo 2^32. */

/** ms, monotonic; fractions allowed. */
export type MonotonicClock = () => number;

/** Of an instant `ms` on the daemon's clock: what the core is given. */
export function toCoreMs(ms: number): number {
  return ms >>> 0;
}

/** The latest instant before or at `nowMs` whose core time is `coreMs`; right for 49 days back. */
export function fromCoreMs(coreMs: number, nowMs: number): number {
  return nowMs - ((toCoreMs(nowMs) - coreMs) >>> 0);
}
