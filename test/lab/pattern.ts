/** The bytes that the lab's programs send: a function of stream and position, as in programs/lab.h. */

/** Stream of the goodbye that a service sends before it closes. */
export const GOODBYE_STREAM = 0x600db1e;

/** Bytes `from` to `to` of a stream. */
export function pattern(stream: number, from: number, to: number): Buffer {
  const first = Math.floor(from / 4);
  const words = new Uint32Array(Math.ceil(to / 4) - first);
  const base = Math.imul(stream, 0x9e3779b1);
  for (let i = 0; i < words.length; i++) {
    let x = (base + first + i) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    words[i] = x ^ (x >>> 16);
  }
  // Typed arrays have the byte order of the machine, which is the stream's on every machine the lab runs on.
  return Buffer.from(words.buffer, 0, words.byteLength).subarray(from - first * 4, to - first * 4);
}
