/**
 * One end of one TCP connection: the state machine of RFC 9293 3.10 in the order of checks Linux uses (PAWS, sequence,
 * RST, SYN, ACK, text, FIN), with RFC 5961's challenge ACKs and RFC 7323's timestamps. Sender and receiver are apart.
 */
import type { Clock, Timer } from './clock';
import { Receiver } from './receiver';
import { lengthOf, type Segment, type SegmentOptions } from './segment';
import { Sender } from './sender';
import { after, before, minus, plus } from './serial';

const SYN_TIMEOUT_MS = 1000;
/** Linux: tcp_syn_retries 6, tcp_synack_retries 5. */
const SYN_RETRIES = 6;
/** 2 MSL. Arbitrary, shorter than Linux' 60 s: long enough for a FIN that is lost several times in a row. */
const TIME_WAIT_MS = 20_000;
const TIMESTAMPS_BYTES = 12;
/** NOP, NOP, kind, length, and two edges for each block (RFC 2018 3). */
const SACK_HEADER_BYTES = 4;
const SACK_BLOCK_BYTES = 8;

export interface TcpSettings {
  /** Announced, and the largest own segment, bytes. */
  readonly mss: number;
  /** Undefined: the option is not offered. */
  readonly windowShift: number | undefined;
  readonly sack: boolean;
  /** The host's timestamp clock; undefined: the option is not offered. */
  readonly timestamps: { readonly base: number; readonly perMs: number } | undefined;
  /** Drops segments without the timestamps that were agreed (RFC 7323 3.2), as some stacks do. */
  readonly strictTimestamps: boolean;
  readonly receiveBuffer: number;
  readonly delayedAck: boolean;
  readonly probe: 'empty' | 'byte';
  readonly retries: number;
}

export interface Tuple {
  readonly local: string;
  readonly localPort: number;
  readonly remote: string;
  readonly remotePort: number;
}

export type State =
  | 'SYN-SENT'
  | 'SYN-RECEIVED'
  | 'ESTABLISHED'
  | 'FIN-WAIT-1'
  | 'FIN-WAIT-2'
  | 'CLOSE-WAIT'
  | 'CLOSING'
  | 'LAST-ACK'
  | 'TIME-WAIT'
  | 'CLOSED';

export interface User {
  readonly source: (position: number, length: number) => Uint8Array;
  /** Something has changed: connected, bytes to read, end of stream, room to write. */
  readonly onEvent: () => void;
  readonly onError: (why: string) => void;
}

export class Endpoint {
  state: State;
  error: string | undefined;
  readonly tuple: Tuple;
  readonly iss: number;
  irs = 0;
  readonly sender: Sender;
  readonly receiver: Receiver;
  /** Largest payload that the peer must never exceed on the wire. */
  readonly settings: TcpSettings;
  readonly #clock: Clock;
  readonly #transmit: (segment: Segment) => void;
  readonly #user: User;
  readonly #onClosed: () => void;
  #timestamps = false;
  #tsRecent = 0;
  #peerShift = 0;
  #synTimer: Timer | undefined;
  #attempts = 0;

  /** Active open; for a passive one see `accepted`. */
  constructor(
    clock: Clock,
    tuple: Tuple,
    iss: number,
    settings: TcpSettings,
    user: User,
    transmit: (segment: Segment) => void,
    onClosed: () => void,
  ) {
    this.#clock = clock;
    this.tuple = tuple;
    this.iss = iss;
    this.settings = settings;
    this.#user = user;
    this.#transmit = transmit;
    this.#onClosed = onClosed;
    this.state = 'SYN-SENT';
    this.sender = new Sender(clock, iss, {
      emit: (seq, payload, flags) => this.#send(seq, flags, payload),
      giveUp: () => this.#fail('timeout'),
      source: user.source,
      retries: settings.retries,
      probe: settings.probe,
    });
    this.receiver = new Receiver(clock, {
      buffer: settings.receiveBuffer,
      delayedAck: settings.delayedAck,
      acknowledge: () => this.acknowledge(),
    });
  }

