/** TCP segments in Ethernet frames: read for showing, and written for the replica that the page plays. */
import { formatAddress, parseAddress } from 'migware/core';

export interface TcpOptions {
  readonly mss?: number;
  readonly windowShift?: number;
  readonly sackPermitted?: boolean;
  readonly timestamps?: readonly [value: number, echo: number];
  readonly sack?: readonly (readonly [left: number, right: number])[];
}

export interface Segment extends TcpOptions {
  readonly src: string;
  readonly srcPort: number;
  readonly dst: string;
  readonly dstPort: number;
  readonly seq: number;
  readonly ack: number;
  /** Letters of FSRPAUEC. */
  readonly flags: string;
  readonly window: number;
  readonly payload: Uint8Array;
  /** Bytes the payload had on the link, of which a capture may have cut some. */
  readonly payloadLength: number;
}

const FLAGS = 'FSRPAUEC';
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const TAGS: readonly number[] = [0x8100, 0x88a8];
const PROTOCOL_TCP = 6;
const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
/** Hop-by-hop, routing, fragment and destination options: the IPv6 headers that may stand before TCP. */
const EXTENSIONS: readonly number[] = [0, 43, 44, 60];

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** `undefined` when it is none, or not whole enough to be shown. */
export function readSegment(frame: Uint8Array): Segment | undefined {
  try {
    return segmentOf(frame);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // read past its end
    throw error;
  }
}

function segmentOf(frame: Uint8Array): Segment | undefined {
  const view = viewOf(frame);
  let at = 12;
  while (TAGS.includes(view.getUint16(at))) at += 4;
  const type = view.getUint16(at);
  const ip = at + 2;
  if (type === ETHERTYPE_IPV4) {
    if (view.getUint8(ip + 9) !== PROTOCOL_TCP || (view.getUint16(ip + 6) & 0x1fff) !== 0) return undefined;
    const address = (offset: number): string =>
      formatAddress(Uint8Array.from([...MAPPED_PREFIX, ...frame.subarray(ip + offset, ip + offset + 4)]));
    const tcp = ip + (view.getUint8(ip) & 15) * 4;
    return tcpOf(frame, tcp, ip + view.getUint16(ip + 2) - tcp, address(12), address(16));
  }
  if (type !== ETHERTYPE_IPV6) return undefined;
  let next = view.getUint8(ip + 6);
  let tcp = ip + 40;
  while (EXTENSIONS.includes(next)) {
    const bytes = next === 44 ? 8 : (view.getUint8(tcp + 1) + 1) * 8;
    next = view.getUint8(tcp);
    tcp += bytes;
  }
  if (next !== PROTOCOL_TCP) return undefined;
  const length = ip + 40 + view.getUint16(ip + 4) - tcp;
  return tcpOf(frame, tcp, length, formatAddress(frame, ip + 8), formatAddress(frame, ip + 24));
}

function tcpOf(frame: Uint8Array, at: number, length: number, src: string, dst: string): Segment {
  const view = viewOf(frame);
  const headerBytes = (view.getUint8(at + 12) >> 4) * 4;
  const bits = view.getUint8(at + 13);
  return {
    src,
    dst,
    srcPort: view.getUint16(at),
    dstPort: view.getUint16(at + 2),
    seq: view.getUint32(at + 4),
    ack: view.getUint32(at + 8),
    flags: Array.from(FLAGS)
      .filter((_, i) => (bits & (1 << i)) !== 0)
      .join(''),
    window: view.getUint16(at + 14),
    payload: frame.slice(at + headerBytes, at + length),
    payloadLength: length - headerBytes,
    ...optionsOf(frame.subarray(at + 20, at + headerBytes)),
  };
}

function optionsOf(list: Uint8Array): TcpOptions {
  const view = viewOf(list);
  let options: TcpOptions = {};
  for (let at = 0; at < list.length && list[at] !== 0;) {
    const kind = view.getUint8(at);
    const length = kind === 1 ? 1 : view.getUint8(at + 1);
    if (length === 0) break;
    if (kind === 2) options = { ...options, mss: view.getUint16(at + 2) };
    if (kind === 3) options = { ...options, windowShift: view.getUint8(at + 2) };
    if (kind === 4) options = { ...options, sackPermitted: true };
    if (kind === 8) options = { ...options, timestamps: [view.getUint32(at + 2), view.getUint32(at + 6)] };
    if (kind === 5) {
      const block = (i: number) => [view.getUint32(at + 2 + 8 * i), view.getUint32(at + 6 + 8 * i)] as const;
      options = { ...options, sack: Array.from({ length: (length - 2) >> 3 }, (_, i) => block(i)) };
    }
    at += length;
  }
  return options;
}

