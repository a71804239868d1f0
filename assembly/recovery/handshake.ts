/**
 * Moving a connection to the replica: the forged handshake, and what follows until the connection is live.
 *
 * Theory of operation. The replica's stack is made to believe that the client has just opened a connection. The SYN is
 * the client's in all it had agreed with the primary (MSS, window scale, SACK, timestamps with its own last TSval,
 * ECN), and its sequence number is one below the first byte the replica has to read. So D1 = 0, and only the server's
 * numbers differ: D2 = (replica's ISS + 1) - (next number the client expects from the server).
 *
 *   client to replica   seq + D1, ack + D2
 *   replica to client   seq - D2, ack - D1          all modulo 2^32
 *
 * That a SYN-ACK came does not mean that there is a connection: when the accept queue is full, Linux ignores the ACK
 * and keeps (or, with SYN cookies, forgets) the half-open state. So the third step is confirmed. A connection with data
 * or a FIN to feed sends it, and its acknowledgement confirms. An idle one sends a probe made to tell the two apart: one
 * byte before the window, acknowledging one more than was sent. A stack with a full connection looks at the sequence
 * number first and answers with an ACK (RFC 9293 3.10.7.4); one that has none looks at the acknowledgement first
 * and answers with RST (3.10.7.2 for LISTEN, 3.10.7.4 for SYN-RECEIVED). The RST means: the queue was full, again
 * later. The byte ends one short of the window: Linux takes a segment that ends just where the window begins, and
 * then its acknowledgement too, which is wrong if the replica has spoken in the meantime.
 *
 * Handshakes in flight are bounded by `pace`, which halves when one is not answered and grows back one by one. What is
 * in flight beyond it goes back into the queue when its timer runs out: a full listener would drop them all again.
 */
import { Counter, Dir, Loss, Phase, Port, Reason, Risk, TcpState } from '../abi/codes';
import {
  CONNECTION_FLAG_ECN,
  CONNECTION_FLAG_HANDSHAKE,
  CONNECTION_FLAG_RECOVERED,
  CONNECTION_FLAG_SACK,
  CONNECTION_FLAG_TIMESTAMPS,
  CONNECTION_FLAG_WINDOW_SCALE,
  FLOW_FLAG_FIN,
  FLOW_FLAG_TS,
} from '../abi/layout';
import { count } from '../memory/counters';
import { portMtu } from '../memory/ports';
import { OptionBit, Packet, TcpFlag } from '../parser/packet';
import { seqDiff, seqGt, seqLt } from '../parser/seq';
import { causeLimit } from '../tracker/causes';
import { Connection, flowOf, phaseOf, stateOf } from '../tracker/connection';
import {
  CONN_ACK_CLIENT,
  CONN_ASKED,
  CONN_COPY,
  CONN_EDGE_TOLD,
  CONN_RECOVERING,
  CONN_REPLICA_ECN,
  CONN_REPLICA_TS,
  CONN_REPLICA_WS,
  CONN_SPILLED,
} from '../tracker/marks';
import { listActive, listQueued, makeReady, unlist } from '../tracker/lists';
import { contiguous, releaseAll } from '../tracker/retained';
import { isShiftGuessed } from '../tracker/scale';
import { Service } from '../tracker/service';
import { bindMappedPort, bindStack, isOver, unbindStack } from '../tracker/table';
import { isReplayed, obstacleTo, setBase } from './base';
import { beginFeed, endFeed, isFeeding, startFeed, stepFeed } from './feed';
import { doubtGap } from './gap';
import { giveUp, leaveRecovering, lose } from './loss';
import { agreeOnSack } from './selective';
import { closeSegment, headerBytes, mssOf, openSegment, sendSegment, sendSyn } from '../translator/segment';
import { clientIsBlocked, roomForReplica, windowForReplica } from '../translator/window-field';

/** First repetition of a handshake step, ms: the stack is this host's or one switch away. Doubles each time. */
const RETRY_MS: u32 = 20;
/**
 * Its answer stands in line behind those to all that may be in flight, so each of them puts the repetition off: they take
 * 40 us of CPU each, on a busy machine three times as long. Too early is dear, since every repetition has to be answered
 * as well [measured: of 1,000 in flight, half the SYNs and more than the last steps repeated, half as much CPU again];
 * too late costs something only when a frame was lost.
 */
const RETRY_HANDSHAKES_PER_MS: u32 = 8;
const RETRY_MAX_SHIFT: u32 = 6;
/** Where the probe's only byte lies, before the first byte the replica expects: see above. */
const PROBE_BACK: u32 = 2;
/**
 * Unanswered SYNs after which another source port is tried. The client may be connected to the replica's own address too,
 * and by the same port: its stack then answers our SYN as a stray segment of that connection (RFC 5961 4.2), to the
 * client. Arbitrary: a full queue drops SYNs too, and the client's own port is better.
 */
