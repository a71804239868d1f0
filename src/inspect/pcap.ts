/** The classic format: a header for the file, then one for each frame, all in the byte order of who wrote it. */
import type { ByteReader } from './byte-reader';
import { readU16, readU32 } from './endian';
import { type Frames, MAX_FRAME_BYTES } from './frame';
import { type LinkType, linkTypeOf } from './link-types';

const FILE_HEADER_BYTES = 24;
const FRAME_HEADER_BYTES = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const VERSION_MAJOR = 2;
/** Of the field that holds the link type; the rest says how long a frame check sequence is. */
const LINK_TYPE_MASK = 0xffff;

/** `undefined` when it is no such file; the reader is then where it was. */
export function pcapFrames(reader: ByteReader): Frames | undefined {
  const header = reader.peek(FILE_HEADER_BYTES);
  if (header === undefined) return undefined;
  for (const littleEndian of [true, false]) {
    const magic = readU32(header, 0, littleEndian);
    if (magic !== MAGIC_MICROSECONDS && magic !== MAGIC_NANOSECONDS) continue;
    if (readU16(header, 4, littleEndian) !== VERSION_MAJOR) return undefined;
    const linkType = linkTypeOf(readU32(header, 20, littleEndian) & LINK_TYPE_MASK);
    reader.skip(FILE_HEADER_BYTES);
    return records(reader, littleEndian, magic === MAGIC_NANOSECONDS ? 1e6 : 1e3, linkType);
  }
  return undefined;
}

/** @param unitsPerMs of the fraction of a second */
function* records(reader: ByteReader, littleEndian: boolean, unitsPerMs: number, linkType: LinkType): Frames {
  for (let number = 1; !reader.atEnd; number++) {
    const header = reader.take(FRAME_HEADER_BYTES);
    if (header === undefined) return `the file ends within the header of frame ${number}`;
    const timeMs = readU32(header, 0, littleEndian) * 1000 + readU32(header, 4, littleEndian) / unitsPerMs;
    const length = readU32(header, 8, littleEndian);
    const wireLength = readU32(header, 12, littleEndian);
    if (length > MAX_FRAME_BYTES) return `frame ${number} is said to have ${length} bytes: the file is damaged there`;
    const bytes = reader.take(length);
    if (bytes === undefined) return `the file ends within frame ${number}`;
    yield { bytes, wireLength, timeMs, linkType };
  }
  return undefined;
}
