/**
 * A host: the endpoints of one stack, its listeners, and the answers it gives to segments of no connection. Listeners are
 * modelled on Linux, because the core relies on what Linux does there: a full accept queue drops SYNs and ignores the
 * third step of a handshake, a half-open connection looks at the acknowledgement before it looks at the sequence number.
 */
import type { Tag } from '../support/frames';
import type { Clock, Timer } from './clock';
import { clockValue, Endpoint, synOptions, type TcpSettings, type Tuple, type User } from './endpoint';
import type { Random } from './random';
import { type Decoded, encode, lengthOf, type Segment } from './segment';
import { after, before, plus } from './serial';

const SYNACK_TIMEOUT_MS = 1000;
const SYNACK_RETRIES = 5;

export interface HostSettings {
  readonly name: string;
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly tags: readonly Tag[];
  readonly tcp: TcpSettings;
  /** Whether segments larger than the announced MSS may arrive (receive offload, a private link with a large MTU). */
  readonly takesMerged: boolean;
}

export interface Listener {
  readonly port: number;
  /** As in listen(2): one more fits. */
  readonly backlog: number;
  /** How long the application takes to accept one connection, ms. */
  readonly acceptMs: number;
  /** A new half-open connection: who will use it. */
  readonly user: (tuple: Tuple, syn: Segment) => User;
  /** The handshake is complete. */
  readonly onEstablished: (endpoint: Endpoint) => void;
  /** The application has taken the connection from the accept queue. */
  readonly onAccept: (endpoint: Endpoint) => void;
}

interface HalfOpen {
  readonly tuple: Tuple;
  readonly iss: number;
  readonly syn: Segment;
  readonly listener: Listener;
  readonly user: User;
  attempts: number;
  timer: Timer | undefined;
}

export class Host {
  readonly settings: HostSettings;
  /** Frames it was sent that any stack drops as damaged: never expected. */
  readonly damaged: string[] = [];
  /** Segments larger than it had announced to take. */
  readonly oversized: string[] = [];
  readonly endpoints = new Map<string, Endpoint>();
  /** MAC addresses of the neighbours, by IP address. */
  readonly neighbours = new Map<string, string>();
  /** SYNs and handshake ACKs dropped because an accept queue was full. */
  overflows = 0;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #listeners = new Map<number, Listener>();
  readonly #halfOpen = new Map<string, HalfOpen>();
  readonly #acceptQueues = new Map<Listener, Endpoint[]>();
  #transmit: ((frame: Uint8Array) => void) | undefined;

  constructor(clock: Clock, random: Random, settings: HostSettings) {
    this.#clock = clock;
    this.#random = random;
    this.settings = settings;
  }

  attach(transmit: (frame: Uint8Array) => void): void {
    this.#transmit = transmit;
  }

  /** Cuts the host off: it neither hears nor is heard. */
  detach(): void {
    this.#transmit = undefined;
  }

  listen(listener: Listener): void {
    this.#listeners.set(listener.port, listener);
    this.#acceptQueues.set(listener, []);
  }

  connect(tuple: Tuple, user: User): Endpoint {
    const endpoint = this.#make(tuple, this.#isn(), user);
    endpoint.connect();
    return endpoint;
  }

  receive(decoded: Decoded): void {
    if (this.#transmit === undefined) return;
    if (decoded.kind === 'broken') this.damaged.push(`${this.settings.name} was sent a frame with bad ${decoded.why}`);
    if (decoded.kind !== 'tcp') return;
    const { segment } = decoded;
    if (!this.settings.addresses.includes(segment.dst)) return;
    if (!this.settings.takesMerged && segment.payload.length > this.settings.tcp.mss) {
      this.oversized.push(`${this.settings.name} was sent ${segment.payload.length} bytes in one segment`);
    }
    const tuple: Tuple = {
      local: segment.dst,
      localPort: segment.dstPort,
      remote: segment.src,
      remotePort: segment.srcPort,
    };
    const key = keyOf(tuple);
    const endpoint = this.endpoints.get(key);
    if (endpoint) return endpoint.receive(segment);
    const half = this.#halfOpen.get(key);
    if (half) return this.#onHalfOpen(half, segment);
    const listener = this.#listeners.get(segment.dstPort);
    if (listener && segment.flags === 'S') return this.#onSyn(listener, tuple, segment);
    this.#reset(segment);
  }

  /** A number for a new connection: often close to the wrap. */
  #isn(): number {
    return this.#random.chance(0.3) ? plus(0, -this.#random.int(1, 100_000)) : this.#random.u32();
  }

