/**
 * Window checks: what an observer may believe (van Rooij, "Real Stateful TCP Packet Filtering in IP Filter", 2000; the
 * four inequalities that Linux conntrack uses too; RFC 5961 for RST).
 *
 * For a segment of sender S to receiver R:
 *   I    seq <= S.edge                          R has room for it
 *   II   end >= S.end - R.maxWindow             it is not older than R's largest window
 *   III  ack <= R.edge, or R.end + S.maxWindow  it acknowledges what R has sent, or was allowed to send
 *   IV   ack >= R.end - max(S.maxWindow, 66000) it is not older than a window's worth of acknowledgements, or than the last
 *
 * III differs from the classic form (ack <= R.end): the tap can miss frames of R, and then S acknowledges bytes the
 * tap never saw. Inside what S itself has granted that is believable and becomes a hole; beyond it, it is forged.
 * A connection picked up while running has unknown window shifts, so I and III have nothing to stand on there.
 */
import { Reason } from '../abi/codes';
import { CONNECTION_FLAG_HANDSHAKE, FLOW_FLAG_SEEN } from '../abi/layout';
import { Packet, TcpFlag } from '../parser/packet';
import { seqGt, seqLt, seqMax } from '../parser/seq';
import { Connection, Flow } from './connection';

/** What a receiver without window scaling may be behind: 65535 rounded up, as Linux conntrack's MAXACKWINCONST. */
const ACK_WINDOW: u32 = 66000;

/** Whether the numbers of a segment that is neither SYN nor RST are believable. */
export function checkWindow(c: Connection, sender: Flow, receiver: Flow, p: Packet): Reason {
  const full = c.has(CONNECTION_FLAG_HANDSHAKE);
  if (sender.has(FLOW_FLAG_SEEN)) {
    if (full && seqGt(p.seq, sender.edge)) return Reason.SeqAboveWindow;
    if (seqLt(p.seq + p.segmentLength, sender.end - max<u32>(receiver.maxWindow, ACK_WINDOW) - 1)) {
      return Reason.SeqBelowWindow;
    }
  }
  if ((p.flags & TcpFlag.Ack) == 0 || !receiver.has(FLOW_FLAG_SEEN)) return Reason.None;
  if (full && seqGt(p.ack, seqMax(receiver.edge, receiver.end + sender.maxWindow))) return Reason.AckAboveWindow;
  // No older than what is known is never too old: a replica may have gone on further than one window since.
  const old = receiver.end - max<u32>(sender.maxWindow, ACK_WINDOW) - 1;
  if (seqLt(p.ack, receiver.acked) && seqLt(p.ack, old)) return Reason.AckBelowWindow;
  return Reason.None;
}

/**
 * Whether a RST would be obeyed: its number is exactly what the receiver expects next (RFC 5961 3.2). That is the last
 * acknowledgement seen, or all that was sent when acknowledgements are on their way; between the two the receiver
 * answers with a challenge ACK.
 */
export function checkRst(sender: Flow, p: Packet): Reason {
  if (!sender.has(FLOW_FLAG_SEEN)) return Reason.None;
  return p.seq == sender.end || p.seq == sender.acked ? Reason.None : Reason.RstOutOfWindow;
}
