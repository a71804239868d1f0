/**
 * Answers to segments of no connection, made from the segment alone: what a host without that connection would send
 * (RFC 9293 3.10.7.1): in the name of the service address to clients, in that of a client to the replica.
 */
import { Counter, Port } from '../abi/codes';
import { NONE } from '../abi/layout';
import { count } from '../memory/counters';
import { putOwnMac } from '../memory/ports';
import { txAlloc, txPush } from '../memory/transmit';
import { finish, pseudoSum, sum } from '../parser/checksum';
import {
  ETHERNET_SRC,
  IPV4_BYTES,
  IPV4_CHECKSUM,
  IPV4_DST,
  IPV4_SRC,
  IPV4_TOTAL_LENGTH,
  IPV4_TTL,
  IPV6_BYTES,
  IPV6_DST,
  IPV6_HOP_LIMIT,
  IPV6_NEXT_HEADER,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SRC,
  PROTOCOL_TCP,
  TCP_ACK,
  TCP_BYTES,
  TCP_CHECKSUM,
  TCP_DATA_OFFSET,
  TCP_DST_PORT,
  TCP_FLAGS,
  TCP_SEQ,
  TCP_SRC_PORT,
} from '../parser/headers';
import { OptionBit, Packet, TcpFlag } from '../parser/packet';
import { HOP_LIMIT, putTimestamps, TIMESTAMP_BYTES } from '../translator/segment';

/** Resets the sender of this segment. Nothing for a RST (3.10.7.1). */
export function resetSender(p: Packet, port: Port): void {
  if (p.flags & TcpFlag.Rst) return;
  if (p.flags & TcpFlag.Ack) answer(p, port, TcpFlag.Rst, p.ack, 0);
  else answer(p, port, TcpFlag.Rst | TcpFlag.Ack, 0, p.seq + p.segmentLength);
  count(Counter.ForgedRst);
}

/** Acknowledges a late FIN of a connection in TIME-WAIT (3.10.7.4). */
export function acknowledgeSender(p: Packet, seq: u32, ack: u32): void {
  answer(p, Port.Wire, TcpFlag.Ack, seq, ack);
  count(Counter.ForgedAck);
}

/**
 * A segment without payload back to where p came from: its own headers turned round, without options but timestamps. A
 * sender that uses them may drop a segment without (RFC 7323 3.2; a RST needs none), and takes its own echo for new.
 */
function answer(p: Packet, port: Port, flags: u32, seq: u32, ack: u32): void {
  const link = <u32>(p.l3 - p.frame);
  const v6 = p.ipVersion == 6;
  const ip = v6 ? IPV6_BYTES : IPV4_BYTES;
  const timestamps = (p.options & OptionBit.Timestamps) != 0 && (flags & TcpFlag.Rst) == 0;
  const tcp = TCP_BYTES + (timestamps ? TIMESTAMP_BYTES : 0);
  const frame = txAlloc(link + ip + tcp);
  if (frame == 0) return;
  memory.copy(frame, p.frame, link + ip);
  memory.copy(frame, p.frame + ETHERNET_SRC, 6);
  putOwnMac(port, frame + ETHERNET_SRC);
  const l3 = frame + link;
  const l4 = l3 + ip;
  if (v6) {
    memory.copy(l3 + IPV6_SRC, p.dstPtr, 16);
    memory.copy(l3 + IPV6_DST, p.srcPtr, 16);
    store<u16>(l3, bswap<u16>(<u16>tcp), IPV6_PAYLOAD_LENGTH);
    store<u8>(l3, <u8>PROTOCOL_TCP, IPV6_NEXT_HEADER);
    store<u8>(l3, <u8>HOP_LIMIT, IPV6_HOP_LIMIT);
  } else {
    store<u8>(l3, 0x45);
    store<u8>(l3, <u8>HOP_LIMIT, IPV4_TTL);
    store<u32>(l3, load<u32>(p.dstPtr, 12), IPV4_SRC);
    store<u32>(l3, load<u32>(p.srcPtr, 12), IPV4_DST);
    store<u16>(l3, bswap<u16>(<u16>(ip + tcp)), IPV4_TOTAL_LENGTH);
    store<u16>(l3, 0, IPV4_CHECKSUM);
    store<u16>(l3, <u16>finish(sum(l3, ip, 0)), IPV4_CHECKSUM);
  }
  memory.fill(l4, 0, TCP_BYTES);
  store<u16>(l4, bswap<u16>(<u16>p.dstPort), TCP_SRC_PORT);
  store<u16>(l4, bswap<u16>(<u16>p.srcPort), TCP_DST_PORT);
  store<u32>(l4, bswap<u32>(seq), TCP_SEQ);
  store<u32>(l4, bswap<u32>(ack), TCP_ACK);
  store<u8>(l4, <u8>(tcp << 2), TCP_DATA_OFFSET);
  store<u8>(l4, <u8>flags, TCP_FLAGS);
  if (timestamps) {
    store<u16>(l4 + TCP_BYTES, 0x0101);
    putTimestamps(l4 + TCP_BYTES + 2, p.tsecr, p.tsval);
  }
  // The pseudo header is the same whichever way the addresses stand.
  store<u16>(l4, <u16>finish(sum(l4, tcp, pseudoSum(p, tcp))), TCP_CHECKSUM);
  txPush(frame, link + ip + tcp, port, NONE);
}
