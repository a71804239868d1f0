/**
 * A capture of any length that is made while it is read: a chapter of connections, again and again. Each time it is a
 * minute later, and the client has another address.
 */
import type { ByteSource } from '../../src/inspect/byte-source';
import { PCAP_FILE_HEADER_BYTES, PCAP_FRAME_HEADER_BYTES, type Shot, pcap } from './capture-writer';
import { Conversation, START_MS, USUAL_OPTIONS } from './conversation';

const SERVER = '10.1.0.2';
/** Its two halves are each other's complement, as those of every address below: no checksum changes with them. */
const CLIENT = '10.0.245.255';
const FIRST_HALF = 0x0a00;
export const MAX_CHAPTERS = 256;
const CHAPTER_S = 60;

export const CONNECTIONS = 32;
const SEGMENTS = 90;
const SEGMENT_BYTES = 1400;
export const SENT_BYTES = SEGMENTS * SEGMENT_BYTES;

const IPV4_SRC = 14 + 12;
const IPV4_DST = 14 + 16;

function shots(): Shot[] {
  const all: Shot[] = [];
  const options = { client: CLIENT, server: SERVER, clientOptions: USUAL_OPTIONS, serverOptions: USUAL_OPTIONS };
  const payload = new Uint8Array(SEGMENT_BYTES).fill(0x78);
  for (let i = 0; i < CONNECTIONS; i++) {
    const talk = new Conversation(all, { ...options, clientPort: 40_000 + i }, START_MS + i * 1000).open();
    for (let n = 0; n < SEGMENTS; n++) {
      talk.wait(1).client('A', { payload });
      if (n % 2 === 1) talk.server('A');
    }
    talk.close();
  }
  return all;
}

interface Frame {
  /** Of its header in the chapter. */
  readonly at: number;
  /** Of the client's address. */
  readonly clientAt: number;
}

export class LongCapture implements ByteSource {
  readonly size: number;
  readonly framesPerChapter: number;
  /** The longest piece that was asked for. */
  longestRead = 0;
  readonly #chapter: Buffer;
  readonly #frames: Frame[] = [];
  readonly #chapters: number;
  #number = 0;
  #at = 0;

  /** @param leastBytes of the whole, which ends with a chapter */
  constructor(leastBytes: number) {
    const all = shots();
    // The header of the file is part of the first chapter only.
    this.#chapter = pcap({ order: 'LE', unit: 'us' }, all);
    this.framesPerChapter = all.length;
    let at = PCAP_FILE_HEADER_BYTES;
    const client = Buffer.from(CLIENT.split('.').map(Number));
    for (const { frame } of all) {
      const bytes = at + PCAP_FRAME_HEADER_BYTES;
      const isClients = client.equals(frame.subarray(IPV4_SRC, IPV4_SRC + 4));
      this.#frames.push({ at, clientAt: bytes + (isClients ? IPV4_SRC : IPV4_DST) });
      at = bytes + frame.length;
    }
    const chapterBytes = at - PCAP_FILE_HEADER_BYTES;
    this.#chapters = Math.ceil(leastBytes / chapterBytes);
    if (this.#chapters > MAX_CHAPTERS) throw new Error(`${leastBytes} bytes need more than ${MAX_CHAPTERS} chapters`);
    this.size = PCAP_FILE_HEADER_BYTES + this.#chapters * chapterBytes;
  }

  get connections(): number {
    return this.#chapters * CONNECTIONS;
  }

  get frames(): number {
    return this.#chapters * this.framesPerChapter;
  }

  read(into: Buffer): number {
    this.longestRead = Math.max(this.longestRead, into.length);
    if (this.#at === this.#chapter.length) {
      if (this.#number + 1 === this.#chapters) return 0;
      this.#turn();
    }
    const length = this.#chapter.copy(into, 0, this.#at);
    this.#at += length;
    return length;
  }

  close(): void {}

  #turn(): void {
    this.#number++;
    this.#at = PCAP_FILE_HEADER_BYTES;
    const half = FIRST_HALF + this.#number;
    for (const { at, clientAt } of this.#frames) {
      this.#chapter.writeUInt32LE(this.#chapter.readUInt32LE(at) + CHAPTER_S, at);
      this.#chapter.writeUInt16BE(half, clientAt);
      this.#chapter.writeUInt16BE(half ^ 0xffff, clientAt + 2);
    }
  }
}
