/**
 * The window shift of a sender whose SYN was not seen (RFC 7323 2): a guess, and what its windows say of it.
 *
 * Such a connection has no window check to stand on (window.ts), and is at risk as long as it lives: what is concluded here
 * is how wide its windows are when it moves, not that it is known.
 */
import { Dir } from '../abi/codes';
import { CONNECTION_FLAG_HANDSHAKE, FLOW_FLAG_ISN } from '../abi/layout';
import { seqGt } from '../parser/seq';
import { Connection, Flow, flowOf } from './connection';

/** Window shift assumed for a connection whose SYNs were not seen: what Linux chooses with its default buffers. */
export const GUESSED_SHIFT: u8 = 7;

/** Nobody has seen the SYN in which this sender tells its window shift. */
export function isShiftGuessed(c: Connection, sender: Dir): bool {
  return !c.has(CONNECTION_FLAG_HANDSHAKE) && !flowOf(c, sender).has(FLOW_FLAG_ISN);
}

/**
 * A segment of `sender`, whose shift is guessed, acknowledges more than any before it and offers `window` bytes: what these
 * are when the guess was too high. A receiver does not take back what it has granted (RFC 9293 3.8.6.2.1), but for less
 * than a unit by rounding (RFC 7323 2.4). Two windows that would do so with the guess do so with every greater shift, and
 * with the true one they do not: it is less. How much less, the next windows tell; the edges of this guess are forgotten.
 * Segments that were sent in another order than the tap has seen them prove nothing, so the acknowledgement has to be new.
 *
 * Nothing proves a guess too low: a peer that sends more than its window by the guess may have been granted it by a segment
 * that the tap has missed. And it does the lesser harm. A shift taken too low tells the client of more room than the replica
 * has: what does not fit is lost, and its sender slows down as on any narrow way (RFC 5681). Taken too high, it leaves
 * windows of a few bytes for life, which nothing widens. A receiver that does shrink its window, or a box on the way that
 * does, thus costs losses at worst.
 */
export function withLowerShift(sender: Flow, receiver: Flow, ack: u32, window: u32): u32 {
  const shift = <u32>sender.windowShift;
  if (shift == 0 || !seqGt(receiver.edge, ack + window + ((<u32>1) << shift))) return window;
  sender.windowShift = <u8>(shift - 1);
  sender.maxWindow >>= 1;
  receiver.edge = ack;
  return window >>> 1;
}
