/**
 * A clock that moves when told. It has the two ways in which a busy process sees time: `run` lets every timer fire when
 * it is due; `stall` lets time pass first, so that all of them fire late.
 */
import type { Clock } from '../../src/monitor/clock';

export class VirtualClock implements Clock {
  #now = 0;
  #timers: { atMs: number; callback: () => void }[] = [];
  #inputs: (() => void)[] = [];

  now(): number {
    return this.#now;
  }

  at(atMs: number, callback: () => void): () => void {
    const timer = { atMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  afterInput(callback: () => void): void {
    this.#inputs.push(callback);
  }

  /** @param read what reaches the process before the timers' conclusions are drawn */
  run(ms: number, read = () => {}): void {
    const endMs = this.#now + ms;
    for (;;) {
      const next = this.#timers.reduce((least, { atMs }) => Math.min(least, atMs), Infinity);
      if (next > endMs) break;
      this.#now = Math.max(this.#now, next);
      this.#fire(read);
    }
    this.#now = endMs;
  }

  stall(ms: number, read = () => {}): void {
    this.#now += ms;
    this.#fire(read);
  }

  /** One turn of an event loop: due timers, then input, then what waited for the input. */
  #fire(read: () => void): void {
    const due = this.#timers.filter(({ atMs }) => atMs <= this.#now);
    this.#timers = this.#timers.filter(({ atMs }) => atMs > this.#now);
    for (const { callback } of due) callback();
    read();
    const inputs = this.#inputs;
    this.#inputs = [];
    for (const callback of inputs) callback();
  }
}
