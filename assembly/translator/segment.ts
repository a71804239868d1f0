/**
 * Segments the core makes itself, from nothing: forged handshakes, bytes from the store, parts of a split frame, acknowledgements, resets. One is under
 * construction at a time: openSegment writes the headers, the caller the payload, closeSegment the checksums.
 * Numbers passed in are those that go into the header: the caller has translated them.
 *
 * Not here: which numbers, and when. IPv4 packets carry DF and identification 0 (RFC 6864 4.1), hop limit 64 (RFC 1700).
 */
import { Counter, Dir, Phase, Port } from '../abi/codes';
import { CONNECTION_FLAG_IPV6, CONNECTION_FLAG_PROXIED, CONNECTION_FLAG_TIMESTAMPS, FLOW_FLAG_TS } from '../abi/layout';
import { count } from '../memory/counters';
import { copyMac, portMtu, putOwnMac, putPeerMac } from '../memory/ports';
import { Ptr } from '../memory/regions';
import { TX_FRAME_MAX, txAlloc, txPush } from '../memory/transmit';
import { finish, patch16, pseudoSumOf, sum } from '../parser/checksum';
import {
  ETHERNET_BYTES,
  ETHERNET_SRC,
  ETHERNET_TYPE,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  IPV4_BYTES,
  IPV4_CHECKSUM,
  IPV4_DST,
  IPV4_SRC,
  IPV6_BYTES,
  IPV6_DST,
  IPV6_SRC,
  PROTOCOL_TCP,
  TAG_BYTES,
  TCP_ACK,
  TCP_BYTES,
  TCP_CHECKSUM,
  TCP_DATA_OFFSET,
  TCP_DST_PORT,
  TCP_FLAGS,
  TCP_OPTION_MSS,
  TCP_OPTION_NOP,
  TCP_OPTION_SACK_PERMITTED,
  TCP_OPTION_TIMESTAMPS,
  TCP_OPTION_WINDOW_SCALE,
  TCP_SEQ,
  TCP_SRC_PORT,
  TCP_URGENT,
  TCP_WINDOW,
} from '../parser/headers';
import { copyAddress } from '../parser/packet';
import { seqMax } from '../parser/seq';
import { Connection, flowOf, phaseOf } from '../tracker/connection';
import { CONN_REPLICA_TS } from '../tracker/marks';
import { Service } from '../tracker/service';
import { stackPeerPtr } from '../tracker/table';

/** NOP NOP Timestamps, as RFC 7323 A recommends. */
export const TIMESTAMP_BYTES: u32 = 12;
/** MSS when a SYN had no such option (RFC 9293 3.7.1). */
const DEFAULT_MSS_IPV4: u32 = 536;
const DEFAULT_MSS_IPV6: u32 = 1220;
/** Linux' TCP_MIN_SND_MSS: a smaller one only serves to make many segments. */
const MIN_MSS: u32 = 48;
export const HOP_LIMIT: u32 = 64;
const DONT_FRAGMENT: u16 = 0x0040; // 0x4000 in network order
const IPV6_VERSION: u32 = 0x00000060; // 6 << 28 in network order

let frame: Ptr = 0;
let l3: Ptr = 0;
let l4: Ptr = 0;
/** TCP header with its options, and the whole segment, bytes. */
let head: u32 = 0;
let bytes: u32 = 0;
let v6: bool = false;
let out: Port = Port.Wire;
let owner: u32 = 0;

/** The port that leads to the replica of this service. */
export function replicaPort(s: Service): Port {
  return s.isRemote ? Port.Wire : Port.Stack;
}

function ipBytes(c: Connection): u32 {
  return c.has(CONNECTION_FLAG_IPV6) ? IPV6_BYTES : IPV4_BYTES;
}

/** The MSS an end announced, or the standard's for one that announced none. */
export function mssOf(c: Connection, announced: u32): u32 {
  if (announced != 0) return announced;
  return c.has(CONNECTION_FLAG_IPV6) ? DEFAULT_MSS_IPV6 : DEFAULT_MSS_IPV4;
}

