/**
 * The window field of a segment, for the side it goes to (RFC 7323 2.3). Edges are those of the wire side; each side
 * reads the field with the shift it agreed to, which differ when primary and replica chose different scales.
 */
import { Dir } from '../abi/codes';
import { CONNECTION_FLAG_HANDSHAKE, CONNECTION_FLAG_WINDOW_SCALE } from '../abi/layout';
import { seqDiff, seqGt, seqMax } from '../parser/seq';
import { Connection, flowOf } from '../tracker/connection';
import { CONN_COPY, CONN_EDGE_TOLD, CONN_REPLICA_WS } from '../tracker/marks';
import { NEAR } from '../tracker/record';

/**
 * Granted at once to a replica whose output is withheld. Whoever says 200 MB again would otherwise have the client's whole
 * window on its way, thousands of frames, and the capture has room for some thousand frames of all connections together. More is
 * no faster [256 MB: 193-225 ms with 256 KiB, 1 MiB and 4 MiB alike], and this much stays in the CPU's cache.
 */
const WITHHELD_WINDOW: u32 = 262144;

/** What the client shifts the server's window field by. */
function clientReadsShift(c: Connection): u32 {
  const scaled = !c.has(CONNECTION_FLAG_HANDSHAKE) || c.has(CONNECTION_FLAG_WINDOW_SCALE);
  return scaled ? <u32>flowOf(c, Dir.Outbound).windowShift : 0;
}

/** What the replica shifts the client's window field by: the client's own shift, as the forged SYN carried it. */
function replicaReadsShift(c: Connection): u32 {
  return c.marked(CONN_REPLICA_WS) ? <u32>flowOf(c, Dir.Inbound).windowShift : 0;
}

/** Bytes that the client, or the core in its name, accepts of the replica from `ack` on (wire side). */
export function roomForReplica(c: Connection, ack: u32): u32 {
  const outbound = flowOf(c, Dir.Outbound);
  if (!c.marked(CONN_COPY)) return <u32>max<i32>(seqDiff(outbound.edge, ack), 0);
  // A copy can be so far behind what the client has that their numbers cannot be compared any more.
  if (<i64>(outbound.passed - c.copyOffset) > NEAR) return WITHHELD_WINDOW;
  return min<u32>(<u32>max<i32>(seqDiff(seqMax(outbound.edge, outbound.end), ack), 0), WITHHELD_WINDOW);
}

/** Field for the replica: the client accepts bytes up to its edge, acknowledged at `ack` (wire side). */
export function windowForReplica(c: Connection, ack: u32): u32 {
  const shift = replicaReadsShift(c);
  // A copy has to reach what the primary has sent, to the last byte; what it says beyond waits here for the client's room.
  const spare = c.marked(CONN_COPY) ? ((<u32>1) << shift) - 1 : 0;
  const field = min<u32>((roomForReplica(c, ack) + spare) >>> shift, 0xffff);
  c.copyEdge = ack + (field << shift);
  return field;
}

/**
 * Field for the client: the replica accepts bytes up to `edge`, acknowledged at `ack`. Rounded down to the client's
 * scale, unless that took back what was already told: then up to the next unit, of the promise or of the replica's edge,
 * whichever is less. So the client is told less than one unit too much, and taken back less than one unit, which a
 * sender has to cope with (RFC 7323 2.4). Room of less than one unit is told as one: told as none, a replica whose whole
 * buffer is smaller would never get another byte. No room is always told as none, whatever was promised: a client that
 * cannot send what it was granted repeats it until it gives up, one whose window is closed probes for ever (RFC 9293
 * 3.8.6.1).
 */
export function windowForClient(c: Connection, ack: u32, edge: u32): u32 {
  const shift = clientReadsShift(c);
  const room = <u32>max<i32>(seqDiff(edge, ack), 0);
  let field = room >>> shift;
  if (room > 0 && field == 0) field = 1;
  if (c.marked(CONN_EDGE_TOLD)) {
    const promised = <u32>max<i32>(seqDiff(c.toldEdge, ack), 0);
    if (promised > field << shift) field = (min<u32>(promised, room) + (((<u32>1) << shift) - 1)) >>> shift;
  }
  field = min<u32>(field, 0xffff);
  const told = ack + (field << shift);
  c.toldEdge = c.marked(CONN_EDGE_TOLD) ? seqMax(c.toldEdge, told) : told;
  c.mark(CONN_EDGE_TOLD);
  // What the client is told here it may use before the replica has said it again.
  const inbound = flowOf(c, Dir.Inbound);
  inbound.edge = seqMax(inbound.edge, told);
  return field;
}

/** Whether the client has been told so little room that it waits for a window update. */
export function clientIsBlocked(c: Connection, mss: u32): bool {
  const inbound = flowOf(c, Dir.Inbound);
  return !seqGt(inbound.edge, inbound.end + mss);
}
