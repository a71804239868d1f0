/**
 * A TCP frame taken apart into plain fields and put together again, every length and checksum computed from nothing.
 * For the reference: it may share nothing with the core, and what it does with a frame has to be easy to read.
 */
import { concat, pseudoHeader, slowChecksum } from '../support/checksum';
import { ETHER_TYPE, PROTOCOL, be16, be32 } from '../support/frames';

export interface Frame {
  readonly dstMac: Uint8Array;
  readonly srcMac: Uint8Array;
  /** TPID and TCI, four bytes each, outermost first. */
  readonly tags: readonly Uint8Array[];
  /** The IP header with its options or extension headers; lengths, addresses and checksum in it mean nothing. */
  readonly network: Uint8Array;
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly seq: number;
  readonly ack: number;
  /** Bits of TCP_FLAG. */
  readonly flags: number;
  readonly window: number;
  readonly urgent: number;
  /** As they stand in the header: a multiple of four bytes. */
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
}

const TAG_TYPES: readonly number[] = [0x8100, 0x88a8];

export function isIpv6({ network }: Pick<Frame, 'network'>): boolean {
  return (network[0] ?? 0) >> 4 === 6;
}

/** Bytes of the IP packet, without the link header. */
export function packetBytes({ network, options, payload }: Frame): number {
  return network.length + 20 + options.length + payload.length;
}

export function dissect(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const tags: Uint8Array[] = [];
  let at = 12;
  for (; TAG_TYPES.includes(view.getUint16(at)); at += 4) tags.push(bytes.slice(at, at + 4));
  const l3 = at + 2;
  const v6 = view.getUint16(at) === ETHER_TYPE.ipv6;
  const l4 = l3 + (v6 ? ipv6HeaderBytes(bytes.subarray(l3)) : (view.getUint8(l3) & 15) * 4);
  const end = l3 + (v6 ? 40 + view.getUint16(l3 + 4) : view.getUint16(l3 + 2));
  const body = l4 + (view.getUint8(l4 + 12) >> 4) * 4;
  const [from, size] = v6 ? [l3 + 8, 16] : [l3 + 12, 4];
  return {
    dstMac: bytes.slice(0, 6),
    srcMac: bytes.slice(6, 12),
    tags,
    network: bytes.slice(l3, l4),
    src: bytes.slice(from, from + size),
    dst: bytes.slice(from + size, from + 2 * size),
    srcPort: view.getUint16(l4),
    dstPort: view.getUint16(l4 + 2),
    seq: view.getUint32(l4 + 4),
    ack: view.getUint32(l4 + 8),
    flags: view.getUint8(l4 + 13),
    window: view.getUint16(l4 + 14),
    urgent: view.getUint16(l4 + 18),
    options: bytes.slice(l4 + 20, body),
    payload: bytes.slice(body, end),
  };
}

/** With extension headers (RFC 8200 4): hop-by-hop and destination options are all that the tests make. */
function ipv6HeaderBytes(packet: Uint8Array): number {
  let next = packet[6] ?? 0;
  let at = 40;
  while (next !== PROTOCOL.tcp) {
    next = packet[at] ?? PROTOCOL.tcp;
    at += ((packet[at + 1] ?? 0) + 1) * 8;
  }
  return at;
}

export function assemble(frame: Frame): Uint8Array {
  const { dstMac, srcMac, tags, src, dst, options, payload } = frame;
  const segment = concat(
    be16(frame.srcPort),
    be16(frame.dstPort),
    be32(frame.seq),
    be32(frame.ack),
    Uint8Array.of((5 + options.length / 4) << 4, frame.flags),
    be16(frame.window),
    be16(0),
    be16(frame.urgent),
    options,
    payload,
  );
  const pseudo = pseudoHeader(src, dst, PROTOCOL.tcp, segment.length);
  segment.set(be16(slowChecksum(pseudo, segment)), 16);
  const header = isIpv6(frame) ? ipv6Header(frame, segment.length) : ipv4Header(frame, segment.length);
  const type = isIpv6(frame) ? ETHER_TYPE.ipv6 : ETHER_TYPE.ipv4;
  return concat(dstMac, srcMac, ...tags, be16(type), header, segment);
}

function ipv4Header({ network, src, dst }: Frame, segmentBytes: number): Uint8Array {
  const header = network.slice();
  header.set(be16(header.length + segmentBytes), 2);
  header.set([0, 0], 10);
  header.set(concat(src, dst), 12);
  header.set(be16(slowChecksum(header)), 10);
  return header;
}

function ipv6Header({ network, src, dst }: Frame, segmentBytes: number): Uint8Array {
  const header = network.slice();
  header.set(be16(header.length - 40 + segmentBytes), 4);
  header.set(concat(src, dst), 8);
  return header;
}