/** Bytes of options a data segment going this way carries. */
function optionBytes(c: Connection, toward: Dir): u32 {
  return carriesTimestamps(c, toward) ? TIMESTAMP_BYTES : 0;
}

/** Whether segments going this way carry timestamps: toward the client when both ends of the wire agreed to them. */
export function carriesTimestamps(c: Connection, toward: Dir): bool {
  if (toward == Dir.Inbound && !c.has(CONNECTION_FLAG_PROXIED)) return c.marked(CONN_REPLICA_TS);
  return c.has(CONNECTION_FLAG_TIMESTAMPS) && flowOf(c, Dir.Outbound).has(FLOW_FLAG_TS);
}

/** IP and TCP header without options, bytes. */
export function headerBytes(c: Connection): u32 {
  return ipBytes(c) + TCP_BYTES;
}

/** Largest payload of a segment going this way, bytes: receiver's MSS, outgoing MTU, learned path, less options. */
export function maxPayload(c: Connection, s: Service, toward: Dir): u32 {
  const inbound = toward == Dir.Inbound;
  const port = inbound ? replicaPort(s) : Port.Wire;
  const replicaMss = c.has(CONNECTION_FLAG_PROXIED) ? flowOf(c, Dir.Outbound).mss : c.replicaMss;
  const announced = <u32>(inbound ? replicaMss : flowOf(c, Dir.Inbound).mss);
  let mss = min<u32>(mssOf(c, announced), portMtu(port) - headerBytes(c));
  if (!inbound && c.pathMss != 0) mss = min<u32>(mss, <u32>c.pathMss);
  mss = min<u32>(max<u32>(mss, MIN_MSS), TX_FRAME_MAX - 128);
  return mss - optionBytes(c, toward);
}

/** Bytes of the Ethernet header, tags included, of frames on this port. */
export function linkBytes(c: Connection, port: Port): u32 {
  if (port != Port.Wire) return ETHERNET_BYTES;
  return ETHERNET_BYTES + (c.outerTag != 0 ? TAG_BYTES : 0) + (c.innerTag != 0 ? TAG_BYTES : 0);
}

/** Writes the Ethernet header of a frame toward the client or the replica; the address behind it. */
export function putLink(at: Ptr, c: Connection, s: Service, toward: Dir, port: Port, ipv6: bool): Ptr {
  if (toward == Dir.Outbound) {
    store<u16>(at, c.clientMacHi);
    store<u32>(at, c.clientMacLo, 2);
  } else if (s.isRemote) {
    copyMac(at, s.replicaMacPtr);
  } else {
    putPeerMac(port, at);
  }
  putOwnMac(port, at + ETHERNET_SRC);
  const type = port == Port.Wire ? putTags(at + ETHERNET_TYPE, c.outerTag, c.innerTag) : at + ETHERNET_TYPE;
  store<u16>(type, bswap<u16>(<u16>(ipv6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4)));
  return type + 2;
}

/** Writes the tags of the wire side, if any; the address behind them. */
export function putTags(at: Ptr, outerTag: u32, innerTag: u32): Ptr {
  let next = at;
  if (outerTag != 0) {
    store<u32>(next, bswap<u32>(outerTag));
    next += 4;
  }
  if (innerTag != 0) {
    store<u32>(next, bswap<u32>(innerTag));
    next += 4;
  }
  return next;
}

