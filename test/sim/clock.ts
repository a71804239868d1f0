/** Virtual time: a queue of what happens when. Nothing waits; equal times keep the order in which they were asked for. */

export interface Timer {
  readonly timeMs: number;
  readonly order: number;
  /** Undefined once it has run or was cancelled. */
  action: (() => void) | undefined;
}

export class Clock {
  /** Milliseconds since the simulation began, with fractions. */
  nowMs = 0;
  readonly #heap: Timer[] = [];
  #order = 0;

  after(delayMs: number, action: () => void): Timer {
    const timer: Timer = { timeMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, action };
    this.#push(timer);
    return timer;
  }

  cancel(timer: Timer | undefined): void {
    if (timer !== undefined) timer.action = undefined;
  }

  /** Runs what is due until `done` holds or the time is over. Whether `done` held. */
  run(untilMs: number, done: () => boolean): boolean {
    while (!done()) {
      const timer = this.#pop();
      if (timer === undefined || timer.timeMs > untilMs) return false;
      const { action } = timer;
      if (action === undefined) continue;
      this.nowMs = timer.timeMs;
      timer.action = undefined;
      action();
    }
    return true;
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(timer);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !earlier(timer, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = timer;
  }

  #pop(): Timer | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      const left = heap[child];
      const right = heap[child + 1];
      if (left === undefined) break;
      let least = left;
      if (right !== undefined && earlier(right, left)) {
        least = right;
        child++;
      }
      if (!earlier(least, last)) break;
      heap[i] = least;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function earlier(a: Timer, b: Timer): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order);
}
