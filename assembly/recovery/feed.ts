/**
 * Feeding: the core as the sender of retained bytes, in either direction with one mechanism.
 *
 *   Inbound   does the client's work: its unacknowledged bytes go to the replica at once, in its name, instead of
 *             after the client's retransmission timeout. Ends when the replica has acknowledged all that was in the
 *             store when it began and everything stored since has been sent once: from then on the client itself
 *             repeats what gets lost.
 *   Outbound  does the dead server's work: bytes the primary had sent and the client has not acknowledged. Ends when
 *             the client has acknowledged the last of them (serverBase). Nobody else can send them.
 *
 * The sender is a simple one: go-back-N with slow start (RFC 5681 3.1) from FEED_SEGMENTS, no congestion avoidance
 * (the store is at most one window of a connection that had already found its rate), timeout doubled each time
 * (RFC 6298 5.5). Holes in the store are skipped: what is behind them helps, and the client fills them.
 */
import { Counter, Dir } from '../abi/codes';
import { FLOW_FLAG_FEEDING, FLOW_FLAG_FIN, NONE } from '../abi/layout';
import { count, countBy } from '../memory/counters';
import { txHasRoom } from '../memory/transmit';
import { TcpFlag } from '../parser/packet';
import { seqDiff, seqGe, seqGt, seqLt, seqMax, seqMin } from '../parser/seq';
import { CONN_ACK_CLIENT, CONN_ACK_REPLICA, Connection, Flow, flowOf } from '../tracker/connection';
import { makeReady } from '../tracker/lists';
import { contiguous, firstRetained, readRetained, releaseAll } from '../tracker/retained';
import { Service } from '../tracker/service';
import { closeSegment, maxPayload, openSegment } from '../translator/segment';
import { windowForClient, windowForReplica } from '../translator/window-field';

/** Segments sent before the first acknowledgement: Linux' and RFC 6928's initial window. */
const FEED_SEGMENTS: u32 = 10;
/** Linux' TCP_RTO_MIN, ms: a receiver may delay its acknowledgement for that long. */
const FEED_RTO_MS: u32 = 200;
/** RFC 6298 2.4 allows a maximum of 60 s or more; a client that waits longer has given up. */
const FEED_RTO_MAX_MS: u32 = 8000;

/** RFC 9293 3.8.3, R2: at least 100 s. A receiver that answers, if only that it has no room, is never given up. */
const FEED_GIVE_UP_MS: u32 = 100000;

/** The number up to which the core answers for this flow. */
function feedEnd(c: Connection, dir: Dir): u32 {
  return dir == Dir.Inbound ? flowOf(c, Dir.Inbound).end : c.serverBase;
}

/** Up to where the receiver accepts bytes. */
function feedEdge(c: Connection, dir: Dir): u32 {
  return dir == Dir.Inbound ? c.replicaEdge : flowOf(c, Dir.Outbound).edge;
}

/** The FIN of the flow is part of what has to be sent. */
function hasFin(f: Flow): bool {
  return f.has(FLOW_FLAG_FIN);
}

/** Begins to send what is stored from `from` on. False when there is nothing to send. */
export function beginFeed(c: Connection, s: Service, dir: Dir, from: u32, nowMs: u32): bool {
  const f = flowOf(c, dir);
  const end = feedEnd(c, dir);
  if (seqGe(from, end)) return false;
  f.feedNext = from;
  f.feedMark = end;
  f.feedWindow = FEED_SEGMENTS * maxPayload(c, s, dir);
  f.feedMs = nowMs;
  f.feedHeardMs = nowMs;
  f.feedRtoMs = FEED_RTO_MS;
  f.feedBlock = NONE;
  f.set(FLOW_FLAG_FEEDING);
  makeReady(c);
  return true;
}

export function isFeeding(c: Connection, dir: Dir): bool {
  return flowOf(c, dir).has(FLOW_FLAG_FEEDING);
}

