/**
 * The pipeline: one captured frame, from parsing to what has to be sent.
 *
 *   wire   ┬ client's segment ── normal ──────────► track
 *          │                 └── taken over ──────► live: track, translate │ on its way: track, keep │ else: begin, reset
 *          ├ primary's segment ─ normal ──────────► track (RST and FIN held back while it is under suspicion)
 *          │                 └── taken over ──────► ignored
 *          ├ remote replica's segment ────────────► as from the stack
 *          └ ARP, ND, echo, ICMP errors ──────────► answered or translated while taken over
 *   stack  ─ replica's segment ── live: translate, track │ on its way: handshake
 *
 * Limits. IP fragments are not reassembled: TCP avoids them (RFC 9293 3.7.1 and path MTU discovery), so they are counted,
 * and a connection they are seen on is at risk. A checksum is verified where a payload is kept or a record moves
 * by numbers nobody else will check: not for live frames, which the replica's or client's stack verifies itself, unless
 * the client is told of them in a SACK block.
 */
import { Counter, Dir, Loss, Phase, Port, Reason, Risk, TcpEvent, TcpState } from './abi/codes';
import {
  CONNECTION_FLAG_PROXIED,
  CONNECTION_FLAG_RST_PENDING,
  CONNECTION_FLAG_SACK_FORGED,
  FLOW_FLAG_FIN_PENDING,
  NONE,
} from './abi/layout';
import { count, countBy, refuse } from './memory/counters';
import { copyMac } from './memory/ports';
import { Ptr, RX_SLOT } from './memory/regions';
import { txHasRoom, txReset } from './memory/transmit';
import { fillIpv4Checksum, isIntact, isLeftToDevice } from './parser/checksum';
import { ETHERNET_SRC } from './parser/headers';
import { OptionBit, Packet, packet, PacketKind, TcpFlag } from './parser/packet';
import { parse } from './parser/parse';
import { seqLt } from './parser/seq';
import { onEcho, onNeighbour } from './recovery/address';
import { followPrimary, fromWithheld, settleCopy } from './recovery/copy';
import { isFeeding } from './recovery/feed';
import { mayBeBehindGap } from './recovery/gap';
import { moveBaseBehindFin } from './recovery/base';
import { beginHandshake, enqueue, inHandshake, onReplicaHandshake } from './recovery/handshake';
import { abandon, endCopyNow, lose } from './recovery/loss';
import { flush, fromClient, fromReplica } from './recovery/proxy';
import { acknowledgeSender, resetSender } from './recovery/reset';
import { Connection, connectionAt, flowOf, NO_SERVICE, phaseOf, stateOf } from './tracker/connection';
import { CONN_COPY } from './tracker/marks';
import { admit, settleHalfOpen } from './tracker/admission';
import { makeReady, takeReady } from './tracker/lists';
import { isRecording } from './tracker/record';
import { findService, findServiceByAddress, sameAddress, Service, serviceAt, serviceCount } from './tracker/service';
import { findOnStack, findOnWire, isOver, learnLink, removeConnection } from './tracker/table';
import { eventOf } from './tracker/tcp-state';
import { notePendingFin, pickUp, track, wireWindow } from './tracker/track';
import { checkRst, checkWindow } from './tracker/window';
import { icmpToClient, icmpToReplica } from './translator/icmp';

/**
 * For captures: every TCP connection is tracked, whatever its service, and a frame is taken for whole that its sender's
 * device had yet to finish. Nobody knows where a capture was made, and on the sending host offload shows such frames.
 */
let everything: bool = false;

export function setTrackAll(on: bool): void {
  everything = on;
}

