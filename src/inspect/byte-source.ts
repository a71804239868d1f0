/** Where the bytes of a capture come from, front to back. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

export interface ByteSource {
  /** In all; 0 when that is not known. */
  readonly size: number;
  /** @returns how many bytes it has put at the start of `into`; 0 at the end */
  read(into: Buffer): number;
  close(): void;
}

/** Told after each piece that was read; `size` is 0 when it is not known. */
export type OnRead = (bytesRead: number, size: number) => void;

export class FileSource implements ByteSource {
  /** 0 for what is no regular file. */
  readonly size: number;
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openSync(path, 'r');
    this.size = fstatSync(this.#fd).size;
  }

  read(into: Buffer): number {
    return readSync(this.#fd, into, 0, into.length, null);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
