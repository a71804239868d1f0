/**
 * Receive offload at the tap: segments that follow one another are handed on as one (Linux GRO: same headers but for
 * number, length and PSH; the merged frame is up to 64 KiB and has a checksum that fits).
 */
import type { Tag } from '../support/frames';
import type { Clock, Timer } from './clock';
import { decode, encode, type Segment } from './segment';
import { plus } from './serial';

/** How long a segment waits for a successor, ms: about a NAPI poll. */
const HOLD_MS = 0.3;
const MAX_BYTES = 60_000;

interface Held {
  readonly frame: Uint8Array;
  readonly segment: Segment;
  readonly parts: number;
}

export class Merger {
  readonly #clock: Clock;
  readonly #on: boolean;
  readonly #deliver: (frame: Uint8Array) => void;
  #held: Held | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock, on: boolean, deliver: (frame: Uint8Array) => void) {
    this.#clock = clock;
    this.#on = on;
    this.#deliver = deliver;
  }

  take(frame: Uint8Array): void {
    if (!this.#on) return this.#deliver(frame);
    const decoded = decode(frame);
    const segment = decoded.kind === 'tcp' && decoded.segment.payload.length > 0 ? decoded.segment : undefined;
    const held = this.#held;
    if (segment && held && follows(held.segment, segment)) {
      const payload = new Uint8Array([...held.segment.payload, ...segment.payload]);
      const flags = segment.flags.includes('P') ? segment.flags : held.segment.flags;
      this.#held = { frame: held.frame, segment: { ...held.segment, payload, flags }, parts: held.parts + 1 };
      return;
    }
    this.#flush();
    if (segment === undefined || segment.flags.includes('F')) return this.#deliver(frame);
    this.#held = { frame, segment, parts: 1 };
    this.#timer = this.#clock.after(HOLD_MS, () => this.#flush());
  }

  #flush(): void {
    const held = this.#held;
    this.#held = undefined;
    this.#clock.cancel(this.#timer);
    if (held === undefined) return;
    this.#deliver(held.parts === 1 ? held.frame : encode(held.segment, linkOf(held.frame)));
  }
}

function follows(a: Segment, b: Segment): boolean {
  return (
    a.src === b.src &&
    a.dst === b.dst &&
    a.srcPort === b.srcPort &&
    a.dstPort === b.dstPort &&
    b.seq === plus(a.seq, a.payload.length) &&
    a.ack === b.ack &&
    a.window === b.window &&
    !a.flags.includes('P') &&
    !b.flags.includes('F') &&
    JSON.stringify(a.options) === JSON.stringify(b.options) &&
    a.payload.length + b.payload.length <= MAX_BYTES
  );
}

function linkOf(frame: Uint8Array): { srcMac: string; dstMac: string; tags: Tag[] } {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const tags: Tag[] = [];
  for (let at = 12; view.getUint16(at) === 0x8100 || view.getUint16(at) === 0x88a8; at += 4) {
    const control = view.getUint16(at + 2);
    tags.push({ tpid: view.getUint16(at), vid: control & 0xfff, priority: control >> 13 });
  }
  return { dstMac: macText(frame.subarray(0, 6)), srcMac: macText(frame.subarray(6, 12)), tags };
}

function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
