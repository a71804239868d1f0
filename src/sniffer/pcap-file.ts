/**
 * Capture files in the classic pcap format (draft-ietf-opsawg-pcap), microseconds, Ethernet: what tcpdump and
 * Wireshark read. Written with the file system's synchronous calls: a recorder is a tool to find bugs with, and its
 * file must hold the last frame before a crash.
 */
import { closeSync, openSync, writevSync } from 'node:fs';

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const VERSION_MAJOR = 2;
const VERSION_MINOR = 4;
const LINKTYPE_ETHERNET = 1;
const FILE_HEADER_BYTES = 24;
const FRAME_HEADER_BYTES = 16;
/** Of the file, as tcpdump writes it: no frame is longer. */
const SNAP_LENGTH = 262144;

export class PcapFileWriter {
  readonly #fd: number;
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);

  /** An existing file is replaced. */
  constructor(path: string) {
    this.#fd = openSync(path, 'w', 0o600);
    const header = Buffer.alloc(FILE_HEADER_BYTES);
    header.writeUInt32LE(MAGIC_MICROSECONDS, 0);
    header.writeUInt16LE(VERSION_MAJOR, 4);
    header.writeUInt16LE(VERSION_MINOR, 6);
    header.writeUInt32LE(SNAP_LENGTH, 16);
    header.writeUInt32LE(LINKTYPE_ETHERNET, 20);
    writevSync(this.#fd, [header]);
  }

  /**
   * @param timeMs of the frame, since 1970
   * @param wireLength bytes the frame had, if some are missing here
   */
  write(frame: Uint8Array, timeMs: number, wireLength = frame.length): void {
    const seconds = Math.floor(timeMs / 1000);
    this.#header.writeUInt32LE(seconds >>> 0, 0);
    this.#header.writeUInt32LE(Math.floor((timeMs - seconds * 1000) * 1000), 4);
    this.#header.writeUInt32LE(frame.length, 8);
    this.#header.writeUInt32LE(wireLength, 12);
    writevSync(this.#fd, [this.#header, frame]);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
