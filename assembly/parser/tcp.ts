/**
 * TCP header (RFC 9293 3.1). Knows one segment, no connection: what is impossible in every state is refused here,
 * what is impossible in one state is the tracker's business.
 *
 * Impossible in every state: SYN together with FIN or RST, and a segment with none of SYN, RST and ACK, which
 * every stack drops unread (RFC 9293 3.10.7). The checksum is not verified here: capture of local traffic shows
 * partial ones; see checksum.ts.
 */

import { Reason } from '../abi/codes';
import {
  TCP_ACK,
  TCP_BYTES,
  TCP_DATA_OFFSET,
  TCP_DST_PORT,
  TCP_FLAGS,
  TCP_SEQ,
  TCP_SRC_PORT,
  TCP_URGENT,
  TCP_WINDOW,
} from './headers';
import { Packet, PacketKind, TcpFlag } from './packet';
import { parseTcpOptions } from './tcp-options';

function possible(flags: u32): bool {
  if ((flags & (TcpFlag.Syn | TcpFlag.Rst | TcpFlag.Ack)) == 0) return false;
  return (flags & TcpFlag.Syn) == 0 || (flags & (TcpFlag.Fin | TcpFlag.Rst)) == 0;
}

/** Fills the TCP fields. A payload cut by the snapshot length is no refusal: see Packet.payloadWire. */
export function parseTcp(p: Packet): Reason {
  const tcp = p.l4;
  if (p.l4Length < TCP_BYTES) return Reason.TruncatedTcp;
  const header = ((<u32>load<u8>(tcp, TCP_DATA_OFFSET)) >> 4) << 2;
  if (header < TCP_BYTES || header > p.l4Wire) return Reason.BadTcpDataOffset;
  if (header > p.l4Length) return Reason.TruncatedTcp;

  const flags = <u32>load<u8>(tcp, TCP_FLAGS);
  p.srcPort = <u32>bswap(load<u16>(tcp, TCP_SRC_PORT));
  p.dstPort = <u32>bswap(load<u16>(tcp, TCP_DST_PORT));
  p.seq = bswap(load<u32>(tcp, TCP_SEQ));
  p.ack = bswap(load<u32>(tcp, TCP_ACK));
  p.window = <u32>bswap(load<u16>(tcp, TCP_WINDOW));
  p.urgent = <u32>bswap(load<u16>(tcp, TCP_URGENT));
  p.flags = flags;
  p.headerLength = header;
  p.payload = tcp + header;
  p.payloadLength = p.l4Length - header;
  p.payloadWire = p.l4Wire - header;
  p.segmentLength = p.payloadWire + ((flags & TcpFlag.Syn) != 0 ? 1 : 0) + ((flags & TcpFlag.Fin) != 0 ? 1 : 0);
  if (!possible(flags)) return Reason.BadTcpFlags;

  const reason = parseTcpOptions(p, tcp + TCP_BYTES, p.payload);
  if (reason == Reason.None) p.kind = PacketKind.Tcp;
  return reason;
}