const SILENT_SYNS: u32 = 4;
/** A handshake that is not confirmed after this is given up, ms. Arbitrary: a client's patience, not a protocol's. */
const GIVE_UP_MS: u32 = 15000;

/** What a handshake does not begin anew. */
const LASTING_MARKS: u32 = CONN_RECOVERING | CONN_SPILLED | CONN_ASKED;

/** Takes one connection of a dead primary on its way, or ends it when it cannot be saved. */
export function enqueue(c: Connection, s: Service, nowMs: u32): void {
  if (phaseOf(c) != Phase.Direct || isOver(c)) return;
  if (stateOf(c) < TcpState.Established) return;
  noteRecovering(c, s);
  c.phase = <u8>Phase.Queued;
  c.startedMs = nowMs;
  c.attempts = 0;
  const obstacle = obstacleTo(c, s);
  if (obstacle != Loss.None) {
    lose(c, s, obstacle);
    return;
  }
  unlist(c, s);
  const inbound = flowOf(c, Dir.Inbound);
  const outbound = flowOf(c, Dir.Outbound);
  listQueued(c, s, seqGt(inbound.end, inbound.acked) || seqGt(outbound.end, outbound.acked));
}

/** Counts the connection among those on their way to the replica. */
export function noteRecovering(c: Connection, s: Service): void {
  // It is, when its primary dies again before it has arrived.
  if (c.marked(CONN_RECOVERING)) return;
  c.mark(CONN_RECOVERING);
  s.recovering++;
}

/** Sends the forged SYN of a queued connection. */
export function beginHandshake(c: Connection, s: Service, nowMs: u32): void {
  // Both can have changed in the queue: what is recorded, and what the client still lacks.
  const obstacle = s.isTakenOver || isReplayed(c, s) ? obstacleTo(c, s) : Loss.RecordIncomplete;
  if (obstacle != Loss.None) {
    giveUp(c, s, obstacle, nowMs);
    return;
  }
  unlist(c, s);
  c.unmark(~LASTING_MARKS);
  setBase(c, s);
  if (!bindStack(c, s)) {
    giveUp(c, s, Loss.TupleClash, nowMs);
    return;
  }
  s.inFlight++;
  c.phase = <u8>Phase.SynSent;
  listActive(c);
  repeatSyn(c, s, nowMs);
}

function repeatSyn(c: Connection, s: Service, nowMs: u32): void {
  const inbound = flowOf(c, Dir.Inbound);
  const full = c.has(CONNECTION_FLAG_HANDSHAKE);
  const scaled = c.has(CONNECTION_FLAG_WINDOW_SCALE) || !full;
  const room = portMtu(Port.Wire) - headerBytes(c);
  const mss = full ? min<u32>(mssOf(c, <u32>inbound.mss), room) : room;
  sendSyn(
    c,
    s,
    c.has(CONNECTION_FLAG_ECN) ? TcpFlag.Syn | TcpFlag.Ece | TcpFlag.Cwr : TcpFlag.Syn,
    c.clientBase - 1 + c.d1,
    max<u32>(min<u32>(roomForReplica(c, c.serverBase), 0xffff), 1),
    mss,
    scaled ? <i32>inbound.windowShift : -1,
    c.has(CONNECTION_FLAG_SACK) || !full,
    c.has(CONNECTION_FLAG_TIMESTAMPS) && inbound.has(FLOW_FLAG_TS),
    inbound.tsval,
  );
  schedule(c, s, nowMs);
}

function schedule(c: Connection, s: Service, nowMs: u32): void {
  const first = RETRY_MS + min<u32>(s.recovering, s.pace) / RETRY_HANDSHAKES_PER_MS;
  c.timerMs = nowMs + (first << min<u32>(<u32>c.attempts, RETRY_MAX_SHIFT));
  c.attempts = <u8>min<u32>(<u32>c.attempts + 1, 255);
}

