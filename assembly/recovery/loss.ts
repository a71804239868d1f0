/**
 * Connections that cannot be saved. They are reset at once: a client that learns of it now connects again now, one
 * that does not waits for its retransmissions to run out, fifteen minutes with Linux' defaults.
 */
import { Counter, Dir, Loss, Phase, TcpState } from '../abi/codes';
import { count } from '../memory/counters';
import { TcpFlag } from '../parser/packet';
import { CONN_RESET_CLIENT, CONN_RESET_REPLICA, Connection, flowOf, phaseOf } from '../tracker/connection';
import { makeReady, unlist } from '../tracker/lists';
import { releaseAll } from '../tracker/retained';
import { Service } from '../tracker/service';
import { unbindStack } from '../tracker/table';
import { sendSegment } from '../translator/segment';

/** Gives a connection up, in whatever phase it is; its client is reset as soon as there is room to send. */
export function lose(c: Connection, s: Service, loss: Loss): void {
  const hasHalf = phaseOf(c) == Phase.Confirming && loss != Loss.ReplicaReset;
  leaveRecovery(c, s);
  c.loss = <u8>loss;
  s.countLoss(loss);
  releaseAll(flowOf(c, Dir.Inbound));
  releaseAll(flowOf(c, Dir.Outbound));
  c.state = <u8>TcpState.Closed;
  c.mark(CONN_RESET_CLIENT);
  if (hasHalf) c.mark(CONN_RESET_REPLICA);
  makeReady(c);
}

/** The client itself gave up while its connection was on its way: nothing to save, nobody to tell but the replica. */
export function abandon(c: Connection, s: Service): void {
  const hasHalf = phaseOf(c) == Phase.Confirming;
  leaveRecovery(c, s);
  if (!hasHalf) return;
  c.mark(CONN_RESET_REPLICA);
  makeReady(c);
}

function leaveRecovery(c: Connection, s: Service): void {
  const phase = phaseOf(c);
  if (phase == Phase.SynSent || phase == Phase.Confirming) s.inFlight--;
  if (phase != Phase.Live && phase != Phase.Direct) s.recovering--;
  unlist(c, s);
  unbindStack(c);
  c.phase = <u8>Phase.Direct;
}

/**
 * Sends the resets of a connection that was given up. True when the transmit queue stopped it. The client's RST has the
 * last number it is known to expect; when it expects a later one, it answers with a challenge ACK, and that is
 * answered with the exact number (RFC 5961 3.2).
 */
export function sendResets(c: Connection, s: Service): bool {
  if (c.marked(CONN_RESET_REPLICA)) {
    if (!sendSegment(c, s, Dir.Inbound, TcpFlag.Rst, c.clientBase + c.d1, 0, 0)) return true;
    c.unmark(CONN_RESET_REPLICA);
  }
  if (c.marked(CONN_RESET_CLIENT)) {
    const flags: u32 = TcpFlag.Rst | TcpFlag.Ack;
    const expected = flowOf(c, Dir.Outbound).acked;
    if (!sendSegment(c, s, Dir.Outbound, flags, expected, flowOf(c, Dir.Inbound).end, 0)) return true;
    c.unmark(CONN_RESET_CLIENT);
    count(Counter.ForgedRst);
  }
  return false;
}
