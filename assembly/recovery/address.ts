/**
 * The service address on the wire while the daemon has it: ARP (RFC 826) and neighbour discovery (RFC 4861) are
 * answered, the take-over is announced, and a claim by somebody else (the primary that came back) is contradicted.
 * The kernel of the backup knows nothing of the address.
 */
import { Counter, Port, Reason } from '../abi/codes';
import { NONE, SERVICE_FLAG_ECHO } from '../abi/layout';
import { count, refuse } from '../memory/counters';
import { isOwnMac, putOwnMac } from '../memory/ports';
import { Ptr, RX_SLOT } from '../memory/regions';
import { txAlloc, txPush } from '../memory/transmit';
import { finish, icmpChecksumFull, pseudoSumOf, sum } from '../parser/checksum';
import {
  ARP_BYTES,
  ARP_HARDWARE,
  ARP_HARDWARE_ETHERNET,
  ARP_HARDWARE_LENGTH,
  ARP_OPERATION,
  ARP_PROTOCOL,
  ARP_PROTOCOL_LENGTH,
  ARP_REPLY,
  ARP_REQUEST,
  ARP_SENDER_IP,
  ARP_SENDER_MAC,
  ARP_TARGET_IP,
  ARP_TARGET_MAC,
  ETHERNET_SRC,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ICMPV6_ECHO_REPLY,
  ICMPV6_NEIGHBOR_ADVERTISEMENT,
  ICMP_CHECKSUM,
  ICMP_ECHO_REPLY,
  IPV4_DST,
  IPV4_SRC,
  IPV6_BYTES,
  IPV6_DST,
  IPV6_SRC,
  ND_BYTES,
  ND_TARGET,
  PROTOCOL_ICMPV6,
} from '../parser/headers';
import { Packet, PacketKind } from '../parser/packet';
import { seqDiff } from '../parser/seq';
import { findServiceByAddress, Service, serviceAt } from '../tracker/service';
import { putTags } from '../translator/segment';

/** Target link-layer address option: type, length in units of 8 bytes, address (RFC 4861 4.6.1). */
const ND_OPTION_BYTES: u32 = 8;
const ND_OPTION_TARGET_LINK: u8 = 2;
const ND_SOLICITED: u32 = 0x40000000;
const ND_OVERRIDE: u32 = 0x20000000;
const ETHERTYPE_CTAG: u32 = 0x8100;

function isMapped(address: Ptr): bool {
  return load<u64>(address) == 0 && load<u32>(address, 8) == 0xffff0000;
}

/** All nodes on the link, ff02::1. */
function putAllNodes(to: Ptr): void {
  memory.fill(to, 0, 16);
  store<u16>(to, 0x02ff);
  store<u8>(to, 1, 15);
}

/** Ethernet header; the address behind it, where the payload goes. */
function putLink(frame: Ptr, destination: Ptr, outerTag: u32, innerTag: u32, type: u32): Ptr {
  if (destination == 0) {
    store<u16>(frame, 0xffff);
    store<u32>(frame, 0xffffffff, 2);
  } else {
    memory.copy(frame, destination, 6);
  }
  putOwnMac(Port.Wire, frame + ETHERNET_SRC);
  const at = putTags(frame + 12, outerTag, innerTag);
  store<u16>(at, bswap<u16>(<u16>type));
  return at + 2;
}

