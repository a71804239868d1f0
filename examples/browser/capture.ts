/** A capture file as frames: pcap of either byte order, and pcapng, of Ethernet. */

export interface CapturedFrame {
  readonly bytes: Uint8Array;
  /** Bytes the frame had on the link. */
  readonly wireLength: number;
  /** Since 1970, ms. */
  readonly timeMs: number;
}

export interface Capture {
  readonly frames: readonly CapturedFrame[];
  /** Why the frames ended before the end of the file. */
  readonly problem: string | undefined;
}

/** The file is no capture, or of something else than Ethernet; the message is for people. */
export class CaptureError extends Error {}

const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;
const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const LINKTYPE_ETHERNET = 1;
/** What tcpdump writes at most: what is longer is no length. */
const MAX_FRAME_BYTES = 262_144;

export function readCapture(file: Uint8Array): Capture {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length >= 24) {
    if (view.getUint32(0) === SECTION_HEADER) return readPcapng(file, view);
    for (const little of [true, false]) {
      const magic = view.getUint32(0, little);
      if (magic === MICROSECONDS) return readPcap(file, view, little, 1e3);
      if (magic === NANOSECONDS) return readPcap(file, view, little, 1e6);
    }
  }
  throw new CaptureError('This is no capture file: pcap or pcapng is expected.');
}

function readPcap(file: Uint8Array, view: DataView, little: boolean, unitsPerMs: number): Capture {
  requireEthernet(view.getUint32(20, little) & 0xffff);
  const frames: CapturedFrame[] = [];
  for (let at = 24; at < file.length;) {
    const number = frames.length + 1;
    if (at + 16 > file.length) return { frames, problem: `The file ends within the header of frame ${number}.` };
    const length = view.getUint32(at + 8, little);
    if (length > MAX_FRAME_BYTES) return { frames, problem: `The file is damaged at frame ${number}.` };
    if (at + 16 + length > file.length) return { frames, problem: `The file ends within frame ${number}.` };
    frames.push({
      bytes: file.subarray(at + 16, at + 16 + length),
      wireLength: view.getUint32(at + 12, little),
      timeMs: view.getUint32(at, little) * 1000 + view.getUint32(at + 4, little) / unitsPerMs,
    });
    at += 16 + length;
  }
  return { frames, problem: undefined };
}

function readPcapng(file: Uint8Array, view: DataView): Capture {
  const frames: CapturedFrame[] = [];
  let little = true;
  let unitsPerMs: number[] = [];
  for (let at = 0, number = 1; at < file.length; number++) {
    if (at + 12 > file.length) return { frames, problem: `The file ends within block ${number}.` };
    const isSection = view.getUint32(at) === SECTION_HEADER;
    if (isSection) {
      little = view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC;
      unitsPerMs = [];
    }
    const type = view.getUint32(at, little);
    const length = view.getUint32(at + 4, little);
    if (length < 12 || length % 4 !== 0) return { frames, problem: `The file is damaged at block ${number}.` };
    if (at + length > file.length) return { frames, problem: `The file ends within block ${number}.` };
    if (type === 1 && !isSection) {
      requireEthernet(view.getUint16(at + 8, little));
      unitsPerMs.push(resolution(view, at, length, little));
    } else if (type === 6 && length >= 32) {
      const captured = view.getUint32(at + 20, little);
      const units = view.getUint32(at + 12, little) * 2 ** 32 + view.getUint32(at + 16, little);
      const unit = unitsPerMs[view.getUint32(at + 8, little)];
      if (unit === undefined || captured > length - 32) {
        return { frames, problem: `The file is damaged at block ${number}.` };
      }
      frames.push({
        bytes: file.subarray(at + 28, at + 28 + captured),
        wireLength: view.getUint32(at + 24, little),
        timeMs: units / unit,
      });
    }
    at += length;
  }
  return { frames, problem: undefined };
}

/** The option if_tsresol of an interface. @returns units in a ms */
function resolution(view: DataView, block: number, length: number, little: boolean): number {
  for (let at = block + 16; at + 4 <= block + length - 4;) {
    const [code, bytes] = [view.getUint16(at, little), view.getUint16(at + 2, little)];
    if (code === 0) break;
    if (code === 9) {
      const value = view.getUint8(at + 4);
      return (value & 0x80) === 0 ? 10 ** (value - 3) : 2 ** (value & 0x7f) / 1000;
    }
    at += 4 + Math.ceil(bytes / 4) * 4;
  }
  return 1000;
}

function requireEthernet(linkType: number): void {
  if (linkType === LINKTYPE_ETHERNET) return;
  throw new CaptureError(
    `The frames are of link type ${linkType}, not Ethernet: capture on one interface, not on "any".`,
  );
}
