/**
 * Connections that cannot be saved. They are reset at once: a client that learns of it now connects again now, one
 * that does not waits for its retransmissions to run out, fifteen minutes with Linux' defaults.
 */
import { Counter, Dir, Loss, Phase, RecordState, Risk, TcpState } from '../abi/codes';
import { FLOW_FLAG_FEEDING, FLOW_FLAG_FIN } from '../abi/layout';
import { count } from '../memory/counters';
import { TcpFlag } from '../parser/packet';
import { seqGe, seqLt } from '../parser/seq';
import { Connection, flowOf, lossOf, phaseOf, recordOf, stateOf } from '../tracker/connection';
import { CONN_COPY, CONN_COPY_FIN, CONN_RECOVERING, CONN_RESET_CLIENT, CONN_RESET_REPLICA } from '../tracker/marks';
import { listActive, makeReady, unlist } from '../tracker/lists';
import { dropRecord, loseRecord } from '../tracker/record';
import { releaseAll } from '../tracker/retained';
import { Service } from '../tracker/service';
import { isOver, unbindStack } from '../tracker/table';
import { sendSegment } from '../translator/segment';
import { endFeed } from './feed';

/** How often a client's RST is repeated, and when first, ms; then doubled. Arbitrary: as one repeats a lost segment. */
const RESET_REPEATS: u32 = 4;
const RESET_REPEAT_MS: u32 = 200;

/** Gives a connection up, in whatever phase it is; its client is reset as soon as there is room to send. */
export function lose(c: Connection, s: Service, loss: Loss): void {
  const hasHalf = isKnownToReplica(c) && loss != Loss.ReplicaReset;
  leaveRecovery(c, s);
  c.loss = <u8>loss;
  s.countLoss(loss);
  c.mark(CONN_RESET_CLIENT);
  if (hasHalf) c.mark(CONN_RESET_REPLICA);
  else c.unmark(CONN_COPY | CONN_COPY_FIN);
  makeReady(c);
  c.attempts = 0;
  listActive(c);
}

/** Whether the client of a connection that was given up is still being told. */
export function isBeingTold(c: Connection): bool {
  return stateOf(c) == TcpState.Closed && lossOf(c) != Loss.None && <u32>c.attempts <= RESET_REPEATS;
}

/** Repeats the client's RST: it, or the challenge ACK that asks for the exact number, can be lost. */
export function tickLoss(c: Connection, nowMs: u32): void {
  if (c.attempts > 0) {
    if (seqLt(nowMs, c.timerMs)) return;
    c.mark(CONN_RESET_CLIENT);
    makeReady(c);
  }
  c.timerMs = nowMs + (RESET_REPEAT_MS << (<u32>c.attempts));
  c.attempts++;
}

/** The client itself gave up, or is gone: nothing to save, nobody to tell but the replica. */
export function abandon(c: Connection, s: Service): void {
  const hasHalf = isKnownToReplica(c);
  leaveRecovery(c, s);
  if (!hasHalf) {
    c.unmark(CONN_COPY | CONN_COPY_FIN);
    return;
  }
  c.mark(CONN_RESET_REPLICA);
  makeReady(c);
}

/** A replica that answered may hold a connection, or half of one. */
function isKnownToReplica(c: Connection): bool {
  const phase = phaseOf(c);
  return phase == Phase.Confirming || phase == Phase.Live || phase == Phase.Withheld;
}

function leaveRecovery(c: Connection, s: Service): void {
  detach(c, s);
  dropRecord(c);
  endFeed(c, Dir.Inbound);
  endFeed(c, Dir.Outbound);
  c.state = <u8>TcpState.Closed;
}

/** The replica has no part in the connection any more. */
function detach(c: Connection, s: Service): void {
  const phase = phaseOf(c);
  if (phase == Phase.SynSent || phase == Phase.Confirming) s.inFlight--;
  leaveRecovering(c, s);
  unlist(c, s);
  unbindStack(c);
  releaseAll(c.ahead);
  c.phase = <u8>Phase.Direct;
}

