/**
 * A capture file as a sequence of frames: classic pcap (draft-ietf-opsawg-pcap) and pcapng
 * (draft-ietf-opsawg-pcapng), in either byte order.
 */
import { MigwareError } from '../errors';
import { reasonOf } from '../reason';
import { ByteReader } from './byte-reader';
import { type ByteSource, FileSource, type OnRead } from './byte-source';
import type { CapturedFrame, Frames } from './frame';
import type { LinkType } from './link-types';
import { pcapFrames } from './pcap';
import { isPcapng, pcapngFrames } from './pcapng';

/** The file cannot be read, is no capture, or one of nothing but frames that cannot be read. */
export class CaptureError extends MigwareError {
  readonly code = 'MIGWARE_CAPTURE';
}

export class CaptureFile {
  readonly path: string;
  readonly format: 'pcap' | 'pcapng';
  /** Why the frames ended before the end of the file. */
  problem: string | undefined;
  readonly #reader: ByteReader;
  readonly #frames: Frames;
  #readable = 0;
  /** Frames of link types that cannot be read, by the title of the type. */
  readonly #unreadable = new Map<string, { readonly linkType: LinkType; frames: number }>();

  /** @throws CaptureError */
  static open(path: string, onRead?: OnRead): CaptureFile {
    try {
      return CaptureFile.from(path, new FileSource(path), onRead);
    } catch (cause) {
      if (cause instanceof CaptureError) throw cause;
      throw new CaptureError(`${path}: cannot be read (${reasonOf(cause)})`, { cause });
    }
  }

  /** @param path what messages call it */
  static from(path: string, source: ByteSource, onRead?: OnRead): CaptureFile {
    try {
      return new CaptureFile(path, new ByteReader(source, onRead));
    } catch (cause) {
      source.close();
      throw cause;
    }
  }

  private constructor(path: string, reader: ByteReader) {
    this.path = path;
    this.#reader = reader;
    if (isPcapng(reader)) {
      this.format = 'pcapng';
      this.#frames = pcapngFrames(reader);
      return;
    }
    const frames = pcapFrames(reader);
    if (frames === undefined) throw new CaptureError(`${path}: is no capture file${hint(reader)}`);
    this.format = 'pcap';
    this.#frames = frames;
  }

  /** 0 when that is not known. */
  get size(): number {
    return this.#reader.size;
  }

  /** The memory that reading it takes. */
  get bufferBytes(): number {
    return this.#reader.bufferBytes;
  }

  /**
   * All frames, those that cannot be read included. To be asked for once.
   * @throws CaptureError when none can be read
   */
  *frames(): Generator<CapturedFrame, void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const { linkType } = next;
      if (linkType.layer === undefined) this.#refuse(linkType);
      else this.#readable++;
      yield next;
    }
    const [first] = this.#unreadable.values();
    if (this.#readable === 0 && first !== undefined) throw this.#refusal(first.linkType);
  }

  /** Frames that could not be read, a sentence for each link type. */
  unreadable(): string[] {
    return Array.from(
      this.#unreadable.values(),
      ({ linkType: { title, remedy }, frames }) => `${frames} of its frames have link type ${title}; ${remedy}`,
    );
  }

  /** How many they are. */
  get unreadableFrames(): number {
    let sum = 0;
    for (const { frames } of this.#unreadable.values()) sum += frames;
    return sum;
  }

  close(): void {
    this.#reader.close();
  }

  #next(): CapturedFrame | undefined {
    try {
      const next = this.#frames.next();
      if (next.done !== true) return next.value;
      this.problem = next.value;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.problem = `the rest of the file cannot be read (${reasonOf(error)})`;
    }
    return undefined;
  }

  #refuse(linkType: LinkType): void {
    // All frames of a classic file have one type.
    if (this.format === 'pcap') throw this.#refusal(linkType);
    const known = this.#unreadable.get(linkType.title);
    if (known === undefined) this.#unreadable.set(linkType.title, { linkType, frames: 1 });
    else known.frames++;
  }

  #refusal({ title, remedy }: LinkType): CaptureError {
    return new CaptureError(`${this.path}: frames of link type ${title} cannot be read; ${remedy}`);
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

/** What the file may be instead. */
function hint(reader: ByteReader): string {
  if (reader.atEnd) return ', it is empty';
  const start = reader.peek(2);
  if (start?.[0] === 0x1f && start[1] === 0x8b) return ' but compressed by gzip, decompress it first';
  return ', expected pcap or pcapng; editcap of Wireshark converts other formats';
}
