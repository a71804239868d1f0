/**
 * Live connections on paper: what a daemon that is started again needs to go on translating. A format of its own,
 * never the record: fields in network order, versioned, so that the record may change without notice.
 *
 *   0 client 16 │ 16 server 16 │ 32 ports 2+2 │ 36 vlan │ 40 flags │ 44 state, risk, replica shift, 0 │ 48 stack port, marks
 *   52 client MAC 6, 0 2 │ 60 tags 4+4 │ 68 d1 │ 72 d2 │ 76 ts delta │ 80 server base │ 84 client base │ 88 replica ts
 *   92 replica edge │ 96 told edge │ 100 replica mss, path mss │ 104 flow inbound 36 │ 140 flow outbound 36 │ 176
 *   flow: isn, end, acked, edge, max window, fin, tsval, mss 2 shift 1 flags 1, 0
 *
 * Bytes of the store are not part of it: what a client has not had acknowledged it sends again by itself. Server bytes
 * of the dead primary that were still being sent to the client are gone with the daemon that held them, so such a
 * connection is given up when it is read back (Loss.ServerBytesMissing).
 */
import { Dir, Loss, Phase, Risk, TcpState } from '../abi/codes';
import {
  CONNECTION_FLAG_IPV6,
  CONNECTION_FLAG_RECOVERED,
  FLOW_FLAG_FEEDING,
  NONE,
  RX_FRAME_BYTES,
  SNAPSHOT_RECORD_BYTES,
} from '../abi/layout';
import { Ptr, RX_SLOT } from '../memory/regions';
import { seqLt } from '../parser/seq';
import { Connection, connectionAt, Flow, flowOf, NO_SERVICE, phaseOf } from '../tracker/connection';
import { CONN_EDGE_TOLD, CONN_REPLICA_ECN, CONN_REPLICA_TS, CONN_REPLICA_WS, CONN_UNPROVEN } from '../tracker/marks';
import { findService, serviceAt } from '../tracker/service';
import { addConnection, bindStackPort, findOnWire, removeConnection, usedRecords } from '../tracker/table';
import { lose } from './loss';
import { beginRun } from './selective';

const FLOW_INBOUND: usize = 104;
const FLOW_OUTBOUND: usize = 140;
/** Flags that mean something only to the process that set them. */
const FLEETING: u32 = FLOW_FLAG_FEEDING;
/** Marks that a live connection has for longer than a call, and whose fields are written too. */
const LASTING_MARKS: u32 = CONN_REPLICA_TS | CONN_REPLICA_WS | CONN_REPLICA_ECN | CONN_EDGE_TOLD | CONN_UNPROVEN;
/** RFC 7323 2.3. */
const MAX_SHIFT: u32 = 14;

function put(at: Ptr, offset: usize, value: u32): void {
  store<u32>(at + offset, bswap<u32>(value));
}

function get(at: Ptr, offset: usize): u32 {
  return bswap<u32>(load<u32>(at + offset));
}

let next: u32 = 0;

/** Index from which the next call of exportConnections goes on. */
export function exportedUpTo(): u32 {
  return next;
}

/** Writes live connections from record `first` on into the receive slot; the bytes written, 0 at the end. */
export function exportConnections(first: u32): u32 {
  const used = usedRecords();
  let bytes: u32 = 0;
  next = first;
  while (next < used && bytes + SNAPSHOT_RECORD_BYTES <= RX_FRAME_BYTES) {
    const c = connectionAt(next++);
    if (c.state == <u8>TcpState.Free || c.service == NO_SERVICE || phaseOf(c) != Phase.Live) continue;
    writeConnection(c, RX_SLOT + bytes);
    bytes += SNAPSHOT_RECORD_BYTES;
  }
  return bytes;
}

function writeConnection(c: Connection, at: Ptr): void {
  memory.fill(at, 0, SNAPSHOT_RECORD_BYTES);
  memory.copy(at, c.clientPtr, 32);
  put(at, 32, ((<u32>c.clientPort) << 16) | (<u32>c.serverPort));
  put(at, 36, c.vlan);
  put(at, 40, c.flags);
  put(at, 44, ((<u32>c.state) << 24) | ((<u32>c.risk) << 16) | ((<u32>c.replicaShift) << 8));
  put(at, 48, ((<u32>c.stackPort) << 16) | (<u32>c.marks));
  store<u16>(at, c.clientMacHi, 52);
  store<u32>(at, c.clientMacLo, 54);
  put(at, 60, c.outerTag);
  put(at, 64, c.innerTag);
  put(at, 68, c.d1);
  put(at, 72, c.d2);
  put(at, 76, c.tsDelta);
  put(at, 80, c.serverBase);
  put(at, 84, c.clientBase);
  put(at, 88, c.replicaTs);
  put(at, 92, c.replicaEdge);
  put(at, 96, c.toldEdge);
  put(at, 100, ((<u32>c.replicaMss) << 16) | (<u32>c.pathMss));
  writeFlow(flowOf(c, Dir.Inbound), at + FLOW_INBOUND);
  writeFlow(flowOf(c, Dir.Outbound), at + FLOW_OUTBOUND);
}

