/**
 * The sending half of an endpoint (RFC 9293 3.8, RFC 5681, RFC 6298, RFC 6582, RFC 6675 in outline): window, timeout with
 * backoff, fast retransmit with or without SACK, zero-window probes. The bytes come from a function of their position,
 * so nothing has to be stored. Congestion control is as simple as it may be: what is simulated is loss, not load.
 */
import type { Clock, Timer } from './clock';
import type { Segment } from './segment';
import { after, before, earliest, later, minus, plus } from './serial';

/** Linux' TCP_RTO_MIN and TCP_RTO_MAX, and the first timeout of RFC 6298 2.1, ms. */
const RTO_MIN_MS = 200;
const RTO_MAX_MS = 120_000;
const RTO_INITIAL_MS = 1000;
/** RFC 6928. */
const INITIAL_SEGMENTS = 10;
const DUPLICATES = 3;

export interface SenderSettings {
  /** Sends a segment of the stream; the endpoint adds acknowledgement, window and options. */
  readonly emit: (seq: number, payload: Uint8Array, flags: string) => void;
  /** The peer no longer answers. */
  readonly giveUp: () => void;
  /** Bytes of the stream by position. */
  readonly source: (position: number, length: number) => Uint8Array;
  /** Timeouts in a row before giving up; Linux' tcp_retries2 is 15. */
  readonly retries: number;
  /** How a closed window is probed: an old number without data as Linux does, or one byte beyond it (RFC 9293 3.8.6.1). */
  readonly probe: 'empty' | 'byte';
}

export class Sender {
  una: number;
  nxt: number;
  /** One past the highest number ever sent. */
  max: number;
  window = 0;
  maxWindow = 0;
  /** Largest payload; known after the handshake. */
  mss = 536;
  sackAllowed = false;
  /** Bytes the application has written, and whether it has closed. */
  written = 0;
  closed = false;
  readonly #clock: Clock;
  readonly #settings: SenderSettings;
  readonly #first: number;
  #windowSeq = 0;
  #windowAck = 0;
  #cwnd = 0;
  #ssthresh = Infinity;
  #duplicates = 0;
  #recover: number | undefined;
  /** What the receiver has beyond `una`, ascending, disjoint. */
  #sacked: [number, number][] = [];
  /** Up to where holes have been sent again in this recovery. */
  #resent: number;
  #srttMs: number | undefined;
  #varianceMs = 0;
  #rtoMs = RTO_INITIAL_MS;
  #backoff = 0;
  #timed: { readonly end: number; readonly atMs: number } | undefined;
  #timer: Timer | undefined;
  #open = false;

  constructor(clock: Clock, iss: number, settings: SenderSettings) {
    this.#clock = clock;
    this.#settings = settings;
    this.#first = plus(iss, 1);
    this.una = iss;
    this.nxt = iss;
    this.max = iss;
    this.#resent = iss;
  }

