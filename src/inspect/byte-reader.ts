/** Reads a file from front to back in pieces: a capture may be larger than the memory of the machine. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Arbitrary: few calls of the system, and still small. */
const BUFFER_BYTES = 1 << 20;

export class ByteReader {
  /** 0 for what is no regular file. */
  readonly fileBytes: number;
  readonly #fd: number;
  #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  /** What has been read and not been taken. */
  #start = 0;
  #end = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'r');
    const { size } = fstatSync(this.#fd);
    this.fileBytes = size;
  }

  /** Whether every byte has been taken. */
  get atEnd(): boolean {
    return this.peek(1) === undefined;
  }

  /** The next `count` bytes, `undefined` when the file ends before. They are valid until the next call. */
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

  /** @returns false when the file ends before */
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
    closeSync(this.#fd);
  }

  #fill(count: number): boolean {
    const kept = this.#buffer.subarray(this.#start, this.#end);
    if (count > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(count);
    kept.copy(this.#buffer);
    this.#start = 0;
    this.#end = kept.length;
    while (this.#end < count) {
      const got = readSync(this.#fd, this.#buffer, this.#end, this.#buffer.length - this.#end, null);
      if (got === 0) return false;
      this.#end += got;
    }
    return true;
  }
}
