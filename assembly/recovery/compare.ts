/**
 * What the replica says beside what the primary said. Both streams begin at the same number, so a byte of one stands
 * beside the byte of the other with the same number, whatever either sends as a segment. The comparison of a byte takes
 * place when the later of the two arrives: then the earlier one is kept, in one of three chains.
 *
 *     uncompared          outbound.kept             ahead
 *     primary's, client   primary's, client has     replica's, client has
 *     has them            not acknowledged them     not acknowledged them
 *
 * A client never gets two versions of one byte: what the primary has sent is repeated from outbound.kept, and only
 * numbers that it lacks are filled from `ahead` (see promote in copy.ts).
 */
import { Counter, Dir, Risk } from '../abi/codes';
import { FLOW_FLAG_FIN, SERVICE_FLAG_DIVERGED_CONTINUE, SERVICE_FLAG_DIVERGED_RESET } from '../abi/layout';
import { count, countBy } from '../memory/counters';
import { Ptr } from '../memory/regions';
import { Packet } from '../parser/packet';
import { seqDiff, seqMax, seqMin } from '../parser/seq';
import { Connection, flowOf } from '../tracker/connection';
import { NEAR } from '../tracker/record';
import { Chain } from '../tracker/blocks';
import { differenceFirst, differenceLast, differs, releaseBefore, retain } from '../tracker/retained';
import { Service } from '../tracker/service';

/** How many bytes of the server's stream the client has acknowledged. */
export function delivered(c: Connection): u64 {
  const outbound = flowOf(c, Dir.Outbound);
  // The SYN took a number too.
  return outbound.passed > 0 ? outbound.passed - 1 : 0;
}

/** Bytes of the server's stream that the primary has sent, as far as is known. */
export function sent(c: Connection): u64 {
  const outbound = flowOf(c, Dir.Outbound);
  // The SYN took a number, acknowledged or not, and so did the FIN.
  const end = outbound.passed + <i64>seqDiff(outbound.end, outbound.acked) - 1;
  return outbound.has(FLOW_FLAG_FIN) ? end - 1 : end;
}

/**
 * Takes `length` bytes of the replica, the next of its stream: compares them, and keeps what the client may still have
 * to be sent. The number of bytes taken: fewer when there is no room.
 */
export function withhold(c: Connection, s: Service, bytes: Ptr, length: u32): u32 {
  const outbound = flowOf(c, Dir.Outbound);
  const behind = <i64>(delivered(c) - c.copyOffset);
  const seq = c.copyNext;
  let taken = length;
  if (behind < <i64>length) {
    const skip = <u32>max<i64>(behind, 0);
    taken -= retain(c.ahead, seq + skip, bytes + skip, length - skip);
  }
  compare(c, s, c.uncompared, seq, bytes, taken);
  releaseBefore(c.uncompared, seq + taken);
  if (behind < NEAR) compare(c, s, outbound.kept, seq, bytes, taken);
  countBy(Counter.WithheldBytes, taken);
  return taken;
}

/** The primary has sent what the replica may have sent before. */
export function compareWithAhead(c: Connection, s: Service, p: Packet): void {
  if (c.ahead.blocks == 0 || p.payloadLength == 0) return;
  compare(c, s, c.ahead, p.seq, p.payload, p.payloadLength);
}

function compare(c: Connection, s: Service, chain: Chain, seq: u32, bytes: Ptr, length: u32): void {
  if (!differs(chain, seq, bytes, length)) return;
  const first = c.copyOffset + <i64>seqDiff(differenceFirst, c.copyNext);
  const last = c.copyOffset + <i64>seqDiff(differenceLast, c.copyNext);
  noteDivergence(c, s, first, last + 1);
  if (c.risk == <u8>Risk.Diverged) {
    const from = seqMin(c.holeSeq, differenceFirst);
    c.holeBytes = seqMax(c.holeSeq + c.holeBytes, differenceLast + 1) - from;
    c.holeSeq = from;
  } else {
    c.putAtRisk(Risk.Diverged, differenceFirst, differenceLast + 1 - differenceFirst);
  }
  if (last < delivered(c) && c.risk == <u8>Risk.Diverged && !isCondemned(c, s)) c.risk = <u8>c.lastingRisk;
}

/** Where the primary has closed, the replica goes on: the FIN and a byte have the same number. */
export function compareEnds(c: Connection, s: Service): void {
  if (!flowOf(c, Dir.Outbound).has(FLOW_FLAG_FIN)) return;
  const end = sent(c);
  if (c.copyOffset > end) noteDivergence(c, s, end, end + 1);
}

/** The streams differ from offset `first` on, up to before `end`. */
export function noteDivergence(c: Connection, s: Service, first: u64, end: u64): void {
  if (c.divergedLast == 0) {
    count(Counter.Divergences);
    s.divergences++;
    c.divergedFirst = first;
    c.divergedLast = end;
    return;
  }
  c.divergedFirst = min<u64>(c.divergedFirst, first);
  c.divergedLast = max<u64>(c.divergedLast, end);
}

/** Whether what differs keeps the connection from going on, as the service has chosen. */
export function isCondemned(c: Connection, s: Service): bool {
  if (c.divergedLast == 0 || (s.flags & SERVICE_FLAG_DIVERGED_CONTINUE) != 0) return false;
  return (s.flags & SERVICE_FLAG_DIVERGED_RESET) != 0 || c.divergedLast > delivered(c);
}