  #make(tuple: Tuple, iss: number, user: User): Endpoint {
    const key = keyOf(tuple);
    const onClosed = (): void => {
      if (this.endpoints.get(key) === endpoint) this.endpoints.delete(key);
    };
    const endpoint = new Endpoint(
      this.#clock,
      tuple,
      iss,
      this.settings.tcp,
      user,
      (segment) => this.#send(segment),
      onClosed,
    );
    this.endpoints.set(key, endpoint);
    return endpoint;
  }

  #send(segment: Segment): void {
    if (this.#transmit === undefined) return;
    const dstMac = this.neighbours.get(segment.dst);
    if (dstMac === undefined) throw new Error(`${this.settings.name} knows no way to ${segment.dst}`);
    this.#transmit(encode(segment, { srcMac: this.settings.mac, dstMac, tags: this.settings.tags }));
  }

  /** RFC 9293 3.10.7.1. */
  #reset(segment: Segment): void {
    const { flags, seq, ack } = segment;
    if (flags.includes('R')) return;
    const { src, dst, srcPort, dstPort } = segment;
    const ends = { src: dst, srcPort: dstPort, dst: src, dstPort: srcPort };
    const rest = { ...ends, window: 0, options: {}, payload: new Uint8Array(0) };
    if (flags.includes('A')) this.#send({ ...rest, seq: ack, ack: 0, flags: 'R' });
    else this.#send({ ...rest, seq: 0, ack: plus(seq, lengthOf(segment)), flags: 'RA' });
  }

  // --- listening ------------------------------------------------------------------------------------------------

  #isFull(listener: Listener): boolean {
    return (this.#acceptQueues.get(listener)?.length ?? 0) > listener.backlog;
  }

  #onSyn(listener: Listener, tuple: Tuple, syn: Segment): void {
    const waiting = [...this.#halfOpen.values()].filter((half) => half.listener === listener).length;
    if (this.#isFull(listener) || waiting > listener.backlog) {
      this.overflows++;
      return;
    }
    const user = listener.user(tuple, syn);
    const half: HalfOpen = { tuple, iss: this.#isn(), syn, listener, user, attempts: 0, timer: undefined };
    this.#halfOpen.set(keyOf(tuple), half);
    this.#sendSynAck(half);
    this.#armSynAck(half);
  }

  #armSynAck(half: HalfOpen): void {
    half.timer = this.#clock.after(SYNACK_TIMEOUT_MS * 2 ** half.attempts++, () => {
      if (half.attempts > SYNACK_RETRIES) return this.#forget(half);
      this.#sendSynAck(half);
      this.#armSynAck(half);
    });
  }

  #forget(half: HalfOpen): void {
    this.#clock.cancel(half.timer);
    this.#halfOpen.delete(keyOf(half.tuple));
  }

  /** Options the SYN did not offer are not taken up. */
  #answerSettings({ options }: Segment): TcpSettings {
    const { tcp } = this.settings;
    return {
      ...tcp,
      windowShift: options.windowShift === undefined ? undefined : tcp.windowShift,
      sack: tcp.sack && options.sackPermitted === true,
      timestamps: options.timestamps === undefined ? undefined : tcp.timestamps,
    };
  }

  #sendSynAck({ tuple, iss, syn }: HalfOpen): void {
    this.#send({
      src: tuple.local,
      srcPort: tuple.localPort,
      dst: tuple.remote,
      dstPort: tuple.remotePort,
      seq: iss,
      ack: plus(syn.seq, 1),
      flags: 'SA',
      window: Math.min(this.settings.tcp.receiveBuffer, 65535),
      options: synOptions(
        this.#answerSettings(syn),
        clockValue(this.settings.tcp, this.#clock.nowMs),
        syn.options.timestamps?.tsval ?? 0,
      ),
      payload: new Uint8Array(0),
    });
  }

  /** Linux' tcp_check_req. */
  #onHalfOpen(half: HalfOpen, segment: Segment): void {
    const { flags, seq, ack } = segment;
    if (flags === 'S' && seq === half.syn.seq) return this.#sendSynAck(half);
    if (flags.includes('A') && ack !== plus(half.iss, 1)) return this.#reset(segment);
    const first = plus(half.syn.seq, 1);
    const edge = plus(first, Math.min(this.settings.tcp.receiveBuffer, 65535));
    if (before(plus(seq, lengthOf(segment)), first) || after(seq, edge)) {
      if (!flags.includes('R')) this.#acknowledgeHalfOpen(half);
      return;
    }
    if (flags.includes('R') || flags.includes('S')) {
      this.#forget(half);
      return this.#reset(segment);
    }
    if (!flags.includes('A')) return;
    if (this.#isFull(half.listener)) {
      this.overflows++;
      return;
    }
    this.#forget(half);
    const endpoint = this.#make(half.tuple, half.iss, half.user);
    half.listener.onEstablished(endpoint);
    this.#enterQueue(half.listener, endpoint);
    endpoint.accepted(half.syn, segment);
    endpoint.receive(segment);
  }

  #acknowledgeHalfOpen({ tuple, iss, syn }: HalfOpen): void {
    const { local, localPort, remote, remotePort } = tuple;
    const ends = { src: local, srcPort: localPort, dst: remote, dstPort: remotePort };
    const numbers = { seq: plus(iss, 1), ack: plus(syn.seq, 1) };
    this.#send({ ...ends, ...numbers, flags: 'A', window: 65535, options: {}, payload: new Uint8Array(0) });
  }

  #enterQueue(listener: Listener, endpoint: Endpoint): void {
    const queue = this.#acceptQueues.get(listener) ?? [];
    queue.push(endpoint);
    if (queue.length > 1) return;
    const next = (): void => {
      const accepted = queue.shift();
      if (accepted) listener.onAccept(accepted);
      if (queue.length > 0) this.#clock.after(listener.acceptMs, next);
    };
    this.#clock.after(listener.acceptMs, next);
  }
}

export function keyOf({ local, localPort, remote, remotePort }: Tuple): string {
  return `${local} ${localPort} ${remote} ${remotePort}`;
}
