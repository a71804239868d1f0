/** All steps in a row, in plain TypeScript: one frame from parsing to what has to be sent. */
import { Counter, Dir, Phase, Reason, TcpEvent } from '../../../assembly/abi/codes';
import { CONNECTION_FLAG_PROXIED, CONNECTION_FLAG_RECOVERED, FLOW_FLAG_FEEDING } from '../../../assembly/abi/layout';
import { OptionBit, TcpFlag } from '../../../assembly/parser/packet-codes';
import { fold, sum } from './checksum';
import { type Connection, type Service, keyOf } from './connection';
import { type Address, type Packet, parse } from './packet';
import { HALF_OPEN, OVER, eventOf, readPayloadsFrom, seqLt, seqMax, track, unmeasured, wireWindow } from './track';
import { REPLICA_WS, type Sent, type StackPort, forward, isPartialChecksum, pseudoSum } from './translate';

export class Pipeline {
  readonly services: Service[] = [];
  readonly connections = new Map<string, Connection>();
  /** As the core's: refusals by Reason, then events by Counter. */
  readonly counters = new Array<number>(Reason.Count + Counter.Count).fill(0);
  readonly sent: Sent[] = [];

  constructor(
    memory: Uint8Array,
    private readonly view: DataView,
    private readonly port: StackPort,
  ) {
    readPayloadsFrom(memory);
  }

  find(client: Address, clientPort: number, server: Address, serverPort: number, vlan: number): Connection | undefined {
    return this.connections.get(keyOf(client, clientPort, server, serverPort, vlan));
  }

  /** The frame at `at`, which a client or the primary sent. The number of frames to send. */
  receive(at: number, length: number, wireLength: number, nowMs: number): number {
    this.sent.length = 0;
    this.#count(Counter.FramesWire);
    this.#count(Counter.BytesWire, wireLength);
    const p = parse(this.view, at, length, wireLength);
    this.#hearPrimary(p, nowMs);
    const reason = p.reason === Reason.None ? this.#onSegment(p, nowMs) : p.reason;
    if (reason !== Reason.None) this.#refuse(reason);
    return this.sent.length;
  }

