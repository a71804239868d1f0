/** The parser in plain TypeScript: an object for each packet, read through a DataView. Refuses what the core refuses. */
import { Reason } from '../../../assembly/abi/codes';
import { OptionBit, PacketKind, TcpFlag } from '../../../assembly/parser/packet-codes';
import { fold, sum } from './checksum';

/** IPv4 as a number, IPv6 as 32 hex digits: both can be compared and put into a key. */
export type Address = number | string;

/** Offsets are of the view that was parsed. */
export interface Packet {
  reason: Reason;
  kind: PacketKind;
  length: number;
  wireLength: number;
  frame: number;
  tagCount: number;
  outerTag: number;
  innerTag: number;
  vlan: number;
  etherType: number;
  l3: number;
  ipVersion: 0 | 4 | 6;
  src: Address;
  dst: Address;
  protocol: number;
  ipHeaderLength: number;
  l4: number;
  l4Wire: number;
  l4Length: number;
  fragmentHasPorts: boolean;
  srcPort: number;
  dstPort: number;
  seq: number;
  ack: number;
  window: number;
  urgent: number;
  flags: number;
  headerLength: number;
  payload: number;
  payloadLength: number;
  payloadWire: number;
  segmentLength: number;
  options: number;
  mss: number;
  windowShift: number;
  tsval: number;
  tsecr: number;
  ts: number;
  sack: number;
  sackCount: number;
}

function emptyPacket(frame: number, length: number, wireLength: number): Packet {
  return {
    reason: Reason.None,
    kind: PacketKind.Other,
    length,
    wireLength: Math.max(length, wireLength),
    frame,
    tagCount: 0,
    outerTag: 0,
    innerTag: 0,
    vlan: 0,
    etherType: 0,
    l3: -1,
    ipVersion: 0,
    src: 0,
    dst: 0,
    protocol: 0,
    ipHeaderLength: 0,
    l4: -1,
    l4Wire: 0,
    l4Length: 0,
    fragmentHasPorts: false,
    srcPort: 0,
    dstPort: 0,
    seq: 0,
    ack: 0,
    window: 0,
    urgent: 0,
    flags: 0,
    headerLength: 0,
    payload: -1,
    payloadLength: 0,
    payloadWire: 0,
    segmentLength: 0,
    options: 0,
    mss: 0,
    windowShift: 0,
    tsval: 0,
    tsecr: 0,
    ts: -1,
    sack: -1,
    sackCount: 0,
  };
}

/** The frame of `length` captured bytes at `frame`. */
export function parse(view: DataView, frame: number, length: number, wireLength: number): Packet {
  const p = emptyPacket(frame, length, wireLength);
  p.reason = parseEthernet(view, p) || parseNetwork(view, p);
  return p;
}

function parseNetwork(view: DataView, p: Packet): Reason {
  if (p.etherType !== 0x0800 && p.etherType !== 0x86dd) return Reason.UnknownEtherType;
  const reason = p.etherType === 0x0800 ? parseIpv4(view, p) : parseIpv6(view, p);
  if (reason !== Reason.None) return reason;
  return p.protocol === 6 ? parseTcp(view, p) : Reason.NotTcp;
}

function parseEthernet(view: DataView, p: Packet): Reason {
  if (p.length < 14) return Reason.TruncatedEthernet;
  let type = p.frame + 12;
  let etherType = view.getUint16(type);
  while (etherType === 0x8100 || etherType === 0x88a8 || etherType === 0x9100) {
    if (p.tagCount === 2) return Reason.TooManyTags;
    if (p.frame + p.length - type < 6) return Reason.TruncatedEthernet;
    const tag = view.getUint32(type);
    if (p.tagCount === 0) {
      p.outerTag = tag;
      p.vlan = (tag & 0x0fff) << 16;
    } else {
      p.innerTag = tag;
      p.vlan |= tag & 0x0fff;
    }
    p.tagCount++;
    type += 4;
    etherType = view.getUint16(type);
  }
  p.etherType = etherType;
  p.l3 = type + 2;
  return Reason.None;
}

function packetLength(p: Packet, claimed: number): number {
  const room = p.wireLength - (p.l3 - p.frame);
  if (claimed === 0) return room <= 524280 ? room : 0;
  return claimed <= room ? claimed : 0;
}

