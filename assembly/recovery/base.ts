/**
 * Where a replica begins: with the first byte that the primary had not acknowledged, or with the first of all; and whether it
 * can. The numbers around which the deltas turn are set here, before the handshake, and moved in one case only.
 */
import { Dir, Loss, RecordState } from '../abi/codes';
import {
  CONNECTION_FLAG_HANDSHAKE,
  FLOW_FLAG_FIN,
  FLOW_FLAG_FIN_ACKED,
  SERVICE_FLAG_FALLBACK_RESUME,
} from '../abi/layout';
import { seqDiff, seqGe } from '../parser/seq';
import { Connection, flowOf, lossOf, recordOf } from '../tracker/connection';
import { CONN_COPY } from '../tracker/marks';
import { contiguous } from '../tracker/retained';
import { Service } from '../tracker/service';

/** Why the connection cannot be moved. */
export function obstacleTo(c: Connection, s: Service): Loss {
  if (lossOf(c) != Loss.None) return lossOf(c);
  if (s.fromFirstByte && !isReplayed(c, s) && (s.flags & SERVICE_FLAG_FALLBACK_RESUME) == 0)
    return Loss.RecordIncomplete;
  return isReplayed(c, s) || serverBytesComplete(c) ? Loss.None : Loss.ServerBytesMissing;
}

/** Whether the replica is given this connection from its first byte. */
export function isReplayed(c: Connection, s: Service): bool {
  return s.fromFirstByte && c.has(CONNECTION_FLAG_HANDSHAKE) && recordOf(c) == RecordState.Complete;
}

/**
 * A FIN of the suspected primary has reached the client after all, as its acknowledgement shows: the replica's numbers
 * begin behind it. To be called when the tracker has taken note of it while the connection was moving or live.
 */
export function moveBaseBehindFin(c: Connection): void {
  if (c.marked(CONN_COPY) || flowOf(c, Dir.Outbound).finSeq != c.serverBase) return;
  c.serverBase++;
  c.d2--;
}

/** Whether every server byte the client has not acknowledged is in the store. */
function serverBytesComplete(c: Connection): bool {
  const f = flowOf(c, Dir.Outbound);
  const dataEnd = f.has(FLOW_FLAG_FIN) && f.finSeq + 1 == f.end ? f.finSeq : f.end;
  if (seqGe(f.acked, dataEnd)) return true;
  const needed = <u32>seqDiff(dataEnd, f.acked);
  return contiguous(f.kept, f.acked, needed) == needed;
}

/** Sets the numbers of a handshake that is about to begin. */
export function setBase(c: Connection, s: Service): void {
  c.d1 = 0;
  if (isReplayed(c, s)) beginAtFirstByte(c);
  else beginAtLastByte(c);
}

/** The replica reads on where the primary had read up to. */
function beginAtLastByte(c: Connection): void {
  const inbound = flowOf(c, Dir.Inbound);
  // The tracker knows the client's next number, and the server's, as they are now: both can have moved in the queue.
  if (inbound.has(FLOW_FLAG_FIN_ACKED)) {
    // The primary has acknowledged the client's FIN; the replica has to hear it too.
    inbound.clear(FLOW_FLAG_FIN_ACKED);
    inbound.passed -= <u64>(inbound.acked - inbound.finSeq);
    inbound.acked = inbound.finSeq;
  }
  c.clientBase = inbound.acked;
  c.serverBase = flowOf(c, Dir.Outbound).end;
}

/** The replica reads everything, and says everything: see copy.ts. */
function beginAtFirstByte(c: Connection): void {
  c.clientBase = flowOf(c, Dir.Inbound).isn + 1;
  c.serverBase = flowOf(c, Dir.Outbound).isn + 1;
  c.copyRead = c.clientBase;
  c.copyNext = c.serverBase;
  c.copyEdge = c.serverBase;
  c.copyOffset = 0;
  c.causeNext = 0;
  c.mark(CONN_COPY);
}