function sendArp(s: Service, op: u32, toMac: Ptr, toIp: Ptr, outerTag: u32, innerTag: u32): void {
  const frame = txAlloc(64);
  if (frame == 0) return;
  const arp = putLink(frame, toMac, outerTag, innerTag, ETHERTYPE_ARP);
  store<u16>(arp, bswap<u16>(<u16>ARP_HARDWARE_ETHERNET), ARP_HARDWARE);
  store<u16>(arp, bswap<u16>(<u16>ETHERTYPE_IPV4), ARP_PROTOCOL);
  store<u8>(arp, 6, ARP_HARDWARE_LENGTH);
  store<u8>(arp, 4, ARP_PROTOCOL_LENGTH);
  store<u16>(arp, bswap<u16>(<u16>op), ARP_OPERATION);
  putOwnMac(Port.Wire, arp + ARP_SENDER_MAC);
  store<u32>(arp, load<u32>(s.addressPtr, 12), ARP_SENDER_IP);
  if (toMac == 0) memory.fill(arp + ARP_TARGET_MAC, op == ARP_REPLY ? 0xff : 0, 6);
  else memory.copy(arp + ARP_TARGET_MAC, toMac, 6);
  store<u32>(arp, load<u32>(toIp, 12), ARP_TARGET_IP);
  txPush(frame, <u32>(arp - frame) + ARP_BYTES, Port.Wire, NONE);
}

function sendAdvertisement(s: Service, toMac: Ptr, toIp: Ptr, flags: u32, outerTag: u32, innerTag: u32): void {
  const frame = txAlloc(128);
  if (frame == 0) return;
  const l3 = putLink(frame, toMac, outerTag, innerTag, ETHERTYPE_IPV6);
  if (toMac == 0) {
    // All nodes: multicast MAC 33:33:00:00:00:01 (RFC 2464 7).
    store<u16>(frame, 0x3333);
    store<u32>(frame, 0x01000000, 2);
  }
  const length = ND_BYTES + ND_OPTION_BYTES;
  store<u32>(l3, 0x00000060);
  store<u16>(l3, bswap<u16>(<u16>length), 4);
  store<u8>(l3, <u8>PROTOCOL_ICMPV6, 6);
  store<u8>(l3, 255, 7);
  memory.copy(l3 + IPV6_SRC, s.addressPtr, 16);
  if (toIp == 0) putAllNodes(l3 + IPV6_DST);
  else memory.copy(l3 + IPV6_DST, toIp, 16);
  const nd = l3 + IPV6_BYTES;
  store<u32>(nd, ICMPV6_NEIGHBOR_ADVERTISEMENT);
  store<u32>(nd, bswap<u32>(flags), 4);
  memory.copy(nd + ND_TARGET, s.addressPtr, 16);
  store<u8>(nd, ND_OPTION_TARGET_LINK, ND_BYTES);
  store<u8>(nd, 1, ND_BYTES + 1);
  putOwnMac(Port.Wire, nd + ND_BYTES + 2);
  const acc = pseudoSumOf(l3 + IPV6_SRC, l3 + IPV6_DST, 16, PROTOCOL_ICMPV6, length);
  store<u16>(nd, <u16>finish(sum(nd, length, acc)), ICMP_CHECKSUM);
  txPush(frame, <u32>(nd - frame) + length, Port.Wire, NONE);
}

/**
 * Tells the segment who has the service address now: a gratuitous ARP request and a reply, because some stacks heed
 * only one of them, or an unsolicited advertisement with override (RFC 4861 7.2.6).
 */
export function announceAddress(s: Service): void {
  const tag = s.vlan != 0 ? (ETHERTYPE_CTAG << 16) | (<u32>s.vlan) : 0;
  announceTagged(s, tag, 0);
}

function announceTagged(s: Service, outerTag: u32, innerTag: u32): void {
  if (isMapped(s.addressPtr)) {
    sendArp(s, ARP_REQUEST, 0, s.addressPtr, outerTag, innerTag);
    sendArp(s, ARP_REPLY, 0, s.addressPtr, outerTag, innerTag);
  } else {
    sendAdvertisement(s, 0, 0, ND_OVERRIDE, outerTag, innerTag);
  }
  count(Counter.Announcements);
}

/** Once in this time, ms: both sides of a conflict may answer each other for ever (RFC 5227 2.4 c has 10 s). */
const DEFEND_INTERVAL_MS: u32 = 1000;

