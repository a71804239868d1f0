/**
 * Connections that cannot be saved. They are reset at once: a client that learns of it now connects again now, one
 * that does not waits for its retransmissions to run out, fifteen minutes with Linux' defaults.
 */
import { Counter, Dir, Loss, Phase, TcpState } from '../abi/codes';
import { count } from '../memory/counters';
import { TcpFlag } from '../parser/packet';
import { Connection, flowOf, phaseOf } from '../tracker/connection';
import { unlist } from '../tracker/lists';
import { releaseAll } from '../tracker/retained';
import { Service } from '../tracker/service';
import { unbindStack } from '../tracker/table';
import { sendSegment } from '../translator/segment';

/**
 * Gives a connection up and resets its client. The RST's number is the last one the client is known to expect; when
 * the client has more, it answers with a challenge ACK, and that is answered with the exact number (RFC 5961 3.2).
 */
export function lose(c: Connection, s: Service, loss: Loss): void {
  const phase = phaseOf(c);
  if (phase == Phase.SynSent || phase == Phase.Confirming) s.inFlight--;
  if (phase != Phase.Live && phase != Phase.Direct) s.recovering--;
  // A replica that answered may hold half a connection: it must not keep it (and must not for a refusal or a reset).
  if (phase == Phase.Confirming && loss != Loss.ReplicaReset) {
    sendSegment(c, s, Dir.Inbound, TcpFlag.Rst, c.clientBase + c.d1, 0, 0);
  }
  unlist(c, s);
  unbindStack(c);
  c.loss = <u8>loss;
  s.countLoss(loss);
  resetClient(c, s);
  releaseAll(flowOf(c, Dir.Inbound));
  releaseAll(flowOf(c, Dir.Outbound));
  c.phase = <u8>Phase.Direct;
  c.state = <u8>TcpState.Closed;
}

/** The client itself gave up while its connection was on its way: nothing to save, nobody to tell but the replica. */
export function abandon(c: Connection, s: Service): void {
  const phase = phaseOf(c);
  if (phase == Phase.SynSent || phase == Phase.Confirming) s.inFlight--;
  if (phase == Phase.Confirming) sendSegment(c, s, Dir.Inbound, TcpFlag.Rst, c.clientBase + c.d1, 0, 0);
  s.recovering--;
  unlist(c, s);
  unbindStack(c);
  c.phase = <u8>Phase.Direct;
}

function resetClient(c: Connection, s: Service): void {
  const flags: u32 = TcpFlag.Rst | TcpFlag.Ack;
  sendSegment(c, s, Dir.Outbound, flags, flowOf(c, Dir.Outbound).acked, flowOf(c, Dir.Inbound).end, 0);
  count(Counter.ForgedRst);
}
