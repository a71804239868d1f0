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
 *   To a copy (copy.ts) the client's bytes go from the first one on, and the core is their only sender until the
 *             connection is live: this feed has no end, waits at a hole of the record, and what counts as acknowledged
 *             is what the replica has read.
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
import { seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from '../parser/seq';
import { causeLimit } from '../tracker/causes';
import { Connection, Flow, flowOf } from '../tracker/connection';
import { CONN_ACK_CLIENT, CONN_ACK_REPLICA, CONN_COPY, CONN_SPILLED, CONN_UNPROVEN } from '../tracker/marks';
import { makeReady } from '../tracker/lists';
import { isRecording } from '../tracker/record';
import { contiguous, firstRetained, readRetained, releaseAll } from '../tracker/retained';
import { Service } from '../tracker/service';
import { askAhead } from '../tracker/spill';
import { closeSegment, maxPayload, openSegment } from '../translator/segment';
import { windowForClient, windowForReplica } from '../translator/window-field';
import { notePassed } from './selective';

/** Segments sent before the first acknowledgement: Linux' and RFC 6928's initial window. */
const FEED_SEGMENTS: u32 = 10;
/** Linux' TCP_RTO_MIN, ms: a receiver may delay its acknowledgement for that long. */
const FEED_RTO_MS: u32 = 200;
/** RFC 6298 2.4 allows a maximum of 60 s or more; a client that waits longer has given up. */
const FEED_RTO_MAX_MS: u32 = 8000;

/** Arbitrary: far beyond any window, and far from where numbers wrap. */
const FEED_WINDOW_MAX: u32 = 0x20000000;
/** Payload of a frame for this host's stack, which takes merged ones: a 64 KiB frame would fill its window in one. */
const STACK_PIECE_BYTES: u32 = 61440;
/**
 * Of a copy on its way to this host's stack: what is read, made into frames and copied by the kernel stays in the CPU's cache
 * [a replay of 256 MB: 95-111 ms of CPU with this, 113-120 with four times as much].
 */
const STACK_WINDOW_BYTES: u32 = 262144;

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

/** Up to where the receiver has acknowledged what the core sends. */
function fedUpTo(c: Connection, dir: Dir): u32 {
  return isCopyFeed(c, dir) ? c.copyRead : flowOf(c, dir).acked;
}

function isCopyFeed(c: Connection, dir: Dir): bool {
  return dir == Dir.Inbound && c.marked(CONN_COPY);
}

/** What the replica is told to have been received of it, in the wire side's numbers. */
export function readOfReplica(c: Connection): u32 {
  return c.marked(CONN_COPY) ? c.copyNext : seqMax(flowOf(c, Dir.Outbound).acked, c.serverBase);
}

/** The FIN of the flow is part of what has to be sent. */
function hasFin(f: Flow): bool {
  return f.has(FLOW_FLAG_FIN);
}

/** Begins to send what is stored from `from` on. False when there is nothing to send. */
export function beginFeed(c: Connection, s: Service, dir: Dir, from: u32, nowMs: u32): bool {
  if (seqGe(from, feedEnd(c, dir))) return false;
  startFeed(c, s, dir, from, nowMs);
  return true;
}

/** The same for a feed that waits for what is yet to come. */
export function startFeed(c: Connection, s: Service, dir: Dir, from: u32, nowMs: u32): void {
  const f = flowOf(c, dir);
  f.feedNext = from;
  f.feedMark = feedEnd(c, dir);
  f.feedWindow = FEED_SEGMENTS * maxPayload(c, s, dir);
  f.feedMs = nowMs;
  f.feedHeardMs = nowMs;
  f.feedRtoMs = FEED_RTO_MS;
  f.kept.hint = NONE;
  f.set(FLOW_FLAG_FEEDING);
  makeReady(c);
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
  const mss = isCopyFeed(c, dir) && !s.isRemote ? STACK_PIECE_BYTES : maxPayload(c, s, dir);
  const fed = fedUpTo(c, dir);
  const window = isCopyFeed(c, dir) && !s.isRemote ? min<u32>(f.feedWindow, STACK_WINDOW_BYTES) : f.feedWindow;
  const granted = seqMin(feedEdge(c, dir), fed + window);
  const heard = isCopyFeed(c, dir) ? causeLimit(c, end) : end;
  const limit = seqMin(granted, heard);
  f.feedNext = seqMax(f.feedNext, fed);
  if (isCopyFeed(c, dir)) askAhead(c, f.feedNext);
  while (seqLt(f.feedNext, end)) {
    if (!txHasRoom()) return true;
    if (seqGe(f.feedNext, dataEnd)) {
      // Only the FIN is left. A FIN needs no window (RFC 9293 3.10.7.4 accepts it at the edge).
      if (seqGe(f.feedNext, heard)) break;
      if (!sendPiece(c, s, dir, f.feedNext, 0, true)) return true;
      f.feedNext = end;
      break;
    }
    const from = firstRetained(f.kept, f.feedNext, dataEnd);
    if (from != f.feedNext) {
      // A replica that is to read everything waits; the host, or the client, fills the hole. See gap.ts for the other.
      if (isCopyFeed(c, dir) || (dir == Dir.Inbound && c.marked(CONN_UNPROVEN))) break;
      f.feedNext = from;
      continue;
    }
    if (seqGe(from, limit)) break;
    const want = min<u32>(mss, <u32>seqDiff(seqMin(limit, dataEnd), from));
    // What the primary has acknowledged is in a complete record without a hole: no need to walk it twice.
    const isWhole = isCopyFeed(c, dir) && isRecording(c) && !c.marked(CONN_SPILLED) && seqLe(from + want, f.acked);
    const n = isWhole ? want : contiguous(f.kept, from, want);
    const last = from + n == dataEnd && seqLt(dataEnd, heard) && dataEnd != end;
    if (!sendPiece(c, s, dir, from, n, last)) return true;
    f.feedNext = last ? end : from + n;
  }
  return false;
}

/** One segment from the store; it carries the latest acknowledgement and window of the other direction too. */
function sendPiece(c: Connection, s: Service, dir: Dir, seq: u32, length: u32, fin: bool): bool {
  const flags: u32 = TcpFlag.Ack | (length > 0 ? TcpFlag.Psh : 0) | (fin ? TcpFlag.Fin : 0);
  let at: usize;
  if (dir == Dir.Inbound) {
    const ack = readOfReplica(c);
    at = openSegment(c, s, dir, flags, seq + c.d1, ack + c.d2, windowForReplica(c, ack), length);
    c.unmark(CONN_ACK_REPLICA);
  } else {
    const ack = flowOf(c, Dir.Inbound).acked;
    at = openSegment(c, s, dir, flags, seq, ack, windowForClient(c, ack, c.replicaEdge), length);
    c.unmark(CONN_ACK_CLIENT);
  }
  if (at == 0) return false;
  if (!closeSegment(readRetained(flowOf(c, dir).kept, seq, at, length))) return false;
  if (dir == Dir.Inbound) notePassed(c, seq, seq + length + (fin ? 1 : 0));
  count(dir == Dir.Inbound ? Counter.FedSegments : Counter.ResentSegments);
  countBy(dir == Dir.Inbound ? Counter.FedBytes : Counter.ResentBytes, length);
  return true;
}

/** The receiver acknowledged more, or granted more: go on, or be done. `before` is what was acknowledged so far. */
export function onFeedProgress(c: Connection, dir: Dir, before: u32, nowMs: u32): void {
  const f = flowOf(c, dir);
  if (!f.has(FLOW_FLAG_FEEDING)) return;
  f.feedHeardMs = nowMs;
  const fed = fedUpTo(c, dir);
  if (seqGt(fed, before)) {
    f.feedWindow = min<u32>(f.feedWindow + <u32>seqDiff(fed, before), FEED_WINDOW_MAX);
    f.feedMs = nowMs;
    f.feedRtoMs = FEED_RTO_MS;
  }
  if (isCopyFeed(c, dir)) {
    if (seqLt(f.feedNext, f.end)) makeReady(c);
    return;
  }
  const done = dir == Dir.Inbound ? seqGe(f.feedNext, f.end) : true;
  if (done && seqGe(f.acked, f.feedMark)) endFeed(c, dir);
  else makeReady(c);
}

export function endFeed(c: Connection, dir: Dir): void {
  const f = flowOf(c, dir);
  f.clear(FLOW_FLAG_FEEDING);
  releaseAll(f.kept);
}

/** Nothing is on its way: the clock of what comes next begins when it comes. */
export function restFeed(c: Connection, dir: Dir, nowMs: u32): void {
  const f = flowOf(c, dir);
  f.feedMs = nowMs;
  f.feedHeardMs = nowMs;
}

/** Whether the receiver has been silent for so long that nobody sends to it any more. */
export function isFeedDead(c: Connection, dir: Dir, nowMs: u32): bool {
  const f = flowOf(c, dir);
  return f.has(FLOW_FLAG_FEEDING) && seqGt(nowMs, f.feedHeardMs + FEED_GIVE_UP_MS);
}

/** No progress for a whole timeout: once more from the oldest byte, one segment, half as often. */
export function tickFeed(c: Connection, s: Service, dir: Dir, nowMs: u32): void {
  const f = flowOf(c, dir);
  if (!f.has(FLOW_FLAG_FEEDING)) return;
  const fed = fedUpTo(c, dir);
  if (isCopyFeed(c, dir) && seqGe(fed, f.end)) {
    restFeed(c, dir, nowMs);
    return;
  }
  if (seqLt(nowMs, f.feedMs + f.feedRtoMs)) return;
  f.feedMs = nowMs;
  f.feedRtoMs = min<u32>(f.feedRtoMs << 1, FEED_RTO_MAX_MS);
  f.feedNext = fed;
  f.kept.hint = NONE;
  f.feedWindow = FEED_SEGMENTS * maxPayload(c, s, dir);
  // A closed window is probed with one byte (RFC 9293 3.8.6.1): the update that opened it may be lost.
  if (seqGe(fed, feedEdge(c, dir)) && contiguous(f.kept, fed, 1) == 1) sendPiece(c, s, dir, fed, 1, false);
  makeReady(c);
}
