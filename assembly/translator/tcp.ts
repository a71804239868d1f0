/**
 * The translator: frames of a live connection, from the client's view of the server to the replica's view of the
 * client and back.
 *
 * Theory of operation. The caller has converted the numbers in the Packet to those of the outgoing side and the tracker
 * has seen the wire side's; here they are written. A frame that fits is edited in place and its checksum is patched
 * (RFC 1624): the cost does not depend on its length. Four kinds are built anew from their payload: frames merged by
 * receive offload that exceed the outgoing MTU or the receiver's MSS, frames whose checksum the sender's offload left
 * to be filled in (partial: recomputed in place), segments of a replica that would not agree to timestamps the
 * client has agreed to (RFC 7323 3.2: it may drop every segment without), and those to which the caller has given a SACK block.
 * Of options, these carry timestamps and SACK.
 *
 * Options: timestamps are converted, SACK blocks shifted; blocks that speak of the primary's bytes mean nothing to
 * the replica and are blanked. All other options pass as they are; a receiver skips what it did not agree to.
 * The urgent pointer is relative to the sequence number and passes too (a split frame loses it).
 */
import { Counter, Dir, Port, Reason } from '../abi/codes';
import { CONNECTION_FLAG_ECN, CONNECTION_FLAG_PROXIED } from '../abi/layout';
import { count, countBy, refuse } from '../memory/counters';
import { portMtu } from '../memory/ports';
import { Ptr } from '../memory/regions';
import { txPush } from '../memory/transmit';
import {
  change32,
  changeOf,
  isPartialChecksum,
  patch16,
  patchBy,
  sum,
  tcpChecksumFull,
  tcpChecksumValid,
} from '../parser/checksum';
import {
  IPV4_CHECKSUM,
  IPV4_DST,
  IPV4_SRC,
  IPV4_TOTAL_LENGTH,
  IPV6_BYTES,
  IPV6_DST,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SRC,
  TCP_CHECKSUM,
  TCP_FLAGS,
  TCP_OPTION_NOP,
  TCP_OPTION_SACK,
  TCP_SEQ,
  TCP_SRC_PORT,
  TCP_WINDOW,
} from '../parser/headers';
import { copyAddress, OptionBit, Packet, TcpFlag } from '../parser/packet';
import { seqLt } from '../parser/seq';
import {
  carriesTimestamps,
  closeSegment,
  keepTrafficClass,
  linkBytes,
  maxPayload,
  openSegment,
  putLink,
  putTimestamps,
  replicaPort,
} from './segment';
import { Connection } from '../tracker/connection';
import { CONN_REPLICA_ECN, CONN_REPLICA_TS } from '../tracker/marks';
import { Service } from '../tracker/service';
import { stackPeerPtr } from '../tracker/table';

/** Timestamps option, kind and length included. */
const TIMESTAMPS_BYTES: u32 = 10;
const SACK_BLOCK_BYTES: u32 = 8;
/** NOP, NOP, kind, length. */
const SACK_HEADER_BYTES: u32 = 4;
/** What fits into 40 bytes of options (RFC 2018 3). */
const SACK_BLOCKS_ALONE: u32 = 4;
const SACK_BLOCKS_BESIDE_TIMESTAMPS: u32 = 3;

const ECN_FLAGS: u32 = TcpFlag.Ece | TcpFlag.Cwr;

// Each of these writes, and gives the change of the checksum: they add up, for one patch at the end.

function replace32(at: Ptr, value: u32): u64 {
  const change = change32(load<u32>(at), value);
  store<u32>(at, value);
  return change;
}

function replace16(at: Ptr, value: u16): u64 {
  const change = change32(load<u16>(at), value);
  store<u16>(at, value);
  return change;
}

/** A 32-bit field of an option, which may begin at an odd offset of the segment. */
function replaceOption(segment: Ptr, at: Ptr, value: u32): u64 {
  const turn = (<u32>((at - segment) & 1)) << 3;
  const old = load<u32>(at);
  store<u32>(at, value);
  return change32(rotl<u32>(old, turn), rotl<u32>(value, turn));
}

