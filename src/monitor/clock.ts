/** Time, as the monitor sees it; tests have one of their own that stands still until told. */
export interface Clock {
  /** Monotonic, ms. */
  now(): number;
  /** Calls back once, at `atMs` or as soon after as the event loop can; returns how to forget it. */
  at(atMs: number, callback: () => void): () => void;
  /** Calls back when everything that had reached this process by now has been read and handled. */
  afterInput(callback: () => void): void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  at(atMs, callback) {
    const timer = setTimeout(callback, Math.max(0, atMs - performance.now()));
    return () => clearTimeout(timer);
  },
  // The loop runs due timers before it reads sockets: what is concluded in a timer overlooks answers that are there.
  // Immediates run after the reading.
  afterInput(callback) {
    setImmediate(callback);
  },
};