function setL4(p: Packet, headers: number, total: number): void {
  p.ipHeaderLength = headers;
  p.l4 = p.l3 + headers;
  p.l4Wire = total - headers;
  p.l4Length = Math.min(p.frame + p.length - p.l4, p.l4Wire);
}

function refuseFragment(view: DataView, p: Packet, offset: number): Reason {
  if (offset === 0 && p.protocol === 6 && p.l4Length >= 4) {
    p.srcPort = view.getUint16(p.l4);
    p.dstPort = view.getUint16(p.l4 + 2);
    p.fragmentHasPorts = true;
  }
  return Reason.Fragment;
}

function parseIpv4(view: DataView, p: Packet): Reason {
  const ip = p.l3;
  const captured = p.frame + p.length - ip;
  if (captured < 20) return Reason.TruncatedIp;
  const versionIhl = view.getUint8(ip);
  if (versionIhl >> 4 !== 4) return Reason.BadIpVersion;
  const headers = (versionIhl & 15) * 4;
  if (headers < 20) return Reason.BadIpHeaderLength;
  const total = packetLength(p, view.getUint16(ip + 2));
  if (total < headers) return Reason.BadIpTotalLength;
  if (captured < headers) return Reason.TruncatedIp;
  if (fold(sum(view, ip, headers, 0)) !== 0xffff) return Reason.BadIpChecksum;
  p.ipVersion = 4;
  p.protocol = view.getUint8(ip + 9);
  p.src = view.getUint32(ip + 12);
  p.dst = view.getUint32(ip + 16);
  setL4(p, headers, total);
  if (headers > 20) {
    const reason = checkIpOptions(view, ip + 20, p.l4);
    if (reason !== Reason.None) return reason;
  }
  const fragment = view.getUint16(ip + 6);
  const offset = fragment & 0x1fff;
  return offset !== 0 || (fragment & 0x2000) !== 0 ? refuseFragment(view, p, offset) : Reason.None;
}

function checkIpOptions(view: DataView, at: number, end: number): Reason {
  while (at < end) {
    const kind = view.getUint8(at);
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    if (end - at < 2) return Reason.BadIpOption;
    const length = view.getUint8(at + 1);
    if (length < 2 || length > end - at || kind === 131 || kind === 137) return Reason.BadIpOption;
    at += length;
  }
  return Reason.None;
}

function parseIpv6(view: DataView, p: Packet): Reason {
  const ip = p.l3;
  if (p.frame + p.length - ip < 40) return Reason.TruncatedIp;
  if (view.getUint8(ip) >> 4 !== 6) return Reason.BadIpVersion;
  const payload = view.getUint16(ip + 4);
  const total = packetLength(p, payload === 0 ? 0 : payload + 40);
  if (total < 40) return Reason.BadIpTotalLength;
  p.ipVersion = 6;
  p.src = addressAt(view, ip + 8);
  p.dst = addressAt(view, ip + 24);
  return walkExtensions(view, p, total);
}

function addressAt(view: DataView, at: number): string {
  let text = '';
  for (let i = 0; i < 16; i += 4)
    text += view
      .getUint32(at + i)
      .toString(16)
      .padStart(8, '0');
  return text;
}

function walkExtensions(view: DataView, p: Packet, total: number): Reason {
  const limit = p.l3 + total;
  const captured = p.frame + p.length;
  let at = p.l3 + 40;
  let protocol = view.getUint8(p.l3 + 6);
  let fragment = 0;
  const arrive = (reason: Reason): Reason => {
    p.protocol = protocol;
    setL4(p, at - p.l3, total);
    return reason === Reason.Fragment ? refuseFragment(view, p, fragment & 0xfff8) : reason;
  };
  let stepsLeft = 8;
  while (protocol === 0 || protocol === 43 || protocol === 44 || protocol === 60) {
    if (stepsLeft-- === 0) return arrive(Reason.TooManyExtensionHeaders);
    if (limit - at < 8) return arrive(Reason.BadIpHeaderLength);
    if (captured < at + 8) return arrive(Reason.TruncatedIp);
    const bytes = protocol === 44 ? 8 : (view.getUint8(at + 1) + 1) * 8;
    if (limit - at < bytes) return arrive(Reason.BadIpHeaderLength);
    if (captured < at + bytes) return arrive(Reason.TruncatedIp);
    if (protocol === 43 && view.getUint8(at + 3) !== 0) return arrive(Reason.BadIpOption);
    fragment = protocol === 44 ? view.getUint16(at + 2) : 0;
    protocol = view.getUint8(at);
    at += bytes;
    if ((fragment & 0xfff9) !== 0) return arrive(Reason.Fragment);
  }
  return arrive(Reason.None);
}

