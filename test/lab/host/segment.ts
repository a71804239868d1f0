/** The little that these tests need to know of a captured TCP segment. */

export interface Segment {
  readonly device: string;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  /** Letters of FSRPA, in that order. */
  readonly flags: string;
  /** Bytes of payload. */
  readonly length: number;
  readonly destinationMac: string;
}

const TCP = 6;

const LETTERS = ['F', 'S', 'R', 'P', 'A'];

/** `undefined` when the frame is no TCP segment. */
export function parseSegment(device: string, hex: string): Segment | undefined {
  const frame = Buffer.from(hex, 'hex');
  const isIpv6 = frame.readUInt16BE(12) === 0x86dd;
  if (!isIpv6 && frame.readUInt16BE(12) !== 0x0800) return undefined;
  const ip = frame.subarray(14);
  if (ip.readUInt8(isIpv6 ? 6 : 9) !== TCP) return undefined;
  const headerBytes = isIpv6 ? 40 : (ip.readUInt8(0) & 15) * 4;
  const totalBytes = isIpv6 ? 40 + ip.readUInt16BE(4) : ip.readUInt16BE(2);
  const tcp = ip.subarray(headerBytes, totalBytes);
  const bits = tcp.readUInt8(13);
  return {
    device,
    source: isIpv6 ? ipv6(ip, 8) : ip.subarray(12, 16).join('.'),
    destination: isIpv6 ? ipv6(ip, 24) : ip.subarray(16, 20).join('.'),
    sourcePort: tcp.readUInt16BE(0),
    destinationPort: tcp.readUInt16BE(2),
    seq: tcp.readUInt32BE(4),
    ack: tcp.readUInt32BE(8),
    flags: LETTERS.filter((_, bit) => (bits & (1 << bit)) !== 0).join(''),
    length: tcp.length - (tcp.readUInt8(12) >> 4) * 4,
    destinationMac: frame.toString('hex', 0, 6).replace(/..(?!$)/g, '$&:'),
  };
}

/** In the form of the URL standard, which is that of RFC 5952. */
function ipv6(bytes: Buffer, at: number): string {
  const groups = Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(at + group * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
