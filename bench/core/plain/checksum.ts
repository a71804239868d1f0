/** The Internet checksum in plain TypeScript: 32 bits at a time, in network order, which a number adds exactly. */

/** Adds `length` bytes; an odd last one counts as if a zero followed. */
export function sum(view: DataView, at: number, length: number, acc: number): number {
  const whole = at + (length & ~3);
  while (at < whole) {
    acc += view.getUint32(at);
    at += 4;
  }
  if (length & 2) {
    acc += view.getUint16(at);
    at += 2;
  }
  return length & 1 ? acc + view.getUint8(at) * 256 : acc;
}

/** Folds to 16 bits, uninverted. Sums are below 2^53, so more than 32 bits have to be brought down first. */
export function fold(acc: number): number {
  let low = (acc >>> 0) + Math.floor(acc / 0x100000000);
  while (low > 0xffff) low = (low & 0xffff) + Math.floor(low / 0x10000);
  return low;
}

export function finish(acc: number): number {
  return fold(acc) ^ 0xffff;
}

/** RFC 1624 eqn. 3, for sums of what was removed and added. */
export function patch(view: DataView, checksum: number, removed: number, added: number): void {
  const inverted = view.getUint16(checksum) ^ 0xffff;
  view.setUint16(checksum, finish(inverted + (fold(removed) ^ 0xffff) + added));
}

/** A 32-bit field anywhere in the segment has changed: at an odd offset its bytes belong to the other halves. */
export function patch32At(view: DataView, checksum: number, isOdd: boolean, old: number, now: number): void {
  if (isOdd) patch(view, checksum, turned(old), turned(now));
  else patch(view, checksum, old, now);
}

/** By 8 bits: what a value at an odd offset adds to a sum. */
export function turned(value: number): number {
  return ((value << 8) | (value >>> 24)) >>> 0;
}
