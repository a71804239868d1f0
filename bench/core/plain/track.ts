/** The tracker of an established connection in plain TypeScript; what it does not have, the benchmark does not send. */
import { Dir, Phase, Reason, Risk, TcpEvent, TcpState } from '../../../assembly/abi/codes';
import {
  CONNECTION_FLAG_HANDSHAKE,
  CONNECTION_FLAG_PROXIED,
  CONNECTION_FLAG_SACK,
  CONNECTION_FLAG_TIMESTAMPS,
  CONNECTION_FLAG_WINDOW_SCALE,
  FLOW_FLAG_FEEDING,
  FLOW_FLAG_FIN,
  FLOW_FLAG_FIN_ACKED,
  FLOW_FLAG_SEEN,
  FLOW_FLAG_SPOKE,
  FLOW_FLAG_TS,
} from '../../../assembly/abi/layout';
import { OptionBit, TcpFlag } from '../../../assembly/parser/packet-codes';
import type { Connection, Flow } from './connection';
import type { Packet } from './packet';

const ACK_WINDOW = 66000;
const NO_SERVICE = 0xffff;
/** Of one direction of one connection; as the core is given by the benchmark. */
export const KEPT_BYTES_MAX = 1 << 18;

const lt = (a: number, b: number): boolean => ((a - b) | 0) < 0;
const gt = (a: number, b: number): boolean => ((b - a) | 0) < 0;
const le = (a: number, b: number): boolean => ((b - a) | 0) >= 0;
const ge = (a: number, b: number): boolean => ((a - b) | 0) >= 0;
export const seqMax = (a: number, b: number): number => (lt(a, b) ? b : a);
export const seqLt = lt;
const add = (a: number, b: number): number => (a + b) >>> 0;
const distance = (from: number, to: number): number => (to - from) >>> 0;

/** A segment that the core would treat in a way that is not measured. */
export function unmeasured(what: string): never {
  throw new Error(`${what} is not part of this benchmark`);
}

const { SynSent, SynReceived, Established, ClientFin, ServerFin, BothFin, TimeWait, Closed } = {
  SynSent: TcpState.SynSent,
  SynReceived: TcpState.SynReceived,
  Established: TcpState.Established,
  ClientFin: TcpState.ClientFin,
  ServerFin: TcpState.ServerFin,
  BothFin: TcpState.BothFin,
  TimeWait: TcpState.TimeWait,
  Closed: TcpState.Closed,
} as const;
/** The segment cannot be. */
const NO = undefined;
type Row = readonly (TcpState | undefined)[];

/** By direction, event (of ACK and FIN alone) and state. To SynSent: the segment changes nothing. */
const NEXT: Readonly<Record<Dir.Inbound | Dir.Outbound, Readonly<Record<'ack' | 'fin', Row>>>> = {
  [Dir.Inbound]: {
    ack: [Established, Established, Established, Established, ClientFin, ServerFin, BothFin, TimeWait, NO],
    fin: [NO, ClientFin, ClientFin, ClientFin, ClientFin, BothFin, BothFin, TimeWait, NO],
  },
  [Dir.Outbound]: {
    ack: [Established, SynSent, Established, Established, ClientFin, ServerFin, BothFin, TimeWait, NO],
    fin: [NO, NO, ServerFin, ServerFin, BothFin, ServerFin, BothFin, TimeWait, NO],
  },
};
export const OVER: ReadonlySet<TcpState> = new Set([TimeWait, Closed]);
export const HALF_OPEN: ReadonlySet<TcpState> = new Set([SynSent, SynReceived]);

export function eventOf(flags: number): TcpEvent {
  if (flags & TcpFlag.Rst) return TcpEvent.Rst;
  if (flags & TcpFlag.Syn) return flags & TcpFlag.Ack ? TcpEvent.SynAck : TcpEvent.Syn;
  return flags & TcpFlag.Fin ? TcpEvent.Fin : TcpEvent.Ack;
}

export function wireWindow(c: Connection, sender: Flow, p: Packet): number {
  if (p.flags & TcpFlag.Syn) return p.window;
  const isScaled = (c.flags & CONNECTION_FLAG_HANDSHAKE) === 0 || (c.flags & CONNECTION_FLAG_WINDOW_SCALE) !== 0;
  return isScaled ? p.window * 2 ** sender.windowShift : p.window;
}

