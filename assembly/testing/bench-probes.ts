/**
 * Test build only: the steps of the pipeline, each repeated inside the module, for bench/core. One call of the host is
 * spread over so many repetitions that its cost does not show; bench/native and bench/core/plain have the same loops.
 */
import { Dir, Port } from '../abi/codes';
import { NONE } from '../abi/layout';
import { indexBase, indexMask, Ptr, RX_SLOT } from '../memory/regions';
import { txCount, txReset } from '../memory/transmit';
import { finish, patch32, patch32At, sum } from '../parser/checksum';
import { TCP_ACK, TCP_CHECKSUM, TCP_SEQ } from '../parser/headers';
import { Packet, packet } from '../parser/packet';
import { parse } from '../parser/parse';
import { Connection, connectionAt, flowOf } from '../tracker/connection';
import { serviceAt } from '../tracker/service';
import { addConnection, findOnWire } from '../tracker/table';
import { track, wireWindow } from '../tracker/track';
import { forward } from '../translator/tcp';
import { drain, onFrame } from '../pipeline';

/** Of the ring of frames that benchReceive goes through. */
const RING_STRIDE: u32 = 2048;
/** Bytes before a frame in the ring: its length, its Port, and what each round adds to its numbers. */
const RING_HEADER: u32 = 16;

const ADDRESS: usize = memory.data(16, 16);
const OTHER: usize = memory.data(offsetof<Packet>(), 8);

/** HEADERS_BYTES of the other languages, more than every header that is rewritten. Written out, as gcc has it of the loop of bench/native: how a frame comes into the slot is not what is measured. */
function putHeaders(to: Ptr, from: Ptr): void {
  store<u64>(to, load<u64>(from));
  store<u64>(to, load<u64>(from, 8), 8);
  store<u64>(to, load<u64>(from, 16), 16);
  store<u64>(to, load<u64>(from, 24), 24);
  store<u64>(to, load<u64>(from, 32), 32);
  store<u64>(to, load<u64>(from, 40), 40);
  store<u64>(to, load<u64>(from, 48), 48);
  store<u64>(to, load<u64>(from, 56), 56);
  store<u64>(to, load<u64>(from, 64), 64);
  store<u64>(to, load<u64>(from, 72), 72);
  store<u64>(to, load<u64>(from, 80), 80);
  store<u64>(to, load<u64>(from, 88), 88);
  store<u64>(to, load<u64>(from, 96), 96);
  store<u64>(to, load<u64>(from, 104), 104);
  store<u64>(to, load<u64>(from, 112), 112);
  store<u64>(to, load<u64>(from, 120), 120);
}

export function benchChecksum(ptr: usize, length: u32, n: u32): u32 {
  let result: u32 = 0;
  for (let i: u32 = 0; i < n; i++) result = (result << 1) + finish(sum(ptr, length, 0));
  return result;
}

/** A 32-bit field at `field` of the segment at `segment` counts up, its checksum follows. */
export function benchPatch(segment: usize, field: usize, n: u32): u32 {
  for (let i: u32 = 0; i < n; i++) {
    const old = load<u32>(field);
    store<u32>(field, old + 1);
    patch32At(segment + TCP_CHECKSUM, segment, field, old, old + 1);
  }
  return <u32>load<u16>(segment, TCP_CHECKSUM);
}

export function benchParse(frame: usize, length: u32, n: u32): u32 {
  let result: u32 = 0;
  for (let i: u32 = 0; i < n; i++) result += <u32>parse(packet(), frame, length, length) + packet().payloadLength;
  return result;
}

// --- lookup --------------------------------------------------------------------------------------------------

/** The client of connection `i`: 16 addresses share a port, as behind a proxy. */
function putClient(i: u32): u32 {
  store<u64>(ADDRESS, 0);
  store<u32>(ADDRESS, 0xffff0000, 8);
  store<u32>(ADDRESS, bswap<u32>(0x0b000000 + i), 12);
  return 1024 + (i >>> 4);
}

/** Fills the table with `count` connections to the address at `server`. The number of records. */
export function benchFill(server: usize, port: u32, count: u32): u32 {
  let filled: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const clientPort = putClient(i) & 0xffff;
    if (addConnection(ADDRESS, clientPort, server, port, 0, 0, 4) != NONE) filled++;
  }
  return filled;
}

/** Where the last call has ended: a few thousand lookups from the same one on would find all they need in the cache. */
let cursor: u32 = 0;