/** One captured frame in the receive slot. */
export function onFrame(port: Port, length: u32, wireLength: u32, nowMs: u32): void {
  txReset();
  count(port == Port.Wire ? Counter.FramesWire : Counter.FramesStack);
  countBy(port == Port.Wire ? Counter.BytesWire : Counter.BytesStack, wireLength);
  const p = packet();
  let reason = parse(p, RX_SLOT, length, wireLength);
  if (reason == Reason.BadIpChecksum && everything && fillIpv4Checksum(p.l3)) {
    reason = parse(p, RX_SLOT, length, wireLength);
  }
  if (port == Port.Wire) hearPrimary(p, nowMs);
  if (reason != Reason.None) {
    refuse(reason);
    if (reason == Reason.Fragment && p.fragmentHasPorts != 0) noteFragment(p);
    return;
  }
  if (port == Port.Wire) onWire(p, nowMs);
  else onStack(p, nowMs);
}

/** Everything the core can send now: handshakes within their pace, and what ready connections hold. */
export function drain(nowMs: u32): void {
  const n = serviceCount();
  for (let i: u32 = 0; i < n; i++) {
    const s = serviceAt(i);
    while (s.queueHead != NONE && s.inFlight < s.pace && txHasRoom()) {
      beginHandshake(connectionAt(s.queueHead), s, nowMs);
    }
  }
  while (txHasRoom()) {
    const i = takeReady();
    if (i == NONE) return;
    const c = connectionAt(i);
    if (c.state == <u8>TcpState.Free || c.service == NO_SERVICE) continue;
    if (flush(c, serviceAt(<u32>c.service))) makeReady(c);
  }
}

// --- wire ----------------------------------------------------------------------------------------------------

function onWire(p: Packet, nowMs: u32): Reason {
  switch (p.kind) {
    case PacketKind.Tcp:
      return onWireSegment(p, nowMs);
    case PacketKind.Arp:
    case PacketKind.NeighborSolicitation:
    case PacketKind.NeighborAdvertisement:
      return onNeighbour(p, nowMs);
    case PacketKind.IcmpEcho:
      return onEcho(p);
    case PacketKind.IcmpError:
      return icmpToReplica(p);
    default:
      return refuse(Reason.NotTcp);
  }
}

/** A frame whose source is a service address shows that the primary lives, whatever it carries. */
function hearPrimary(p: Packet, nowMs: u32): void {
  if (p.ipVersion == 0 && p.kind != PacketKind.Arp) return;
  let i = findServiceByAddress(p.srcPtr, 0);
  while (i != NONE) {
    const s = serviceAt(i);
    s.heardMs = nowMs;
    s.heard++;
    s.unansweredMs = 0;
    copyMac(s.primaryMacPtr, p.frame + ETHERNET_SRC);
    i = findServiceByAddress(p.srcPtr, i + 1);
  }
}

function noteFragment(p: Packet): void {
  let i = findOnWire(p.srcPtr, p.srcPort, p.dstPtr, p.dstPort, p.vlan);
  if (i == NONE) i = findOnWire(p.dstPtr, p.dstPort, p.srcPtr, p.srcPort, p.vlan);
  if (i != NONE) connectionAt(i).putAtRisk(Risk.Fragmented, 0, 0);
}

function onWireSegment(p: Packet, nowMs: u32): Reason {
  let i = findService(p.dstPtr, p.dstPort);
  if (i != NONE) return onClientSegment(i, p, nowMs);
  i = findService(p.srcPtr, p.srcPort);
  if (i != NONE) return onServerSegment(i, p, nowMs);
  i = findRemoteReplica(p);
  if (i != NONE) return onReplicaSegment(p, Port.Wire, nowMs);
  if (everything) return onAnySegment(p, nowMs);
  return refuse(Reason.NotOurs);
}

/** The service whose remote replica sent this segment to a mapped port of the service address, or NONE. */
function findRemoteReplica(p: Packet): u32 {
  let i = findServiceByAddress(p.dstPtr, 0);
  while (i != NONE) {
    const s = serviceAt(i);
    if (s.isRemote && sameAddress(s.replicaPtr, p.srcPtr)) return i;
    i = findServiceByAddress(p.dstPtr, i + 1);
  }
  return NONE;
}

function findClient(p: Packet): u32 {
  return findOnWire(p.srcPtr, p.srcPort, p.dstPtr, p.dstPort, p.vlan);
}

/** Of captures also what its sender's device had yet to finish. */
function isSound(p: Packet): bool {
  return isIntact(p) || (everything && isLeftToDevice(p));
}

