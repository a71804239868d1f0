/** The classic format: a header for the file, then one for each frame, all in the byte order of who wrote it. */
import type { ByteReader } from './byte-reader';
import { readU16, readU32 } from './endian';
import { type Frames, MAX_FRAME_BYTES, withoutFcs } from './frame';
import { type LinkType, linkTypeOf } from './link-types';

const FILE_HEADER_BYTES = 24;
const FRAME_HEADER_BYTES = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const VERSION_MAJOR = 2;
/** Of the field that holds the link type. */
const LINK_TYPE_MASK = 0xffff;
/** Of the same: whether its upper four bits say how many words of 16 bits the frame check sequence at each frame's end has. */
const FCS_LENGTH_PRESENT = 0x04000000;
const FCS_LENGTH_SHIFT = 28;
const FCS_WORD_BYTES = 2;

/** `undefined` when it is no such file; the reader is then where it was. */
export function pcapFrames(reader: ByteReader): Frames | undefined {
  const header = reader.peek(FILE_HEADER_BYTES);
  if (header === undefined) return undefined;
  for (const littleEndian of [true, false]) {
    const magic = readU32(header, 0, littleEndian);
    if (magic !== MAGIC_MICROSECONDS && magic !== MAGIC_NANOSECONDS) continue;
    if (readU16(header, 4, littleEndian) !== VERSION_MAJOR) return undefined;
    const link = readU32(header, 20, littleEndian);
    const form = {
      littleEndian,
      unitsPerMs: magic === MAGIC_NANOSECONDS ? 1e6 : 1e3,
      linkType: linkTypeOf(link & LINK_TYPE_MASK),
      fcsBytes: (link & FCS_LENGTH_PRESENT) === 0 ? 0 : (link >>> FCS_LENGTH_SHIFT) * FCS_WORD_BYTES,
    };
    reader.skip(FILE_HEADER_BYTES);
    return records(reader, form);
  }
  return undefined;
}

/** What the header of the file says of all its frames. */
interface Form {
  readonly littleEndian: boolean;
  /** Of the fraction of a second. */
  readonly unitsPerMs: number;
  readonly linkType: LinkType;
  /** Of the frame check sequence that each frame ends with. */
  readonly fcsBytes: number;
}

function* records(reader: ByteReader, { littleEndian, unitsPerMs, linkType, fcsBytes }: Form): Frames {
  for (let number = 1; !reader.atEnd; number++) {
    const header = reader.take(FRAME_HEADER_BYTES);
    if (header === undefined) return `the file ends within the header of frame ${number}`;
    const timeMs = readU32(header, 0, littleEndian) * 1000 + readU32(header, 4, littleEndian) / unitsPerMs;
    const length = readU32(header, 8, littleEndian);
    const wireLength = readU32(header, 12, littleEndian);
    if (length > MAX_FRAME_BYTES) return `frame ${number} is said to have ${length} bytes: the file is damaged there`;
    const bytes = reader.take(length);
    if (bytes === undefined) return `the file ends within frame ${number}`;
    yield { ...withoutFcs(bytes, wireLength, fcsBytes), timeMs, linkType };
  }
  return undefined;
}