function putIp(source: Ptr, destination: Ptr, tcpBytes: u32): void {
  if (v6) {
    store<u32>(l3, IPV6_VERSION);
    store<u16>(l3, bswap<u16>(<u16>tcpBytes), 4);
    store<u8>(l3, <u8>PROTOCOL_TCP, 6);
    store<u8>(l3, <u8>HOP_LIMIT, 7);
    copyAddress(l3 + IPV6_SRC, source);
    copyAddress(l3 + IPV6_DST, destination);
    l4 = l3 + IPV6_BYTES;
    return;
  }
  store<u16>(l3, 0x0045);
  store<u16>(l3, bswap<u16>(<u16>(IPV4_BYTES + tcpBytes)), 2);
  store<u16>(l3, 0, 4);
  store<u16>(l3, DONT_FRAGMENT, 6);
  store<u8>(l3, <u8>HOP_LIMIT, 8);
  store<u8>(l3, <u8>PROTOCOL_TCP, 9);
  store<u16>(l3, 0, IPV4_CHECKSUM);
  store<u32>(l3, load<u32>(source, 12), IPV4_SRC);
  store<u32>(l3, load<u32>(destination, 12), IPV4_DST);
  store<u16>(l3, <u16>finish(sum(l3, IPV4_BYTES, 0)), IPV4_CHECKSUM);
  l4 = l3 + IPV4_BYTES;
}

/** Ethernet, IP and the fixed part of TCP. False when the transmit queue is full. */
function putHeaders(
  c: Connection,
  s: Service,
  toward: Dir,
  flags: u32,
  seq: u32,
  ack: u32,
  window: u32,
  options: u32,
  payload: u32,
): bool {
  v6 = c.has(CONNECTION_FLAG_IPV6);
  owner = c.index;
  head = TCP_BYTES + options;
  bytes = head + payload;
  frame = txAlloc(ETHERNET_BYTES + 8 + IPV6_BYTES + bytes);
  if (frame == 0) return false;
  out = toward == Dir.Inbound ? replicaPort(s) : Port.Wire;
  l3 = putLink(frame, c, s, toward, out, v6);
  const inbound = toward == Dir.Inbound;
  putIp(inbound ? stackPeerPtr(c, s) : c.serverPtr, inbound ? s.replicaPtr : c.clientPtr, bytes);
  store<u16>(l4, bswap<u16>(inbound ? c.stackPort : c.serverPort), TCP_SRC_PORT);
  store<u16>(l4, bswap<u16>(inbound ? c.serverPort : c.clientPort), TCP_DST_PORT);
  store<u32>(l4, bswap<u32>(seq), TCP_SEQ);
  store<u32>(l4, bswap<u32>(ack), TCP_ACK);
  store<u8>(l4, <u8>(head << 2), TCP_DATA_OFFSET);
  store<u8>(l4, <u8>flags, TCP_FLAGS);
  store<u16>(l4, bswap<u16>(<u16>window), TCP_WINDOW);
  store<u16>(l4, 0, TCP_CHECKSUM);
  store<u16>(l4, 0, TCP_URGENT);
  return true;
}

/** The option without the NOPs before it. */
export function putTimestamps(at: Ptr, tsval: u32, tsecr: u32): void {
  store<u8>(at, <u8>TCP_OPTION_TIMESTAMPS);
  store<u8>(at, 10, 1);
  store<u32>(at, bswap<u32>(tsval), 2);
  store<u32>(at, bswap<u32>(tsecr), 6);
}

/** What a segment for the replica echoes: the latest TSval of the replica, never one before its first. */
export function replicaEcho(c: Connection, wireTs: u32): u32 {
  if (c.has(CONNECTION_FLAG_PROXIED)) return wireTs;
  // Whose clock is not yet the client's: what the client has echoed is the primary's.
  return phaseOf(c) == Phase.Live ? seqMax(wireTs - c.tsDelta, c.replicaTs) : c.replicaTs;
}

/**
 * Begins a segment in either direction, with timestamps where they were agreed and room for `more` bytes of options, a
 * multiple of 4, that the caller writes. The address for `payload` bytes, right behind those, or 0 when the transmit queue
 * is full.
 */
