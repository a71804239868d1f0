/**
 * ICMP (RFC 792), ICMPv6 (RFC 4443) and the two neighbour discovery messages the core answers or hears (RFC 4861).
 *
 * An error message matters only for the TCP segment it quotes: at least 8 bytes of it are certain (RFC 792), that
 * is ports and sequence number. One that quotes anything else is refused as not ours. The quote's own length
 * fields and checksums describe the packet as it was when it was dropped, so none of them is believed.
 * Neighbour discovery that fails RFC 4861 7.1 (crossed a router, wrong code, multicast target) is Other.
 */

import { Reason } from '../abi/codes';
import {
  ICMPV6_ECHO_REQUEST,
  ICMPV6_NEIGHBOR_ADVERTISEMENT,
  ICMPV6_NEIGHBOR_SOLICITATION,
  ICMPV6_PACKET_TOO_BIG,
  ICMPV6_PARAMETER_PROBLEM,
  ICMPV6_UNREACHABLE,
  ICMP_BYTES,
  ICMP_CODE,
  ICMP_CODE_FRAGMENTATION_NEEDED,
  ICMP_ECHO_REQUEST,
  ICMP_PARAMETER_PROBLEM,
  ICMP_REDIRECT,
  ICMP_REST,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  ICMP_TYPE,
  ICMP_UNREACHABLE,
  IPV4_BYTES,
  IPV4_DST,
  IPV4_FRAGMENT,
  IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_PROTOCOL,
  IPV4_SRC,
  IPV4_VERSION_IHL,
  IPV6_BYTES,
  IPV6_DST,
  IPV6_HOP_LIMIT,
  IPV6_NEXT_HEADER,
  IPV6_SRC,
  ND_BYTES,
  ND_HOP_LIMIT,
  ND_TARGET,
  PROTOCOL_TCP,
  TCP_DST_PORT,
  TCP_SEQ,
  TCP_SRC_PORT,
} from './headers';
import { walkExtensions } from './ipv6';
import { copyAddress, Packet, PacketKind, storeMapped } from './packet';

/** What an error message must at least quote of the segment: ports and sequence number. */
const QUOTED_BYTES: u32 = 8;

/** Common to both: fills type and code once the 8 bytes are there; no MTU is told yet. */
function parseHeader(p: Packet): Reason {
  if (p.l4Length < ICMP_BYTES) return Reason.TruncatedIcmp;
  p.icmpType = <u32>load<u8>(p.l4, ICMP_TYPE);
  p.icmpCode = <u32>load<u8>(p.l4, ICMP_CODE);
  p.icmpMtu = 0;
  return Reason.None;
}

/** One past the quoted bytes that were captured. */
function quoteEnd(p: Packet): usize {
  return p.l4 + p.l4Length;
}

/** A quote that ends too early: cut by the capture, or never there. */
function shortQuote(p: Packet): Reason {
  return p.l4Length < p.l4Wire ? Reason.TruncatedIcmp : Reason.IcmpNotOurs;
}

function takeQuote(p: Packet, l4: usize): Reason {
  const end = quoteEnd(p);
  if (l4 > end || end - l4 < QUOTED_BYTES) return shortQuote(p);
  p.quotedL4 = l4;
  p.quotedLength = <u32>(end - l4);
  p.quotedSrcPort = <u32>bswap(load<u16>(l4, TCP_SRC_PORT));
  p.quotedDstPort = <u32>bswap(load<u16>(l4, TCP_DST_PORT));
  p.quotedSeq = bswap(load<u32>(l4, TCP_SEQ));
  p.kind = PacketKind.IcmpError;
  return Reason.None;
}