/** A segment of the replica for a connection that is not live yet. Numbers are the replica's own. */
export function onReplicaHandshake(c: Connection, s: Service, p: Packet, nowMs: u32): Reason {
  if (p.flags & TcpFlag.Rst) {
    onReplicaRst(c, s, p, nowMs);
    return Reason.Absorbed;
  }
  if ((p.flags & (TcpFlag.Syn | TcpFlag.Ack)) == (TcpFlag.Syn | TcpFlag.Ack)) {
    if (p.ack != c.clientBase + c.d1) return Reason.AckAboveWindow;
    if (phaseOf(c) == Phase.SynSent) acceptSynAck(c, p);
    noteReplicaEdge(c, p, p.window);
    confirm(c, s, nowMs);
    return Reason.Absorbed;
  }
  if (phaseOf(c) == Phase.SynSent) {
    // A challenge ACK: the replica still has an earlier connection of this tuple. It is told to forget it (RFC 9293
    // 3.10.7.3), and the SYN comes again.
    sendSegment(c, s, Dir.Inbound, TcpFlag.Rst, p.ack, 0, 0);
    repeatSyn(c, s, nowMs);
    return Reason.Absorbed;
  }
  if (p.flags & TcpFlag.Ack) {
    noteReplicaEdge(c, p, replicaWindow(c, p));
    complete(c, s, nowMs);
    // The answer to the probe says nothing to the client, and its D-SACK would be wrong there.
    return p.segmentLength == 0 && p.ack == c.clientBase + c.d1 ? Reason.Absorbed : Reason.None;
  }
  return Reason.Absorbed;
}

/** What the replica agreed to, and the deltas that follow from its numbers. */
function acceptSynAck(c: Connection, p: Packet): void {
  c.d2 = p.seq + 1 - c.serverBase;
  c.replicaMss = p.options & OptionBit.Mss ? <u16>min<u32>(p.mss, 0xffff) : 0;
  if (p.options & OptionBit.WindowScale) {
    c.replicaShift = <u8>p.windowShift;
    c.mark(CONN_REPLICA_WS);
  }
  guessByReplica(c);
  if (p.flags & TcpFlag.Ece) c.mark(CONN_REPLICA_ECN);
  agreeOnSack(c, p);
  if (p.options & OptionBit.Timestamps) {
    c.mark(CONN_REPLICA_TS);
    c.replicaTs = p.tsval;
  }
  c.phase = <u8>Phase.Confirming;
  c.attempts = 0;
  c.unmark(CONN_EDGE_TOLD);
  c.replicaEdge = c.clientBase;
}

/**
 * The shift by which the client reads the server's windows, when the tap has not seen the server tell it: the replica is the
 * same service, most likely on a host of the same kind, so its own shift is the better guess. Only a lower one is taken:
 * see withLowerShift for which is the lesser harm, and a replica with a small buffer has a small one.
 */
function guessByReplica(c: Connection): void {
  if (!isShiftGuessed(c, Dir.Outbound)) return;
  const outbound = flowOf(c, Dir.Outbound);
  outbound.windowShift = min<u8>(outbound.windowShift, c.marked(CONN_REPLICA_WS) ? c.replicaShift : 0);
}

/** The window field of a replica's segment that is no SYN, bytes. */
export function replicaWindow(c: Connection, p: Packet): u32 {
  return c.marked(CONN_REPLICA_WS) ? p.window << c.replicaShift : p.window;
}

/** Notes the replica's window, `window` bytes from its acknowledgement on, as an edge of the wire side. */
export function noteReplicaEdge(c: Connection, p: Packet, window: u32): void {
  const edge = p.ack - c.d1 + window;
  if (seqGt(edge, c.replicaEdge)) c.replicaEdge = edge;
}

/** Third step: data when there is some, else ACK and probe. */
function confirm(c: Connection, s: Service, nowMs: u32): void {
  const flags: u32 = TcpFlag.Ack;
  const window = windowForReplica(c, c.serverBase);
  const ack = c.serverBase + c.d2;
  count(Counter.ForgedAck);
  if (hasFirstBytes(c)) {
    // The first of them carries the acknowledgement.
    startFeed(c, s, Dir.Inbound, c.clientBase, nowMs);
    stepFeed(c, s, Dir.Inbound);
  } else {
    sendSegment(c, s, Dir.Inbound, flags, c.clientBase + c.d1, ack, window);
    const at = openSegment(c, s, Dir.Inbound, flags, c.clientBase + c.d1 - PROBE_BACK, ack + 1, window, 1);
    if (at != 0) {
      store<u8>(at, 0);
      closeSegment(0);
    }
  }
  schedule(c, s, nowMs);
}

/** Whether the replica can be shown something it has to acknowledge: the next byte if it has room, or the FIN. */
function hasFirstBytes(c: Connection): bool {
  const f = flowOf(c, Dir.Inbound);
  // An answer of the client waits until the replica has asked: see causes.ts.
  if (c.marked(CONN_COPY) && causeLimit(c, c.clientBase + 1) == c.clientBase) return false;
  if (f.has(FLOW_FLAG_FIN) && f.finSeq == c.clientBase) return true;
  return seqGt(c.replicaEdge, c.clientBase) && contiguous(f.kept, c.clientBase, 1) == 1;
}

