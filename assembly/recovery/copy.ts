/**
 * The copy of a connection: a replica that is given the client's stream from its first byte, and whose output nobody sees
 * until it has passed what the client already has. Two policies are two times for the same thing:
 *
 *   replay   the copy begins when the primary is dead, from the record
 *   shadow   it begins with the connection and reads along; the primary's death finds it there
 *
 *   Direct ─► Queued ─► SynSent ─► Confirming ─► Withheld ─► Live
 *      ▲ the replica ended it, the primary serves  │
 *      └────────── again after a while ────────────┘
 *
 * The forged SYN has the client's own ISN, so D1 = 0; D2 = replica's ISS - primary's ISS, so that the replica's bytes have
 * the numbers that the primary's had. What the replica sends is acknowledged to it in the client's name, up to the edge
 * the client has granted; what the client sends goes to it from the record. While the primary serves, the client hears
 * nothing of all this, and everything the tracker knows is the primary's.
 *
 * The replica may be slower (its bytes are compared and dropped), faster (they are kept until the primary has sent them
 * and the client has acknowledged them), and may close earlier or later. It may not end sooner than what the client has.
 */
import { Counter, Dir, Loss, Phase, Reason, RecordState, TcpState } from '../abi/codes';
import { CONNECTION_FLAG_HANDSHAKE, FLOW_FLAG_FIN, FLOW_FLAG_FIN_PENDING } from '../abi/layout';
import { count, refuse } from '../memory/counters';
import { OptionBit, Packet, TcpFlag } from '../parser/packet';
import { seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax } from '../parser/seq';
import { Connection, flowOf, lossOf, phaseOf, recordOf, stateOf } from '../tracker/connection';
import { CONN_ACK_CLIENT, CONN_ACK_REPLICA, CONN_COPY, CONN_COPY_FIN } from '../tracker/marks';
import { ListId, listActive, listQueued, makeReady, unlist } from '../tracker/lists';
import { dropRecord, isRecording, releaseRead } from '../tracker/record';
import { fillFrom, releaseAll } from '../tracker/retained';
import { Service } from '../tracker/service';
import { isOver } from '../tracker/table';
import { closeFlow, noteFinAcked } from '../tracker/track';
import { sendSegment } from '../translator/segment';
import { compareEnds, compareWithAhead, isCondemned, noteDivergence, sent, withhold } from './compare';
import { isFeedDead, onFeedProgress, restFeed, tickFeed } from './feed';
import { becomeLive, noteReplicaEdge, replicaWindow } from './handshake';
import { endCopy, giveUp, lose } from './loss';
import { beginRun } from './selective';

/** A replica that closes before the primary may only be the first to see a reason: patience, ms. Arbitrary. */
const CLOSE_GRACE_MS: u32 = 1000;
/** A replica that neither reads nor writes for this long will not reach the client's position any more, ms. Arbitrary. */
const PATIENCE_MS: u32 = 15000;

/** Whether the replica can be given this connection's stream from its first byte. */
export function canCopy(c: Connection): bool {
  return c.has(CONNECTION_FLAG_HANDSHAKE) && recordOf(c) == RecordState.Complete;
}

/** After each segment between client and primary: begins the copy, keeps it going, or ends it with its connection. */
export function followPrimary(c: Connection, s: Service, p: Packet, dir: Dir, nowMs: u32): void {
  const phase = phaseOf(c);
  if (phase == Phase.Direct) {
    if (c.copyTries == 0 && isCopyWanted(c)) queueCopy(c, s, nowMs);
    return;
  }
  if (stateOf(c) < TcpState.Established || stateOf(c) == TcpState.Closed || !isRecording(c)) {
    // Begun anew, reset, or no longer recorded: nothing that another attempt would mend.
    endCopy(c, s);
    return;
  }
  if (phase != Phase.Withheld) return;
  if (dir == Dir.Outbound) {
    compareWithAhead(c, s, p);
    compareEnds(c, s);
  } else if (needsWindow(c)) {
    c.mark(CONN_ACK_REPLICA);
  }
  // Nothing was on its way: the clock of what comes now begins now.
  if (c.list == <u8>ListId.None) restFeed(c, Dir.Inbound, nowMs);
  makeReady(c);
  settleCopy(c, s, nowMs);
}

function isCopyWanted(c: Connection): bool {
  return stateOf(c) >= TcpState.Established && !isOver(c) && canCopy(c) && lossOf(c) == Loss.None;
}

function queueCopy(c: Connection, s: Service, nowMs: u32): void {
  unlist(c, s);
  c.phase = <u8>Phase.Queued;
  c.startedMs = nowMs;
  c.attempts = 0;
  count(Counter.CopyBegun);
  listQueued(c, s, false);
}