  #refuse(reason: Reason): void {
    this.counters[reason] = (this.counters[reason] ?? 0) + 1;
  }

  #count(counter: Counter, by = 1): void {
    this.counters[Reason.Count + counter] = (this.counters[Reason.Count + counter] ?? 0) + by;
  }

  #hearPrimary(p: Packet, nowMs: number): void {
    if (p.ipVersion === 0) return;
    for (const s of this.services) {
      if (s.address !== p.src) continue;
      s.heardMs = nowMs;
      s.heard++;
      s.unansweredMs = 0;
      s.primaryMacHi = this.view.getUint16(p.frame + 6);
      s.primaryMacLo = this.view.getUint32(p.frame + 8);
    }
  }

  #service(address: Address, port: number): Service | undefined {
    for (const s of this.services) {
      if (s.address === address && s.ports.includes(port)) return s;
    }
    return undefined;
  }

  #onSegment(p: Packet, nowMs: number): Reason {
    const service = this.#service(p.dst, p.dstPort);
    if (service !== undefined) return this.#onClient(service, p, nowMs);
    const server = this.#service(p.src, p.srcPort);
    if (server === undefined || server.isTakenOver) return unmeasured('a segment of no service');
    const c = this.find(p.dst, p.dstPort, p.src, p.srcPort, p.vlan);
    if (c?.phase === Phase.Live) unmeasured('the primary of a moved connection');
    return this.#observe(c, Dir.Outbound, p, nowMs);
  }

  #onClient(s: Service, p: Packet, nowMs: number): Reason {
    const c = this.find(p.src, p.srcPort, p.dst, p.dstPort, p.vlan);
    if (c?.phase === Phase.Live) return this.#onLiveClient(c, s, p, nowMs);
    if (s.isTakenOver) unmeasured('a connection on its way');
    if (c !== undefined && p.payloadWire > 0 && seqLt(p.seq, c.inbound.end)) s.unansweredMs = Math.max(nowMs, 1);
    return this.#observe(c, Dir.Inbound, p, nowMs);
  }

  #isIntact(p: Packet): boolean {
    if (p.payloadLength < p.payloadWire || isPartialChecksum(this.view, p)) return true;
    return fold(sum(this.view, p.l4, p.l4Wire, pseudoSum(this.view, p))) === 0xffff;
  }

  #observe(c: Connection | undefined, dir: Dir.Inbound | Dir.Outbound, p: Packet, nowMs: number): Reason {
    if (!this.#isIntact(p)) return Reason.BadTcpChecksum;
    if (c === undefined) return unmeasured('a new connection');
    const reason = track(c, dir, p, nowMs);
    if (reason !== Reason.None) return reason;
    if (dir === Dir.Inbound) this.#learnLink(c, p);
    if (p.options & (OptionBit.Md5 | OptionBit.Ao)) unmeasured('a signed segment');
    if (HALF_OPEN.has(c.state)) unmeasured('a half-open connection');
    return Reason.None;
  }

  #learnLink(c: Connection, p: Packet): void {
    c.clientMacHi = this.view.getUint16(p.frame + 6);
    c.clientMacLo = this.view.getUint32(p.frame + 8);
    c.outerTag = p.outerTag;
    c.innerTag = p.innerTag;
  }

  #onLiveClient(c: Connection, s: Service, p: Packet, nowMs: number): Reason {
    const { inbound, outbound } = c;
    if (eventOf(p.flags) === TcpEvent.Syn && OVER.has(c.state)) unmeasured('a new connection');
    if ((inbound.flags | outbound.flags) & FLOW_FLAG_FEEDING) unmeasured('a feed');
    this.#learnLink(c, p);
    const window = wireWindow(c, inbound, p);
    track(c, Dir.Inbound, p, nowMs);
    const isMoved = (c.flags & CONNECTION_FLAG_RECOVERED) !== 0;
    const ack = seqMax(p.ack, c.serverBase);
    const reason = this.#send(c, s, p, {
      seq: isMoved ? (p.seq + c.d1) >>> 0 : p.seq,
      ack: isMoved && p.flags & TcpFlag.Ack ? (ack + c.d2) >>> 0 : p.ack,
      tsecr: isMoved ? replicaEcho(c, p.tsecr) : p.tsecr,
      field: isMoved ? fieldForReplica(c, p, ack, window) : p.window,
    });
    if (HALF_OPEN.has(c.state)) unmeasured('a half-open connection');
    return reason;
  }

  #send(c: Connection, s: Service, p: Packet, numbers: Parameters<typeof forward>[4]): Reason {
    const sent = this.translate(c, s, p, numbers);
    if (typeof sent === 'number') return sent;
    this.sent.push(sent);
    return Reason.None;
  }

  /** One segment for the replica, and what is counted of it. */
  translate(c: Connection, s: Service, p: Packet, numbers: Parameters<typeof forward>[4]): Sent | Reason {
    const sent = forward(this.view, c, s, p, numbers, this.port);
    if (typeof sent === 'number') return sent;
    this.#count(Counter.ChecksumPatched);
    this.#count(Counter.FramesOutStack);
    this.#count(Counter.TranslatedInbound);
    return sent;
  }
}

function replicaEcho(c: Connection, tsecr: number): number {
  if (c.flags & CONNECTION_FLAG_PROXIED) return tsecr;
  return c.phase === Phase.Live ? seqMax((tsecr - c.tsDelta) >>> 0, c.replicaTs) : c.replicaTs;
}

/** The client's window in this very segment, moved to where the replica's numbers begin. */
function fieldForReplica(c: Connection, p: Packet, ack: number, window: number): number {
  if (p.flags & TcpFlag.Rst) return 0;
  const shift = c.marks & REPLICA_WS ? c.inbound.windowShift : 0;
  const edge = (p.ack + window) >>> 0;
  return seqLt(edge, ack) ? 0 : Math.min(((edge - ack) >>> 0) >>> shift, 0xffff);
}
