/**
 * One TCP connection as a tester plays it: the client, the primary, and the replica, each with its own numbers, and the
 * segments between them as the core sees them. Steps return the flow, so that a story reads in one line:
 *
 *     new Flow(world).established().inbound().data(100).recovered().replica().data('hello')
 *
 * What the core sent in answer to the last step is in `sent`. Numbers follow by themselves (what a side sends moves
 * its `next`, what reaches the other side moves its `received`); any field of a segment can be overridden.
 */
import { Port, ServiceState } from '../../assembly/abi/codes';
import { CONNECTION_STRAYS } from '../../assembly/abi/layout';
import { type Tag, type TcpOptions, mss, nop, sackPermitted, tcpFrame, timestamps, windowScale } from './frames';
import type { ConnectionRecord } from './records';
import type { Segment, Sent } from './sent';
import { MAC, type World } from './world';

/** What one side offers in its SYN, and its first numbers. */
export interface Offer {
  readonly isn?: number;
  readonly mss?: number | undefined;
  readonly windowShift?: number | undefined;
  readonly sack?: boolean;
  /** First TSval; undefined: no timestamps. */
  readonly tsval?: number | undefined;
  readonly ecn?: boolean;
  /** Window field of every segment unless overridden. */
  readonly window?: number;
}

export interface FlowOptions {
  readonly client?: string;
  readonly clientPort?: number;
  readonly server?: string;
  readonly serverPort?: number;
  readonly replicaAddress?: string;
  readonly tags?: readonly Tag[];
  readonly service?: number;
  readonly clientOffer?: Offer;
  readonly primaryOffer?: Offer;
  readonly replicaOffer?: Offer;
  readonly remote?: boolean;
}

type Overrides = Partial<TcpOptions>;

const PLAIN: Required<Offer> = {
  isn: 1000,
  mss: 1460,
  windowShift: undefined,
  sack: false,
  tsval: undefined,
  ecn: false,
  window: 64000,
};

/** One end of the connection. */
export class End {
  readonly offer: Required<Offer>;
  /** Next sequence number it sends. */
  next: number;
  /** Next one it expects. */
  received = 0;
  tsval: number;
  /** Its FIN as first sent. */
  finished: { readonly seq: number; readonly ack: number } | undefined;

  constructor(
    readonly flow: Flow,
    readonly name: 'client' | 'primary' | 'replica',
    offer: Offer,
  ) {
    this.offer = { ...PLAIN, ...offer };
    this.next = this.offer.isn;
    this.tsval = this.offer.tsval ?? 0;
  }

  /** Any segment; `next` moves past it unless `seq` says that it is an old or a forged one. */
  segment(flags: string, overrides: Overrides = {}): Flow {
    return this.flow.send(this, flags, overrides);
  }

  syn(overrides: Overrides = {}): Flow {
    const { offer } = this;
    this.next = offer.isn;
    const flags = offer.ecn ? 'SEC' : 'S';
    return this.segment(flags, {
      ack: 0,
      window: Math.min(offer.window, 0xffff),
      options: this.synOptions(0),
      ...overrides,
    });
  }

  synAck(overrides: Overrides = {}): Flow {
    this.next = this.offer.isn;
    const options = this.synOptions(this.peer.tsval);
    return this.segment(this.offer.ecn ? 'SAE' : 'SA', {
      window: Math.min(this.offer.window, 0xffff),
      options,
      ...overrides,
    });
  }

  synOptions(tsecr: number): Uint8Array[] {
    const { offer } = this;
    return [
      ...(offer.mss === undefined ? [] : [mss(offer.mss)]),
      ...(offer.sack ? [sackPermitted()] : []),
      ...(offer.tsval === undefined ? [] : [timestamps(this.tsval, tsecr)]),
      ...(offer.windowShift === undefined ? [] : [nop(), windowScale(offer.windowShift)]),
    ];
  }

  ack(overrides: Overrides = {}): Flow {
    return this.segment('A', overrides);
  }

  /** `payload`: bytes, text, or how many bytes of a pattern that tells its place in the stream. */
  data(payload: Uint8Array | string | number, overrides: Overrides = {}): Flow {
    const seq = overrides.seq ?? this.next;
    const bytes = typeof payload === 'number' ? this.pattern(seq, payload) : payload;
    return this.segment('PA', { payload: bytes, ...overrides });
  }

  /** The FIN; the same one again when it was sent before. */
  fin(overrides: Overrides = {}): Flow {
    if (this.finished !== undefined) return this.segment('FA', { ...this.finished, ...overrides });
    this.finished = { seq: (this.next + (overrides.payload?.length ?? 0)) >>> 0, ack: this.received };
    return this.segment('FA', overrides);
  }