export function track(c: Connection, dir: Dir.Inbound | Dir.Outbound, p: Packet, nowMs: number): Reason {
  const [sender, receiver] = dir === Dir.Inbound ? [c.inbound, c.outbound] : [c.outbound, c.inbound];
  const event = eventOf(p.flags);
  if (event !== TcpEvent.Ack && event !== TcpEvent.Fin) unmeasured('a handshake or a reset');
  const next = NEXT[dir][event === TcpEvent.Fin ? 'fin' : 'ack'][c.state];
  if (next === NO) return Reason.InvalidState;
  if (next === SynSent) return Reason.None;
  const reason = checkWindow(c, sender, receiver, p);
  if (reason === Reason.SeqAboveWindow || reason === Reason.AckAboveWindow) unmeasured('a segment above the windows');
  if (reason !== Reason.None) return reason;
  c.strayTurns = 0;
  c.state = next;
  onSegment(c, dir, sender, receiver, p, wireWindow(c, sender, p), nowMs);
  c.seenMs = nowMs;
  return Reason.None;
}

function checkWindow(c: Connection, sender: Flow, receiver: Flow, p: Packet): Reason {
  const isFull = (c.flags & CONNECTION_FLAG_HANDSHAKE) !== 0;
  if (sender.flags & FLOW_FLAG_SEEN) {
    if (isFull && gt(p.seq, sender.edge)) return Reason.SeqAboveWindow;
    if (lt(p.seq + p.segmentLength, sender.end - Math.max(receiver.maxWindow, ACK_WINDOW) - 1)) {
      return Reason.SeqBelowWindow;
    }
  }
  if ((p.flags & TcpFlag.Ack) === 0 || (receiver.flags & FLOW_FLAG_SEEN) === 0) return Reason.None;
  if (isFull && gt(p.ack, seqMax(receiver.edge, add(receiver.end, sender.maxWindow)))) return Reason.AckAboveWindow;
  if (lt(p.ack, receiver.end - Math.max(sender.maxWindow, ACK_WINDOW) - 1)) return Reason.AckBelowWindow;
  return Reason.None;
}

function onSegment(
  c: Connection,
  dir: Dir,
  sender: Flow,
  receiver: Flow,
  p: Packet,
  window: number,
  nowMs: number,
): void {
  if ((c.flags & CONNECTION_FLAG_HANDSHAKE) === 0) {
    if (p.options & OptionBit.Timestamps) c.flags |= CONNECTION_FLAG_TIMESTAMPS;
    if (p.options & OptionBit.Sack) c.flags |= CONNECTION_FLAG_SACK;
  }
  if (p.options & OptionBit.Timestamps) {
    noteTimestamp(sender, p.tsval, nowMs);
    if (dir === Dir.Inbound) noteEcho(c, receiver, p, nowMs);
  }
  const end = add(p.seq, p.segmentLength);
  if ((sender.flags & FLOW_FLAG_SEEN) === 0) {
    sender.end = p.seq;
    sender.acked = p.seq;
    sender.edge = end;
    sender.flags |= FLOW_FLAG_SEEN;
  }
  sender.flags |= FLOW_FLAG_SPOKE;
  if (p.payloadWire > 0) keepPayload(c, dir, sender, p);
  if (p.flags & TcpFlag.Fin) {
    sender.finSeq = add(end, -1);
    sender.flags |= FLOW_FLAG_FIN;
  }
  if (gt(end, sender.end)) {
    sender.end = end;
    if (dir === Dir.Outbound) c.unseen = false;
  }
  if (window > sender.maxWindow) sender.maxWindow = window;
  if (p.flags & TcpFlag.Ack) onAck(c, dir, receiver, p.ack, window);
}

function noteTimestamp(f: Flow, tsval: number, nowMs: number): void {
  if (f.flags & FLOW_FLAG_TS && lt(tsval, f.tsval)) return;
  f.tsval = tsval;
  f.tsMs = nowMs;
  f.flags |= FLOW_FLAG_TS;
}

function noteEcho(c: Connection, server: Flow, p: Packet, nowMs: number): void {
  if ((p.flags & TcpFlag.Ack) === 0 || c.flags & CONNECTION_FLAG_PROXIED) return;
  if (server.flags & FLOW_FLAG_TS) {
    if (!gt(p.tsecr, server.tsval)) return;
    c.tsDelta = add(c.tsDelta, distance(server.tsval, p.tsecr));
  }
  server.tsval = p.tsecr;
  server.tsMs = nowMs;
  server.flags |= FLOW_FLAG_TS;
}

