/**
 * Serial arithmetic over 32 bits (RFC 9293 3.4, RFC 1982): the only file that knows that numbers wrap. Used for
 * TCP sequence numbers, TSval (RFC 7323 5.2) and the millisecond clock.
 *
 * "Less" means: the way up from a to b is shorter than the way down. Right while both lie within 2^31 of each
 * other, which the window limit of 2^30 guarantees for sequence numbers (RFC 7323 2.3) and 24 days for times.
 * It is not an order: for three far values a < b < c < a is possible, so never sort by it. At a distance of
 * exactly 2^31 each is "less" than the other (RFC 1982 leaves it undefined).
 */

export type Seq = u32;

export function seqLt(a: Seq, b: Seq): bool {
  return <i32>(a - b) < 0;
}

export function seqLe(a: Seq, b: Seq): bool {
  return <i32>(b - a) >= 0;
}

export function seqGt(a: Seq, b: Seq): bool {
  return <i32>(b - a) < 0;
}

export function seqGe(a: Seq, b: Seq): bool {
  return <i32>(a - b) >= 0;
}

export function seqMax(a: Seq, b: Seq): Seq {
  return seqLt(a, b) ? b : a;
}

export function seqMin(a: Seq, b: Seq): Seq {
  return seqLt(b, a) ? b : a;
}

/** lo <= x <= hi on the circle: x is met on the way up from lo to hi. Exact for arcs of any length. */
export function seqBetween(x: Seq, lo: Seq, hi: Seq): bool {
  return x - lo <= hi - lo;
}

/** How far a is ahead of b; negative when it is behind. */
export function seqDiff(a: Seq, b: Seq): i32 {
  return <i32>(a - b);
}