  rst(overrides: Overrides = {}): Flow {
    return this.segment('R', { ack: 0, ...overrides });
  }

  /** The bytes of this end's stream from `seq` on, as numbers of the wire side or the replica's own. */
  pattern(seq: number, length: number): Uint8Array {
    return Uint8Array.from({ length }, (_, i) => ((seq + i) >>> 0) % 251);
  }

  get peer(): End {
    return this.flow.peerOf(this);
  }
}

const carries = ({ payload, flags }: Segment): boolean => payload.length > 0 || flags.includes('F');

export class Flow {
  readonly client: End;
  readonly primary: End;
  readonly stack: End;
  readonly options: Required<FlowOptions>;
  /** What the core sent in answer to the last step, and to all of them. */
  sent: Sent[] = [];
  readonly all: Sent[] = [];
  #stackPort: number;

  constructor(
    readonly world: World,
    options: FlowOptions = {},
  ) {
    const v6 = options.client?.includes(':') ?? false;
    this.options = {
      client: v6 ? 'fd00::9' : '10.0.0.9',
      clientPort: 40000,
      server: v6 ? 'fd00::2' : '10.0.0.2',
      serverPort: 7000,
      replicaAddress: v6 ? 'fd00::3' : '10.0.0.3',
      tags: [],
      service: 0,
      clientOffer: {},
      primaryOffer: {},
      replicaOffer: {},
      remote: false,
      ...options,
    };
    this.client = new End(this, 'client', { isn: 1000, ...this.options.clientOffer });
    this.primary = new End(this, 'primary', { isn: 500_000, ...this.options.primaryOffer });
    this.stack = new End(this, 'replica', { isn: 90_000_000, ...this.options.replicaOffer });
    this.#stackPort = this.options.clientPort;
  }

  inbound(): End {
    return this.client;
  }

  outbound(): End {
    return this.primary;
  }

  replica(): End {
    return this.stack;
  }

  /** Both ends of the wire agreed to it. */
  agreed(option: 'tsval' | 'windowShift'): boolean {
    return this.client.offer[option] !== undefined && this.primary.offer[option] !== undefined;
  }

