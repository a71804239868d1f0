/**
 * A crash that did not happen: the frames of a capture up to a moment, then the server is declared dead, and the core moves
 * its connections to a replica. The page plays the replica, which says what the primary went on to say in the capture, with
 * numbers of its own; so what the client gets can be compared with what it got.
 */
import {
  type ConnectionRecord,
  FrameExchange,
  Loss,
  Phase,
  Port,
  Reason,
  RX_FRAME_BYTES,
  Risk,
  type SentFrame,
  ServiceState,
  formatEndpoint,
  lossName,
  parseAddress,
  reasonName,
  riskName,
} from 'migware/core';
import { CaptureClock, capacityFor, newCore } from './analysis';
import type { Capture } from './capture';
import { type Segment, readSegment, writeSegment } from './segment';
import { plural } from './words';

export type StepKind = 'forged' | 'translated' | 'resent' | 'refused' | 'absorbed';

export interface Step {
  readonly kind: StepKind;
  readonly atMs: number;
  /** The connection, named by its client. */
  readonly client: string;
  readonly title: string;
  readonly about: string;
  /** What came to the core, if that is why. */
  readonly before: Segment | undefined;
  /** What it sent. */
  readonly after: Segment | undefined;
  readonly from: string;
  readonly to: string;
}

export interface Fate {
  readonly client: string;
  readonly kind: 'moved' | 'lost' | 'over';
  readonly about: string;
}

export interface Crash {
  readonly steps: readonly Step[];
  readonly fates: readonly Fate[];
  /** Segments that the client got with the very numbers and bytes that the capture has. */
  readonly same: number;
}

/** Addresses of documentation (RFC 5737, RFC 3849), which no capture should have. */
const REPLICA = { ipv4: '203.0.113.77', ipv6: '2001:db8::77' };
const MAC = { wire: mac(0x0d), gateway: mac(0x99), stack: mac(0x5a) };
/** Steps that are kept; arbitrary, more than anybody reads. */
const MOST_STEPS = 2000;
const SETTLE_MS = 20;
const TICK_MS = 5;

function mac(last: number): Uint8Array {
  return Uint8Array.of(2, 0, 0, 0, 0, last);
}

/** A connection as the replica has it. */
interface Copy {
  /** Its first number. */
  readonly iss: number;
  /** What it says next, and what of the client's it expects next. */
  next: number;
  received: number;
  /** The number on the wire of the first byte the replica says itself. */
  readonly firstOnWire: number;
  readonly timestamps: boolean;
  /** The client's last timestamp. */
  echo: number;
}

class Rehearsal {
  readonly steps: Step[] = [];
  same = 0;
  readonly #exchange: FrameExchange;
  readonly #copies = new Map<string, Copy>();
  readonly #outboundEnd = new Map<string, number>();
  /** Clients whose SYN has passed to the replica, which answers when the primary did. */
  readonly #opening = new Map<string, Segment>();
  readonly #replica: string;
  #nowMs = 0;
  #isSettling = false;
  #nextIss = 0x10_0000;