function onClientSegment(service: u32, p: Packet, nowMs: u32): Reason {
  const s = serviceAt(service);
  let i = findClient(p);
  if (i != NONE && phaseOf(connectionAt(i)) == Phase.Live) {
    const c = connectionAt(i);
    const isNew = eventOf(p.flags) == TcpEvent.Syn && isOver(c);
    if (s.isTakenOver || !isNew) return onLiveClient(c, s, p, nowMs);
    // The primary has its address again: what begins now is the primary's.
    removeConnection(c);
    i = NONE;
  }
  if (!s.isTakenOver) {
    if (i != NONE && p.payloadWire > 0 && seqLt(p.seq, flowOf(connectionAt(i), Dir.Inbound).end)) {
      s.unansweredMs = max<u32>(nowMs, 1);
    }
    return observe(i, service, Dir.Inbound, p.srcPtr, p.srcPort, p.dstPtr, p.dstPort, p, nowMs);
  }
  // Nobody but the core looks at what is not passed on.
  if (!isSound(p)) return refuse(Reason.BadTcpChecksum);
  if (i == NONE) return onUnknownClient(service, s, p, nowMs);
  const c = connectionAt(i);
  const moves = phaseOf(c) != Phase.Direct && !isOver(c);
  return moves ? onMovingClient(c, s, p, nowMs) : onLeftBehind(c, service, s, p, nowMs);
}

function onLiveClient(c: Connection, s: Service, p: Packet, nowMs: u32): Reason {
  const isKept = isFeeding(c, Dir.Inbound) || mayBeBehindGap(c, p) || c.has(CONNECTION_FLAG_SACK_FORGED);
  if (isKept && !isSound(p)) return refuse(Reason.BadTcpChecksum);
  learnLink(c, p);
  const reason = fromClient(c, s, p, nowMs);
  settleHalfOpen(c);
  return reason;
}

/** The connection waits for its replica: what the client sends is kept. */
function onMovingClient(c: Connection, s: Service, p: Packet, nowMs: u32): Reason {
  const outbound = flowOf(c, Dir.Outbound);
  const finPending = outbound.has(FLOW_FLAG_FIN_PENDING);
  const reason = track(c, Dir.Inbound, p, wireWindow(c, flowOf(c, Dir.Inbound), p), false, nowMs);
  if (reason != Reason.None) return refuse(reason);
  if (finPending && !outbound.has(FLOW_FLAG_FIN_PENDING)) moveBaseBehindFin(c);
  learnLink(c, p);
  if (stateOf(c) == TcpState.Closed) abandon(c, s);
  else if (c.marked(CONN_COPY)) onWaitingClient(c, s, nowMs);
  return refuse(Reason.NotLive);
}

/** The replica is to be given what the client of a copy has said; what the client has acknowledged may settle it. */
function onWaitingClient(c: Connection, s: Service, nowMs: u32): void {
  if (!isRecording(c)) {
    lose(c, s, Loss.RecordIncomplete);
    return;
  }
  makeReady(c);
  settleCopy(c, s, nowMs);
}

/** The service has moved, this connection has not: it was over, half-open, or could not be saved. */
function onLeftBehind(c: Connection, service: u32, s: Service, p: Packet, nowMs: u32): Reason {
  const event = eventOf(p.flags);
  const state = stateOf(c);
  if (event == TcpEvent.Syn && (isOver(c) || state < TcpState.Established)) {
    if (phaseOf(c) != Phase.Direct) endCopyNow(c, s);
    removeConnection(c);
    return onUnknownClient(service, s, p, nowMs);
  }
  if (state == TcpState.TimeWait) {
    if (p.segmentLength > 0 && event != TcpEvent.Rst)
      acknowledgeSender(p, flowOf(c, Dir.Outbound).end, flowOf(c, Dir.Inbound).end);
    return refuse(Reason.Absorbed);
  }
  if (state != TcpState.Closed) {
    const reason = track(c, Dir.Inbound, p, wireWindow(c, flowOf(c, Dir.Inbound), p), false, nowMs);
    if (reason == Reason.None) {
      // Its handshake with the primary was completed by this very segment: it moves now.
      learnLink(c, p);
      settleHalfOpen(c);
      enqueue(c, s, nowMs);
      return refuse(Reason.NotLive);
    }
    if (state >= TcpState.Established) return refuse(reason);
  }
  resetSender(p, Port.Wire);
  return refuse(Reason.NoConnection);
}