function keepPayload(c: Connection, dir: Dir, sender: Flow, p: Packet): void {
  const isDirect = c.phase !== Phase.Live;
  if (isDirect && dir === Dir.Outbound && gt(p.seq, sender.end)) {
    c.putAtRisk(Risk.OutboundHole, sender.end, distance(sender.end, p.seq));
  }
  if (c.service === NO_SERVICE || (!isDirect && (sender.flags & FLOW_FLAG_FEEDING) === 0)) return;
  const end = add(p.seq, p.payloadWire);
  if (le(end, sender.acked)) return;
  const skip = lt(p.seq, sender.acked) ? distance(p.seq, sender.acked) : 0;
  let missing = p.payloadWire - p.payloadLength;
  if (skip < p.payloadLength) missing += retain(sender, p, skip);
  if (!isDirect || dir === Dir.Inbound) return;
  if (missing > 0) {
    const risk = p.payloadLength < p.payloadWire ? Risk.OutboundHole : Risk.RetainedBudget;
    c.putAtRisk(risk, add(end, -missing), missing);
  } else if (c.risk === Risk.OutboundHole && le(p.seq, c.holeSeq) && ge(end, add(c.holeSeq, c.holeBytes))) {
    c.risk = c.lastingRisk;
  }
}

/** Keeps what is not yet there, the first copy of a byte. The number of bytes for which there is no room. */
function retain(f: Flow, p: Packet, skip: number): number {
  const source = payloadSource;
  let seq = add(p.seq, skip);
  let from = p.payload + skip;
  let left = p.payloadLength - skip;
  // The first block behind `seq`: nearly always there is none.
  let at = f.kept.length;
  while (gt(f.kept[at - 1]?.seq ?? seq, seq)) at--;
  while (left > 0) {
    while (at < f.kept.length && le(f.kept[at]?.seq ?? seq, seq)) at++;
    const before = f.kept[at - 1];
    const known = before === undefined ? 0 : Math.min(left, Math.max(0, (before.seq + before.bytes.length - seq) | 0));
    seq = add(seq, known);
    from += known;
    left -= known;
    const after = f.kept[at];
    const length = after === undefined ? left : Math.min(left, distance(seq, after.seq));
    if (f.keptBytes + length > KEPT_BYTES_MAX) break;
    if (length === 0) continue;
    f.kept.splice(at, 0, { seq, bytes: source.slice(from, from + length) });
    f.keptBytes += length;
    seq = add(seq, length);
    from += length;
    left -= length;
  }
  return left;
}

/** The memory that packets were parsed from. */
let payloadSource: Uint8Array = new Uint8Array(0);

export function readPayloadsFrom(memory: Uint8Array): void {
  payloadSource = memory;
}

function releaseBefore(f: Flow, seq: number): void {
  let gone = 0;
  for (const { seq: first, bytes } of f.kept) {
    if (gt(first + bytes.length, seq)) break;
    f.keptBytes -= bytes.length;
    gone++;
  }
  if (gone > 0) f.kept.splice(0, gone);
}

function onAck(c: Connection, dir: Dir, receiver: Flow, ack: number, window: number): void {
  if ((receiver.flags & FLOW_FLAG_SEEN) === 0) {
    receiver.end = ack;
    receiver.acked = ack;
    receiver.edge = ack;
    receiver.flags |= FLOW_FLAG_SEEN;
  }
  if (gt(ack, receiver.end)) {
    if (dir === Dir.Outbound) c.putAtRisk(Risk.InboundHole, receiver.end, distance(receiver.end, ack));
    else c.unseen = true;
    receiver.end = ack;
  }
  if (gt(ack, receiver.acked)) {
    receiver.passed += distance(receiver.acked, ack);
    receiver.acked = ack;
    releaseBefore(receiver, ack);
    if (dir === Dir.Inbound) forgiveHole(c, ack);
    noteFinAcked(c, receiver);
  }
  const edge = add(ack, window);
  if (gt(edge, receiver.edge)) receiver.edge = edge;
}

function forgiveHole(c: Connection, ack: number): void {
  if (c.holeBytes === 0 || (c.risk !== Risk.OutboundHole && c.risk !== Risk.RetainedBudget)) return;
  if (ge(ack, add(c.holeSeq, c.holeBytes))) c.risk = c.lastingRisk;
}

function noteFinAcked(c: Connection, flow: Flow): void {
  if ((flow.flags & FLOW_FLAG_FIN) === 0 || !gt(flow.acked, flow.finSeq)) return;
  flow.flags |= FLOW_FLAG_FIN_ACKED;
  const isOver = c.inbound.flags & c.outbound.flags & FLOW_FLAG_FIN_ACKED;
  if (c.state === BothFin && isOver) c.state = TimeWait;
}
