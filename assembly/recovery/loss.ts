/**
 * Connections that cannot be saved. They are reset at once: a client that learns of it now connects again now, one
 * that does not waits for its retransmissions to run out, fifteen minutes with Linux' defaults.
 */
import { Counter, Dir, Loss, Phase, TcpState } from '../abi/codes';
import { count } from '../memory/counters';
import { TcpFlag } from '../parser/packet';
import { seqLt } from '../parser/seq';
import {
  CONN_RESET_CLIENT,
  CONN_RESET_REPLICA,
  Connection,
  flowOf,
  lossOf,
  phaseOf,
  stateOf,
} from '../tracker/connection';
import { listActive, makeReady, unlist } from '../tracker/lists';
import { Service } from '../tracker/service';
import { unbindStack } from '../tracker/table';
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
  if (!hasHalf) return;
  c.mark(CONN_RESET_REPLICA);
  makeReady(c);
}

/** A replica that answered may hold a connection, or half of one. */
function isKnownToReplica(c: Connection): bool {
  return phaseOf(c) == Phase.Confirming || phaseOf(c) == Phase.Live;
}

function leaveRecovery(c: Connection, s: Service): void {
  const phase = phaseOf(c);
  if (phase == Phase.SynSent || phase == Phase.Confirming) s.inFlight--;
  if (phase != Phase.Live && phase != Phase.Direct) s.recovering--;
  unlist(c, s);
  unbindStack(c);
  endFeed(c, Dir.Inbound);
  endFeed(c, Dir.Outbound);
  c.phase = <u8>Phase.Direct;
  c.state = <u8>TcpState.Closed;
}

/**
 * Sends the resets of a connection that was given up. True when the transmit queue stopped it. The client's RST has the
 * number after all that the server sent: exact if the client has got it, and else inside its window, so that it answers
 * with a challenge ACK, and that is answered with the exact number (RFC 5961 3.2). One below is dropped in silence.
 */
export function sendResets(c: Connection, s: Service): bool {
  if (c.marked(CONN_RESET_REPLICA)) {
    if (!sendSegment(c, s, Dir.Inbound, TcpFlag.Rst, flowOf(c, Dir.Inbound).acked + c.d1, 0, 0)) return true;
    c.unmark(CONN_RESET_REPLICA);
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
