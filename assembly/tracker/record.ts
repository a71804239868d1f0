/**
 * What of a connection is kept, for which recovery.
 *
 *   resume          bytes of either direction until they are acknowledged
 *   replay, shadow  the client's from its SYN on, so that a replica can be given its stream from the first byte, and the
 *                   primary's output as far as the replica's can still be compared with it
 *
 * A record is Complete until it outgrows its budget or has a hole. Beside a replica that reads along it may then be
 * Trimmed: what both servers have read is let go of, and the replica can no more be replaced. Otherwise it is Lost, and
 * the connection keeps what `resume` does. What the host has been handed (spill.ts) counts as kept.
 */
import { Counter, Dir, RecordState, Risk } from '../abi/codes';
import { FLOW_FLAG_FIN, FLOW_FLAG_FIN_PENDING } from '../abi/layout';
import { count } from '../memory/counters';
import { Ptr } from '../memory/regions';
import { seqDiff, seqGt, seqLt, seqMin } from '../parser/seq';
import { forgetCauses, noteCause, releaseCauses } from './causes';
import { Connection, Flow, flowOf, recordOf } from './connection';
import { CONN_COPY, CONN_SPILLED } from './marks';
import { Budget, changeBudget, recordAllowed } from './blocks';
import { contiguous, firstRetained, moveBefore, raiseFloor, releaseAll, releaseBefore, retain } from './retained';
import { serviceOf } from './table';

/** Sequence numbers can be compared within half their range; half of that leaves room for both sides of a window. */
export const NEAR: i64 = 0x40000000;

/** A connection begins: what its service's recovery needs is kept from here on. */
export function beginRecord(c: Connection): void {
  const s = serviceOf(c);
  if (s == null || !s.fromFirstByte || s.isTakenOver) return;
  c.record = <u8>RecordState.Complete;
  changeBudget(flowOf(c, Dir.Inbound).kept, Budget.Record);
}

/** Whether the client's bytes are kept beyond their acknowledgement. */
export function isRecording(c: Connection): bool {
  return recordOf(c) == RecordState.Complete || recordOf(c) == RecordState.Trimmed;
}

/** Keeps only what is not acknowledged from now on, for the reason that `risk` names. */
export function loseRecord(c: Connection, risk: Risk, seq: u32, bytes: u32): void {
  if (!isRecording(c)) return;
  c.record = <u8>RecordState.Lost;
  count(Counter.RecordsLost);
  c.putAtRisk(risk, seq, bytes);
  endRecord(c);
}

/** The record has served: the connection is live, or there is none. */
export function dropRecord(c: Connection): void {
  c.record = <u8>RecordState.None;
  endRecord(c);
}

function endRecord(c: Connection): void {
  const inbound = flowOf(c, Dir.Inbound);
  c.unmark(CONN_SPILLED);
  changeBudget(inbound.kept, Budget.Retained);
  releaseBefore(inbound.kept, inbound.acked);
  releaseAll(c.uncompared);
  forgetCauses(c);
}

/** Keeps payload of this sender. The number of bytes that were refused for want of room. */
export function keep(c: Connection, sender: Flow, seq: u32, bytes: Ptr, length: u32): u32 {
  const isRecord = sender.kept.budget == <u32>Budget.Record;
  if (isRecord && isTooLong(c, seq + length - sender.isn) && !trim(c)) loseRecord(c, Risk.RecordBudget, seq, length);
  let missing = retain(sender.kept, seq, bytes, length);
  if (missing == 0 || !isRecord) return missing;
  let done = length - missing;
  if (trim(c)) {
    missing = retain(sender.kept, seq + done, bytes + done, missing);
    if (missing == 0) return 0;
    done = length - missing;
  }
  loseRecord(c, Risk.RecordBudget, seq + done, missing);
  return retain(sender.kept, seq + done, bytes + done, missing);
}

/** The client sends `seq` for the first time, having acknowledged `ack`. */
export function noteHeard(c: Connection, seq: u32, ack: u32): void {
  if (!isRecording(c)) return;
  const outbound = flowOf(c, Dir.Outbound);
  // Of these numbers the SYN took one, and perhaps a FIN.
  const ended = outbound.has(FLOW_FLAG_FIN | FLOW_FLAG_FIN_PENDING) && seqGt(ack, outbound.finSeq);
  const offset = <i64>outbound.passed + <i64>seqDiff(ack, outbound.acked) - (ended ? 2 : 1);
  if (offset > 0 && !noteCause(c, seq, <u64>offset)) loseRecord(c, Risk.RecordBudget, seq, 0);
}

/** Whether a complete record of so many bytes, the host's included, is over the budget of a connection. */
function isTooLong(c: Connection, bytes: u32): bool {
  return recordOf(c) == RecordState.Complete && bytes > recordAllowed();
}

/** Lets go of what both servers have read. What the host has a replica may still be reading. False when none reads along. */
function trim(c: Connection): bool {
  if (!c.marked(CONN_COPY)) return false;
  const inbound = flowOf(c, Dir.Inbound);
  releaseBefore(inbound.kept, seqMin(c.copyRead, inbound.acked));
  c.record = <u8>RecordState.Trimmed;
  return true;
}

/** Bytes that the replica has read need not be kept when nobody can be given them again, or the host has them. */
export function releaseRead(c: Connection, takenOver: bool): void {
  const inbound = flowOf(c, Dir.Inbound);
  const read = seqMin(c.copyRead, inbound.acked);
  if (takenOver || recordOf(c) == RecordState.Trimmed) {
    releaseBefore(inbound.kept, read);
    releaseCauses(c);
  } else if (c.marked(CONN_SPILLED)) releaseBefore(inbound.kept, seqMin(read, c.spillEnd));
}

/** The receiver of `dir` has acknowledged the numbers from `before` to `flow.acked`. */
export function onAcknowledged(c: Connection, dir: Dir, flow: Flow, before: u32): void {
  if (!isRecording(c)) {
    releaseBefore(flow.kept, flow.acked);
  } else if (dir == Dir.Inbound) {
    onRead(c, flow, before);
  } else {
    onDelivered(c, flow);
  }
}

/** The primary has read client bytes: they have to be in the record. */
function onRead(c: Connection, inbound: Flow, before: u32): void {
  const from = before == inbound.isn ? before + 1 : before;
  const end = inbound.has(FLOW_FLAG_FIN) ? seqMin(inbound.acked, inbound.finSeq) : inbound.acked;
  if (seqLt(from, end)) {
    const needed = <u32>seqDiff(end, from);
    const kept = contiguous(inbound.kept, from, needed);
    if (kept < needed) {
      const hole = from + kept;
      loseRecord(c, Risk.InboundHole, hole, firstRetained(inbound.kept, hole, end) - hole);
      return;
    }
    raiseFloor(inbound.kept, end);
  }
  if (recordOf(c) == RecordState.Trimmed) releaseRead(c, false);
}

/** The client has server bytes: the replica's of the same numbers are needed no more, the primary's to compare. */
function onDelivered(c: Connection, outbound: Flow): void {
  const copied = c.marked(CONN_COPY);
  if (copied) releaseBefore(c.ahead, outbound.acked);
  const far = copied && <i64>(outbound.passed - c.copyOffset) > NEAR;
  const wanted = copied ? c.copyNext : outbound.isn + 1;
  if (far && c.uncompared.blocks == 0) releaseBefore(outbound.kept, outbound.acked);
  else moveBefore(outbound.kept, outbound.acked, c.uncompared, wanted);
}
