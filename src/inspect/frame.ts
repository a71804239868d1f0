/** What the readers of both formats make of a file. */
import type { LinkType } from './link-types';

export interface CapturedFrame {
  /** Valid until the next frame is asked for. */
  readonly bytes: Buffer;
  /** Bytes the frame had, the header of its link type included, a frame check sequence at its end not. */
  readonly wireLength: number;
  /** Since 1970, ms; `undefined` when the file does not say. */
  readonly timeMs: number | undefined;
  /** Of the interface it was captured on. */
  readonly linkType: LinkType;
}

/**
 * Takes the frame check sequence from the end of a frame: of what is merged beyond 64 KiB no header says where its payload
 * ends. A frame that the capture has cut lacks it in part or altogether.
 */
export function withoutFcs(
  bytes: Buffer,
  wireLength: number,
  fcsBytes: number,
): Pick<CapturedFrame, 'bytes' | 'wireLength'> {
  if (fcsBytes === 0) return { bytes, wireLength };
  const length = Math.max(0, Math.max(bytes.length, wireLength) - fcsBytes);
  return { bytes: bytes.subarray(0, length), wireLength: length };
}

/** The frames of a file up to its end; the result is why it ended before that, or `undefined`. */
export type Frames = Generator<CapturedFrame, string | undefined>;

/** Wireshark's limit for Ethernet, and the snapshot length that tcpdump writes: what is longer is no length. */
export const MAX_FRAME_BYTES = 262_144;
