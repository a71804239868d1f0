/**
 * Room on the disk for streams of bytes that grow and go in any order: one file of extents of a fixed size, so that what
 * one stream gives back fits the next one. It has no name: it is removed as soon as it is open, and whatever ends this
 * process gives its room back. Made when it is first needed, and anew after it was empty.
 *
 * Reads and writes wait for the disk. They are of memory as long as the system's page cache keeps up, and the alternative,
 * a copy of everything until a thread has written it, is what there is no memory for.
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';

/** Arbitrary: one write of the core's receive slot, and 16,384 of them to the GiB. */
export const EXTENT_BYTES = 65_536;

/** A stream in the file; made by whoever writes it, changed by the file alone. */
export interface Stream {
  readonly extents: number[];
  bytes: number;
}

/** What the file asks of the system; tests have disks that fail. */
export type Disk = Pick<typeof import('node:fs'), 'openSync' | 'closeSync' | 'readSync' | 'writeSync' | 'rmSync'>;

const SYSTEM: Disk = { openSync, closeSync, readSync, writeSync, rmSync };

export class ExtentFile {
  #fd: number | undefined;
  /** Extents ever used, and those of them that are free. */
  #end = 0;
  readonly #free: number[] = [];

  constructor(
    private readonly path: string,
    readonly limitBytes: number,
    private readonly disk: Disk = SYSTEM,
  ) {}

  get usedBytes(): number {
    return (this.#end - this.#free.length) * EXTENT_BYTES;
  }

  /** Whether that many bytes can be appended to any stream. */
  hasRoomFor(bytes: number): boolean {
    return this.usedBytes + Math.ceil(bytes / EXTENT_BYTES) * EXTENT_BYTES <= this.limitBytes;
  }

  /**
   * Puts the first `length` bytes of `from` at the end of a stream.
   * @throws Error of the system; the stream is then of no more use but to be released
   */
  append(stream: Stream, from: Uint8Array, length: number): void {
    for (let done = 0; done < length;) {
      const filled = stream.bytes % EXTENT_BYTES;
      if (filled === 0) stream.extents.push(this.#free.pop() ?? this.#end++);
      const part = Math.min(length - done, EXTENT_BYTES - filled);
      this.#write(from, done, part, place(stream, stream.bytes));
      stream.bytes += part;
      done += part;
    }
  }

  /**
   * Reads `length` bytes of a stream, all of which it has, to the beginning of `into`.
   * @throws Error of the system
   */
  read(stream: Stream, at: number, into: Uint8Array, length: number): void {
    for (let done = 0; done < length;) {
      const here = at + done;
      const part = Math.min(length - done, EXTENT_BYTES - (here % EXTENT_BYTES));
      const count = this.disk.readSync(this.#open(), into, done, part, place(stream, here));
      if (count === 0) throw new Error('the file is shorter than what was written to it');
      done += count;
    }
  }

  release(stream: Stream): void {
    for (const extent of stream.extents) this.#free.push(extent);
    stream.extents.length = 0;
    stream.bytes = 0;
    if (this.usedBytes === 0) this.close();
  }

  /** Every stream is gone after this. */
  close(): void {
    if (this.#fd !== undefined) this.disk.closeSync(this.#fd);
    this.#fd = undefined;
    this.#end = 0;
    this.#free.length = 0;
  }

  #write(from: Uint8Array, offset: number, length: number, position: number): void {
    for (let done = 0; done < length;) {
      // A full disk takes a part before it refuses.
      done += this.disk.writeSync(this.#open(), from, offset + done, length - done, position + done);
    }
  }

  #open(): number {
    if (this.#fd !== undefined) return this.#fd;
    // Of a process that was killed between the two steps below.
    this.disk.rmSync(this.path, { force: true });
    this.#fd = this.disk.openSync(this.path, 'wx+', 0o600);
    this.disk.rmSync(this.path);
    return this.#fd;
  }
}

/** Where byte `at` of the stream lies in the file. */
function place({ extents }: Stream, at: number): number {
  return (extents[Math.floor(at / EXTENT_BYTES)] ?? 0) * EXTENT_BYTES + (at % EXTENT_BYTES);
}
