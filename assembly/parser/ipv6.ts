/**
 * IPv6 (RFC 8200): header, extension headers, fragments, length.
 *
 * - Hop-by-hop options, routing and destination options are walked over. ESP and AH hide or sign what follows;
 *   they and everything else that is neither TCP nor ICMPv6 end the walk and leave the verdict to `parse`.
 * - A routing header with segments left means that the destination field is not the destination: refused.
 * - An atomic fragment (offset 0, nothing follows) is a whole packet (RFC 6946 4) and walked over; real
 *   fragments are refused.
 * - Payload length 0 is a merged frame beyond 64 KiB (or a jumbogram, RFC 2675): the frame's length stands for it.
 */

import { Reason } from '../abi/codes';
import {
  IPV6_BYTES,
  IPV6_DST,
  IPV6_NEXT_HEADER,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SRC,
  PROTOCOL_DESTINATION_OPTIONS,
  PROTOCOL_FRAGMENT,
  PROTOCOL_HOP_BY_HOP,
  PROTOCOL_ROUTING,
} from './headers';
import { packetLength, refuseFragment, setL4 } from './ipv4';
import { copyAddress, Packet } from './packet';

/** More than any sender needs (RFC 8200 4.1 recommends seven headers at most), few enough to be no work. */
const MAX_EXTENSION_HEADERS: u32 = 8;
/** Every extension header is a multiple of it. */
const EXTENSION_UNIT: u32 = 8;
const ROUTING_SEGMENTS_LEFT: usize = 3;
const FRAGMENT_OFFSET: usize = 2;
/** Host order: offset in units of 8 bytes and the more-fragments bit. */
const FRAGMENT_OFFSET_MASK: u32 = 0xfff8;
const FRAGMENT_MORE: u32 = 1;

function isExtension(protocol: u32): bool {
  return (
    protocol == PROTOCOL_HOP_BY_HOP ||
    protocol == PROTOCOL_ROUTING ||
    protocol == PROTOCOL_FRAGMENT ||
    protocol == PROTOCOL_DESTINATION_OPTIONS
  );
}

/**
 * Walks from `at`, whose header is `protocol`, to the first header that is not an extension. `captured` is one past
 * the captured bytes, `limit` one past the packet's own. Leaves the place in walkPtr, walkProtocol; on
 * Reason.Fragment that is what follows the fragment header, whose offset is in walkFragment.
 */
export function walkExtensions(p: Packet, at: usize, protocol: u32, captured: usize, limit: usize): Reason {
  p.walkPtr = at;
  p.walkProtocol = protocol;
  let stepsLeft = MAX_EXTENSION_HEADERS;
  while (isExtension(protocol)) {
    if (stepsLeft-- == 0) return Reason.TooManyExtensionHeaders;
    if (limit - at < EXTENSION_UNIT) return Reason.BadIpHeaderLength;
    if (captured < at + EXTENSION_UNIT) return Reason.TruncatedIp;
    const isFragment = protocol == PROTOCOL_FRAGMENT;
    const bytes = isFragment ? EXTENSION_UNIT : (<u32>load<u8>(at, 1) + 1) * EXTENSION_UNIT;
    if (limit - at < bytes) return Reason.BadIpHeaderLength;
    if (captured < at + bytes) return Reason.TruncatedIp;
    if (protocol == PROTOCOL_ROUTING && load<u8>(at, ROUTING_SEGMENTS_LEFT) != 0) return Reason.BadIpOption;

    const fragment = isFragment ? <u32>bswap(load<u16>(at, FRAGMENT_OFFSET)) : 0;
    protocol = <u32>load<u8>(at);
    at += bytes;
    p.walkPtr = at;
    p.walkProtocol = protocol;
    if ((fragment & (FRAGMENT_OFFSET_MASK | FRAGMENT_MORE)) != 0) {
      p.walkFragment = fragment & FRAGMENT_OFFSET_MASK;
      return Reason.Fragment;
    }
  }
  return Reason.None;
}

/** Fills addresses, protocol, l4 and its lengths. */
export function parseIpv6(p: Packet): Reason {
  const ip = p.l3;
  if (p.end - ip < IPV6_BYTES) return Reason.TruncatedIp;
  if (load<u8>(ip) >> 4 != 6) return Reason.BadIpVersion;
  const payload = <u32>bswap(load<u16>(ip, IPV6_PAYLOAD_LENGTH));
  const total = packetLength(p, payload == 0 ? 0 : payload + IPV6_BYTES);
  if (total < IPV6_BYTES) return Reason.BadIpTotalLength;

  p.ipVersion = 6;
  copyAddress(p.srcPtr, ip + IPV6_SRC);
  copyAddress(p.dstPtr, ip + IPV6_DST);
  const limit = ip + total;
  const reason = walkExtensions(p, ip + IPV6_BYTES, <u32>load<u8>(ip, IPV6_NEXT_HEADER), p.end, limit);
  p.protocol = p.walkProtocol;
  setL4(p, <u32>(p.walkPtr - ip), total);
  return reason == Reason.Fragment ? refuseFragment(p, p.walkFragment) : reason;
}