/** Somebody else claims the address: the segment is told again who has it. */
function defend(s: Service, p: Packet, nowMs: u32): void {
  if (s.defended != 0 && seqDiff(nowMs, s.defendedMs) < <i32>DEFEND_INTERVAL_MS) return;
  s.defended++;
  s.defendedMs = nowMs;
  announceTagged(s, p.outerTag, p.innerTag);
}

/** ARP, and neighbour solicitations and advertisements, as far as they concern a service address. */
export function onNeighbour(p: Packet, nowMs: u32): Reason {
  const isArp = p.kind == PacketKind.Arp;
  const target = isArp ? p.arpTargetIp : p.ndTarget;
  const claimed = isArp ? p.arpSenderIp : p.kind == PacketKind.NeighborAdvertisement ? p.ndTarget : p.srcPtr;
  const foreign = !isOwnMac(Port.Wire, p.frame + ETHERNET_SRC);
  const claimant = findServiceByAddress(claimed, 0);
  if (foreign && claimant != NONE && serviceAt(claimant).isTakenOver) {
    defend(serviceAt(claimant), p, nowMs);
    return refuse(Reason.FromPrimary);
  }
  const asked = isArp ? p.arpOp == ARP_REQUEST : p.kind == PacketKind.NeighborSolicitation;
  const i = asked ? findServiceByAddress(target, 0) : NONE;
  if (i == NONE || !serviceAt(i).isTakenOver) return refuse(Reason.ArpNotOurs);
  const s = serviceAt(i);
  if (isArp) {
    sendArp(s, ARP_REPLY, p.arpSenderMac, p.arpSenderIp, p.outerTag, p.innerTag);
    count(Counter.ArpAnswered);
    return Reason.None;
  }
  // Duplicate address detection asks from the unspecified address: the answer goes to all nodes (RFC 4861 7.2.4).
  const unspecified = load<u64>(p.srcPtr) == 0 && load<u64>(p.srcPtr, 8) == 0;
  if (unspecified) sendAdvertisement(s, 0, 0, ND_OVERRIDE, p.outerTag, p.innerTag);
  else sendAdvertisement(s, p.frame + ETHERNET_SRC, p.srcPtr, ND_SOLICITED | ND_OVERRIDE, p.outerTag, p.innerTag);
  count(Counter.NdAnswered);
  return Reason.None;
}

/** Answers a ping of the service address in the receive slot: a monitor that watched the primary goes on. */
export function onEcho(p: Packet): Reason {
  const i = findServiceByAddress(p.dstPtr, 0);
  if (i == NONE) return refuse(Reason.NotOurs);
  const s = serviceAt(i);
  if (!s.isTakenOver || (s.flags & SERVICE_FLAG_ECHO) == 0 || p.l4Length != p.l4Wire) return refuse(Reason.NotOurs);
  const frame = RX_SLOT;
  memory.copy(frame, frame + ETHERNET_SRC, 6);
  putOwnMac(Port.Wire, frame + ETHERNET_SRC);
  if (p.ipVersion == 6) {
    memory.copy(p.l3 + IPV6_SRC, p.dstPtr, 16);
    memory.copy(p.l3 + IPV6_DST, p.srcPtr, 16);
    store<u8>(p.l4, <u8>ICMPV6_ECHO_REPLY);
  } else {
    // Swapping the addresses leaves the header checksum as it is.
    store<u32>(p.l3, load<u32>(p.dstPtr, 12), IPV4_SRC);
    store<u32>(p.l3, load<u32>(p.srcPtr, 12), IPV4_DST);
    store<u8>(p.l4, <u8>ICMP_ECHO_REPLY);
  }
  store<u16>(p.l4, <u16>icmpChecksumFull(p), ICMP_CHECKSUM);
  txPush(frame, <u32>(p.l4 - frame) + p.l4Wire, Port.Wire, NONE);
  count(Counter.EchoAnswered);
  return Reason.None;
}