/** Overwrites option bytes with NOPs. */
function blankOption(segment: Ptr, at: Ptr, length: u32): u64 {
  let change: u64 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const shift: u32 = ((at + i - segment) & 1) != 0 ? 8 : 0;
    change += change32((<u32>load<u8>(at + i)) << shift, TCP_OPTION_NOP << shift);
    store<u8>(at + i, <u8>TCP_OPTION_NOP);
  }
  return change;
}

/**
 * Sends the frame in the receive slot on toward the replica (Inbound) or the client (Outbound). The Packet holds the
 * numbers of the outgoing side (seq, ack, tsval, tsecr); `field` is the window field for it. `anew`: its SACK
 * blocks are not the frame's.
 */
export function forward(c: Connection, s: Service, p: Packet, toward: Dir, field: u32, anew: bool = false): Reason {
  const reason = translate(c, s, p, toward, field, anew);
  if (reason != Reason.None) return refuse(reason);
  count(toward == Dir.Inbound ? Counter.TranslatedInbound : Counter.TranslatedOutbound);
  return Reason.None;
}

function translate(c: Connection, s: Service, p: Packet, toward: Dir, field: u32, anew: bool): Reason {
  if (p.payloadLength < p.payloadWire) return Reason.TruncatedPayload;
  const port = toward == Dir.Inbound ? replicaPort(s) : Port.Wire;
  const merged = port == Port.Wire && p.payloadWire > maxPayload(c, s, toward) - sackBytes(sackBlocksFor(c, p, toward));
  const lacksTimestamps =
    toward == Dir.Outbound &&
    carriesTimestamps(c, toward) &&
    (p.options & OptionBit.Timestamps) == 0 &&
    (p.flags & (TcpFlag.Syn | TcpFlag.Rst)) == 0;
  if ((merged && (p.flags & TcpFlag.Syn) == 0) || lacksTimestamps || anew) {
    // A checksum over damaged bytes would hide the damage.
    if (!isPartialChecksum(p) && !tcpChecksumValid(p)) return Reason.BadTcpChecksum;
    return rebuild(c, s, p, toward, field);
  }
  if (p.ipHeaderLength + p.l4Wire > portMtu(port)) return Reason.TooBig;
  return edit(c, s, p, toward, port, field);
}

/** New segments of at most the receiver's MSS from the payload of one. FIN and PSH go with the last, CWR with the first. */
function rebuild(c: Connection, s: Service, p: Packet, toward: Dir, field: u32): Reason {
  const blocks = sackBlocksFor(c, p, toward);
  const more = sackBytes(blocks);
  const mss = maxPayload(c, s, toward) - more;
  const lastOnly: u32 = TcpFlag.Fin | TcpFlag.Psh;
  const kept = p.flags & ~(<u32>TcpFlag.Urg) & ~(isEcnUnknown(c, toward) ? ECN_FLAGS : 0);
  const hasTimestamps = carriesTimestamps(c, toward) && (p.options & OptionBit.Timestamps) != 0;
  let offset: u32 = 0;
  let segments: u32 = 0;
  do {
    const n = min<u32>(mss, p.payloadWire - offset);
    const last = offset + n == p.payloadWire;
    let flags = last ? kept : kept & ~lastOnly;
    if (offset > 0) flags &= ~(<u32>TcpFlag.Cwr);
    const at = openSegment(c, s, toward, flags, p.seq + offset, p.ack, field, n, more);
    if (at == 0) return Reason.TxQueueFull;
    keepTrafficClass(p.l3);
    // Its own, not the latest: an old duplicate has to look old (RFC 7323 5), an echo tells of the segment it answers.
    if (hasTimestamps) putTimestamps(at - more - TIMESTAMPS_BYTES, p.tsval, p.tsecr);
    if (blocks > 0) copySack(c, p, toward, at - more, blocks);
    memory.copy(at, p.payload + offset, n);
    if (!closeSegment(sum(at, n, 0))) return Reason.TxQueueFull;
    offset += n;
    segments++;
  } while (offset < p.payloadWire);
  if (segments > 1) countBy(Counter.SplitSegments, segments);
  return Reason.None;
}