/** One connection less on its way to the replica. */
export function leaveRecovering(c: Connection, s: Service): void {
  if (!c.marked(CONN_RECOVERING)) return;
  c.unmark(CONN_RECOVERING);
  s.recovering--;
}

/**
 * Ends the copy of a connection that the primary serves, or has ended: see copy.ts. The client hears nothing of it, the
 * replica is reset unless both are done with each other. Its number is that after all it was sent; a stack that expects
 * another one says so, and is answered as a stray (see onReplicaSegment).
 */
export function endCopy(c: Connection, s: Service): void {
  const inbound = flowOf(c, Dir.Inbound);
  const isDone = c.marked(CONN_COPY_FIN) && inbound.has(FLOW_FLAG_FIN) && seqGe(c.copyRead, inbound.end);
  // When there is room to send: many copies may end at once.
  const hasHalf = isKnownToReplica(c) && !isDone;
  detach(c, s);
  inbound.clear(FLOW_FLAG_FEEDING);
  releaseAll(c.uncompared);
  if (hasHalf) {
    c.mark(CONN_RESET_REPLICA);
    makeReady(c);
  } else {
    c.unmark(CONN_COPY | CONN_COPY_FIN);
  }
  if (isOver(c)) dropRecord(c);
}

/** The same for a record that is about to be used for something else, and will not know the number any more. */
export function endCopyNow(c: Connection, s: Service): void {
  endCopy(c, s);
  sendResets(c, s);
  c.unmark(CONN_RESET_REPLICA | CONN_COPY | CONN_COPY_FIN);
}

/** First delay before another attempt at a copy that the replica has ended, ms; doubled each time, up to 64-fold. */
const COPY_AGAIN_MS: u32 = 500;
const COPY_AGAIN_MAX_SHIFT: u32 = 6;

/** The replica fails a connection: it is lost, unless the primary still serves it. Then the copy is tried again later. */
export function giveUp(c: Connection, s: Service, loss: Loss, nowMs: u32): void {
  if (s.isTakenOver && !isOver(c)) {
    lose(c, s, loss);
    return;
  }
  count(Counter.CopyEnded);
  endCopy(c, s);
  if (isOver(c)) return;
  // What it has read and nobody kept, no other can be given.
  if (recordOf(c) == RecordState.Trimmed) loseRecord(c, Risk.RecordBudget, 0, 0);
  c.putAtRisk(c.divergedLast != 0 ? Risk.Diverged : Risk.NotShadowed, 0, 0);
  c.copyMs = nowMs + (COPY_AGAIN_MS << min<u32>(<u32>c.copyTries, COPY_AGAIN_MAX_SHIFT));
  c.copyTries = <u8>min<u32>(<u32>c.copyTries + 1, 255);
  listActive(c);
}

/**
 * Sends the resets of a connection that was given up. True when the transmit queue stopped it. The client's RST has the
 * number after all that the server sent: exact if the client has got it, and else inside its window, so that it answers
 * with a challenge ACK, and that is answered with the exact number (RFC 5961 3.2). One below is dropped in silence.
 */
export function sendResets(c: Connection, s: Service): bool {
  if (c.marked(CONN_RESET_REPLICA)) {
    const inbound = flowOf(c, Dir.Inbound);
    const expected = c.marked(CONN_COPY) ? inbound.feedNext : inbound.acked;
    if (!sendSegment(c, s, Dir.Inbound, TcpFlag.Rst, expected + c.d1, 0, 0)) return true;
    c.unmark(CONN_RESET_REPLICA | CONN_COPY | CONN_COPY_FIN);
  }
  if (c.marked(CONN_RESET_CLIENT)) {
    const flags: u32 = TcpFlag.Rst | TcpFlag.Ack;
    const expected = flowOf(c, Dir.Outbound).end;
    if (!sendSegment(c, s, Dir.Outbound, flags, expected, flowOf(c, Dir.Inbound).end, 0)) return true;
    c.unmark(CONN_RESET_CLIENT);
    count(Counter.ForgedRst);
  }
  return false;
}
