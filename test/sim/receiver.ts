/**
 * The receiving half of an endpoint: in-order delivery, out-of-order queue, SACK blocks, advertised window with a
 * buffer the application drains, delayed acknowledgement. The right edge of the window never moves back (RFC 9293 3.8.6).
 */
import type { Clock, Timer } from './clock';
import { after, before, later, minus, plus } from './serial';

/** RFC 9293 3.8.6.3 allows 500 ms; Linux waits for 40. */
const DELAYED_ACK_MS = 40;
const MAX_FIELD = 65535;
const MAX_SACK_BLOCKS = 3;

interface Piece {
  readonly seq: number;
  readonly data: Uint8Array;
}

export interface ReceiverSettings {
  /** Bytes the receiver holds before the application has read them. */
  readonly buffer: number;
  readonly delayedAck: boolean;
  /** Sends an acknowledgement now. */
  readonly acknowledge: () => void;
}

export class Receiver {
  /** The next number expected; past the FIN once that was received. */
  nxt = 0;
  /** Right edge of the window as last advertised. */
  edge = 0;
  /** The last acknowledgement sent (Linux' rcv_wup, RFC 7323's Last.ACK.sent). */
  lastAck = 0;
  /** Shift of the advertised window once agreed. */
  shift = 0;
  mss = 536;
  ended = false;
  readonly #clock: Clock;
  readonly #settings: ReceiverSettings;
  #first = 0;
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  /** Ascending, disjoint. */
  #queue: Piece[] = [];
  #recent: number | undefined;
  #finSeq: number | undefined;
  #unacked = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, settings: ReceiverSettings) {
    this.#clock = clock;
    this.#settings = settings;
  }

  begin(irs: number): void {
    this.#first = plus(irs, 1);
    this.nxt = this.#first;
    this.lastAck = this.#first;
    this.edge = this.#first;
  }

  stop(): void {
    this.#clock.cancel(this.#timer);
  }

  /** Bytes delivered in order so far, read or not. */
  get delivered(): number {
    return minus(this.nxt, this.#first) - (this.ended ? 1 : 0);
  }

  /** Bytes of the peer's stream acknowledged on the wire so far. */
  get acknowledged(): number {
    return minus(this.lastAck, this.#first) - (this.ended && this.lastAck === this.nxt ? 1 : 0);
  }

  /** All that can be read. */
  read(): Uint8Array[] {
    const taken = this.#unread;
    const n = this.#unreadBytes;
    this.#unread = [];
    this.#unreadBytes = 0;
    // A window that was nearly closed and is open again is announced (RFC 9293 3.8.6.2.2).
    const promised = minus(this.edge, this.nxt);
    if (n > 0 && !this.ended && promised < this.mss && this.#isWorthIt(promised)) this.#settings.acknowledge();
    return taken;
  }

  get atEnd(): boolean {
    return this.ended && this.#unreadBytes === 0;
  }

  /** Whether the edge may move: by a segment or half the buffer (RFC 9293 3.8.6.2.2). */
  #isWorthIt(promised: number): boolean {
    return this.#offer() - promised >= Math.min(this.#settings.buffer / 2, this.mss);
  }

  #offer(): number {
    return Math.max(0, this.#settings.buffer - this.#unreadBytes);
  }

  /** The window field of a segment that is about to be sent, and what follows from sending it. */
  advertise(shift = this.shift): number {
    const promised = Math.max(0, minus(this.edge, this.nxt));
    const offer = Math.min(this.#offer(), MAX_FIELD << shift);
    const want = this.#isWorthIt(promised) ? offer : promised;
    let field = want >> shift;
    // Rounding down would take back what was promised.
    if (field << shift < promised) field = (promised + (1 << shift) - 1) >> shift;
    field = Math.min(field, MAX_FIELD);
    this.edge = plus(this.nxt, field << shift);
    this.lastAck = this.nxt;
    this.#unacked = 0;
    this.#clock.cancel(this.#timer);
    this.#timer = undefined;
    return field;
  }

  /** Linux' tcp_sequence: not wholly old, not beyond the window. */
  acceptable(seq: number, length: number): boolean {
    return !before(plus(seq, length), this.lastAck) && !after(seq, later(this.edge, this.nxt));
  }

  /** Text and FIN of an acceptable segment. */
  accept(seq: number, payload: Uint8Array, fin: boolean): void {
    if (fin) this.#finSeq ??= plus(seq, payload.length);
    const old = before(plus(seq, payload.length + (fin ? 1 : 0)), plus(this.nxt, 1));
    const wasNext = !after(seq, this.nxt);
    this.#insert(seq, payload);
    this.#deliver();
    if (this.#finSeq === this.nxt && !this.ended) {
      this.ended = true;
      this.nxt = plus(this.nxt, 1);
      this.#queue = [];
    }
    if (old || !wasNext || fin || this.#queue.length > 0 || !this.#settings.delayedAck) {
      this.#settings.acknowledge();
      return;
    }
    this.#unacked += payload.length;
    if (this.#unacked >= 2 * this.mss || minus(this.edge, this.nxt) < this.mss) this.#settings.acknowledge();
    else if (this.#timer?.action === undefined) {
      this.#timer = this.#clock.after(DELAYED_ACK_MS, this.#settings.acknowledge);
    }
  }

  /** Cut to the window, and to what is not there yet. */
  #insert(seq: number, payload: Uint8Array): void {
    if (this.ended) return;
    let from = Math.max(0, minus(this.nxt, seq));
    const end = Math.min(payload.length, minus(this.edge, seq));
    if (from >= end) return;
    const pieces: Piece[] = [];
    for (const piece of this.#queue) {
      const start = minus(piece.seq, seq);
      const stop = start + piece.data.length;
      if (start > from && from < end) {
        pieces.push({ seq: plus(seq, from), data: payload.subarray(from, Math.min(end, start)) });
      }
      from = Math.max(from, stop);
    }
    if (from < end) pieces.push({ seq: plus(seq, from), data: payload.subarray(from, end) });
    const first = pieces[0];
    if (first !== undefined) this.#recent = first.seq;
    this.#queue = [...this.#queue, ...pieces].sort((a, b) => minus(a.seq, b.seq));
  }

  #deliver(): void {
    for (;;) {
      const piece = this.#queue[0];
      if (piece?.seq !== this.nxt) return;
      this.#queue.shift();
      this.#unread.push(piece.data);
      this.#unreadBytes += piece.data.length;
      this.nxt = plus(this.nxt, piece.data.length);
    }
  }

  /** Blocks of the queue, the most recently changed one first (RFC 2018 4). */
  get sackBlocks(): [number, number][] {
    const blocks: [number, number][] = [];
    for (const { seq, data } of this.#queue) {
      const last = blocks.at(-1);
      if (last?.[1] === seq) last[1] = plus(seq, data.length);
      else blocks.push([seq, plus(seq, data.length)]);
    }
    const recent = this.#recent;
    if (recent !== undefined) {
      const i = blocks.findIndex(([left, right]) => !before(recent, left) && before(recent, right));
      if (i > 0) blocks.unshift(...blocks.splice(i, 1));
    }
    return blocks.slice(0, MAX_SACK_BLOCKS);
  }
}