function edit(c: Connection, s: Service, p: Packet, toward: Dir, port: Port, field: u32): Reason {
  const partial = isPartialChecksum(p);
  const l4 = p.l4;
  const inbound = toward == Dir.Inbound;
  putLength(p);
  let change = putAddresses(p, inbound ? stackPeerPtr(c, s) : c.serverPtr, inbound ? s.replicaPtr : c.clientPtr);
  const ports = inbound
    ? ((<u32>c.stackPort) << 16) | (<u32>c.serverPort)
    : ((<u32>c.serverPort) << 16) | (<u32>c.clientPort);
  change += replace32(l4 + TCP_SRC_PORT, bswap<u32>(ports));
  change += replace32(l4 + TCP_SEQ, bswap<u32>(p.seq));
  change += replace32(l4 + TCP_SEQ + 4, bswap<u32>(p.ack));
  change += replace16(l4 + TCP_WINDOW, bswap<u16>(<u16>field));
  if (!c.has(CONNECTION_FLAG_PROXIED)) change += putOptions(c, p, inbound);
  if (partial) {
    store<u16>(l4, <u16>tcpChecksumFull(p), TCP_CHECKSUM);
    count(Counter.ChecksumRecomputed);
  } else {
    patchBy(l4 + TCP_CHECKSUM, change);
    count(Counter.ChecksumPatched);
  }
  // The outgoing link header may be longer or shorter than the one that came; the receive slot has room before it.
  const frame = p.l3 - linkBytes(c, port);
  putLink(frame, c, s, toward, port, p.ipVersion == 6);
  const length = <u32>(l4 - frame) + p.l4Wire;
  return txPush(frame, length, port, c.index) ? Reason.None : Reason.TxQueueFull;
}

/** Capture may show a merged frame without its length (see packetLength); a frame to send needs one. */
function putLength(p: Packet): void {
  if (p.ipVersion == 6) {
    store<u16>(p.l3, bswap<u16>(<u16>(p.ipHeaderLength - IPV6_BYTES + p.l4Wire)), IPV6_PAYLOAD_LENGTH);
  } else if (load<u16>(p.l3, IPV4_TOTAL_LENGTH) == 0) {
    const length = <u32>bswap<u16>(<u16>(p.ipHeaderLength + p.l4Wire));
    store<u16>(p.l3, <u16>length, IPV4_TOTAL_LENGTH);
    patch16(p.l3 + IPV4_CHECKSUM, 0, length);
  }
}

/** Addresses in the IP header. They are part of the TCP checksum too (pseudo header): its change. */
function putAddresses(p: Packet, source: Ptr, destination: Ptr): u64 {
  const l3 = p.l3;
  if (p.ipVersion == 6) {
    const old = sum(l3 + IPV6_SRC, 32, 0);
    copyAddress(l3 + IPV6_SRC, source);
    copyAddress(l3 + IPV6_DST, destination);
    return changeOf(old, sum(l3 + IPV6_SRC, 32, 0));
  }
  const change = replace32(l3 + IPV4_SRC, load<u32>(source, 12)) + replace32(l3 + IPV4_DST, load<u32>(destination, 12));
  patchBy(l3 + IPV4_CHECKSUM, change);
  return change;
}