/** A client without a record while the replica serves: a new connection, or one that nobody can continue. */
function onUnknownClient(service: u32, s: Service, p: Packet, nowMs: u32): Reason {
  if (eventOf(p.flags) != TcpEvent.Syn) {
    resetSender(p, Port.Wire);
    return refuse(Reason.NoConnection);
  }
  const i = admit(p.srcPtr, p.srcPort, p.dstPtr, p.dstPort, p, service);
  if (i == NONE) return refuse(Reason.TableFull);
  const c = connectionAt(i);
  learnLink(c, p);
  c.phase = <u8>Phase.Live;
  const reason = fromClient(c, s, p, nowMs);
  if (c.has(CONNECTION_FLAG_PROXIED)) {
    settleHalfOpen(c);
  } else {
    removeConnection(c);
    resetSender(p, Port.Wire);
  }
  return reason;
}

function onServerSegment(service: u32, p: Packet, nowMs: u32): Reason {
  const s = serviceAt(service);
  if (s.isTakenOver) return refuse(Reason.FromPrimary);
  const i = findOnWire(p.dstPtr, p.dstPort, p.srcPtr, p.srcPort, p.vlan);
  // A connection that has moved stays where it is when the primary comes back, which knows nothing of it.
  if (i != NONE && phaseOf(connectionAt(i)) == Phase.Live) return refuse(Reason.FromPrimary);
  if (s.quarantine != 0 && i != NONE && p.flags & (TcpFlag.Rst | TcpFlag.Fin)) {
    if (!isSound(p)) return refuse(Reason.BadTcpChecksum);
    const c = connectionAt(i);
    const outbound = flowOf(c, Dir.Outbound);
    if (p.flags & TcpFlag.Rst) {
      if (checkRst(outbound, p) == Reason.None) c.flags |= CONNECTION_FLAG_RST_PENDING;
      return refuse(Reason.Quarantined);
    }
    const reason = checkWindow(c, outbound, flowOf(c, Dir.Inbound), p);
    if (reason != Reason.None) return refuse(reason);
    notePendingFin(outbound, p.seq + p.payloadWire);
    p.flags = p.flags & ~(<u32>TcpFlag.Fin);
    p.segmentLength--;
    refuse(Reason.Quarantined);
  }
  return observe(i, service, Dir.Outbound, p.dstPtr, p.dstPort, p.srcPtr, p.srcPort, p, nowMs);
}

/** Tracks a segment between client and primary. */
function observe(
  known: u32,
  service: u32,
  dir: Dir,
  client: Ptr,
  clientPort: u32,
  server: Ptr,
  serverPort: u32,
  p: Packet,
  nowMs: u32,
): Reason {
  if (!isSound(p)) return refuse(Reason.BadTcpChecksum);
  const event = eventOf(p.flags);
  let i = known;
  if (i == NONE) {
    if (event == TcpEvent.SynAck) return refuse(Reason.UnsolicitedSynAck);
    const opens = event == TcpEvent.Syn && dir == Dir.Inbound;
    if (!opens && event != TcpEvent.Ack) return refuse(Reason.NoConnection);
    i = admit(client, clientPort, server, serverPort, p, service);
    if (i == NONE) return refuse(Reason.TableFull);
    if (!opens) {
      const fresh = connectionAt(i);
      pickUp(fresh, dir, p, nowMs);
      if (dir == Dir.Inbound) learnLink(fresh, p);
      else learnLinkBack(fresh, p);
      settleHalfOpen(fresh);
      return Reason.None;
    }
  }
  const c = connectionAt(i);
  // A SYN for a connection that is over begins another: the copy is the old one's.
  if (event == TcpEvent.Syn && isOver(c) && phaseOf(c) != Phase.Direct) endCopyNow(c, serviceAt(<u32>c.service));
  const reason = track(c, dir, p, wireWindow(c, flowOf(c, dir), p), false, nowMs);
  if (reason != Reason.None) return refuse(reason);
  if (dir == Dir.Inbound) learnLink(c, p);
  noteSignatures(c, p);
  settleHalfOpen(c);
  if (service < serviceCount() && serviceAt(service).isShadowed) followPrimary(c, serviceAt(service), p, dir, nowMs);
  return Reason.None;
}