  /** Position in the stream of a sequence number; the FIN's is one past the last byte. */
  position(seq: number): number {
    return minus(seq, this.#first);
  }

  get finSeq(): number | undefined {
    return this.closed ? plus(this.#first, this.written) : undefined;
  }

  get finSent(): boolean {
    return this.finSeq !== undefined && after(this.max, this.finSeq);
  }

  get finAcked(): boolean {
    return this.finSeq !== undefined && after(this.una, this.finSeq);
  }

  /** Bytes of the stream the peer has acknowledged. */
  get acked(): number {
    return Math.min(Math.max(0, this.position(this.una)), this.written);
  }

  /** The handshake is over: SYN and its acknowledgement are through. */
  begin(window: number, seq: number): void {
    this.una = this.#first;
    this.nxt = this.#first;
    this.max = later(this.max, this.#first);
    this.#open = true;
    this.#windowSeq = seq;
    this.#windowAck = this.una;
    this.window = window;
    this.maxWindow = window;
    this.#cwnd = INITIAL_SEGMENTS * this.mss;
    this.output();
  }

  stop(): void {
    this.#clock.cancel(this.#timer);
    this.#timer = undefined;
    this.#open = false;
  }

  /** Sends what the windows allow. */
  output(): void {
    if (!this.#open) return;
    while (this.#sendNext(false));
    this.#arm();
  }

  /** An acceptable acknowledgement (RFC 9293 3.10.7.4, check of the ACK field). `window` is scaled. */
  onAck(segment: Segment, window: number): void {
    const { ack, seq, payload } = segment;
    const sameWindow = window === this.window;
    this.#noteWindow(seq, ack, window);
    this.#noteSack(segment);
    if (after(ack, this.una)) this.#advance(ack);
    else if (ack === this.una && payload.length === 0 && sameWindow && after(this.max, this.una)) this.#duplicate();
    this.output();
  }

  #noteWindow(seq: number, ack: number, window: number): void {
    const fresh = after(seq, this.#windowSeq) || (seq === this.#windowSeq && !before(ack, this.#windowAck));
    if (!fresh && !after(ack, this.una)) return;
    this.#windowSeq = seq;
    this.#windowAck = ack;
    if (this.window === 0 && window > 0) this.#backoff = 0;
    this.window = window;
    this.maxWindow = Math.max(this.maxWindow, window);
  }

  #noteSack({ options, ack }: Segment): void {
    if (!this.sackAllowed || options.sack === undefined) return;
    for (const [left, right] of options.sack) {
      // A block below the acknowledgement is a D-SACK (RFC 2883); one above what was sent is nonsense.
      if (!before(left, right) || !after(right, ack) || before(left, this.una) || after(right, this.max)) continue;
      this.#sacked.push([left, right]);
    }
    this.#sacked.sort(([a], [b]) => minus(a, b));
    const merged: [number, number][] = [];
    for (const [left, right] of this.#sacked) {
      const last = merged.at(-1);
      if (last && !after(left, last[1])) last[1] = later(last[1], right);
      else merged.push([left, right]);
    }
    this.#sacked = merged;
  }

  #advance(ack: number): void {
    const acked = minus(ack, this.una);
    if (this.#timed && !before(ack, this.#timed.end)) this.#sample(this.#clock.nowMs - this.#timed.atMs);
    this.una = ack;
    this.nxt = later(this.nxt, ack);
    this.#resent = later(this.#resent, ack);
    this.#sacked = this.#sacked.filter(([, right]) => after(right, ack));
    this.#backoff = 0;
    this.#duplicates = 0;
    this.#clock.cancel(this.#timer);
    this.#timer = undefined;
    if (this.#recover !== undefined && before(ack, this.#recover)) {
      this.#resendHole();
      return;
    }
    this.#recover = undefined;
    this.#cwnd += this.#cwnd < this.#ssthresh ? acked : Math.ceil((this.mss * this.mss) / this.#cwnd);
  }

  #duplicate(): void {
    this.#duplicates++;
    if (this.#recover !== undefined) {
      if (this.#sacked.length > 0) this.#resendHole();
      return;
    }
    if (this.#duplicates < DUPLICATES) return;
    this.#recover = this.max;
    this.#ssthresh = Math.max(minus(this.max, this.una) / 2, 2 * this.mss);
    this.#cwnd = this.#ssthresh;
    this.#resent = this.una;
    this.#resendHole();
  }

  /** The first number that is neither acknowledged, SACKed, nor sent again in this recovery. */
  #resendHole(): void {
    let at = later(this.una, this.#resent);
    for (const [left, right] of this.#sacked) {
      if (before(at, left)) break;
      at = later(at, right);
    }
    const beyond = this.#sacked.at(-1)?.[1] ?? plus(this.una, 1);
    if (!before(at, beyond) || !before(at, this.max)) return;
    const next = this.#sacked.find(([left]) => after(left, at))?.[0] ?? this.max;
    const end = this.#sendAt(at, earliest(next, this.max));
    this.#resent = end;
  }

  #sample(rttMs: number): void {
    this.#timed = undefined;
    if (this.#srttMs === undefined) {
      this.#srttMs = rttMs;
      this.#varianceMs = rttMs / 2;
    } else {
      this.#varianceMs = 0.75 * this.#varianceMs + 0.25 * Math.abs(this.#srttMs - rttMs);
      this.#srttMs = 0.875 * this.#srttMs + 0.125 * rttMs;
    }
    this.#rtoMs = Math.max(RTO_MIN_MS, this.#srttMs + 4 * this.#varianceMs);
  }

  /** One segment at `nxt`; whether there may be another. `forced` ignores the congestion and SWS rules. */
  #sendNext(forced: boolean): boolean {
    const dataEnd = plus(this.#first, this.written);
    const fin = this.finSeq;
    for (const [left, right] of this.#sacked) {
      if (!before(this.nxt, left) && before(this.nxt, right)) this.nxt = right;
    }
    const limit = plus(this.una, forced ? this.window : Math.min(this.window, Math.floor(this.#cwnd)));
    if (fin !== undefined && this.nxt === fin) {
      if (!before(fin, limit)) return false;
      this.#transmit(fin, new Uint8Array(0), 'FA');
      return false;
    }
    const rest = minus(dataEnd, this.nxt);
    const room = minus(limit, this.nxt);
    if (rest <= 0 || room <= 0) return false;
    const n = Math.min(rest, room, this.mss);
    // Silly window (RFC 9293 3.8.6.2.1): a full segment, all there is, or half of the largest window seen.
    if (!forced && n < this.mss && n < rest && n < this.maxWindow / 2) return false;
    this.#sendAt(this.nxt, plus(this.nxt, n));
    return !forced;
  }

  /** Sends at most one segment of [seq, end), the FIN with it when it follows; one past what was sent. */
  #sendAt(seq: number, end: number): number {
    const fin = this.finSeq;
    const dataEnd = plus(this.#first, this.written);
    const n = Math.max(0, Math.min(this.mss, minus(earliest(end, dataEnd), seq)));
    const last = plus(seq, n);
    const withFin = fin === last && (n === 0 || before(fin, plus(this.una, this.window)));
    const data = n > 0 ? this.#settings.source(this.position(seq), n) : new Uint8Array(0);
    const push = last === dataEnd && n > 0 ? 'P' : '';
    this.#transmit(seq, data, `${withFin ? 'F' : ''}${push}A`);
    return withFin ? plus(last, 1) : last;
  }

  #transmit(seq: number, payload: Uint8Array, flags: string): void {
    const end = plus(seq, payload.length + (flags.includes('F') ? 1 : 0));
    const isNew = !before(seq, this.max);
    if (isNew) this.#timed ??= { end, atMs: this.#clock.nowMs };
    // Karn: a segment that was sent twice is no measure.
    else this.#timed = undefined;
    this.nxt = later(this.nxt, end);
    this.max = later(this.max, end);
    this.#settings.emit(seq, payload, flags);
  }

  get #hasMore(): boolean {
    const end = this.finSeq === undefined ? plus(this.#first, this.written) : plus(this.finSeq, 1);
    return before(this.nxt, end);
  }

  /** One timer for both: retransmission while something is out, persist while the window keeps everything back. */
  #arm(): void {
    if (this.#timer?.action !== undefined) return;
    const outstanding = after(this.max, this.una);
    if (!outstanding && !this.#hasMore) return;
    const delay = Math.min(RTO_MAX_MS, this.#rtoMs * 2 ** this.#backoff);
    this.#timer = this.#clock.after(delay, outstanding ? this.#onTimeout : this.#onPersist);
  }

  readonly #onTimeout = (): void => {
    this.#timer = undefined;
    if (!after(this.max, this.una)) return this.output();
    if (this.#backoff >= this.#settings.retries) return this.#settings.giveUp();
    this.#backoff++;
    this.#ssthresh = Math.max(minus(this.max, this.una) / 2, 2 * this.mss);
    this.#cwnd = this.mss;
    this.#recover = undefined;
    this.#duplicates = 0;
    // The receiver may have thrown away what it had SACKed (RFC 2018 8).
    this.#sacked = [];
    this.#timed = undefined;
    this.#resent = this.una;
    this.nxt = this.una;
    // The oldest segment goes out even when the window has closed (RFC 9293 3.8.6).
    this.nxt = this.#sendAt(this.una, this.max);
    this.#arm();
  };

  readonly #onPersist = (): void => {
    this.#timer = undefined;
    if (!this.#hasMore || after(this.max, this.una)) return this.#arm();
    this.#backoff = Math.min(this.#backoff + 1, 10);
    if (this.window > 0) this.#sendNext(true);
    else if (this.#settings.probe === 'empty') this.#settings.emit(plus(this.una, -1), new Uint8Array(0), 'A');
    else this.nxt = this.#sendAt(this.nxt, plus(this.nxt, 1));
    this.#arm();
  };
}
