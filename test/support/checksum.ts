/**
 * The Internet checksum, slow and obvious (RFC 1071 1): the reference that faster ones are measured against.
 * Everything here is big-endian, as the standards write it; the core works in memory order.
 */

/** One's complement sum of 16-bit words, folded, not inverted. An odd last byte is followed by a zero. */
export function slowSum(...pieces: readonly Uint8Array[]): number {
  let total = 0;
  for (const piece of pieces) {
    for (let i = 0; i < piece.length; i++) {
      total += i % 2 === 0 ? (piece[i] ?? 0) * 256 : (piece[i] ?? 0);
    }
  }
  while (total > 0xffff) total = (total % 0x10000) + Math.floor(total / 0x10000);
  return total;
}

/** The checksum to be written. Every piece but the last must have an even length. */
export function slowChecksum(...pieces: readonly Uint8Array[]): number {
  return 0xffff - slowSum(...pieces);
}

/** Pseudo header of TCP and ICMPv6 (RFC 9293 3.1, RFC 8200 8.1); addresses of 4 or 16 bytes. */
export function pseudoHeader(src: Uint8Array, dst: Uint8Array, protocol: number, length: number): Uint8Array {
  const tail = new Uint8Array(8);
  const view = new DataView(tail.buffer);
  view.setUint32(0, length);
  view.setUint32(4, protocol);
  return concat(src, dst, tail);
}

export function concat(...pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