export function openSegment(
  c: Connection,
  s: Service,
  toward: Dir,
  flags: u32,
  seq: u32,
  ack: u32,
  window: u32,
  payload: u32,
  more: u32 = 0,
): Ptr {
  const options = optionBytes(c, toward);
  if (!putHeaders(c, s, toward, flags, seq, ack, window, options + more, payload)) return 0;
  if (options != 0) {
    const inbound = flowOf(c, Dir.Inbound);
    const outbound = flowOf(c, Dir.Outbound);
    store<u16>(l4 + TCP_BYTES, 0x0101);
    const at = l4 + TCP_BYTES + 2;
    if (toward == Dir.Inbound) putTimestamps(at, inbound.tsval, replicaEcho(c, outbound.tsval));
    else putTimestamps(at, outbound.tsval, inbound.tsval);
  }
  return l4 + TCP_BYTES + options + more;
}

/**
 * The segment is made of the packet at `from`, and of its traffic class: a mark of congestion is for whoever gets the bytes
 * (RFC 3168 5.3 of fragments).
 */
export function keepTrafficClass(from: Ptr): void {
  if (v6) {
    store<u8>(l3, load<u8>(from));
    store<u8>(l3, load<u8>(from, 1) & 0xf0, 1);
    return;
  }
  const old = <u32>load<u16>(l3);
  store<u8>(l3, load<u8>(from, 1), 1);
  patch16(l3 + IPV4_CHECKSUM, old, <u32>load<u16>(l3));
}

/** Finishes the segment, whose payload has the sum `payloadSum` (checksum.ts). False when it could not be queued. */
export function closeSegment(payloadSum: u64): bool {
  const addressBytes: u32 = v6 ? 16 : 4;
  const source = l3 + (v6 ? IPV6_SRC : IPV4_SRC);
  const acc = pseudoSumOf(source, source + addressBytes, addressBytes, PROTOCOL_TCP, bytes);
  store<u16>(l4, <u16>finish(sum(l4, head, acc + payloadSum)), TCP_CHECKSUM);
  return txPush(frame, <u32>(l4 - frame) + bytes, out, owner);
}

/** A segment without payload. */
export function sendSegment(c: Connection, s: Service, toward: Dir, flags: u32, seq: u32, ack: u32, window: u32): bool {
  return openSegment(c, s, toward, flags, seq, ack, window, 0) != 0 && closeSegment(0);
}

/**
 * The forged SYN for the replica. `shift` < 0: no window scale option; `tsval` is sent only with `timestamps`.
 */
export function sendSyn(
  c: Connection,
  s: Service,
  flags: u32,
  seq: u32,
  window: u32,
  mss: u32,
  shift: i32,
  sack: bool,
  timestamps: bool,
  tsval: u32,
): bool {
  const options: u32 = 4 + (timestamps || sack ? (timestamps ? 12 : 4) : 0) + (shift >= 0 ? 4 : 0);
  if (!putHeaders(c, s, Dir.Inbound, flags, seq, 0, window, options, 0)) return false;
  let at = l4 + TCP_BYTES;
  store<u8>(at, <u8>TCP_OPTION_MSS);
  store<u8>(at, 4, 1);
  store<u16>(at, bswap<u16>(<u16>mss), 2);
  at += 4;
  if (timestamps || sack) {
    // SACK permitted takes the place of the two NOPs that align the timestamps.
    store<u16>(at, sack ? <u16>(TCP_OPTION_SACK_PERMITTED | (2 << 8)) : 0x0101);
    if (timestamps) putTimestamps(at + 2, tsval, 0);
    else store<u16>(at, 0x0101, 2);
    at += timestamps ? 12 : 4;
  }
  if (shift >= 0) {
    store<u8>(at, <u8>TCP_OPTION_NOP);
    store<u8>(at, <u8>TCP_OPTION_WINDOW_SCALE, 1);
    store<u8>(at, 3, 2);
    store<u8>(at, <u8>shift, 3);
  }
  count(Counter.ForgedSyn);
  return closeSegment(0);
}
