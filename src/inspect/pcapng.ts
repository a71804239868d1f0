/**
 * The newer format: blocks of type, length, body and length again. A section header begins a section, and with it a
 * byte order; an interface description numbers the interfaces of the section and says in what unit their times are.
 * Blocks of other types are skipped.
 */
import type { ByteReader } from './byte-reader';
import { readU16, readU32 } from './endian';
import { type CapturedFrame, type Frames, MAX_FRAME_BYTES, withoutFcs } from './frame';
import { type LinkType, linkTypeOf } from './link-types';

/** Reads the same in either byte order. */
const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
/** What came before the enhanced one: the same but for a shorter interface number. */
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const VERSION_MAJOR = 1;

const BLOCK_HEADER_BYTES = 8;
const BLOCK_TRAILER_BYTES = 4;
const MIN_BLOCK_BYTES = BLOCK_HEADER_BYTES + BLOCK_TRAILER_BYTES;
/** Least bytes of the blocks that are read, without options. */
const SECTION_HEADER_BYTES = 28;
const INTERFACE_DESCRIPTION_BYTES = 20;
const SIMPLE_PACKET_BYTES = 16;
const ENHANCED_PACKET_BYTES = 32;
/** A frame and more options than anybody writes: what is longer is no length. */
const MAX_READ_BLOCK_BYTES = MAX_FRAME_BYTES + (1 << 20);

const OPTION_TIMESTAMP_RESOLUTION = 9;
const OPTION_FCS_LENGTH = 13;
const OPTION_TIMESTAMP_OFFSET = 14;

interface Interface {
  readonly linkType: LinkType;
  /** 0: no limit. */
  readonly snapLength: number;
  /** Units of its timestamps in a ms. */
  readonly unitsPerMs: number;
  /** Added to its timestamps. */
  readonly offsetMs: number;
  /** Of the frame check sequence that each of its frames ends with. */
  readonly fcsBytes: number;
}

export function isPcapng(reader: ByteReader): boolean {
  const start = reader.peek(MIN_BLOCK_BYTES);
  return start?.readUInt32BE(0) === SECTION_HEADER && sectionByteOrder(start) !== undefined;
}

/** Whether the section is little-endian; `undefined` when it is no section header. */
function sectionByteOrder(block: Buffer): boolean | undefined {
  if (block.readUInt32LE(BLOCK_HEADER_BYTES) === BYTE_ORDER_MAGIC) return true;
  if (block.readUInt32BE(BLOCK_HEADER_BYTES) === BYTE_ORDER_MAGIC) return false;
  return undefined;
}

export function* pcapngFrames(reader: ByteReader): Frames {
  let littleEndian = true;
  let interfaces: Interface[] = [];
  for (let number = 1; !reader.atEnd; number++) {
    const start = reader.peek(MIN_BLOCK_BYTES);
    if (start === undefined) return `the file ends within the header of block ${number}`;
    const type = readU32(start, 0, littleEndian);
    if (type === SECTION_HEADER) {
      const order = sectionByteOrder(start);
      if (order === undefined) return damaged(number, 'has no byte order');
      littleEndian = order;
      interfaces = [];
    }
    const length = readU32(start, 4, littleEndian);
    if (length < MIN_BLOCK_BYTES || length % 4 !== 0) return damaged(number, `is said to have ${length} bytes`);
    const least = LEAST_BYTES[type];
    if (least === undefined) {
      if (!reader.skip(length)) return `the file ends within block ${number}`;
      continue;
    }
    if (length < least || length > MAX_READ_BLOCK_BYTES) return damaged(number, `is said to have ${length} bytes`);
    const block = reader.take(length);
    if (block === undefined) return `the file ends within block ${number}`;
    if (readU32(block, length - BLOCK_TRAILER_BYTES, littleEndian) !== length) {
      return damaged(number, 'has two different lengths');
    }

    if (type === SECTION_HEADER) {
      const version = readU16(block, 12, littleEndian);
      if (version !== VERSION_MAJOR) return `block ${number} begins a section of the unknown version ${version}`;
    } else if (type === INTERFACE_DESCRIPTION) {
      interfaces.push(readInterface(block, littleEndian));
    } else {
      const frame =
        type === SIMPLE_PACKET
          ? readSimplePacket(block, littleEndian, interfaces)
          : readPacket(block, littleEndian, interfaces);
      if (typeof frame === 'string') return damaged(number, frame);
      yield frame;
    }
  }
  return undefined;
}