  constructor(
    private readonly capture: Capture,
    private readonly server: string,
    module: Uint8Array<ArrayBuffer>,
    ports: readonly number[],
  ) {
    this.#replica = server.includes(':') ? REPLICA.ipv6 : REPLICA.ipv4;
    const core = newCore(module, capacityFor(capture), 16 << 20);
    core.setPort(Port.Wire, 1500, MAC.wire);
    core.setPort(Port.Stack, 65_535, MAC.gateway, MAC.stack);
    core.addService({
      address: parseAddress(server) ?? new Uint8Array(16),
      replica: parseAddress(this.#replica) ?? new Uint8Array(16),
      ports,
      handshakeWindow: 1024,
      echo: false,
      vlan: 0,
      mapFirst: 0,
      mapLast: 0,
    });
    this.#exchange = new FrameExchange(core);
  }

  play(momentMs: number): Crash {
    const clock = new CaptureClock(this.capture);
    const { core } = this.#exchange;
    let crashed = false;
    for (const { bytes, wireLength, timeMs } of this.capture.frames) {
      const nowMs = clock.at(timeMs);
      if (!crashed && nowMs > momentMs) {
        crashed = true;
        this.#nowMs = momentMs;
        this.#crash();
      }
      this.#nowMs = Math.max(this.#nowMs, nowMs);
      const frame = bytes.subarray(0, RX_FRAME_BYTES);
      if (!crashed) this.#exchange.receive(Port.Wire, frame, nowMs, wireLength);
      else this.#afterwards(frame, wireLength);
    }
    if (!crashed) {
      this.#nowMs = momentMs;
      this.#crash();
    }
    return { steps: this.steps, same: this.same, fates: Array.from(core.connections(), fateOf) };
  }

  #crash(): void {
    for (const record of this.#exchange.core.connections()) {
      if (record.outbound.end !== undefined) this.#outboundEnd.set(keyOf(record), record.outbound.end);
    }
    this.#isSettling = true;
    this.#sent(this.#exchange.setServiceState(0, ServiceState.Recovery, this.#nowMs), undefined, 'the core');
    for (let passed = 0; passed < SETTLE_MS; passed += TICK_MS) {
      this.#nowMs += TICK_MS;
      this.#sent(this.#exchange.tick(this.#nowMs), undefined, 'the core');
    }
    this.#exchange.setServiceState(0, ServiceState.Proxy, this.#nowMs);
    this.#isSettling = false;
  }

