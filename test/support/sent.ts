/**
 * Reads the frames that the core sends, and refuses what no network would carry: a wrong length or a wrong checksum
 * anywhere in a frame is an exception, so that every test of the core checks them, whatever else it is about.
 */
import { pseudoHeader, slowSum } from './checksum';
import { ETHER_TYPE, PROTOCOL, TCP_FLAG, hex } from './frames';
import type { Port } from '../../assembly/abi/codes';

export interface Link {
  readonly port: Port;
  /** Index of the connection the frame belongs to, or NONE. */
  readonly connection: number;
  readonly bytes: Uint8Array;
  readonly dstMac: string;
  readonly srcMac: string;
  /** 'TPID:TCI' in hex, outermost first. */
  readonly tags: readonly string[];
}

export interface Segment extends Link {
  readonly kind: 'tcp';
  readonly src: string;
  readonly dst: string;
  /** TTL or hop limit. */
  readonly ttl: number;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly seq: number;
  readonly ack: number;
  /** Letters as of tcpFlags, in the order FSRPAUEC. */
  readonly flags: string;
  readonly window: number;
  readonly urgent: number;
  readonly mss: number | undefined;
  readonly windowShift: number | undefined;
  readonly sackPermitted: boolean;
  readonly timestamps: readonly [tsval: number, tsecr: number] | undefined;
  readonly sack: readonly (readonly [number, number])[];
  /** Bytes of TCP options, NOPs included. */
  readonly optionBytes: number;
  readonly payload: Uint8Array;
}

export interface Icmp extends Link {
  readonly kind: 'icmp';
  readonly src: string;
  readonly dst: string;
  readonly type: number;
  readonly code: number;
  /** From the type on. */
  readonly message: Uint8Array;
}

export interface Arp extends Link {
  readonly kind: 'arp';
  readonly operation: number;
  readonly senderMac: string;
  readonly senderIp: string;
  readonly targetMac: string;
  readonly targetIp: string;
}

export type Sent = Segment | Icmp | Arp;

const SUM_OF_VALID = 0xffff;

/** `checksums` false: the frame that was passed on was a damaged one. */
export function readSent(port: Port, connection: number, bytes: Uint8Array, checksums = true): Sent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const tags: string[] = [];
  let at = 12;
  while (view.getUint16(at) === 0x8100 || view.getUint16(at) === 0x88a8) {
    tags.push(hex(bytes.subarray(at, at + 4)).replace(/^(....)/, '$1:'));
    at += 4;
  }
  const etherType = view.getUint16(at);
  const l3 = at + 2;
  const link = {
    port,
    connection,
    bytes,
    dstMac: macText(bytes.subarray(0, 6)),
    srcMac: macText(bytes.subarray(6, 12)),
    tags,
  };
  if (etherType === ETHER_TYPE.arp) return readArp(link, bytes.subarray(l3));
  if (etherType !== ETHER_TYPE.ipv4 && etherType !== ETHER_TYPE.ipv6) throw new Error(`sent type ${etherType}`);
  const packet = etherType === ETHER_TYPE.ipv4 ? readIpv4(bytes.subarray(l3)) : readIpv6(bytes.subarray(l3));
  const { protocol, l4, srcBytes, dstBytes } = packet;
  const ip = { src: addressText(srcBytes), dst: addressText(dstBytes), ttl: packet.ttl };
  const hasPseudo = protocol !== PROTOCOL.icmp;
  const pseudo = hasPseudo ? pseudoHeader(srcBytes, dstBytes, protocol, l4.length) : new Uint8Array(0);
  if (checksums && slowSum(pseudo, l4) !== SUM_OF_VALID) throw new Error(`sent a wrong checksum: ${hex(bytes)}`);
  if (protocol === PROTOCOL.tcp) return { ...link, ...ip, ...readTcp(l4) };
  if (protocol !== PROTOCOL.icmp && protocol !== PROTOCOL.icmpv6) throw new Error(`sent protocol ${protocol}`);
  return { ...link, kind: 'icmp', src: ip.src, dst: ip.dst, type: l4[0] ?? 0, code: l4[1] ?? 0, message: l4 };
}

function readArp(link: Link, body: Uint8Array): Arp {
  if (body.length !== 28) throw new Error(`sent ARP of ${body.length} bytes`);
  if (hex(body.subarray(0, 6)) !== '000108000604') throw new Error('sent ARP of another hardware or protocol');
  return {
    ...link,
    kind: 'arp',
    operation: body[7] ?? 0,
    senderMac: macText(body.subarray(8, 14)),
    senderIp: addressText(body.subarray(14, 18)),
    targetMac: macText(body.subarray(18, 24)),
    targetIp: addressText(body.subarray(24, 28)),
  };
}

