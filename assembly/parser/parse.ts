/**
 * From a captured frame to a Packet: the one place where the layers meet. Each layer proves the length of what it
 * reads before it reads it, says in one Reason why it refused, and never looks into the next one.
 *
 * No frame, of any bytes and any length, traps or makes the parser touch memory outside the captured bytes and the
 * Packet: everything a caller may do with a Packet rests on that.
 */

import { Reason } from '../abi/codes';
import { parseArp, parseEthernet } from './ethernet';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP } from './headers';
import { parseIcmp, parseIcmpv6 } from './icmp';
import { parseIpv4 } from './ipv4';
import { parseIpv6 } from './ipv6';
import { Packet } from './packet';
import { parseTcp } from './tcp';

function parseIp(p: Packet): Reason {
  const isIpv4 = p.etherType == ETHERTYPE_IPV4;
  const reason = isIpv4 ? parseIpv4(p) : parseIpv6(p);
  if (reason != Reason.None) return reason;
  if (p.protocol == PROTOCOL_TCP) return parseTcp(p);
  if (isIpv4 && p.protocol == PROTOCOL_ICMP) return parseIcmp(p);
  if (!isIpv4 && p.protocol == PROTOCOL_ICMPV6) return parseIcmpv6(p);
  return Reason.NotTcp;
}

/**
 * Parses the frame of `length` captured bytes at `frame` into `p`. `wireLength` is its length on the wire; a smaller
 * one than `length` is taken as `length`.
 */
export function parse(p: Packet, frame: usize, length: u32, wireLength: u32): Reason {
  p.clear();
  p.frame = frame;
  p.length = length;
  p.wireLength = max(length, wireLength);
  const reason = parseEthernet(p);
  if (reason != Reason.None) return reason;
  switch (p.etherType) {
    case ETHERTYPE_IPV4:
    case ETHERTYPE_IPV6:
      return parseIp(p);
    case ETHERTYPE_ARP:
      return parseArp(p);
    default:
      return Reason.UnknownEtherType;
  }
}