function writeFlow(f: Flow, at: Ptr): void {
  put(at, 0, f.isn);
  put(at, 4, f.end);
  put(at, 8, f.acked);
  put(at, 12, f.edge);
  put(at, 16, f.maxWindow);
  put(at, 20, f.finSeq);
  put(at, 24, f.tsval);
  put(at, 28, ((<u32>f.mss) << 16) | ((<u32>f.windowShift) << 8) | (<u32>f.flags));
}

/** Reads `length` bytes of records in the receive slot back. The number of connections that go on, or NONE for a bad length. */
export function importConnections(length: u32, nowMs: u32): u32 {
  if (length > RX_FRAME_BYTES || length % SNAPSHOT_RECORD_BYTES != 0) return NONE;
  let taken: u32 = 0;
  for (let offset: u32 = 0; offset < length; offset += SNAPSHOT_RECORD_BYTES) {
    if (readConnection(RX_SLOT + offset, nowMs)) taken++;
  }
  return taken;
}

/**
 * Whether a core can have written the record. Whoever keeps records looks for damage himself; these are the values that
 * tables are looked up with, and an address of the other family.
 */
function isSound(at: Ptr): bool {
  const small = get(at, 44);
  const state = small >>> 24;
  const isIpv6 = (get(at, 40) & CONNECTION_FLAG_IPV6) != 0;
  return (
    state != <u32>TcpState.Free &&
    state < <u32>TcpState.Count &&
    ((small >>> 16) & 0xff) < <u32>Risk.Count &&
    ((small >>> 8) & 0xff) <= MAX_SHIFT &&
    isIpv6 != isMapped(at) &&
    isIpv6 != isMapped(at + 16) &&
    ((get(at + FLOW_INBOUND, 28) >>> 8) & 0xff) <= MAX_SHIFT &&
    ((get(at + FLOW_OUTBOUND, 28) >>> 8) & 0xff) <= MAX_SHIFT
  );
}

/** ::ffff:a.b.c.d (RFC 4291 2.5.5.2). */
function isMapped(address: Ptr): bool {
  return load<u64>(address) == 0 && get(address, 8) == 0xffff;
}

/** False when it is damaged, its service is not configured any more, the table is full or its tuple is taken. */
function readConnection(at: Ptr, nowMs: u32): bool {
  if (!isSound(at)) return false;
  const ports = get(at, 32);
  const vlan = get(at, 36);
  const service = findService(at + 16, ports & 0xffff);
  if (service == NONE) return false;
  if (findOnWire(at, ports >>> 16, at + 16, ports & 0xffff, vlan) != NONE) return false;
  const version: u32 = get(at, 40) & CONNECTION_FLAG_IPV6 ? 6 : 4;
  const i = addConnection(at, ports >>> 16, at + 16, ports & 0xffff, vlan, service, version);
  if (i == NONE) return false;
  const c = connectionAt(i);
  const s = serviceAt(service);
  readFields(c, at);
  readFlow(flowOf(c, Dir.Inbound), at + FLOW_INBOUND, nowMs);
  readFlow(flowOf(c, Dir.Outbound), at + FLOW_OUTBOUND, nowMs);
  beginRun(c, flowOf(c, Dir.Inbound).acked, flowOf(c, Dir.Inbound).end);
  c.seenMs = nowMs;
  c.phase = <u8>Phase.Live;
  if (!bindStackPort(c, s)) {
    removeConnection(c);
    return false;
  }
  if (c.has(CONNECTION_FLAG_RECOVERED) && seqLt(flowOf(c, Dir.Outbound).acked, c.serverBase)) {
    lose(c, s, Loss.ServerBytesMissing);
    return false;
  }
  return true;
}

function readFields(c: Connection, at: Ptr): void {
  const small = get(at, 44);
  const stack = get(at, 48);
  const sizes = get(at, 100);
  c.flags = get(at, 40);
  c.state = <u8>(small >>> 24);
  c.risk = <u8>(small >>> 16);
  c.replicaShift = <u8>(small >>> 8);
  c.stackPort = <u16>(stack >>> 16);
  c.marks = <u16>(stack & LASTING_MARKS);
  c.clientMacHi = load<u16>(at, 52);
  c.clientMacLo = load<u32>(at, 54);
  c.outerTag = get(at, 60);
  c.innerTag = get(at, 64);
  c.d1 = get(at, 68);
  c.d2 = get(at, 72);
  c.tsDelta = get(at, 76);
  c.serverBase = get(at, 80);
  c.clientBase = get(at, 84);
  c.replicaTs = get(at, 88);
  c.replicaEdge = get(at, 92);
  c.toldEdge = get(at, 96);
  c.replicaMss = <u16>(sizes >>> 16);
  c.pathMss = <u16>sizes;
}

function readFlow(f: Flow, at: Ptr, nowMs: u32): void {
  const small = get(at, 28);
  f.isn = get(at, 0);
  f.end = get(at, 4);
  f.acked = get(at, 8);
  f.edge = get(at, 12);
  f.maxWindow = get(at, 16);
  f.finSeq = get(at, 20);
  f.tsval = get(at, 24);
  f.tsMs = nowMs;
  f.mss = <u16>(small >>> 16);
  f.windowShift = <u8>(small >>> 8);
  f.flags = <u8>(small & ~FLEETING);
}
