/** Reads what tcpdump captured: enough of each frame to find what must not be there. */

/** A captured frame; fields of a layer are absent when the frame has no such layer. */
export interface Frame {
  /** Wall clock, ms. */
  readonly atMs: number;
  readonly bytes: Buffer;
  readonly source: string;
  readonly destination: string;
  /** VLAN ids, outer first. */
  readonly vlans: readonly number[];
  readonly etherType: number;
  readonly ip?: { readonly source: string; readonly destination: string; readonly protocol: number };
  readonly ports?: { readonly source: number; readonly destination: number };
  readonly tcp?: { readonly flags: number; readonly seq: number; readonly ack: number };
  readonly arp?: {
    readonly operation: number;
    readonly senderMac: string;
    readonly sender: string;
    readonly target: string;
  };
  /** `target` of neighbour discovery. */
  readonly icmp?: { readonly type: number; readonly target?: string };
}

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const ACK = 16;

const MAGIC = 0xa1b2c3d4;
const PROTOCOL = { tcp: 6, udp: 17, icmp: 1, icmp6: 58 } as const;

/** All whole frames of a capture file in the machine's byte order with microsecond times. */
export function parseCapture(file: Buffer): Frame[] {
  const frames: Frame[] = [];
  if (file.length < 24) return frames;
  if (file.readUInt32LE(0) !== MAGIC) throw new Error('not a capture file of this machine');
  for (let at = 24; at + 16 <= file.length;) {
    const length = file.readUInt32LE(at + 8);
    if (at + 16 + length > file.length) break; // still being written
    const atMs = file.readUInt32LE(at) * 1000 + file.readUInt32LE(at + 4) / 1000;
    frames.push(parseFrame(atMs, file.subarray(at + 16, at + 16 + length)));
    at += 16 + length;
  }
  return frames;
}

function parseFrame(atMs: number, bytes: Buffer): Frame {
  const vlans: number[] = [];
  let at = 12;
  let etherType = bytes.readUInt16BE(at);
  while (etherType === 0x8100 || etherType === 0x88a8) {
    vlans.push(bytes.readUInt16BE(at + 2) & 0xfff);
    at += 4;
    etherType = bytes.readUInt16BE(at);
  }
  const link = { atMs, bytes, source: mac(bytes, 6), destination: mac(bytes, 0), vlans, etherType };
  const packet = bytes.subarray(at + 2);
  if (etherType === 0x0806 && packet.length >= 28) {
    const arp = { senderMac: mac(packet, 8), sender: ip4(packet, 14), target: ip4(packet, 24) };
    return { ...link, arp: { operation: packet.readUInt16BE(6), ...arp } };
  }
  if (etherType === 0x0800 && packet.length >= 20) {
    const ip = { source: ip4(packet, 12), destination: ip4(packet, 16), protocol: packet.readUInt8(9) };
    return { ...link, ip, ...parseTransport(ip.protocol, packet.subarray((packet.readUInt8(0) & 15) * 4)) };
  }
  if (etherType === 0x86dd && packet.length >= 40) {
    const ip = { source: ip6(packet, 8), destination: ip6(packet, 24), protocol: packet.readUInt8(6) };
    return { ...link, ip, ...parseTransport(ip.protocol, packet.subarray(40)) };
  }
  return link;
}

function parseTransport(protocol: number, bytes: Buffer): Pick<Frame, 'ports' | 'tcp' | 'icmp'> {
  if (protocol === PROTOCOL.icmp6 && bytes.length >= 24) {
    return { icmp: { type: bytes.readUInt8(0), target: ip6(bytes, 8) } };
  }
  if ((protocol === PROTOCOL.icmp || protocol === PROTOCOL.icmp6) && bytes.length >= 1) {
    return { icmp: { type: bytes.readUInt8(0) } };
  }
  if ((protocol !== PROTOCOL.tcp && protocol !== PROTOCOL.udp) || bytes.length < 4) return {};
  const ports = { source: bytes.readUInt16BE(0), destination: bytes.readUInt16BE(2) };
  if (protocol === PROTOCOL.udp || bytes.length < 14) return { ports };
  return { ports, tcp: { flags: bytes.readUInt8(13), seq: bytes.readUInt32BE(4), ack: bytes.readUInt32BE(8) } };
}

function mac(bytes: Buffer, at: number): string {
  return bytes.toString('hex', at, at + 6).replace(/..(?!$)/g, '$&:');
}

function ip4(bytes: Buffer, at: number): string {
  return bytes.subarray(at, at + 4).join('.');
}

/** In the form of the URL standard, which is that of RFC 5952. */
function ip6(bytes: Buffer, at: number): string {
  const groups = Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(at + group * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