  connect(): void {
    if (this.#attempts > SYN_RETRIES) return this.#fail('timeout');
    this.#send(this.iss, 'S', new Uint8Array(0), synOptions(this.settings, this.#tsNow(), 0));
    this.#synTimer = this.#clock.after(SYN_TIMEOUT_MS * 2 ** this.#attempts++, () => this.connect());
  }

  /** Becomes the established end that a listener made of a SYN and the ACK that answered its SYN-ACK. */
  accepted(syn: Segment, ack: Segment): void {
    this.irs = syn.seq;
    this.receiver.begin(syn.seq);
    this.#agree(syn.options);
    if (this.#timestamps) this.#tsRecent = (ack.options.timestamps ?? syn.options.timestamps)?.tsval ?? 0;
    this.receiver.advertise(0);
    this.sender.max = plus(this.iss, 1);
    this.#establish(ack);
  }

  write(bytes: number): void {
    if (this.sender.closed) throw new Error('written after close');
    this.sender.written += bytes;
    this.sender.output();
  }

  /** Closes the own direction. */
  close(): void {
    if (this.sender.closed) return;
    this.sender.closed = true;
    if (this.state === 'ESTABLISHED') this.state = 'FIN-WAIT-1';
    else if (this.state === 'CLOSE-WAIT') this.state = 'LAST-ACK';
    this.sender.output();
  }

  get isOpen(): boolean {
    return this.state !== 'CLOSED' && this.state !== 'TIME-WAIT';
  }

  acknowledge(): void {
    if (this.state === 'CLOSED' || this.state === 'SYN-SENT') return;
    this.#send(this.sender.max, 'A', new Uint8Array(0));
  }

  /** A reset as a dying process leaves it. */
  abort(): void {
    this.#send(this.sender.max, 'RA', new Uint8Array(0));
    this.#close();
  }

  /** A FIN as a dying process leaves it, though the application had more to say. */
  abandon(): void {
    this.#send(this.sender.max, 'FA', new Uint8Array(0));
    this.#close();
  }

  receive(segment: Segment): void {
    if (this.state === 'CLOSED') return;
    if (this.state === 'SYN-SENT') return this.#onSynSent(segment);
    if (!this.#passes(segment)) return;
    const { ack, options } = segment;
    if (this.#timestamps && options.timestamps && !after(segment.seq, this.receiver.lastAck)) {
      if (minus(options.timestamps.tsval, this.#tsRecent) >= 0) this.#tsRecent = options.timestamps.tsval;
    }
    if (after(ack, this.sender.max) || before(ack, plus(this.sender.una, -this.sender.maxWindow))) {
      return this.acknowledge(); // RFC 5961 5.2
    }
    if (!before(ack, this.sender.una)) this.sender.onAck(segment, segment.window << this.#peerShift);
    this.#afterAck();
    if (lengthOf(segment) > 0) this.#onText(segment);
    this.#user.onEvent();
  }

  // --- opening --------------------------------------------------------------------------------------------------

  #onSynSent(segment: Segment): void {
    const { flags, ack } = segment;
    const acks = flags.includes('A') && ack === plus(this.iss, 1);
    if (flags.includes('R')) {
      if (acks) this.#fail('refused');
      return;
    }
    if (!flags.includes('S') || !acks) return;
    this.#clock.cancel(this.#synTimer);
    this.irs = segment.seq;
    this.receiver.begin(segment.seq);
    this.#agree(segment.options);
    if (this.#timestamps) this.#tsRecent = segment.options.timestamps?.tsval ?? 0;
    this.sender.max = plus(this.iss, 1);
    this.state = 'ESTABLISHED';
    this.acknowledge();
    this.#establish(segment);
  }

  #agree({ mss, windowShift, sackPermitted, timestamps }: SegmentOptions): void {
    const own = this.settings;
    this.#timestamps = own.timestamps !== undefined && timestamps !== undefined;
    if (own.windowShift !== undefined && windowShift !== undefined) {
      this.#peerShift = windowShift;
      this.receiver.shift = own.windowShift;
    }
    this.sender.sackAllowed = own.sack && sackPermitted === true;
    const largest = Math.min(mss ?? 536, own.mss) - (this.#timestamps ? TIMESTAMPS_BYTES : 0);
    this.sender.mss = largest;
    this.receiver.mss = largest;
  }

  #establish(segment: Segment): void {
    this.state = 'ESTABLISHED';
    // The window of a SYN is never scaled (RFC 7323 2.2).
    const window = segment.flags.includes('S') ? segment.window : segment.window << this.#peerShift;
    this.sender.begin(window, segment.seq);
    this.#user.onEvent();
  }

  // --- checks ---------------------------------------------------------------------------------------------------

  /** PAWS, sequence number, RST, SYN, ACK bit; whatever fails has been answered. */
  #passes(segment: Segment): boolean {
    const { flags, seq, options } = segment;
    const reset = flags.includes('R');
    if (this.#timestamps && !reset) {
      const { timestamps } = options;
      if (timestamps === undefined) {
        if (this.settings.strictTimestamps) return false;
      } else if (minus(timestamps.tsval, this.#tsRecent) < 0) {
        this.acknowledge();
        return false;
      }
    }
    if (!this.receiver.acceptable(seq, lengthOf(segment))) {
      if (!reset) this.acknowledge();
      return false;
    }
    if (reset) {
      // RFC 5961 3.2; a RST does not end TIME-WAIT (RFC 1337).
      if (this.state === 'TIME-WAIT') return false;
      if (seq === this.receiver.nxt) this.#fail('reset');
      else this.acknowledge();
      return false;
    }
    if (flags.includes('S')) {
      this.acknowledge(); // RFC 5961 4.2
      return false;
    }
    return flags.includes('A');
  }

  #afterAck(): void {
    if (!this.sender.finAcked) return;
    if (this.state === 'FIN-WAIT-1') this.state = 'FIN-WAIT-2';
    else if (this.state === 'CLOSING') this.#timeWait();
    else if (this.state === 'LAST-ACK') this.#close();
  }

  #onText(segment: Segment): void {
    const ended = this.receiver.ended;
    this.receiver.accept(segment.seq, segment.payload, segment.flags.includes('F'));
    if (ended || !this.receiver.ended) return;
    if (this.state === 'ESTABLISHED') this.state = 'CLOSE-WAIT';
    else if (this.state === 'FIN-WAIT-1') this.state = 'CLOSING';
    else if (this.state === 'FIN-WAIT-2') this.#timeWait();
  }

  // --- sending --------------------------------------------------------------------------------------------------

  #tsNow(): number {
    return clockValue(this.settings, this.#clock.nowMs);
  }

  #send(seq: number, flags: string, payload: Uint8Array, options = this.#options(flags, payload.length)): void {
    const { local, localPort, remote, remotePort } = this.tuple;
    const window = flags.includes('S')
      ? Math.min(this.settings.receiveBuffer, 65535)
      : flags.includes('R')
        ? 0
        : this.receiver.advertise();
    const ack = flags.includes('A') ? this.receiver.nxt : 0;
    const ends = { src: local, srcPort: localPort, dst: remote, dstPort: remotePort };
    this.#transmit({ ...ends, seq, ack, flags, window, options, payload });
  }

  /** As many SACK blocks as there is room for beside the payload: a segment of a whole MSS carries none. */
  #options(flags: string, payloadBytes: number): SegmentOptions {
    const timestamps = this.#timestamps ? { tsval: this.#tsNow(), tsecr: this.#tsRecent } : undefined;
    const room = Math.floor((this.sender.mss - payloadBytes - SACK_HEADER_BYTES) / SACK_BLOCK_BYTES);
    const isTold = this.sender.sackAllowed && !flags.includes('R') && room > 0;
    const blocks = isTold ? this.receiver.sackBlocks.slice(0, room) : [];
    return { ...(timestamps ? { timestamps } : {}), ...(blocks.length > 0 ? { sack: blocks } : {}) };
  }

  // --- closing --------------------------------------------------------------------------------------------------

  #timeWait(): void {
    this.state = 'TIME-WAIT';
    this.sender.stop();
    this.#clock.after(TIME_WAIT_MS, () => this.#close());
  }

  #fail(why: string): void {
    this.error = why;
    this.#close();
    this.#user.onError(why);
  }

  #close(): void {
    if (this.state === 'CLOSED') return;
    this.state = 'CLOSED';
    this.#clock.cancel(this.#synTimer);
    this.sender.stop();
    this.receiver.stop();
    this.#onClosed();
    this.#user.onEvent();
  }
}

/** The host's timestamp clock at a time, wrapping. */
export function clockValue({ timestamps }: TcpSettings, nowMs: number): number {
  return timestamps ? (timestamps.base + Math.floor(nowMs * timestamps.perMs)) >>> 0 : 0;
}

export function synOptions(settings: TcpSettings, tsval: number, tsecr: number): SegmentOptions {
  return {
    mss: settings.mss,
    ...(settings.sack ? { sackPermitted: true } : {}),
    ...(settings.timestamps ? { timestamps: { tsval, tsecr } } : {}),
    ...(settings.windowShift === undefined ? {} : { windowShift: settings.windowShift }),
  };
}