function onReplicaRst(c: Connection, s: Service, p: Packet, nowMs: u32): void {
  if (phaseOf(c) == Phase.SynSent) {
    if (p.flags & TcpFlag.Ack && p.ack == c.clientBase + c.d1) giveUp(c, s, Loss.ReplicaRefused, nowMs);
    return;
  }
  if (p.seq == c.serverBase + c.d2 + 1 && (p.flags & TcpFlag.Ack) == 0) {
    // The answer to the probe: the accept queue was full. Fewer at a time, and the third step again later.
    slowDown(s, nowMs);
    schedule(c, s, nowMs);
    return;
  }
  giveUp(c, s, Loss.ReplicaReset, nowMs);
}

/** Once for a flight of handshakes: what was sent together is dropped, and missed, together. */
function slowDown(s: Service, nowMs: u32): void {
  if (s.slowed != 0 && seqLt(nowMs, s.slowedMs + RETRY_MS)) return;
  s.slowed++;
  s.slowedMs = nowMs;
  s.pace = max<u32>(s.pace >>> 1, 1);
}

/** The replica has the connection. */
function complete(c: Connection, s: Service, nowMs: u32): void {
  s.inFlight--;
  if (s.pace < s.handshakeWindow) s.pace++;
  if (!c.marked(CONN_COPY)) {
    if (!isFeeding(c, Dir.Inbound)) beginFeed(c, s, Dir.Inbound, c.clientBase, nowMs);
    becomeLive(c, s, nowMs);
    doubtGap(c);
    return;
  }
  c.phase = <u8>Phase.Withheld;
  if (c.risk == <u8>Risk.NotShadowed || (c.risk == <u8>Risk.Diverged && c.holeBytes == 0)) c.risk = <u8>c.lastingRisk;
  c.copyMs = c.startedMs + GIVE_UP_MS;
  if (!isFeeding(c, Dir.Inbound)) startFeed(c, s, Dir.Inbound, c.clientBase, nowMs);
  makeReady(c);
}

/** Everything goes through the translator from here on; what the core was feeding the replica it goes on with. */
export function becomeLive(c: Connection, s: Service, nowMs: u32): void {
  const inbound = flowOf(c, Dir.Inbound);
  const outbound = flowOf(c, Dir.Outbound);
  leaveRecovering(c, s);
  s.recovered++;
  c.phase = <u8>Phase.Live;
  c.flags |= CONNECTION_FLAG_RECOVERED;
  alignClock(c, nowMs);
  const blocked = clientIsBlocked(c, <u32>inbound.mss);
  const unread = isFeeding(c, Dir.Inbound) && seqGt(inbound.end, inbound.acked);
  inbound.feedMark = inbound.end;
  if (!unread) endFeed(c, Dir.Inbound);
  if (!beginFeed(c, s, Dir.Outbound, outbound.acked, nowMs)) releaseAll(outbound.kept);
  if (blocked) c.mark(CONN_ACK_CLIENT);
  makeReady(c);
}

/**
 * The client's PAWS check (RFC 7323 5.3) must never see time run backwards: the replica's clock is moved to just after
 * the primary's last tick. Milliseconds passed are a lower bound of the ticks passed for any usual clock.
 */
function alignClock(c: Connection, nowMs: u32): void {
  const outbound = flowOf(c, Dir.Outbound);
  const last = outbound.tsval + max<u32>(<u32>max<i32>(seqDiff(nowMs, outbound.tsMs), 0), 1);
  c.tsDelta = outbound.has(FLOW_FLAG_TS) ? last - c.replicaTs : 0;
}

/** The timer of a connection in SynSent or Confirming. */
export function tickHandshake(c: Connection, s: Service, nowMs: u32): void {
  if (seqLt(nowMs, c.timerMs)) return;
  if (seqGt(nowMs, c.startedMs + GIVE_UP_MS)) {
    giveUp(c, s, Loss.ReplicaSilent, nowMs);
    return;
  }
  count(Counter.HandshakeRetries);
  slowDown(s, nowMs);
  if (phaseOf(c) == Phase.Confirming) {
    confirm(c, s, nowMs);
  } else if (s.inFlight > s.pace) {
    requeue(c, s);
  } else {
    if (<u32>c.attempts >= SILENT_SYNS && c.stackPort == c.clientPort && !bindMappedPort(c, s)) {
      giveUp(c, s, Loss.TupleClash, nowMs);
      return;
    }
    repeatSyn(c, s, nowMs);
  }
}

/** Back into the queue: more than the replica takes were begun, and repeated together they would be dropped together. */
function requeue(c: Connection, s: Service): void {
  unlist(c, s);
  unbindStack(c);
  s.inFlight--;
  c.phase = <u8>Phase.Queued;
  listQueued(c, s, false);
}

/** Whether the connection is somewhere between queue and confirmation. */
export function inHandshake(c: Connection): bool {
  const phase = phaseOf(c);
  return phase == Phase.SynSent || phase == Phase.Confirming;
}