/** The change of the checksum. */
function putOptions(c: Connection, p: Packet, inbound: bool): u64 {
  const l4 = p.l4;
  let change: u64 = 0;
  if (p.options & OptionBit.Timestamps) {
    if (inbound && !c.marked(CONN_REPLICA_TS)) {
      change += blankOption(l4, p.tsPtr - 2, TIMESTAMPS_BYTES);
    } else {
      change += replaceOption(l4, p.tsPtr, bswap<u32>(p.tsval));
      change += replaceOption(l4, p.tsPtr + 4, bswap<u32>(p.tsecr));
    }
  }
  if (p.options & OptionBit.Sack) change += putSack(c, p, inbound);
  if (isEcnUnknown(c, inbound ? Dir.Inbound : Dir.Outbound)) {
    const flags = load<u16>(l4, TCP_FLAGS - 1);
    change += replace16(l4 + TCP_FLAGS - 1, flags & ~(<u16>(ECN_FLAGS << 8)));
  }
  return change;
}

/** The client may echo and reduce, a replica that has not agreed would not understand (RFC 3168 6.1). */
function isEcnUnknown(c: Connection, toward: Dir): bool {
  if (toward == Dir.Outbound || c.has(CONNECTION_FLAG_PROXIED)) return false;
  return c.has(CONNECTION_FLAG_ECN) && !c.marked(CONN_REPLICA_ECN);
}

/** SACK edges (RFC 2018 3) follow the numbers of the direction they acknowledge. */
function sackDelta(c: Connection, toward: Dir): u32 {
  return toward == Dir.Inbound ? c.d2 : 0 - c.d1;
}

/** Whether the client's blocks speak of the primary's bytes. */
function isSackOfPrimary(c: Connection, p: Packet): bool {
  if (c.has(CONNECTION_FLAG_PROXIED)) return false;
  for (let i: u32 = 0; i < p.sackCount; i++) {
    if (seqLt(bswap<u32>(load<u32>(p.sackPtr + i * SACK_BLOCK_BYTES)), c.serverBase)) return true;
  }
  return false;
}

/** The change of the checksum. */
function putSack(c: Connection, p: Packet, inbound: bool): u64 {
  if (inbound && isSackOfPrimary(c, p)) {
    return blankOption(p.l4, p.sackPtr - 2, 2 + p.sackCount * SACK_BLOCK_BYTES);
  }
  const delta = sackDelta(c, inbound ? Dir.Inbound : Dir.Outbound);
  let change: u64 = 0;
  for (let i: u32 = 0; i < p.sackCount * 2; i++) {
    const at = p.sackPtr + (i << 2);
    change += replaceOption(p.l4, at, bswap<u32>(bswap<u32>(load<u32>(at)) + delta));
  }
  return change;
}

/** Blocks that a segment built anew takes over: the latest ones come first (RFC 2018 4), and timestamps leave room for three. */
function sackBlocksFor(c: Connection, p: Packet, toward: Dir): u32 {
  if ((p.options & OptionBit.Sack) == 0 || (toward == Dir.Inbound && isSackOfPrimary(c, p))) return 0;
  return min<u32>(p.sackCount, carriesTimestamps(c, toward) ? SACK_BLOCKS_BESIDE_TIMESTAMPS : SACK_BLOCKS_ALONE);
}

/** Bytes of the option with that many blocks and its padding, for which a payload has to leave room (RFC 9293 3.7.1). */
function sackBytes(blocks: u32): u32 {
  return blocks > 0 ? SACK_HEADER_BYTES + blocks * SACK_BLOCK_BYTES : 0;
}

/** The option with its edges translated, behind the two NOPs that align it. */
function copySack(c: Connection, p: Packet, toward: Dir, at: Ptr, blocks: u32): void {
  store<u16>(at, <u16>(TCP_OPTION_NOP | (TCP_OPTION_NOP << 8)));
  store<u8>(at, <u8>TCP_OPTION_SACK, 2);
  store<u8>(at, <u8>(2 + blocks * SACK_BLOCK_BYTES), 3);
  const delta = sackDelta(c, toward);
  for (let i: u32 = 0; i < blocks * 2; i++) {
    const edge = bswap<u32>(load<u32>(p.sackPtr + (i << 2)));
    store<u32>(at + SACK_HEADER_BYTES + (i << 2), bswap<u32>(edge + delta));
  }
}
