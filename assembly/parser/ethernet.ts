/**
 * Ethernet II, up to two VLAN tags, and ARP. Knows frames and tags, not what is inside IP.
 *
 * Limits: two tags, because nobody stacks more on a server segment and each one costs the receive slot headroom;
 * 802.3 length frames (LLC) carry no IP in practice and are refused as an unknown type. A tag with VLAN id 0
 * only carries a priority: such frames belong to the untagged network (IEEE 802.1Q 6.9.1).
 */

import { Reason } from '../abi/codes';
import {
  ARP_BYTES,
  ARP_HARDWARE,
  ARP_HARDWARE_ETHERNET,
  ARP_HARDWARE_LENGTH,
  ARP_OPERATION,
  ARP_PROTOCOL,
  ARP_PROTOCOL_LENGTH,
  ARP_SENDER_IP,
  ARP_SENDER_MAC,
  ARP_TARGET_IP,
  ETHERNET_BYTES,
  ETHERNET_TYPE,
  ETHERTYPE_CTAG,
  ETHERTYPE_IPV4,
  ETHERTYPE_QINQ,
  ETHERTYPE_STAG,
  MAC_BYTES,
  TAG_BYTES,
  TAG_VID_MASK,
} from './headers';
import { Packet, PacketKind, storeMapped } from './packet';

const MAX_TAGS: u32 = 2;

function isTag(etherType: u32): bool {
  return etherType == ETHERTYPE_CTAG || etherType == ETHERTYPE_STAG || etherType == ETHERTYPE_QINQ;
}

/** Fills tags, vlan, etherType and l3. */
export function parseEthernet(p: Packet): Reason {
  if (p.length < ETHERNET_BYTES) return Reason.TruncatedEthernet;
  let type = p.frame + ETHERNET_TYPE;
  let etherType = <u32>bswap(load<u16>(type));
  while (isTag(etherType)) {
    if (p.tagCount == MAX_TAGS) return Reason.TooManyTags;
    if (p.end - type < 2 + TAG_BYTES) return Reason.TruncatedEthernet;
    const tag = bswap(load<u32>(type));
    const vid = tag & TAG_VID_MASK;
    if (p.tagCount == 0) {
      p.outerTag = tag;
      p.vlan = vid << 16;
    } else {
      p.innerTag = tag;
      p.vlan |= vid;
    }
    p.tagCount++;
    type += TAG_BYTES;
    etherType = <u32>bswap(load<u16>(type));
  }
  p.etherType = etherType;
  p.l3 = type + 2;
  return Reason.None;
}

/** Fills the arp fields, and src and dst with the sender's and the target's address. */
export function parseArp(p: Packet): Reason {
  const arp = p.l3;
  if (p.end - arp < ARP_BYTES) return Reason.TruncatedArp;
  if (
    <u32>bswap(load<u16>(arp, ARP_HARDWARE)) != ARP_HARDWARE_ETHERNET ||
    <u32>bswap(load<u16>(arp, ARP_PROTOCOL)) != ETHERTYPE_IPV4 ||
    <u32>load<u8>(arp, ARP_HARDWARE_LENGTH) != MAC_BYTES ||
    load<u8>(arp, ARP_PROTOCOL_LENGTH) != 4
  ) {
    return Reason.ArpNotOurs;
  }
  p.kind = PacketKind.Arp;
  p.arpOp = <u32>bswap(load<u16>(arp, ARP_OPERATION));
  p.arpSenderMac = arp + ARP_SENDER_MAC;
  storeMapped(p.srcPtr, arp + ARP_SENDER_IP);
  storeMapped(p.dstPtr, arp + ARP_TARGET_IP);
  return Reason.None;
}
