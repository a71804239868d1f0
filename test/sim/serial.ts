/** Serial numbers of 32 bits (RFC 9293 3.4), written independently of the core's. */

export function plus(a: number, n: number): number {
  return (a + n) >>> 0;
}

/** How far `a` is after `b`; negative when it is before. */
export function minus(a: number, b: number): number {
  return (a - b) | 0;
}

export function before(a: number, b: number): boolean {
  return minus(a, b) < 0;
}

export function after(a: number, b: number): boolean {
  return minus(a, b) > 0;
}

export function later(a: number, b: number): number {
  return after(a, b) ? a : b;
}

export function earliest(a: number, b: number): number {
  return before(a, b) ? a : b;
}
