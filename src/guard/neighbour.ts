/**
 * ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861) as far as one host asks who else has an address: frames
 * to send, and what a frame of another host says about who holds what.
 */
import { isIPv6 } from 'node:net';
import { ADDRESS_BYTES, formatAddress, parseAddress } from '../core/address';

const MAC_BYTES = 6;
const ETHERNET_BYTES = 14;
const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_IPV6 = 0x86dd;
/** Without the frame check sequence; shorter frames are filled up with zeros. */
const MIN_FRAME_BYTES = 60;

const ARP_BYTES = 28;
/** Hardware Ethernet, protocol IPv4, and the lengths of their addresses. */
const ARP_ETHERNET_IPV4 = Buffer.of(0, 1, 8, 0, MAC_BYTES, 4);
const ARP_REQUEST = 1;
const ARP_REPLY = 2;

const IPV6_BYTES = 40;
const PROTOCOL_ICMPV6 = 58;
/** Neighbour discovery is valid only if no router has passed it on (RFC 4861 7.1). */
const HOP_LIMIT = 255;
const SOLICITATION = 135;
const ADVERTISEMENT = 136;
/** Type, code, checksum, flags, target. */
const ND_BYTES = 24;
const ND_TARGET = 8;
const OPTION_TARGET_LINK = 2;
const OVERRIDE = 0x20000000;

const BROADCAST = Buffer.alloc(MAC_BYTES, 0xff);
const NO_MAC = Buffer.alloc(MAC_BYTES);
const UNSPECIFIED = Buffer.alloc(ADDRESS_BYTES);
const ALL_NODES = parsed('ff02::1');

/** For libpcap: what others on the segment say about addresses. */
export const NEIGHBOUR_FILTER = 'inbound and (arp or (icmp6 and (ip6[40] = 135 or ip6[40] = 136)))';

/**
 * Asks for the address without claiming it: an ARP probe (RFC 5227 2.1.1), or the solicitation of duplicate address
 * detection (RFC 4862 5.4.2). Neither changes a neighbour's table.
 */
export function probeFrame(address: string, mac: Uint8Array): Buffer {
  if (!isIPv6(address)) return arpFrame(ARP_REQUEST, mac, Buffer.alloc(4), NO_MAC, ipv4(address));
  const target = parsed(address);
  const solicited = Buffer.concat([parsed('ff02::1:ff00:0').subarray(0, 13), target.subarray(13)]);
  return ndFrame(mac, UNSPECIFIED, solicited, SOLICITATION, 0, target);
}

/** Says that this host has the address: what a request and what a reply are heeded by, or an advertisement. */
export function announcementFrames(address: string, mac: Uint8Array): Buffer[] {
  if (!isIPv6(address)) {
    const ip = ipv4(address);
    return [arpFrame(ARP_REQUEST, mac, ip, NO_MAC, ip), arpFrame(ARP_REPLY, mac, ip, BROADCAST, ip)];
  }
  const target = parsed(address);
  const link = Buffer.concat([Buffer.of(OPTION_TARGET_LINK, 1), mac]);
  return [ndFrame(mac, target, ALL_NODES, ADVERTISEMENT, OVERRIDE, Buffer.concat([target, link]))];
}

/**
 * The address that the sender of this frame holds by its own word, `undefined` when it says nothing of the kind. Who
 * only asks, be it with the unspecified address as its own, holds nothing.
 * @param ownMac frames of this station are no claim
 */
export function claimedAddress(frame: Buffer, ownMac: Uint8Array): string | undefined {
  if (frame.length < ETHERNET_BYTES || frame.subarray(MAC_BYTES, 2 * MAC_BYTES).equals(ownMac)) return undefined;
  const body = frame.subarray(ETHERNET_BYTES);
  const type = frame.readUInt16BE(2 * MAC_BYTES);
  if (type === ETHERTYPE_ARP) return arpClaim(body, ownMac);
  return type === ETHERTYPE_IPV6 ? ndClaim(body) : undefined;
}

function arpClaim(arp: Buffer, ownMac: Uint8Array): string | undefined {
  if (arp.length < ARP_BYTES || !arp.subarray(0, ARP_ETHERNET_IPV4.length).equals(ARP_ETHERNET_IPV4)) return undefined;
  if (arp.subarray(8, 14).equals(ownMac)) return undefined;
  const sender = arp.subarray(14, 18);
  return sender.every((byte) => byte === 0) ? undefined : sender.join('.');
}

function ndClaim(ip: Buffer): string | undefined {
  if (ip.length < IPV6_BYTES + ND_BYTES || ip[6] !== PROTOCOL_ICMPV6 || ip[7] !== HOP_LIMIT) return undefined;
  const length = ip.readUInt16BE(4);
  const message = ip.subarray(IPV6_BYTES, IPV6_BYTES + length);
  if (message.length !== length || length < ND_BYTES || message[1] !== 0) return undefined;
  if (checksum(ip.subarray(8, IPV6_BYTES), message) !== 0) return undefined;
  if (message[0] === ADVERTISEMENT) return formatAddress(message, ND_TARGET);
  const source = ip.subarray(8, 24);
  return message[0] === SOLICITATION && !source.equals(UNSPECIFIED) ? formatAddress(source) : undefined;
}

function arpFrame(
  operation: number,
  mac: Uint8Array,
  sender: Uint8Array,
  targetMac: Uint8Array,
  target: Uint8Array,
): Buffer {
  const body = Buffer.concat([ARP_ETHERNET_IPV4, be16(operation), mac, sender, targetMac, target]);
  return ethernetFrame(BROADCAST, mac, ETHERTYPE_ARP, body);
}

function ndFrame(
  mac: Uint8Array,
  source: Uint8Array,
  destination: Buffer,
  type: number,
  flags: number,
  targetAndOptions: Uint8Array,
): Buffer {
  const message = Buffer.concat([Buffer.of(type, 0, 0, 0), be32(flags), targetAndOptions]);
  message.writeUInt16BE(checksum(Buffer.concat([source, destination]), message), 2);
  const header = Buffer.concat([be32(0x60000000), be16(message.length), Buffer.of(PROTOCOL_ICMPV6, HOP_LIMIT)]);
  // RFC 2464 7: the group's MAC address has the last four bytes of its IPv6 address.
  const group = Buffer.concat([Buffer.of(0x33, 0x33), destination.subarray(12)]);
  return ethernetFrame(group, mac, ETHERTYPE_IPV6, Buffer.concat([header, source, destination, message]));
}

function ethernetFrame(destination: Uint8Array, source: Uint8Array, type: number, body: Uint8Array): Buffer {
  const frame = Buffer.concat([destination, source, be16(type), body]);
  return Buffer.concat([frame, Buffer.alloc(Math.max(0, MIN_FRAME_BYTES - frame.length))]);
}

/** Of ICMPv6 (RFC 4443 2.3), inverted: 0 over a message that has its own in it. */
function checksum(addresses: Uint8Array, message: Uint8Array): number {
  const all = Buffer.concat([
    addresses,
    be32(message.length),
    be32(PROTOCOL_ICMPV6),
    message,
    Buffer.alloc(message.length % 2),
  ]);
  let sum = 0;
  for (let at = 0; at < all.length; at += 2) sum += all.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** 16 bytes. */
function parsed(address: string): Buffer {
  const bytes = parseAddress(address);
  if (bytes === undefined) throw new RangeError(`${address} is no IP address`);
  return Buffer.from(bytes);
}

function ipv4(address: string): Buffer {
  return parsed(address).subarray(12);
}

function be16(value: number): Buffer {
  return Buffer.of(value >>> 8, value & 0xff);
}

function be32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
