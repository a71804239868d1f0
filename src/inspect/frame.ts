/** What the readers of both formats make of a file. */
import type { LinkType } from './link-types';

export interface CapturedFrame {
  /** Valid until the next frame is asked for. */
  readonly bytes: Buffer;
  /** Bytes the frame had, the header of its link type included. */
  readonly wireLength: number;
  /** Since 1970, ms; `undefined` when the file does not say. */
  readonly timeMs: number | undefined;
  /** Of the interface it was captured on. */
  readonly linkType: LinkType;
}

/** The frames of a file up to its end; the result is why it ended before that, or `undefined`. */
export type Frames = Generator<CapturedFrame, string | undefined>;

/** Wireshark's limit for Ethernet, and the snapshot length that tcpdump writes: what is longer is no length. */
export const MAX_FRAME_BYTES = 262_144;