  peerOf(end: End): End {
    return end === this.client ? (this.#moved ? this.stack : this.primary) : this.client;
  }

  #moved = false;

  // --- named states ---------------------------------------------------------------------------------------------

  synSent(): Flow {
    return this.client.syn();
  }

  synReceived(): Flow {
    return this.synSent().primary.synAck();
  }

  established(): Flow {
    return this.synReceived().client.ack();
  }

  clientFin(): Flow {
    return this.established().client.fin();
  }

  serverFin(): Flow {
    return this.established().primary.fin();
  }

  bothFin(): Flow {
    return this.clientFin().primary.fin();
  }

  timeWait(): Flow {
    return this.bothFin().client.ack();
  }

  closed(): Flow {
    return this.established().client.rst();
  }

  // --- moving to the replica ------------------------------------------------------------------------------------

  /** The primary is dead: the forged SYN, if any, is in `sent`. */
  crash(): this {
    this.#moved = true;
    return this.note(this.world.setState(ServiceState.Recovery, this.options.service));
  }

  /** The replica takes what it is sent, and answers the SYN. */
  accept(overrides: Overrides = {}): Flow {
    const syn = this.toReplica().at(-1);
    if (syn?.flags.includes('S') !== true) throw new Error('no SYN for the replica');
    this.#stackPort = syn.srcPort;
    this.stack.received = (syn.seq + 1) >>> 0;
    return this.stack.synAck(overrides);
  }

  /** A replica that has the connection acknowledges what it was sent. */
  confirm(): Flow {
    return this.take().stack.ack();
  }

  /** A replica reads along: its handshake is complete, its output is withheld. */
  shadowed(): Flow {
    return this.established().accept().confirm();
  }

  recovered(): Flow {
    return this.crash().accept().confirm();
  }

  /**
   * The client sends `length` bytes that lie behind a gap, and repeats them until that is proven (assembly/recovery/gap.ts): four
   * times, each a timeout after the last.
   */
  provesGap(length: number): this {
    const seq = this.client.next;
    this.client.data(length);
    for (let repeats = 0; repeats < 4; repeats++) {
      this.world.now += 200;
      this.client.data(length, { seq });
    }
    return this;
  }

  /** Replica and client read what was sent to them in the last step, as far as it is in order. */
  take(): this {
    const read = (end: End, segments: readonly Segment[]): void => {
      for (const { seq, payload, flags } of segments) {
        if (seq === end.received) end.received = (seq + payload.length + (flags.includes('F') ? 1 : 0)) >>> 0;
      }
    };
    read(this.stack, this.toReplica());
    read(this.client, this.toClient());
    return this;
  }

  /** Segments of the last step (or of others) for the replica. */
  toReplica(sent = this.sent): Segment[] {
    const { remote, replicaAddress } = this.options;
    const port = remote ? Port.Wire : Port.Stack;
    return sent.filter(
      (frame) => frame.kind === 'tcp' && frame.port === port && frame.dst === replicaAddress,
    ) as Segment[];
  }

  /** The same for the client. */
  toClient(sent = this.sent): Segment[] {
    const { client } = this.options;
    return sent.filter(
      (frame) => frame.kind === 'tcp' && frame.port === Port.Wire && frame.dst === client,
    ) as Segment[];
  }

  /** The bytes that reached the replica, or the client, as a stream: numbers from `from` on, the first copy of each. */
  stream(segments: readonly Segment[], from: number): string {
    const bytes = new Map<number, number>();
    for (const { seq, payload } of segments) {
      for (const [i, byte] of payload.entries()) {
        const at = (seq + i - from) | 0;
        if (at >= 0 && !bytes.has(at)) bytes.set(at, byte);
      }
    }
    const stream: number[] = [];
    for (let at = 0, byte = bytes.get(0); byte !== undefined; byte = bytes.get(++at)) stream.push(byte);
    return Buffer.from(stream).toString('latin1');
  }

  /** The replica acknowledges what it gets until nothing more comes. */
  drainToReplica(): this {
    for (let rounds = 0; this.toReplica().some(carries) && rounds < 10_000; rounds++) this.take().stack.ack();
    return this;
  }

  /** The same for the client. */
  drainToClient(): this {
    for (let rounds = 0; this.toClient().some(carries) && rounds < 10_000; rounds++) this.take().client.ack();
    return this;
  }

  // --- frames ---------------------------------------------------------------------------------------------------

  /** The frame `end` would send. */
  frame(end: End, flags: string, overrides: Overrides = {}): Uint8Array {
    const { client, clientPort, server, serverPort, replicaAddress, remote, tags } = this.options;
    const inbound = end === this.client;
    const stackPeer = { dst: remote ? server : client, dstPort: this.#stackPort };
    const ends = inbound
      ? { src: client, srcPort: clientPort, dst: server, dstPort: serverPort, srcMac: MAC.client, dstMac: MAC.primary }
      : end === this.stack
        ? { src: replicaAddress, srcPort: serverPort, ...stackPeer, srcMac: MAC.stack, dstMac: MAC.gateway }
        : {
            src: server,
            srcPort: serverPort,
            dst: client,
            dstPort: clientPort,
            srcMac: MAC.primary,
            dstMac: MAC.client,
          };
    const withTimestamps = end === this.stack ? end.offer.tsval !== undefined : this.agreed('tsval');
    return tcpFrame({
      ...ends,
      ...(end === this.stack && !remote ? {} : { tags }),
      seq: end.next >>> 0,
      ack: end.received >>> 0,
      window: end.offer.window,
      flags,
      ...(withTimestamps ? { options: [nop(), nop(), timestamps(end.tsval >>> 0, this.peerOf(end).tsval >>> 0)] } : {}),
      ...overrides,
    });
  }

  send(end: End, flags: string, overrides: Overrides = {}): this {
    const frame = this.frame(end, flags, overrides);
    const payload = overrides.payload?.length ?? 0;
    const bits = overrides.flags ?? flags;
    const length = payload + (bits.includes('S') ? 1 : 0) + (bits.includes('F') ? 1 : 0);
    if (overrides.seq === undefined) {
      end.next = (end.next + length) >>> 0;
      // On the tap what one end sends has reached the other; behind the core the flow says when it does.
      if (!this.#moved && end !== this.stack) end.peer.received = end.next;
    }
    const port = end === this.stack && !this.options.remote ? Port.Stack : Port.Wire;
    return this.note(this.world.receive(port, frame));
  }

  tick(ms = 5): this {
    return this.note(this.world.tick(ms));
  }

  note(sent: Sent[]): this {
    this.sent = sent;
    this.all.push(...sent);
    return this;
  }

  /** Throws when there is none: use `found` to ask. */
  record(): ConnectionRecord {
    const record = this.found();
    if (record === undefined) throw new Error('the connection has no record');
    return record;
  }

  found(): ConnectionRecord | undefined {
    const [outer, inner] = this.options.tags;
    const vlan = (((outer?.vid ?? 0) << 16) | (inner?.vid ?? 0)) >>> 0;
    return this.world.find(this.options.client, this.options.clientPort, vlan);
  }

  /** The whole record, but for the notes on segments that did not fit it. */
  bytes(): Uint8Array {
    return this.world.recordBytes(this.record().index).slice(0, CONNECTION_STRAYS);
  }
}