/** The replica has filled what it was last told of the client's window, and the client has opened it. */
function needsWindow(c: Connection): bool {
  const edge = flowOf(c, Dir.Outbound).edge;
  return seqGt(edge, c.copyEdge) && seqDiff(c.copyEdge, c.copyNext) < <i32>max<u32>(<u32>c.replicaMss, 1) * 2;
}

/** A segment of a replica whose output is withheld. Numbers are the replica's own. */
export function fromWithheld(c: Connection, s: Service, p: Packet, nowMs: u32): Reason {
  if (p.flags & TcpFlag.Rst) {
    giveUp(c, s, Loss.ReplicaReset, nowMs);
    return refuse(Reason.Absorbed);
  }
  if (p.flags & TcpFlag.Syn) {
    // The third step was lost in a full accept queue: once more.
    sendSegment(c, s, Dir.Inbound, TcpFlag.Ack, p.ack, c.copyNext + c.d2, 0);
    c.mark(CONN_ACK_REPLICA);
    makeReady(c);
    return refuse(Reason.Absorbed);
  }
  if (p.payloadLength < p.payloadWire) return refuse(Reason.TruncatedPayload);
  if (p.options & OptionBit.Timestamps && seqGt(p.tsval, c.replicaTs)) c.replicaTs = p.tsval;
  if (p.flags & TcpFlag.Ack) {
    noteReplicaEdge(c, p, replicaWindow(c, p));
    noteRead(c, s, p.ack - c.d1, nowMs);
  }
  const reason = p.segmentLength > 0 ? takeOutput(c, s, p, nowMs) : Reason.Withheld;
  compareEnds(c, s);
  settleCopy(c, s, nowMs);
  return refuse(reason);
}

/** The replica has acknowledged client bytes. */
function noteRead(c: Connection, s: Service, ack: u32, nowMs: u32): void {
  const inbound = flowOf(c, Dir.Inbound);
  const before = c.copyRead;
  if (seqGt(ack, before) && seqLe(ack, inbound.end)) {
    c.copyRead = ack;
    if (s.isTakenOver) c.copyMs = nowMs + PATIENCE_MS;
    releaseRead(c, s.isTakenOver);
  }
  onFeedProgress(c, Dir.Inbound, before, nowMs);
}

/** The next bytes of the replica's stream, as far as they are next. */
function takeOutput(c: Connection, s: Service, p: Packet, nowMs: u32): Reason {
  c.mark(CONN_ACK_REPLICA);
  makeReady(c);
  const known = seqDiff(c.copyNext, p.seq - c.d2);
  if (c.marked(CONN_COPY_FIN) || known >= <i32>p.segmentLength) return Reason.Withheld;
  // The acknowledgement asks for what is missing before it.
  if (known < 0) return Reason.WithheldGap;
  const fresh = p.payloadLength - <u32>known;
  const taken = withhold(c, s, p.payload + <u32>known, fresh);
  c.copyNext += taken;
  c.copyOffset += taken;
  if (s.isTakenOver) c.copyMs = nowMs + PATIENCE_MS;
  if (taken < fresh || (p.flags & TcpFlag.Fin) == 0) return Reason.Withheld;
  c.copyNext++;
  c.mark(CONN_COPY_FIN);
  if (s.isTakenOver) return Reason.Withheld;
  c.copyMs = nowMs + CLOSE_GRACE_MS;
  watch(c);
  return Reason.Withheld;
}

/** Puts the copy on the list that the short timer looks at. */
export function watch(c: Connection): void {
  if (c.list == <u8>ListId.None) listActive(c);
}

/** The primary is dead: from now on the copy is what the client is to be served by. */
export function takeOverCopy(c: Connection, s: Service, nowMs: u32): void {
  c.startedMs = nowMs;
  c.copyMs = nowMs + PATIENCE_MS;
  if (phaseOf(c) != Phase.Withheld) return;
  watch(c);
  makeReady(c);
  settleCopy(c, s, nowMs);
  // Lost since the last segment: the host could not keep what it was handed.
  if (phaseOf(c) == Phase.Withheld && !isRecording(c)) lose(c, s, Loss.RecordIncomplete);
}

