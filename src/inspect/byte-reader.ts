/** Takes pieces of any length from a source: a capture may be larger than the memory of the machine. */
import type { ByteSource, OnRead } from './byte-source';

/** Arbitrary: few calls of the system, and still small. */
const BUFFER_BYTES = 1 << 20;

export class ByteReader {
  readonly #source: ByteSource;
  readonly #onRead: OnRead;
  #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  /** What has been read and not been taken. */
  #start = 0;
  #end = 0;
  #bytesRead = 0;

  constructor(source: ByteSource, onRead: OnRead = () => {}) {
    this.#source = source;
    this.#onRead = onRead;
  }

  /** 0 when it is not known. */
  get size(): number {
    return this.#source.size;
  }

  /** The memory it needs: one buffer, as large as the longest piece that was asked for. */
  get bufferBytes(): number {
    return this.#buffer.length;
  }

  /** Whether every byte has been taken. */
  get atEnd(): boolean {
    return this.#start === this.#end && !this.#fill(1);
  }

  /** The next `count` bytes, `undefined` when the source ends before. They are valid until the next call. */
  take(count: number): Buffer | undefined {
    const bytes = this.peek(count);
    if (bytes !== undefined) this.#start += count;
    return bytes;
  }

  /** The same, and they stay the next ones. */
  peek(count: number): Buffer | undefined {
    if (this.#end - this.#start < count && !this.#fill(count)) return undefined;
    return this.#buffer.subarray(this.#start, this.#start + count);
  }

  /** @returns false when the source ends before */
  skip(count: number): boolean {
    let left = count;
    while (left > 0) {
      const step = Math.min(left, BUFFER_BYTES);
      if (this.take(step) === undefined) return false;
      left -= step;
    }
    return true;
  }

  close(): void {
    this.#source.close();
  }

  #fill(count: number): boolean {
    const kept = this.#buffer.subarray(this.#start, this.#end);
    if (count > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(count);
    kept.copy(this.#buffer);
    this.#start = 0;
    this.#end = kept.length;
    while (this.#end < count) {
      const got = this.#source.read(this.#buffer.subarray(this.#end));
      if (got === 0) return false;
      this.#end += got;
      this.#bytesRead += got;
      this.#onRead(this.#bytesRead, this.size);
    }
    return true;
  }
}