// --- writing --------------------------------------------------------------------------------------------------------

/** The segment in an untagged frame between two MAC addresses of 6 bytes. */
export function writeSegment(
  segment: Omit<Segment, 'payloadLength'>,
  srcMac: Uint8Array,
  dstMac: Uint8Array,
): Uint8Array {
  const [src, dst] = [bytesOf(segment.src), bytesOf(segment.dst)];
  const isIpv6 = src.length === 16;
  const tcp = writeTcp(segment, src, dst);
  const ip = isIpv6 ? 54 : 34;
  const frame = new Uint8Array(ip + tcp.length);
  const view = viewOf(frame);
  frame.set(dstMac, 0);
  frame.set(srcMac, 6);
  view.setUint16(12, isIpv6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
  if (isIpv6) {
    view.setUint8(14, 0x60);
    view.setUint16(18, tcp.length);
    view.setUint8(20, PROTOCOL_TCP);
    view.setUint8(21, 64);
  } else {
    view.setUint8(14, 0x45);
    view.setUint16(16, 20 + tcp.length);
    view.setUint16(20, 0x4000);
    view.setUint8(22, 64);
    view.setUint8(23, PROTOCOL_TCP);
  }
  frame.set(src, isIpv6 ? 22 : 26);
  frame.set(dst, isIpv6 ? 38 : 30);
  if (!isIpv6) view.setUint16(24, checksum(frame.subarray(14, 34)));
  frame.set(tcp, ip);
  return frame;
}

function writeTcp(segment: Omit<Segment, 'payloadLength'>, src: Uint8Array, dst: Uint8Array): Uint8Array {
  const options = writeOptions(segment);
  const tcp = new Uint8Array(20 + options.length + segment.payload.length);
  const view = viewOf(tcp);
  view.setUint16(0, segment.srcPort);
  view.setUint16(2, segment.dstPort);
  view.setUint32(4, segment.seq);
  view.setUint32(8, segment.ack);
  view.setUint8(12, (5 + options.length / 4) << 4);
  view.setUint8(
    13,
    Array.from(segment.flags).reduce((bits, flag) => bits | (1 << FLAGS.indexOf(flag)), 0),
  );
  view.setUint16(14, segment.window);
  tcp.set(options, 20);
  tcp.set(segment.payload, 20 + options.length);
  const pseudo = new Uint8Array(src.length + dst.length + 8);
  pseudo.set(src, 0);
  pseudo.set(dst, src.length);
  viewOf(pseudo).setUint32(pseudo.length - 8, tcp.length);
  pseudo[pseudo.length - 1] = PROTOCOL_TCP;
  view.setUint16(16, checksum(pseudo, tcp));
  return tcp;
}

function writeOptions({ mss, windowShift, sackPermitted, timestamps }: TcpOptions): Uint8Array {
  const u32 = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  return Uint8Array.from([
    ...(mss === undefined ? [] : [2, 4, mss >> 8, mss & 255]),
    ...(sackPermitted === true ? [4, 2, 1, 1] : []),
    ...(timestamps === undefined ? [] : [1, 1, 8, 10, ...u32(timestamps[0]), ...u32(timestamps[1])]),
    ...(windowShift === undefined ? [] : [1, 3, 3, windowShift]),
  ]);
}

/** The Internet checksum (RFC 1071); every piece but the last has an even length. */
function checksum(...pieces: readonly Uint8Array[]): number {
  let sum = 0;
  for (const piece of pieces) piece.forEach((byte, i) => (sum += i % 2 === 0 ? byte << 8 : byte));
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return 0xffff - sum;
}

/** 4 or 16 bytes. */
function bytesOf(address: string): Uint8Array {
  const bytes = parseAddress(address) ?? new Uint8Array(16);
  return address.includes(':') ? bytes : bytes.subarray(12);
}