/** A picked-up connection whose server spoke first: the client's MAC address is the frame's destination. */
function learnLinkBack(c: Connection, p: Packet): void {
  c.clientMacHi = load<u16>(p.frame);
  c.clientMacLo = load<u32>(p.frame, 2);
  c.outerTag = p.outerTag;
  c.innerTag = p.innerTag;
}

/** Signed segments (RFC 2385, RFC 5925) cannot be forged: the connection is lost should its primary die. */
function noteSignatures(c: Connection, p: Packet): void {
  if (p.options & OptionBit.Md5) c.loss = <u8>Loss.Md5;
  else if (p.options & OptionBit.Ao) c.loss = <u8>Loss.Ao;
}

/** Captures: the client is who sends the SYN; without one, who has the higher port. */
function onAnySegment(p: Packet, nowMs: u32): Reason {
  let i = findClient(p);
  if (i != NONE) {
    return observe(i, <u32>NO_SERVICE, Dir.Inbound, p.srcPtr, p.srcPort, p.dstPtr, p.dstPort, p, nowMs);
  }
  i = findOnWire(p.dstPtr, p.dstPort, p.srcPtr, p.srcPort, p.vlan);
  const event = eventOf(p.flags);
  const byClient = i == NONE && event != TcpEvent.SynAck && (event == TcpEvent.Syn || p.srcPort >= p.dstPort);
  if (byClient) {
    return observe(NONE, <u32>NO_SERVICE, Dir.Inbound, p.srcPtr, p.srcPort, p.dstPtr, p.dstPort, p, nowMs);
  }
  return observe(i, <u32>NO_SERVICE, Dir.Outbound, p.dstPtr, p.dstPort, p.srcPtr, p.srcPort, p, nowMs);
}

// --- stack ---------------------------------------------------------------------------------------------------

function onStack(p: Packet, nowMs: u32): Reason {
  if (p.kind == PacketKind.Tcp) return onReplicaSegment(p, Port.Stack, nowMs);
  if (p.kind == PacketKind.IcmpError) return icmpToClient(p);
  return refuse(Reason.NotTcp);
}

function onReplicaSegment(p: Packet, port: Port, nowMs: u32): Reason {
  const i = findOnStack(p.dstPtr, p.dstPort, p.srcPtr, p.srcPort);
  if (i == NONE) {
    // Only this host's stack: on the wire the address is the primary's, which may have such a connection.
    if (port == Port.Stack && isIntact(p)) resetSender(p, port);
    return refuse(Reason.NoConnection);
  }
  const c = connectionAt(i);
  const s = serviceAt(<u32>c.service);
  // What it says is believed without a window check, so damage on the wire must not pass for numbers.
  if ((s.isRemote || inHandshake(c)) && !isSound(p)) return refuse(Reason.BadTcpChecksum);
  if (inHandshake(c)) {
    const reason = onReplicaHandshake(c, s, p, nowMs);
    if (phaseOf(c) == Phase.Withheld) {
      fromWithheld(c, s, p, nowMs);
      return reason;
    }
    if (reason != Reason.None) return refuse(reason);
  } else if (phaseOf(c) == Phase.Withheld) {
    return fromWithheld(c, s, p, nowMs);
  } else if (phaseOf(c) != Phase.Live) {
    return refuse(Reason.NotLive);
  }
  const reason = fromReplica(c, s, p, nowMs);
  settleHalfOpen(c);
  return reason;
}