function parseQuotedIpv4(p: Packet): Reason {
  const ip = p.l4 + ICMP_BYTES;
  if (quoteEnd(p) - ip < IPV4_BYTES) return shortQuote(p);
  const versionIhl = <u32>load<u8>(ip, IPV4_VERSION_IHL);
  const headers = (versionIhl & 15) << 2;
  if (versionIhl >> 4 != 4 || headers < IPV4_BYTES) return Reason.IcmpNotOurs;
  if (<u32>load<u8>(ip, IPV4_PROTOCOL) != PROTOCOL_TCP) return Reason.IcmpNotOurs;
  const fragment = <u32>bswap(load<u16>(ip, IPV4_FRAGMENT));
  if ((fragment & IPV4_FRAGMENT_OFFSET_MASK) != 0) return Reason.IcmpNotOurs;
  p.quotedL3 = ip;
  storeMapped(p.quotedSrcPtr, ip + IPV4_SRC);
  storeMapped(p.quotedDstPtr, ip + IPV4_DST);
  return takeQuote(p, ip + headers);
}

function parseQuotedIpv6(p: Packet): Reason {
  const ip = p.l4 + ICMP_BYTES;
  const end = quoteEnd(p);
  if (end - ip < IPV6_BYTES) return shortQuote(p);
  if (load<u8>(ip) >> 4 != 6) return Reason.IcmpNotOurs;
  const reason = walkExtensions(p, ip + IPV6_BYTES, <u32>load<u8>(ip, IPV6_NEXT_HEADER), end, p.l4 + p.l4Wire);
  if (reason == Reason.TruncatedIp) return Reason.TruncatedIcmp;
  if (reason == Reason.Fragment ? p.walkFragment != 0 : reason != Reason.None) return Reason.IcmpNotOurs;
  if (p.walkProtocol != PROTOCOL_TCP) return Reason.IcmpNotOurs;
  p.quotedL3 = ip;
  copyAddress(p.quotedSrcPtr, ip + IPV6_SRC);
  copyAddress(p.quotedDstPtr, ip + IPV6_DST);
  return takeQuote(p, p.walkPtr);
}

/** Fills the icmp fields, and the quoted ones of an error. */
export function parseIcmp(p: Packet): Reason {
  const reason = parseHeader(p);
  if (reason != Reason.None) return reason;
  switch (p.icmpType) {
    case ICMP_UNREACHABLE:
      if (p.icmpCode == ICMP_CODE_FRAGMENTATION_NEEDED) p.icmpMtu = <u32>bswap(load<u16>(p.l4, ICMP_REST + 2));
      return parseQuotedIpv4(p);
    case ICMP_SOURCE_QUENCH:
    case ICMP_REDIRECT:
    case ICMP_TIME_EXCEEDED:
    case ICMP_PARAMETER_PROBLEM:
      return parseQuotedIpv4(p);
    case ICMP_ECHO_REQUEST:
      p.kind = PacketKind.IcmpEcho;
      return Reason.None;
    default:
      return Reason.None;
  }
}

/** A solicitation or advertisement; `kind` is what it is when it is valid (RFC 4861 7.1.1, 7.1.2). */
function parseNeighbor(p: Packet, kind: PacketKind): Reason {
  if (p.l4Length < ND_BYTES) return Reason.TruncatedNd;
  const target = p.l4 + ND_TARGET;
  const isMulticast = load<u8>(target) == 0xff;
  if (<u32>load<u8>(p.l3, IPV6_HOP_LIMIT) != ND_HOP_LIMIT || p.icmpCode != 0 || isMulticast) return Reason.None;
  p.ndTarget = target;
  p.kind = kind;
  return Reason.None;
}

/** Fills the icmp fields, and the quoted or nd ones. */
export function parseIcmpv6(p: Packet): Reason {
  const reason = parseHeader(p);
  if (reason != Reason.None) return reason;
  const type = p.icmpType;
  if (type >= ICMPV6_UNREACHABLE && type <= ICMPV6_PARAMETER_PROBLEM) {
    if (type == ICMPV6_PACKET_TOO_BIG) p.icmpMtu = bswap(load<u32>(p.l4, ICMP_REST));
    return parseQuotedIpv6(p);
  }
  if (type == ICMPV6_NEIGHBOR_SOLICITATION) return parseNeighbor(p, PacketKind.NeighborSolicitation);
  if (type == ICMPV6_NEIGHBOR_ADVERTISEMENT) return parseNeighbor(p, PacketKind.NeighborAdvertisement);
  if (type == ICMPV6_ECHO_REQUEST) p.kind = PacketKind.IcmpEcho;
  return Reason.None;
}