/** Looks up connections all over the table, which one depends on what was found: no lookup begins before the last one ends. */
export function benchFind(server: usize, port: u32, first: u32, count: u32, step: u32, n: u32): u32 {
  let i = cursor % count;
  let result: u32 = 0;
  for (let k: u32 = 0; k < n; k++) {
    const clientPort = putClient(first + i) & 0xffff;
    const found = findOnWire(ADDRESS, clientPort, server, port, 0);
    result += found;
    i = (found == NONE ? i : found) + step;
    if (i >= count) i -= count;
  }
  cursor = i;
  return result;
}

/** The memory alone that a hit reads: one entry of the index, one record, each only when the last one has come. */
export function benchTouch(count: u32, step: u32, n: u32): u32 {
  let i = cursor % count;
  let never: u32 = 0;
  for (let k: u32 = 0; k < n; k++) {
    const slot = ((i + never) * 0x9e3779b1) & indexMask;
    never = load<u32>(indexBase + ((<usize>slot) << 3), 4) >>> 31;
    // Both ends of the key, which may lie in two lines of the cache: IPv4 begins with zeros, and is untagged.
    const c = connectionAt(i + never);
    never += <u32>load<u64>(c.clientPtr) + c.vlan;
    i += step + never;
    if (i >= count) i -= count;
  }
  cursor = i;
  return i + never;
}

// --- track, translate ----------------------------------------------------------------------------------------

/** A client's segment in order, with the payload of the frame, and the server's acknowledgement of it: n pairs. */
export function benchTrack(connection: u32, data: usize, dataLength: u32, ack: usize, ackLength: u32, n: u32): u32 {
  const c = connectionAt(connection);
  const inbound = flowOf(c, Dir.Inbound);
  const outbound = flowOf(c, Dir.Outbound);
  const segment = packet();
  const answer = changetype<Packet>(OTHER);
  let result = <u32>parse(segment, data, dataLength, dataLength) + <u32>parse(answer, ack, ackLength, ackLength);
  for (let i: u32 = 0; i < n; i++) {
    segment.seq = inbound.end;
    segment.ack = outbound.end;
    result += <u32>track(c, Dir.Inbound, segment, wireWindow(c, inbound, segment), false, i);
    answer.seq = outbound.end;
    answer.ack = inbound.end;
    result += <u32>track(c, Dir.Outbound, answer, wireWindow(c, outbound, answer), false, i);
  }
  return result;
}

/** The frame's headers into the slot, and the client's segment they are to the replica. */
export function benchTranslate(connection: u32, frame: usize, length: u32, n: u32): u32 {
  const c: Connection = connectionAt(connection);
  const s = serviceAt(<u32>c.service);
  const p = packet();
  putHeaders(RX_SLOT, frame);
  let result = <u32>parse(p, RX_SLOT, length, length);
  p.seq += c.d1;
  p.ack += c.d2;
  p.tsecr -= c.tsDelta;
  for (let i: u32 = 0; i < n; i++) {
    putHeaders(RX_SLOT, frame);
    txReset();
    result += <u32>forward(c, s, p, Dir.Inbound, p.window);
  }
  return result;
}

// --- pipeline ------------------------------------------------------------------------------------------------

/**
 * `n` frames of a ring of `count` through the whole pipeline, from the `from`-th on. A ring entry is RING_HEADER bytes
 * (u32 each: length, Port, what is added to its sequence and to its acknowledgement number after each use, 0 for none),
 * then the frame, whose TCP header is at byte 34. Payloads are in the slot already: all frames have the same.
 */
export function benchReceive(ring: usize, count: u32, from: u32, n: u32, nowMs: u32): u32 {
  let result: u32 = 0;
  let at = from;
  for (let i: u32 = 0; i < n; i++) {
    const entry = ring + at * RING_STRIDE;
    const frame = entry + RING_HEADER;
    const length = load<u32>(entry);
    putHeaders(RX_SLOT, frame);
    onFrame(<Port>load<u32>(entry, 4), length, length, nowMs);
    drain(nowMs);
    result += <u32>txCount();
    const seqStep = load<u32>(entry, 8);
    const ackStep = load<u32>(entry, 12);
    if (seqStep != 0) advance(frame + 34, TCP_SEQ, seqStep);
    if (ackStep != 0) advance(frame + 34, TCP_ACK, ackStep);
    if (++at == count) at = 0;
  }
  return result;
}

function advance(segment: usize, field: usize, step: u32): void {
  const old = load<u32>(segment + field);
  const next = bswap<u32>(bswap<u32>(old) + step);
  store<u32>(segment + field, next);
  patch32(segment + TCP_CHECKSUM, old, next);
}
