/**
 * SACK blocks in a replica's place (RFC 2018). Client and primary agreed on SACK, the replica did not: it acknowledges what is
 * in order and says nothing of what lies behind a hole. A sender that relies on blocks and never gets one finds its losses
 * by timeout only, and may take each timeout for a spurious one (RFC 5682): it then waits longer every time.
 *
 * What lies behind the hole is what was passed on to the replica. Remembered is the run of it that grew last: blocks told
 * earlier are on the sender's scoreboard, and the latest is the one that has to be told (RFC 2018 4).
 *
 *     replica's ack ──►│▒▒▒▒ hole ▒▒▒▒│ passedLeft ───── passedRight │
 *
 * A replica may have dropped what it was passed. RFC 2018 8 allows for that: the sender keeps its bytes until they
 * are acknowledged, and forgets the blocks at its timeout.
 */
import { Dir } from '../abi/codes';
import { CONNECTION_FLAG_SACK, CONNECTION_FLAG_SACK_FORGED } from '../abi/layout';
import { OptionBit, Packet, TcpFlag } from '../parser/packet';
import { seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from '../parser/seq';
import { Connection, flowOf } from '../tracker/connection';

/** The block that is told: left edge, right edge, network order. */
const BLOCK: usize = memory.data(8, 4);

/** The replica's SYN-ACK: whether blocks have to be told in its place. */
export function agreeOnSack(c: Connection, p: Packet): void {
  c.flags &= ~CONNECTION_FLAG_SACK_FORGED;
  if (!c.has(CONNECTION_FLAG_SACK) || p.options & OptionBit.SackPermitted) return;
  c.flags |= CONNECTION_FLAG_SACK_FORGED;
  beginRun(c, c.clientBase, c.clientBase);
}

/** A run that begins with what the replica has acknowledged is in order, and never told. */
export function beginRun(c: Connection, left: u32, right: u32): void {
  c.passedLeft = left;
  c.passedRight = right;
}

/** The client's numbers from `seq` to `end` have gone to the replica. */
export function notePassed(c: Connection, seq: u32, end: u32): void {
  if (!c.has(CONNECTION_FLAG_SACK_FORGED)) return;
  // What is acknowledged is cut off: a run without a hole would grow until its numbers wrap.
  const acked = flowOf(c, Dir.Inbound).acked;
  const from = seqMax(seq, acked);
  if (seqGe(from, end)) return;
  if (seqGt(from, c.passedRight) || seqLt(end, c.passedLeft)) {
    beginRun(c, from, end);
    return;
  }
  c.passedLeft = seqMax(seqMin(c.passedLeft, from), acked);
  c.passedRight = seqMax(c.passedRight, end);
}

/**
 * A segment of the replica, with the wire side's numbers; `before` is what was acknowledged before it. True when it repeats
 * that and has been given the block, in the replica's numbers as the translator expects it.
 */
export function tellPassed(c: Connection, p: Packet, before: u32): bool {
  if (!c.has(CONNECTION_FLAG_SACK_FORGED) || p.segmentLength > 0 || p.ack != before) return false;
  // A replica that tells blocks although it has not agreed to knows better.
  if (p.options & OptionBit.Sack) return false;
  if ((p.flags & (TcpFlag.Ack | TcpFlag.Rst)) != TcpFlag.Ack || seqLe(c.passedLeft, before)) return false;
  store<u32>(BLOCK, bswap<u32>(c.passedLeft + c.d1));
  store<u32>(BLOCK, bswap<u32>(c.passedRight + c.d1), 4);
  p.options |= OptionBit.Sack;
  p.sackPtr = BLOCK;
  p.sackCount = 1;
  return true;
}
