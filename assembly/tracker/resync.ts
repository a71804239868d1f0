/**
 * Finding a connection again. The tap can be blind for longer than a window (its ring overflowed, its interface was
 * reopened), and then everything either end sends lies beyond what the record believes possible: it would never follow
 * again. One end alone proves nothing, anybody can forge its segments. But when both ends, in turn and several
 * times, speak of each other's numbers and nothing in between fits the record, the record is what is wrong.
 *
 * A forger who knows the tuple could send both ends' parts himself. What he gains is a record that is wrong until the real
 * ends speak again, since they find it back the same way; and any segment of theirs that fits ends his attempt.
 */
import { Dir, Risk } from '../abi/codes';
import { Packet, TcpFlag } from '../parser/packet';
import { seqBetween, seqDiff, seqGt } from '../parser/seq';
import { Connection, Flow, flowOf } from './connection';
import { loseRecord } from './record';
import { releaseAll } from './retained';

/** Changes of turn that are needed. Arbitrary: more than a stray pair, less than a round trip of any busy connection. */
const TURNS: u8 = 3;
/** How far an acknowledgement may be behind what it acknowledges, at least, bytes: see ACK_WINDOW in window.ts. */
const LAG: u32 = 66000;

/** A segment fitted the record: whatever did not was forged, or late. */
export function forgetStrays(c: Connection): void {
  c.strayTurns = 0;
}

/** A segment lies above the windows. True when the record has now been moved to where both ends are. */
export function noteStray(c: Connection, dir: Dir, sender: Flow, receiver: Flow, p: Packet): bool {
  if ((p.flags & TcpFlag.Ack) == 0) return false;
  const end = p.seq + p.segmentLength;
  const isTurn = c.strayTurns > 0 && <Dir>c.strayDir != dir;
  if (c.strayTurns == 0) {
    c.strayTurns = 1;
  } else if (isTurn) {
    const lag = max<u32>(max<u32>(sender.maxWindow, receiver.maxWindow), LAG);
    const agree = seqBetween(p.ack, c.strayEnd - lag, c.strayEnd) && seqBetween(c.strayAck, end - lag, end);
    c.strayTurns = agree ? c.strayTurns + 1 : 1;
    if (c.strayTurns > TURNS) {
      moveTo(c, sender, receiver, p);
      return true;
    }
  }
  c.strayDir = <u8>dir;
  c.strayEnd = end;
  c.strayAck = p.ack;
  return false;
}

/** Sets the record to just before this segment, whose sender the other end's last one speaks of. */
function moveTo(c: Connection, sender: Flow, receiver: Flow, p: Packet): void {
  const inbound = flowOf(c, Dir.Inbound);
  const lastInbound = inbound.end;
  releaseAll(sender.kept);
  releaseAll(receiver.kept);
  sender.end = p.seq;
  sender.acked = c.strayAck;
  sender.edge = c.strayAck + receiver.maxWindow;
  receiver.end = c.strayEnd;
  receiver.acked = p.ack;
  receiver.edge = p.ack;
  c.strayTurns = 0;
  const outbound = flowOf(c, Dir.Outbound);
  if (seqGt(outbound.end, outbound.acked)) {
    c.putAtRisk(Risk.OutboundHole, outbound.acked, <u32>seqDiff(outbound.end, outbound.acked));
  } else if (seqGt(inbound.acked, lastInbound)) {
    c.putAtRisk(Risk.InboundHole, lastInbound, <u32>seqDiff(inbound.acked, lastInbound));
  }
  loseRecord(c, Risk.InboundHole, lastInbound, <u32>seqDiff(inbound.acked, lastInbound));
}