function isPossible(flags: number): boolean {
  if ((flags & (TcpFlag.Syn | TcpFlag.Rst | TcpFlag.Ack)) === 0) return false;
  return (flags & TcpFlag.Syn) === 0 || (flags & (TcpFlag.Fin | TcpFlag.Rst)) === 0;
}

function parseTcp(view: DataView, p: Packet): Reason {
  const tcp = p.l4;
  if (p.l4Length < 20) return Reason.TruncatedTcp;
  const header = (view.getUint8(tcp + 12) >> 4) * 4;
  if (header < 20 || header > p.l4Wire) return Reason.BadTcpDataOffset;
  if (header > p.l4Length) return Reason.TruncatedTcp;
  const flags = view.getUint8(tcp + 13);
  p.srcPort = view.getUint16(tcp);
  p.dstPort = view.getUint16(tcp + 2);
  p.seq = view.getUint32(tcp + 4);
  p.ack = view.getUint32(tcp + 8);
  p.window = view.getUint16(tcp + 14);
  p.urgent = view.getUint16(tcp + 18);
  p.flags = flags;
  p.headerLength = header;
  p.payload = tcp + header;
  p.payloadLength = p.l4Length - header;
  p.payloadWire = p.l4Wire - header;
  p.segmentLength = p.payloadWire + (flags & TcpFlag.Syn ? 1 : 0) + (flags & TcpFlag.Fin ? 1 : 0);
  if (!isPossible(flags)) return Reason.BadTcpFlags;
  const reason = parseTcpOptions(view, p, tcp + 20, p.payload);
  if (reason === Reason.None) p.kind = PacketKind.Tcp;
  return reason;
}

function parseTcpOptions(view: DataView, p: Packet, at: number, end: number): Reason {
  while (at < end) {
    const kind = view.getUint8(at);
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    if (end - at < 2) return Reason.BadTcpOption;
    const length = view.getUint8(at + 1);
    if (length < 2 || length > end - at) return Reason.BadTcpOption;
    takeOption(view, p, at, kind, length);
    at += length;
  }
  return Reason.None;
}

function takeOption(view: DataView, p: Packet, at: number, kind: number, length: number): void {
  const isSyn = (p.flags & TcpFlag.Syn) !== 0;
  if (kind === 8 && length === 10) {
    p.options |= OptionBit.Timestamps;
    p.ts = at + 2;
    p.tsval = view.getUint32(at + 2);
    p.tsecr = view.getUint32(at + 6);
  } else if (kind === 5 && length > 2 && (length - 2) % 8 === 0) {
    p.options |= OptionBit.Sack;
    p.sack = at + 2;
    p.sackCount = (length - 2) / 8;
  } else if (kind === 2 && length === 4 && isSyn && view.getUint16(at + 2) !== 0) {
    p.options |= OptionBit.Mss;
    p.mss = view.getUint16(at + 2);
  } else if (kind === 3 && length === 3 && isSyn) {
    p.options |= OptionBit.WindowScale;
    p.windowShift = Math.min(view.getUint8(at + 2), 14);
  } else if (kind === 4 && length === 2 && isSyn) {
    p.options |= OptionBit.SackPermitted;
  } else if (kind === 19 && length === 18) {
    p.options |= OptionBit.Md5;
  } else if (kind === 29 && length >= 4) {
    p.options |= OptionBit.Ao;
  } else if (kind === 30 && length >= 3) {
    p.options |= OptionBit.Mptcp;
  } else if (kind === 34 || (kind === 254 && length >= 4 && view.getUint16(at + 2) === 0xf989)) {
    p.options |= OptionBit.Tfo;
  }
}