interface IpPacket {
  readonly protocol: number;
  readonly ttl: number;
  readonly srcBytes: Uint8Array;
  readonly dstBytes: Uint8Array;
  readonly l4: Uint8Array;
}

function readIpv4(ip: Uint8Array): IpPacket {
  const headerLength = ((ip[0] ?? 0) & 15) * 4;
  const total = ((ip[2] ?? 0) << 8) | (ip[3] ?? 0);
  if ((ip[0] ?? 0) >> 4 !== 4 || headerLength < 20) throw new Error('sent no IPv4 header');
  if (total !== ip.length) throw new Error(`sent total length ${total} for ${ip.length} bytes`);
  if (slowSum(ip.subarray(0, headerLength)) !== SUM_OF_VALID) throw new Error('sent a wrong IPv4 checksum');
  const [srcBytes, dstBytes] = [ip.subarray(12, 16), ip.subarray(16, 20)];
  return { protocol: ip[9] ?? 0, ttl: ip[8] ?? 0, srcBytes, dstBytes, l4: ip.subarray(headerLength) };
}

function readIpv6(ip: Uint8Array): IpPacket {
  const length = ((ip[4] ?? 0) << 8) | (ip[5] ?? 0);
  if ((ip[0] ?? 0) >> 4 !== 6 || ip.length < 40) throw new Error('sent no IPv6 header');
  if (length !== ip.length - 40) throw new Error(`sent payload length ${length} for ${ip.length} bytes`);
  let protocol = ip[6] ?? 0;
  let at = 40;
  while (protocol === 0 || protocol === 43 || protocol === 44 || protocol === 60) {
    const bytes = protocol === 44 ? 8 : ((ip[at + 1] ?? 0) + 1) * 8;
    protocol = ip[at] ?? 0;
    at += bytes;
  }
  return {
    protocol,
    ttl: ip[7] ?? 0,
    srcBytes: ip.subarray(8, 24),
    dstBytes: ip.subarray(24, 40),
    l4: ip.subarray(at),
  };
}

type TcpFields = Omit<Segment, keyof Link | 'src' | 'dst' | 'ttl'>;

function readTcp(l4: Uint8Array): TcpFields {
  const view = new DataView(l4.buffer, l4.byteOffset, l4.length);
  const headerLength = (view.getUint8(12) >> 4) * 4;
  if (headerLength < 20 || headerLength > l4.length) throw new Error(`sent TCP header of ${headerLength} bytes`);
  const bits = view.getUint8(13);
  return {
    kind: 'tcp',
    srcPort: view.getUint16(0),
    dstPort: view.getUint16(2),
    seq: view.getUint32(4),
    ack: view.getUint32(8),
    flags: Object.entries(TCP_FLAG)
      .filter(([, bit]) => (bits & bit) !== 0)
      .map(([letter]) => letter)
      .join(''),
    window: view.getUint16(14),
    urgent: view.getUint16(18),
    ...readOptions(l4.subarray(20, headerLength)),
    optionBytes: headerLength - 20,
    payload: l4.slice(headerLength),
  };
}

type Options = Pick<TcpFields, 'mss' | 'windowShift' | 'sackPermitted' | 'timestamps' | 'sack'>;

function readOptions(list: Uint8Array): Options {
  const view = new DataView(list.buffer, list.byteOffset, list.length);
  let options: Options = {
    mss: undefined,
    windowShift: undefined,
    sackPermitted: false,
    timestamps: undefined,
    sack: [],
  };
  for (let at = 0; at < list.length && list[at] !== 0;) {
    const kind = view.getUint8(at);
    if (kind === 1) {
      at++;
      continue;
    }
    const length = view.getUint8(at + 1);
    if (length < 2 || at + length > list.length) throw new Error('sent a malformed TCP option');
    if (kind === 2) options = { ...options, mss: view.getUint16(at + 2) };
    if (kind === 3) options = { ...options, windowShift: view.getUint8(at + 2) };
    if (kind === 4) options = { ...options, sackPermitted: true };
    if (kind === 5) options = { ...options, sack: readBlocks(view, at + 2, (length - 2) / 8) };
    if (kind === 8) options = { ...options, timestamps: [view.getUint32(at + 2), view.getUint32(at + 6)] };
    at += length;
  }
  return options;
}

function readBlocks(view: DataView, at: number, count: number): [number, number][] {
  return Array.from({ length: count }, (_, i) => [view.getUint32(at + 8 * i), view.getUint32(at + 8 * i + 4)]);
}

export function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** Without compression rules but the one the tests need: the longest run of zeros becomes '::'. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const words = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  const runs = words.join(':').match(/(?:^|:)0(?::0)+(?::|$)/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  return longest === '' ? words.join(':') : words.join(':').replace(longest, '::');
}
