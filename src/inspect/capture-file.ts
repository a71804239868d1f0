/**
 * A capture file as a sequence of frames: classic pcap (draft-ietf-opsawg-pcap) and pcapng
 * (draft-ietf-opsawg-pcapng), in either byte order, of Ethernet.
 */
import { MigwareError } from '../errors';
import { reasonOf } from '../reason';
import { ByteReader } from './byte-reader';
import type { CapturedFrame, Frames } from './frame';
import { LINKTYPE_ETHERNET, linkTypeName } from './link-types';
import { pcapFrames } from './pcap';
import { isPcapng, pcapngFrames } from './pcapng';

/** The file cannot be read, is no capture, or one of something else than Ethernet. */
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

  /** @throws CaptureError */
  static open(path: string): CaptureFile {
    let reader: ByteReader;
    try {
      reader = new ByteReader(path);
    } catch (cause) {
      throw new CaptureError(`${path}: cannot be read (${reasonOf(cause)})`, { cause });
    }
    try {
      return new CaptureFile(path, reader);
    } catch (cause) {
      reader.close();
      if (cause instanceof CaptureError) throw cause;
      throw new CaptureError(`${path}: cannot be read (${reasonOf(cause)})`, { cause });
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

  /** 0 for what is no regular file. */
  get fileBytes(): number {
    return this.#reader.fileBytes;
  }

  /** To be asked for once. */
  *frames(): Generator<CapturedFrame, void> {
    for (;;) {
      const next = this.#frames.next();
      if (next.done === true) {
        this.problem = next.value;
        return;
      }
      const { linkType } = next.value;
      if (linkType !== LINKTYPE_ETHERNET) throw new CaptureError(`${this.path}: ${refusal(linkType)}`);
      yield next.value;
    }
  }

  close(): void {
    this.#reader.close();
  }
}

function refusal(linkType: number): string {
  return `frames of link type ${linkTypeName(linkType)}, expected Ethernet; capture on one Ethernet interface, not on "any"`;
}

/** What the file may be instead. */
function hint(reader: ByteReader): string {
  if (reader.atEnd) return ', it is empty';
  const start = reader.peek(2);
  if (start?.[0] === 0x1f && start[1] === 0x8b) return ' but compressed by gzip, decompress it first';
  return ', expected pcap or pcapng';
}
