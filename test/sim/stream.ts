/** What flows: bytes that are a function of conversation, direction and position, so that any of them can be checked. */

export type Direction = 'up' | 'down';

function byteAt(key: number, position: number): number {
  const mixed = Math.imul(position ^ key, 0x9e3779b1);
  return (mixed ^ (mixed >>> 15) ^ (position >>> 8)) & 255;
}

function keyFor(conversation: number, direction: Direction): number {
  return Math.imul(conversation * 2 + (direction === 'up' ? 1 : 0), 0x85ebca6b);
}

export function streamBytes(conversation: number, direction: Direction, position: number, length: number): Uint8Array {
  const key = keyFor(conversation, direction);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = byteAt(key, position + i);
  return bytes;
}

/** Checks a stream as it is read. */
export class StreamCheck {
  /** Where the next byte belongs. */
  position: number;
  /** The first byte that was not what it should be. */
  mismatch: number | undefined;
  readonly #key: number;

  constructor(conversation: number, direction: Direction, from = 0) {
    this.#key = keyFor(conversation, direction);
    this.position = from;
  }

  take(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length && this.mismatch === undefined; i++) {
      if (bytes[i] !== byteAt(this.#key, this.position + i)) this.mismatch = this.position + i;
    }
    this.position += bytes.length;
  }
}