  /** A frame of the capture that came after the crash: the client's as it was, the primary's as the replica's own. */
  #afterwards(frame: Uint8Array, wireLength: number): void {
    const segment = readSegment(frame);
    if (segment?.dst === this.server) {
      this.#give(Port.Wire, frame, segment, 'client', wireLength);
    } else if (segment?.src === this.server) {
      this.#replicaSays(segment);
    }
  }

  #give(port: Port, frame: Uint8Array, segment: Segment, from: string, wireLength = frame.length): void {
    const { reason, sent } = this.#exchange.receive(port, frame, this.#nowMs, wireLength);
    this.#sent(sent, segment, from);
    if (sent.length > 0 || reason === Reason.None) return;
    const kind = reason === Reason.Absorbed || reason === Reason.NotLive ? 'absorbed' : 'refused';
    const client = from === 'client' ? endOf(segment, 'src') : endOf(segment, 'dst');
    const about =
      kind === 'absorbed'
        ? `The core keeps it to itself (${reasonName(reason)}): the other side knows all it says.`
        : `The core passes nothing on: ${reasonName(reason)}.`;
    this.#note({
      kind,
      client,
      title: `${nameOf(segment)} from the ${from}`,
      about,
      before: segment,
      from,
      to: 'core',
    });
  }

  #sent(sent: readonly SentFrame[], before: Segment | undefined, from: string): void {
    const forReplica: Segment[] = [];
    for (const { port, bytes } of sent) {
      const after = readSegment(bytes);
      if (after === undefined) continue;
      const isInbound = port === Port.Stack;
      this.#noteSent(after, isInbound, before, from);
      if (isInbound) forReplica.push(after);
    }
    for (const segment of forReplica) this.#replicaHears(segment);
  }

  #noteSent(after: Segment, isInbound: boolean, cause: Segment | undefined, from: string): void {
    const to = isInbound ? 'replica' : 'client';
    const client = isInbound ? endOf(after, 'src') : endOf(after, 'dst');
    const isTranslated = cause !== undefined && from !== to && sameContent(cause, after);
    const base = { client, after, to, from: isTranslated ? from : 'core' };
    if (isTranslated) {
      const title = `${nameOf(after)} from the ${from}, translated for the ${to}`;
      const about = isInbound
        ? 'What the client says, in the numbers of the connection that the replica has.'
        : 'What the replica says, in the numbers of the connection that the client has.';
      this.#note({ ...base, kind: 'translated', title, about, before: cause });
    } else if (this.#isProbe(after, isInbound)) {
      const title = 'Probe sent by the core to the replica';
      const about =
        'A byte that the replica has already: it answers once its service has the connection, and not before.';
      this.#note({ ...base, kind: 'forged', title, about, before: undefined });
    } else if (after.payloadLength > 0) {
      const title = `${nameOf(after)} sent by the core to the ${to}`;
      const about = isInbound
        ? 'Bytes of the client that the primary had not acknowledged when it died: the replica gets them first.'
        : 'Bytes of the primary that the client had not acknowledged: the core has kept them, and sends them again.';
      this.#note({ ...base, kind: 'resent', title, about, before: undefined });
    } else {
      const title = `${nameOf(after)} forged for the ${to}`;
      this.#note({ ...base, kind: 'forged', title, about: why(after, isInbound), before: undefined });
    }
  }

  /** One byte of old numbers. */
  #isProbe(segment: Segment, isInbound: boolean): boolean {
    const copy = this.#copies.get(`${endOf(segment, 'src')} ${segment.dstPort}`);
    return isInbound && copy !== undefined && segment.payloadLength === 1 && ((segment.seq - copy.received) | 0) < -1;
  }

  #note(step: Omit<Step, 'atMs' | 'after'> & Partial<Pick<Step, 'after'>>): void {
    if (this.steps.length < MOST_STEPS) this.steps.push({ after: undefined, ...step, atMs: this.#nowMs });
  }

  // --- the replica ---

  #replicaHears(segment: Segment): void {
    const key = `${endOf(segment, 'src')} ${segment.dstPort}`;
    if (segment.flags.includes('S')) {
      const firstOnWire = this.#outboundEnd.get(key);
      if (firstOnWire === undefined) {
        this.#opening.set(key, segment);
        return;
      }
      this.#accept(key, segment, this.#nextIss, firstOnWire);
      this.#nextIss += 0x10_0000;
      return;
    }
    const copy = this.#copies.get(key);
    if (copy === undefined) return;
    if (segment.timestamps !== undefined) [copy.echo] = segment.timestamps;
    const length = segment.payloadLength + (segment.flags.includes('F') ? 1 : 0);
    if (length === 0) return;
    const isNew = segment.seq === copy.received;
    if (isNew) copy.received = (copy.received + length) >>> 0;
    // Later on the primary's acknowledgements in the capture are the replica's.
    if (isNew && !this.#isSettling) return;
    this.#say(copy, segment, { flags: 'A', seq: copy.next, payload: new Uint8Array() });
  }

  #accept(key: string, syn: Segment, iss: number, firstOnWire: number): void {
    const timestamps = syn.timestamps !== undefined;
    const echo = syn.timestamps?.[0] ?? 0;
    const next = (iss + 1) >>> 0;
    const copy: Copy = { iss, next, received: (syn.seq + 1) >>> 0, firstOnWire, timestamps, echo };
    this.#copies.set(key, copy);
    const { mss = 1460, windowShift, sackPermitted } = syn;
    const options = {
      mss,
      ...(windowShift === undefined ? {} : { windowShift: 7 }),
      ...(sackPermitted === true ? { sackPermitted } : {}),
    };
    this.#say(copy, syn, { flags: 'SA', seq: iss, payload: new Uint8Array(), ...options });
  }

  /** What the primary said in the capture: the replica says it where the client has nothing of it yet. */
  #replicaSays(original: Segment): void {
    const key = `${endOf(original, 'dst')} ${original.srcPort}`;
    const syn = this.#opening.get(key);
    if (syn !== undefined && original.flags.includes('S')) {
      this.#opening.delete(key);
      this.#accept(key, syn, original.seq, (original.seq + 1) >>> 0);
      return;
    }
    const copy = this.#copies.get(key);
    if (copy === undefined || original.payload.length < original.payloadLength) return;
    const ahead = (original.seq - copy.firstOnWire) | 0;
    // What the primary had said before it died, the client has or gets from the core.
    const known = Math.max(0, -ahead);
    if (known > 0 && known >= original.payloadLength) return;
    const payload = original.payload.subarray(known);
    const seq = (copy.iss + 1 + ahead + known) >>> 0;
    const to = {
      ...original,
      src: original.dst,
      srcPort: original.dstPort,
      dst: this.#replica,
      dstPort: original.srcPort,
    };
    const wanted = { ...original, seq: (original.seq + known) >>> 0, payloadLength: payload.length };
    const end = (seq + payload.length + (original.flags.includes('F') ? 1 : 0)) >>> 0;
    if (((end - copy.next) | 0) > 0) copy.next = end;
    this.#say(copy, to, { flags: original.flags, seq, payload }, wanted);
  }

  #say(
    copy: Copy,
    to: Segment,
    said: Pick<Segment, 'flags' | 'seq' | 'payload'> & Partial<Segment>,
    wanted?: Segment,
  ): void {
    const segment = {
      window: 64_240,
      ack: copy.received,
      ...(copy.timestamps ? { timestamps: [(this.#nowMs + 1_000_000) >>> 0, copy.echo] as const } : {}),
      ...said,
      src: this.#replica,
      srcPort: to.dstPort,
      dst: to.src,
      dstPort: to.srcPort,
    };
    const before = this.steps.length;
    this.#give(
      Port.Stack,
      writeSegment(segment, MAC.stack, MAC.gateway),
      { ...segment, payloadLength: said.payload.length },
      'replica',
    );
    if (wanted === undefined) return;
    const got = this.steps.slice(before).find(({ to: end, kind }) => end === 'client' && kind === 'translated')?.after;
    if (got?.seq === wanted.seq && got.payloadLength === wanted.payloadLength) this.same++;
  }
}

/** @param ports of the server that occur in the capture */
export function rehearse(
  module: Uint8Array<ArrayBuffer>,
  capture: Capture,
  server: string,
  ports: readonly number[],
  momentMs: number,
): Crash {
  return new Rehearsal(capture, server, module, ports).play(momentMs);
}

/** By which the replica knows a connection too: the local one sees the client's own address and port. */
function keyOf({ client, clientPort, serverPort }: ConnectionRecord): string {
  return `${formatEndpoint(client, clientPort)} ${serverPort}`;
}

function endOf(segment: Segment, which: 'src' | 'dst'): string {
  return which === 'src' ? formatEndpoint(segment.src, segment.srcPort) : formatEndpoint(segment.dst, segment.dstPort);
}

function sameContent(a: Segment, b: Segment): boolean {
  return a.flags === b.flags && a.payloadLength === b.payloadLength;
}

const FLAG_WORDS: readonly (readonly [flag: string, word: string])[] = [
  ['S', 'SYN'],
  ['F', 'FIN'],
  ['R', 'RST'],
  ['A', 'ACK'],
];

export function nameOf({ flags, payloadLength }: Segment): string {
  const words = FLAG_WORDS.filter(([flag]) => flags.includes(flag)).map(([, word]) => word);
  if (payloadLength === 0) return words.join('-') || 'Segment';
  const rest = words.filter((word) => word !== 'ACK');
  return `${[...rest, ''].join(' + ')}${plural(payloadLength, 'byte')}`;
}

function why({ flags }: Segment, isInbound: boolean): string {
  if (flags.includes('S')) {
    return 'The connection is opened to the replica in the client’s name: its address, port, options, and the number before the first byte that the replica is to read.';
  }
  if (flags.includes('R')) return 'The connection cannot go on, and its end is told so.';
  if (isInbound) return 'The third step of the handshake, or an acknowledgement in the client’s name.';
  return 'The client is told that its bytes have arrived, or is asked where it stands.';
}

function fateOf(record: ConnectionRecord): Fate {
  const client = formatEndpoint(record.client, record.clientPort);
  if (record.loss !== Loss.None) return { client, kind: 'lost', about: `lost: ${lossName(record.loss)}` };
  if (record.recovered) {
    const risk = record.risk === Risk.None ? '' : `, at risk: ${riskName(record.risk)}`;
    return { client, kind: 'moved', about: `goes on at the replica${risk}` };
  }
  if (record.proxied) return { client, kind: 'moved', about: 'began after the crash, at the replica' };
  if (record.phase === Phase.Direct) return { client, kind: 'over', about: 'was over before the crash' };
  return { client, kind: 'lost', about: 'still on its way' };
}