/** Sends what the receiver's window and the feed's own allow. True when it stopped for want of transmit room. */
export function stepFeed(c: Connection, s: Service, dir: Dir): bool {
  const f = flowOf(c, dir);
  if (!f.has(FLOW_FLAG_FEEDING)) return false;
  const end = feedEnd(c, dir);
  const dataEnd = hasFin(f) && f.finSeq + 1 == end ? f.finSeq : end;
  const mss = maxPayload(c, s, dir);
  const limit = seqMin(feedEdge(c, dir), f.acked + f.feedWindow);
  f.feedNext = seqMax(f.feedNext, f.acked);
  while (seqLt(f.feedNext, end)) {
    if (!txHasRoom()) return true;
    if (seqGe(f.feedNext, dataEnd)) {
      // Only the FIN is left. A FIN needs no window (RFC 9293 3.10.7.4 accepts it at the edge).
      if (!sendPiece(c, s, dir, f.feedNext, 0, true)) return true;
      f.feedNext = end;
      break;
    }
    const from = firstRetained(f, f.feedNext, dataEnd);
    if (from != f.feedNext) {
      f.feedNext = from;
      continue;
    }
    if (seqGe(from, limit)) break;
    const n = contiguous(f, from, min<u32>(mss, <u32>seqDiff(seqMin(limit, dataEnd), from)));
    const last = from + n == dataEnd && dataEnd != end;
    if (!sendPiece(c, s, dir, from, n, last)) return true;
    f.feedNext = last ? end : from + n;
  }
  return false;
}

/** One segment from the store; it carries the latest acknowledgement and window of the other direction too. */
function sendPiece(c: Connection, s: Service, dir: Dir, seq: u32, length: u32, fin: bool): bool {
  const flags: u32 = TcpFlag.Ack | (length > 0 ? TcpFlag.Psh : 0) | (fin ? TcpFlag.Fin : 0);
  const other = flowOf(c, dir == Dir.Inbound ? Dir.Outbound : Dir.Inbound);
  let at: usize;
  if (dir == Dir.Inbound) {
    const ack = seqMax(other.acked, c.serverBase);
    at = openSegment(c, s, dir, flags, seq + c.d1, ack + c.d2, windowForReplica(c, ack), length);
    c.unmark(CONN_ACK_REPLICA);
  } else {
    const ack = other.acked;
    at = openSegment(c, s, dir, flags, seq, ack, windowForClient(c, ack, c.replicaEdge), length);
    c.unmark(CONN_ACK_CLIENT);
  }
  if (at == 0) return false;
  readRetained(flowOf(c, dir), seq, at, length);
  if (!closeSegment()) return false;
  count(dir == Dir.Inbound ? Counter.FedSegments : Counter.ResentSegments);
  countBy(dir == Dir.Inbound ? Counter.FedBytes : Counter.ResentBytes, length);
  return true;
}

/** The receiver acknowledged more, or granted more: go on, or be done. `before` is what was acknowledged so far. */
export function onFeedProgress(c: Connection, dir: Dir, before: u32, nowMs: u32): void {
  const f = flowOf(c, dir);
  if (!f.has(FLOW_FLAG_FEEDING)) return;
  f.feedHeardMs = nowMs;
  if (seqGt(f.acked, before)) {
    f.feedWindow += <u32>seqDiff(f.acked, before);
    f.feedMs = nowMs;
    f.feedRtoMs = FEED_RTO_MS;
  }
  const done = dir == Dir.Inbound ? seqGe(f.feedNext, f.end) : true;
  if (done && seqGe(f.acked, f.feedMark)) endFeed(c, dir);
  else makeReady(c);
}

export function endFeed(c: Connection, dir: Dir): void {
  const f = flowOf(c, dir);
  f.clear(FLOW_FLAG_FEEDING);
  releaseAll(f);
}

/** Whether the receiver has been silent for so long that nobody sends to it any more. */
export function isFeedDead(c: Connection, dir: Dir, nowMs: u32): bool {
  const f = flowOf(c, dir);
  return f.has(FLOW_FLAG_FEEDING) && seqGt(nowMs, f.feedHeardMs + FEED_GIVE_UP_MS);
}

/** No progress for a whole timeout: once more from the oldest byte, one segment, half as often. */
export function tickFeed(c: Connection, s: Service, dir: Dir, nowMs: u32): void {
  const f = flowOf(c, dir);
  if (!f.has(FLOW_FLAG_FEEDING) || seqLt(nowMs, f.feedMs + f.feedRtoMs)) return;
  f.feedMs = nowMs;
  f.feedRtoMs = min<u32>(f.feedRtoMs << 1, FEED_RTO_MAX_MS);
  f.feedNext = f.acked;
  f.feedBlock = NONE;
  f.feedWindow = FEED_SEGMENTS * maxPayload(c, s, dir);
  // A closed window is probed with one byte (RFC 9293 3.8.6.1): the update that opened it may be lost.
  if (seqGe(f.acked, feedEdge(c, dir)) && contiguous(f, f.acked, 1) == 1) sendPiece(c, s, dir, f.acked, 1, false);
  makeReady(c);
}
