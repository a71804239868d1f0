/**
 * IPv4 (RFC 791): header, options, fragments, length. Knows nothing of what it carries, except where the ports of
 * a first fragment of TCP are.
 *
 * - The header checksum is always verified: on a wire a wrong one is damage or forgery, and Linux fills it in itself. Other
 *   systems leave it to the device, which captures made on them show: see setTrackAll of the pipeline.
 * - Total length 0 is what capture shows of frames merged beyond 64 KiB and of some segmentation offloads: the
 *   length of the frame then stands for it. Any other length must fit into the frame.
 * - A source route (RFC 791, options 131 and 137) means that the destination field is not the destination:
 *   neither key nor checksum would be right, and hosts drop it (RFC 7126 4.3, 4.4). Other options are skipped.
 * - Fragments are refused, not reassembled: endpoints that do path MTU discovery never send them for TCP.
 */

import { Reason } from '../abi/codes';
import { fold, sumIpv4 } from './checksum';
import {
  IPV4_BYTES,
  IPV4_DST,
  IPV4_FRAGMENT,
  IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_MORE_FRAGMENTS,
  IPV4_PROTOCOL,
  IPV4_SRC,
  IPV4_TOTAL_LENGTH,
  IPV4_VERSION_IHL,
  PROTOCOL_TCP,
  TCP_DST_PORT,
  TCP_SRC_PORT,
} from './headers';
import { Packet, storeMapped } from './packet';

const OPTION_END: u32 = 0;
const OPTION_NOP: u32 = 1;
const OPTION_LOOSE_ROUTE: u32 = 131;
const OPTION_STRICT_ROUTE: u32 = 137;

/** Longest packet a frame may stand for, bytes: GSO_MAX_SIZE of Linux, 8 x 65535. Keeps lengths out of a file sane. */
const MAX_MERGED_BYTES: u32 = 524280;

/**
 * Length of the IP packet that starts at `l3`, wire bytes. `claimed` is what its header says, 0 when it says
 * nothing. 0: impossible.
 */
export function packetLength(p: Packet, claimed: u32): u32 {
  const room = p.wireLength - <u32>(p.l3 - p.frame);
  if (claimed == 0) return room <= MAX_MERGED_BYTES ? room : 0;
  return claimed <= room ? claimed : 0;
}

/** Sets l4 and its lengths; the packet is `total` wire bytes long, its headers `headers`. */
export function setL4(p: Packet, headers: u32, total: u32): void {
  p.ipHeaderLength = headers;
  p.l4 = p.l3 + headers;
  p.l4Wire = total - headers;
  p.l4Length = min<u32>(<u32>(p.end - p.l4), p.l4Wire);
}

/** What a first fragment still tells. Returns Reason.Fragment for its caller to pass on. */
export function refuseFragment(p: Packet, offset: u32): Reason {
  if (offset == 0 && p.protocol == PROTOCOL_TCP && p.l4Length >= 4) {
    p.srcPort = <u32>bswap(load<u16>(p.l4, TCP_SRC_PORT));
    p.dstPort = <u32>bswap(load<u16>(p.l4, TCP_DST_PORT));
    p.fragmentHasPorts = 1;
  }
  return Reason.Fragment;
}

/** Options between `at` and `end`; hosts refuse what is malformed here (RFC 1122 3.2.1.8). */
function checkOptions(at: usize, end: usize): Reason {
  while (at < end) {
    const kind = <u32>load<u8>(at);
    if (kind == OPTION_END) break;
    if (kind == OPTION_NOP) {
      at++;
      continue;
    }
    if (end - at < 2) return Reason.BadIpOption;
    const length = <usize>load<u8>(at, 1);
    if (length < 2 || length > end - at) return Reason.BadIpOption;
    if (kind == OPTION_LOOSE_ROUTE || kind == OPTION_STRICT_ROUTE) return Reason.BadIpOption;
    at += length;
  }
  return Reason.None;
}

/** Fills addresses, protocol, l4 and its lengths. */
export function parseIpv4(p: Packet): Reason {
  const ip = p.l3;
  const captured = <u32>(p.end - ip);
  if (captured < IPV4_BYTES) return Reason.TruncatedIp;
  const versionIhl = <u32>load<u8>(ip, IPV4_VERSION_IHL);
  if (versionIhl >> 4 != 4) return Reason.BadIpVersion;
  const headers = (versionIhl & 15) << 2;
  if (headers < IPV4_BYTES) return Reason.BadIpHeaderLength;
  const total = packetLength(p, <u32>bswap(load<u16>(ip, IPV4_TOTAL_LENGTH)));
  if (total < headers) return Reason.BadIpTotalLength;
  if (captured < headers) return Reason.TruncatedIp;
  if (fold(sumIpv4(ip, headers)) != 0xffff) return Reason.BadIpChecksum;

  p.ipVersion = 4;
  p.protocol = <u32>load<u8>(ip, IPV4_PROTOCOL);
  storeMapped(p.srcPtr, ip + IPV4_SRC);
  storeMapped(p.dstPtr, ip + IPV4_DST);
  setL4(p, headers, total);

  if (headers > IPV4_BYTES) {
    const reason = checkOptions(ip + IPV4_BYTES, p.l4);
    if (reason != Reason.None) return reason;
  }
  const fragment = <u32>bswap(load<u16>(ip, IPV4_FRAGMENT));
  const offset = fragment & IPV4_FRAGMENT_OFFSET_MASK;
  return offset != 0 || (fragment & IPV4_MORE_FRAGMENTS) != 0 ? refuseFragment(p, offset) : Reason.None;
}