/** Whether the copy has reached the client's position; what follows from that. */
export function settleCopy(c: Connection, s: Service, nowMs: u32): void {
  if (phaseOf(c) != Phase.Withheld) return;
  recogniseFin(c);
  if (!s.isTakenOver || isOver(c)) {
    endIfDone(c, s);
    return;
  }
  const ended = c.marked(CONN_COPY_FIN);
  const position = sent(c);
  if (c.copyOffset < position) {
    if (!ended) return;
    noteDivergence(c, s, c.copyOffset, position);
    lose(c, s, Loss.Diverged);
    return;
  }
  if (seqLt(c.copyRead, flowOf(c, Dir.Inbound).acked)) return;
  if (isCondemned(c, s)) lose(c, s, Loss.Diverged);
  else promote(c, s, nowMs);
}

/**
 * The client has acknowledged more than the tap has seen of the primary. Whether the last number is that of a byte or of a
 * FIN, the replica says.
 */
function recogniseFin(c: Connection): void {
  const outbound = flowOf(c, Dir.Outbound);
  if (c.unseen == 0 || !c.marked(CONN_COPY_FIN) || outbound.has(FLOW_FLAG_FIN) || c.copyNext != outbound.end) return;
  closeFlow(c, Dir.Outbound, c.copyNext - 1);
  noteFinAcked(c, outbound);
}

/** Both servers have ended the connection, or the primary has and the replica has nothing more to read or say. */
function endIfDone(c: Connection, s: Service): void {
  if (!isOver(c) || !c.marked(CONN_COPY_FIN)) return;
  if (seqGe(c.copyRead, flowOf(c, Dir.Inbound).end)) endCopy(c, s);
}

/** The replica's output is the client's from here on: what was withheld and the client lacks is sent to it. */
function promote(c: Connection, s: Service, nowMs: u32): void {
  const inbound = flowOf(c, Dir.Inbound);
  const outbound = flowOf(c, Dir.Outbound);
  const missing = fillFrom(outbound.kept, c.ahead);
  releaseAll(c.ahead);
  if (missing > 0) {
    lose(c, s, Loss.ServerBytesMissing);
    return;
  }
  if (c.marked(CONN_COPY_FIN) && !outbound.has(FLOW_FLAG_FIN)) closeFlow(c, Dir.Outbound, c.copyNext - 1);
  // A FIN that the client has not acknowledged, and whose number is the replica's now, is none.
  if (seqGt(c.copyNext, outbound.finSeq)) outbound.clear(FLOW_FLAG_FIN_PENDING);
  // Where the primary has closed nothing can follow, whatever the replica goes on to say; otherwise it may be ahead.
  const end = outbound.has(FLOW_FLAG_FIN) ? outbound.finSeq + 1 : seqMax(outbound.end, c.copyNext);
  outbound.end = end;
  c.d2 += c.copyNext - end;
  c.serverBase = end;
  if (seqGt(c.copyRead, inbound.acked)) {
    inbound.passTo(c.copyRead);
    c.mark(CONN_ACK_CLIENT);
  }
  noteFinAcked(c, inbound);
  c.unmark(CONN_COPY | CONN_COPY_FIN);
  beginRun(c, inbound.acked, inbound.feedNext);
  dropRecord(c);
  becomeLive(c, s, nowMs);
}

/** The timer of a copy: its next attempt, the end of patience with it, its feed. */
export function tickCopy(c: Connection, s: Service, nowMs: u32): void {
  const isDue = seqGe(nowMs, c.copyMs);
  if (phaseOf(c) == Phase.Direct) {
    if (!isDue) return;
    unlist(c, s);
    if (isCopyWanted(c) && !s.isTakenOver) queueCopy(c, s, nowMs);
    return;
  }
  if (isFeedDead(c, Dir.Inbound, nowMs)) {
    giveUp(c, s, Loss.ReplicaSilent, nowMs);
    return;
  }
  if (s.isTakenOver && isDue && !isOver(c)) {
    lose(c, s, Loss.ReplicaBehind);
    return;
  }
  const early = c.marked(CONN_COPY_FIN) && !flowOf(c, Dir.Outbound).has(FLOW_FLAG_FIN);
  if (!s.isTakenOver && early && isDue) {
    giveUp(c, s, Loss.ReplicaReset, nowMs);
    return;
  }
  tickFeed(c, s, Dir.Inbound, nowMs);
  if (s.isTakenOver || early || isUnderWay(c)) return;
  unlist(c, s);
}

/** Whether the replica has something to acknowledge, or to be given. */
export function isUnderWay(c: Connection): bool {
  return seqLt(c.copyRead, flowOf(c, Dir.Inbound).end);
}

/** Whether the connection waits for another attempt at its copy. */
export function isToBeCopied(c: Connection): bool {
  return phaseOf(c) == Phase.Direct && c.copyTries > 0 && isRecording(c);
}
