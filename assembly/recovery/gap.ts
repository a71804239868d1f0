/**
 * A gap before the first byte that the replica is to read. The primary may have acknowledged client bytes that the tap saw
 * neither go nor acknowledged. Nobody has them any more: the replica waits for a number the client will never send
 * again, and what the client does send lies behind it.
 *
 * That cannot be told from a segment that was lost on its way, but for one thing: what a client repeats first when
 * nobody answers is the first byte it has not had acknowledged (RFC 6298 5.4). So until the first byte is known to be on
 * its way, what comes behind it is kept and not passed on; when the client has repeated the same first segment several
 * times, each a timeout after the last, and never one before it, the gap is proven, and D1 closes it: the replica's next
 * number becomes what the client sends.
 *
 *     client    ... X ▒▒▒▒▒▒▒▒ Y ────►          ▒ acknowledged out of the tap's sight
 *     replica   ... X ────►                     D1 = X - Y from now on
 */
import { Dir, Reason } from '../abi/codes';
import { refuse } from '../memory/counters';
import { Packet } from '../parser/packet';
import { seqDiff, seqGe, seqGt, seqLt } from '../parser/seq';
import { Connection, flowOf } from '../tracker/connection';
import { CONN_UNPROVEN } from '../tracker/marks';
import { makeReady } from '../tracker/lists';
import { contiguous, firstOf } from '../tracker/retained';
import { Service } from '../tracker/service';
import { isFeeding, startFeed } from './feed';

/**
 * How often the client has to repeat the segment behind the gap. Once may be a probe of its last segment (RFC 8985 7), or the
 * one before it was lost again: at 5 % loss the latter happens four times in a row to one of 160,000.
 */
const PROOF: u8 = 4;
/** Repetitions closer together are of one timeout, ms: half of the least that Linux waits. */
const TIMEOUT_APART_MS: u32 = 100;

/** The connection goes live: whether its next byte is there is known only if it is in the store. */
export function doubtGap(c: Connection): void {
  const inbound = flowOf(c, Dir.Inbound);
  c.repeats = 0;
  if (contiguous(inbound.kept, inbound.acked, 1) == 0) c.mark(CONN_UNPROVEN);
}

/** Whether the segment does not follow what the replica has, and it is not known why. */
export function mayBeBehindGap(c: Connection, p: Packet): bool {
  return c.marked(CONN_UNPROVEN) && p.segmentLength > 0 && seqGt(p.seq, flowOf(c, Dir.Inbound).acked);
}

/**
 * A segment of the client before the tracker has seen it. True when it lies behind a gap: it is to be tracked, and kept
 * (the feed stands before the gap), but not passed on.
 */
export function isBehindGap(c: Connection, s: Service, p: Packet, nowMs: u32): bool {
  if (!c.marked(CONN_UNPROVEN) || p.segmentLength == 0) return false;
  if (!mayBeBehindGap(c, p)) {
    c.unmark(CONN_UNPROVEN);
    return false;
  }
  const inbound = flowOf(c, Dir.Inbound);
  if (!isFeeding(c, Dir.Inbound)) startFeed(c, s, Dir.Inbound, inbound.acked, nowMs);
  const isFirst = p.seq == firstOf(inbound.kept, p.seq + 1) && seqLt(p.seq, inbound.end);
  if (isFirst && (c.repeats == 0 || seqDiff(nowMs, c.repeatMs) >= <i32>TIMEOUT_APART_MS)) {
    c.repeats++;
    c.repeatMs = nowMs;
  }
  return true;
}

/** Closes the gap once it is proven. */
export function settleGap(c: Connection, s: Service, nowMs: u32): Reason {
  const inbound = flowOf(c, Dir.Inbound);
  const first = firstOf(inbound.kept, inbound.acked);
  if (c.repeats < PROOF || !seqGt(first, inbound.acked)) return refuse(Reason.NotLive);
  const gap = first - inbound.acked;
  c.d1 -= gap;
  c.replicaEdge += gap;
  inbound.acked = first;
  inbound.passed += gap;
  c.unmark(CONN_UNPROVEN);
  startFeed(c, s, Dir.Inbound, first, nowMs);
  makeReady(c);
  return refuse(Reason.NotLive);
}

/** The replica has acknowledged more than it was known to have: it has got its first byte. */
export function noteProof(c: Connection, before: u32): void {
  if (c.marked(CONN_UNPROVEN) && !seqGe(before, flowOf(c, Dir.Inbound).acked)) c.unmark(CONN_UNPROVEN);
}
