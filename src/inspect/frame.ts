/** What the readers of both formats make of a file. */

export interface CapturedFrame {
  /** Valid until the next frame is asked for. */
  readonly bytes: Buffer;
  /** Bytes the frame had on the link. */
  readonly wireLength: number;
  /** Since 1970, ms. */
  readonly timeMs: number;
  /** LINKTYPE_ of the interface it was captured on. */
  readonly linkType: number;
}

/** The frames of a file up to its end; the result is why it ended before that, or `undefined`. */
export type Frames = Generator<CapturedFrame, string | undefined>;

/** Wireshark's limit for Ethernet, and the snapshot length that tcpdump writes: what is longer is no length. */
export const MAX_FRAME_BYTES = 262_144;