const LEAST_BYTES: Readonly<Record<number, number>> = {
  [SECTION_HEADER]: SECTION_HEADER_BYTES,
  [INTERFACE_DESCRIPTION]: INTERFACE_DESCRIPTION_BYTES,
  [OBSOLETE_PACKET]: ENHANCED_PACKET_BYTES,
  [SIMPLE_PACKET]: SIMPLE_PACKET_BYTES,
  [ENHANCED_PACKET]: ENHANCED_PACKET_BYTES,
};

function damaged(number: number, how: string): string {
  return `block ${number} ${how}: the file is damaged there`;
}

function readInterface(block: Buffer, littleEndian: boolean): Interface {
  let unitsPerMs = 1000;
  let offsetMs = 0;
  let fcsBytes = 0;
  const end = block.length - BLOCK_TRAILER_BYTES;
  for (let at = 16; at + 4 <= end;) {
    const code = readU16(block, at, littleEndian);
    const length = readU16(block, at + 2, littleEndian);
    const value = at + 4;
    if (code === 0 || value + length > end) break;
    if (code === OPTION_TIMESTAMP_RESOLUTION && length === 1) unitsPerMs = resolution(block.readUInt8(value));
    if (code === OPTION_FCS_LENGTH && length === 1) fcsBytes = fcsLength(block.readUInt8(value));
    if (code === OPTION_TIMESTAMP_OFFSET && length === 8) {
      offsetMs = 1000 * Number(littleEndian ? block.readBigInt64LE(value) : block.readBigInt64BE(value));
    }
    at = value + Math.ceil(length / 4) * 4;
  }
  return {
    linkType: linkTypeOf(readU16(block, 8, littleEndian)),
    snapLength: readU32(block, 12, littleEndian),
    unitsPerMs,
    offsetMs,
    fcsBytes,
  };
}

/** if_tsresol: a second has 10^n units, or 2^n when the highest bit is set. @returns units in a ms */
function resolution(value: number): number {
  return (value & 0x80) === 0 ? 10 ** (value - 3) : 2 ** (value & 0x7f) / 1000;
}

/** if_fcslen: bits by the text of the standard, octets by its example and to Wireshark. No sequence has less than 8 bits or more than 7 octets. */
function fcsLength(value: number): number {
  return value < 8 ? value : value >> 3;
}

type Packet = CapturedFrame | string;

/** An enhanced or an obsolete one. */
function readPacket(block: Buffer, littleEndian: boolean, interfaces: readonly Interface[]): Packet {
  const isEnhanced = readU32(block, 0, littleEndian) === ENHANCED_PACKET;
  const id = isEnhanced ? readU32(block, 8, littleEndian) : readU16(block, 8, littleEndian);
  const from = interfaces[id];
  if (from === undefined) return `is of interface ${id}, which was not described`;
  const units = readU32(block, 12, littleEndian) * 2 ** 32 + readU32(block, 16, littleEndian);
  const length = readU32(block, 20, littleEndian);
  if (length > block.length - ENHANCED_PACKET_BYTES) return `has a frame of ${length} bytes`;
  return {
    ...withoutFcs(block.subarray(28, 28 + length), readU32(block, 24, littleEndian), from.fcsBytes),
    timeMs: units / from.unitsPerMs + from.offsetMs,
    linkType: from.linkType,
  };
}

/** Of the first interface, and without a time. */
function readSimplePacket(block: Buffer, littleEndian: boolean, interfaces: readonly Interface[]): Packet {
  const [from] = interfaces;
  if (from === undefined) return 'is of interface 0, which was not described';
  const wireLength = readU32(block, 8, littleEndian);
  const length = Math.min(wireLength, from.snapLength === 0 ? wireLength : from.snapLength);
  if (length > block.length - SIMPLE_PACKET_BYTES) return `has a frame of ${length} bytes`;
  const frame = withoutFcs(block.subarray(12, 12 + length), wireLength, from.fcsBytes);
  return { ...frame, timeMs: undefined, linkType: from.linkType };
}
