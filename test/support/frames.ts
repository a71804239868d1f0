/**
 * Builds Ethernet frames for tests: every field has a sensible default, any field can be set, also to nonsense.
 * A frame is valid, with right lengths and checksums, unless an option says otherwise.
 *
 *   tcpFrame({ src: '10.0.0.9', dst: '10.0.0.2', srcPort: 40000, dstPort: 80, seq: 1000, flags: 'S',
 *              options: [mss(1460), sackPermitted(), timestamps(7, 0), windowScale(7)] })
 *
 * Addresses are text; IPv4 or IPv6 follows from them. Frames of one direction differ in few fields, so a test
 * usually keeps an options object and spreads it: `tcpFrame({ ...inbound, seq, payload })`.
 */
import { concat, pseudoHeader, slowChecksum, slowSum } from './checksum';

// --- addresses ------------------------------------------------------------------------------------------------

/** '02:00:00:00:00:01' -> 6 bytes. */
export function macBytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(':'), (part) => parseInt(part, 16));
}

/** '10.0.0.1' -> 4 bytes, 'fd00::1' -> 16 bytes. */
export function ipBytes(text: string): Uint8Array {
  return text.includes(':') ? ipv6Bytes(text) : Uint8Array.from(text.split('.'), Number);
}

/** The 16-byte form of the core: IPv4 as ::ffff:a.b.c.d. */
export function mappedBytes(text: string): Uint8Array {
  const bytes = ipBytes(text);
  return bytes.length === 16 ? bytes : concat(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), bytes);
}

function ipv6Bytes(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const words = (part: string): number[] => (part === '' ? [] : part.split(':').map((word) => parseInt(word, 16)));
  const first = words(head);
  const last = tail === undefined ? [] : words(tail);
  const all = [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
  return Uint8Array.from(all.flatMap((word) => [word >> 8, word & 255]));
}

function isIpv6(address: string): boolean {
  return address.includes(':');
}

// --- Ethernet -------------------------------------------------------------------------------------------------

/** A VLAN tag, outermost first in a list. */
export interface Tag {
  /** VLAN identifier, 0 to 4095. */
  readonly vid: number;
  /** 0x8100 unless set. */
  readonly tpid?: number;
  /** Priority code point, 0 to 7. */
  readonly priority?: number;
}

export interface EthernetOptions {
  readonly srcMac?: string;
  readonly dstMac?: string;
  readonly tags?: readonly Tag[];
  /** Zero bytes are appended up to this length, as a device does up to 60. */
  readonly padTo?: number;
}

export const ETHER_TYPE = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;

export function ethernet(options: EthernetOptions, etherType: number, body: Uint8Array): Uint8Array {
  const { srcMac = '02:00:00:00:00:01', dstMac = '02:00:00:00:00:02', tags = [], padTo = 0 } = options;
  const tagged = tags.map(({ vid, tpid = 0x8100, priority = 0 }) => concat(be16(tpid), be16((priority << 13) | vid)));
  const frame = concat(macBytes(dstMac), macBytes(srcMac), ...tagged, be16(etherType), body);
  return frame.length < padTo ? concat(frame, new Uint8Array(padTo - frame.length)) : frame;
}

// --- IP -------------------------------------------------------------------------------------------------------

export interface IpOptions extends EthernetOptions {
  readonly src?: string;
  readonly dst?: string;
  /** TTL or hop limit, 64 unless set. */
  readonly ttl?: number;
  /** Type of service or traffic class; its low two bits are ECN. */
  readonly tos?: number;
  /** IPv4 identification. */
  readonly id?: number;
  /** IPv4, true unless set. */
  readonly dontFragment?: boolean;
  /** IPv4 header field. For IPv6 put a fragmentHeader into `extensions`. */
  readonly moreFragments?: boolean;
  /** IPv4 header field, units of 8 bytes. */
  readonly fragmentOffset?: number;
  /** IPv4 options; filled up with zeros to a multiple of 4. */
  readonly ipOptions?: Uint8Array;
  /** IPv6 extension headers in order. */
  readonly extensions?: readonly Extension[];
  /** Overrides IPv4 total length or IPv6 payload length. */
  readonly ipLength?: number;
  /** Overrides the IPv4 header checksum. */
  readonly ipChecksum?: number;
}

/** An IPv6 extension header: its own number, and its bytes, of which the first will name the next header. */
export interface Extension {
  readonly protocol: number;
  readonly bytes: Uint8Array;
}

export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;

export const DEFAULT_SRC = '10.0.0.9';
export const DEFAULT_DST = '10.0.0.2';

/** Puts IP and Ethernet headers before what `protocol` names; IPv6 when the addresses are. */
export function ipFrame(options: IpOptions, protocol: number, body: Uint8Array): Uint8Array {
  return isIpv6(options.src ?? DEFAULT_SRC)
    ? ethernet(options, ETHER_TYPE.ipv6, ipv6(options, protocol, body))
    : ethernet(options, ETHER_TYPE.ipv4, ipv4(options, protocol, body));
}

export function ipv4(options: IpOptions, protocol: number, body: Uint8Array): Uint8Array {
  const { src = DEFAULT_SRC, dst = DEFAULT_DST, ttl = 64, tos = 0, id = 0, dontFragment = true } = options;
  const { moreFragments = false, fragmentOffset = 0, ipOptions = new Uint8Array(0) } = options;
  const padded = concat(ipOptions, new Uint8Array((4 - (ipOptions.length % 4)) % 4));
  const headerLength = 20 + padded.length;
  const { ipLength = headerLength + body.length } = options;
  const header = concat(
    Uint8Array.of(0x40 | (headerLength / 4), tos),
    be16(ipLength),
    be16(id),
    be16((dontFragment ? 0x4000 : 0) | (moreFragments ? 0x2000 : 0) | fragmentOffset),
    Uint8Array.of(ttl, protocol, 0, 0),
    ipBytes(src),
    ipBytes(dst),
    padded,
  );
  header.set(be16(options.ipChecksum ?? slowChecksum(header)), 10);
  return concat(header, body);
}

export function ipv6(options: IpOptions, protocol: number, body: Uint8Array): Uint8Array {
  const { src = DEFAULT_SRC, dst = DEFAULT_DST, ttl = 64, tos = 0, extensions = [] } = options;
  const chain = extensions.map(({ bytes }, i) => {
    const linked = bytes.slice();
    linked[0] = extensions[i + 1]?.protocol ?? protocol;
    return linked;
  });
  const rest = concat(...chain, body);
  const { ipLength = rest.length } = options;
  const first = be32(((0x60 << 24) | (tos << 20)) >>> 0);
  const next = Uint8Array.of(extensions[0]?.protocol ?? protocol, ttl);
  return concat(first, be16(ipLength), next, ipBytes(src), ipBytes(dst), rest);
}

/** Hop-by-hop options of `units` x 8 bytes, holding one PadN option. */
export function hopByHop(units = 1): Extension {
  return { protocol: 0, bytes: paddingHeader(units) };
}

/** Destination options of `units` x 8 bytes, holding one PadN option. */
export function destinationOptions(units = 1): Extension {
  return { protocol: 60, bytes: paddingHeader(units) };
}

/** Routing header of type 4 (RFC 8754) with one segment: the final destination. */
export function routing(segmentsLeft = 0, segment = 'fd00::2'): Extension {
  return { protocol: 43, bytes: concat(Uint8Array.of(0, 2, 4, segmentsLeft, 0, 0, 0, 0), ipBytes(segment)) };
}

/** `offset` in units of 8 bytes. With offset 0 and more false: an atomic fragment. */
export function fragmentHeader(offset = 0, more = false, id = 1): Extension {
  return { protocol: 44, bytes: concat(Uint8Array.of(0, 0), be16((offset << 3) | (more ? 1 : 0)), be32(id)) };
}

function paddingHeader(units: number): Uint8Array {
  const bytes = new Uint8Array(units * 8);
  bytes.set([0, units - 1, 1, units * 8 - 4]);
  return bytes;
}

// --- TCP ------------------------------------------------------------------------------------------------------

export interface TcpOptions extends IpOptions {
  readonly srcPort?: number;
  readonly dstPort?: number;
  readonly seq?: number;
  readonly ack?: number;
  /** As sent, not scaled; 65535 unless set. */
  readonly window?: number;
  readonly urgent?: number;
  /** Letters of FSRPAUEC (FIN SYN RST PSH ACK URG ECE CWR); 'A' unless set. */
  readonly flags?: string;
  /** From mss(), timestamps() and so on; filled up with NOPs to a multiple of 4. */
  readonly options?: readonly Uint8Array[];
  readonly payload?: Uint8Array | string;
  /** Overrides the header length, units of 4 bytes. */
  readonly dataOffset?: number;
  /**
   * 'full' unless set; 'partial' is the uninverted pseudo-header sum that local offload leaves; a number is written
   * as it is.
   */
  readonly checksum?: 'full' | 'partial' | number;
}

export const TCP_FLAG = { F: 1, S: 2, R: 4, P: 8, A: 16, U: 32, E: 64, C: 128 } as const;

export function tcpFlags(letters: string): number {
  let bits = 0;
  for (const letter of letters) {
    if (!(letter in TCP_FLAG)) throw new Error(`unknown TCP flag ${letter}`);
    bits |= TCP_FLAG[letter as keyof typeof TCP_FLAG];
  }
  return bits;
}

export function tcpFrame(options: TcpOptions = {}): Uint8Array {
  return ipFrame(options, PROTOCOL.tcp, tcp(options));
}

/** The segment alone, with the checksum that fits src and dst. */
export function tcp(options: TcpOptions): Uint8Array {
  const { srcPort = 40000, dstPort = 7000, seq = 1000, ack = 0, window = 65535, urgent = 0, flags = 'A' } = options;
  const list = concat(...(options.options ?? []));
  const padded = concat(list, new Uint8Array((4 - (list.length % 4)) % 4).fill(1));
  const { payload = '', dataOffset = 5 + padded.length / 4, checksum = 'full' } = options;
  const data = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
  const segment = concat(
    be16(srcPort),
    be16(dstPort),
    be32(seq),
    be32(ack),
    Uint8Array.of((dataOffset & 15) << 4, tcpFlags(flags)),
    be16(window),
    be16(0),
    be16(urgent),
    padded,
    data,
  );
  const pseudo = pseudoHeader(
    ipBytes(options.src ?? DEFAULT_SRC),
    ipBytes(options.dst ?? DEFAULT_DST),
    PROTOCOL.tcp,
    segment.length,
  );
  if (typeof checksum === 'number') segment.set(be16(checksum), 16);
  else segment.set(be16(checksum === 'partial' ? slowSum(pseudo) : slowChecksum(pseudo, segment)), 16);
  return segment;
}

/** One TCP option of any kind; `length` overrides the length byte. */
export function tcpOption(
  kind: number,
  value: Uint8Array | readonly number[] = [],
  length = value.length + 2,
): Uint8Array {
  return Uint8Array.of(kind, length, ...value);
}

export const nop = (): Uint8Array => Uint8Array.of(1);
export const endOfOptions = (): Uint8Array => Uint8Array.of(0);
export const mss = (bytes: number): Uint8Array => tcpOption(2, be16(bytes));
export const windowScale = (shift: number): Uint8Array => tcpOption(3, [shift]);
export const sackPermitted = (): Uint8Array => tcpOption(4);
export const timestamps = (tsval: number, tsecr: number): Uint8Array => tcpOption(8, concat(be32(tsval), be32(tsecr)));
/** Blocks of [left edge, right edge]. */
export const sack = (...blocks: readonly (readonly [number, number])[]): Uint8Array =>
  tcpOption(5, concat(...blocks.map(([left, right]) => concat(be32(left), be32(right)))));
export const md5 = (): Uint8Array => tcpOption(19, new Uint8Array(16));
export const tcpAo = (): Uint8Array => tcpOption(29, new Uint8Array(14));
export const mptcpCapable = (): Uint8Array => tcpOption(30, [0x01, 0x01]);
export const fastOpen = (cookie: Uint8Array = new Uint8Array(8)): Uint8Array => tcpOption(34, cookie);

// --- ICMP, ND, ARP --------------------------------------------------------------------------------------------

export interface IcmpOptions extends IpOptions {
  readonly type: number;
  readonly code?: number;
  /** Bytes 4 to 7. */
  readonly rest?: number;
  readonly body?: Uint8Array;
}

/** ICMP or ICMPv6 by the addresses. */
export function icmpFrame(options: IcmpOptions): Uint8Array {
  const { type, code = 0, rest = 0, body = new Uint8Array(0), src = DEFAULT_SRC, dst = DEFAULT_DST } = options;
  const message = concat(Uint8Array.of(type, code, 0, 0), be32(rest), body);
  const protocol = isIpv6(src) ? PROTOCOL.icmpv6 : PROTOCOL.icmp;
  const pseudo = isIpv6(src) ? pseudoHeader(ipBytes(src), ipBytes(dst), protocol, message.length) : new Uint8Array(0);
  message.set(be16(slowChecksum(pseudo, message)), 2);
  return ipFrame(options, protocol, message);
}

export interface EchoOptions extends IpOptions {
  readonly id?: number;
  readonly sequence?: number;
  readonly body?: Uint8Array;
}

export function echoRequestFrame(options: EchoOptions = {}): Uint8Array {
  const { id = 1, sequence = 1, ...others } = options;
  const type = isIpv6(options.src ?? DEFAULT_SRC) ? 128 : 8;
  return icmpFrame({ ...others, type, rest: ((id << 16) | sequence) >>> 0 });
}

/**
 * An error about `quoted`, a frame of this builder without tags: its IP packet, cut to `quote` bytes (28 unless
 * set: an IPv4 header and 8 bytes; routers send more).
 */
export function icmpErrorFrame(options: IcmpOptions, quoted: Uint8Array, quote = 28): Uint8Array {
  return icmpFrame({ ...options, body: quoted.subarray(14, 14 + quote) });
}

export interface NeighborOptions extends EthernetOptions {
  readonly src?: string;
  readonly dst?: string;
  readonly target: string;
  /** Link-layer address option; none unless set. */
  readonly linkAddress?: string;
  /** 255 unless set: anything else is invalid (RFC 4861 7.1). */
  readonly ttl?: number;
  /** Advertisement: router, solicited, override bits as the top bits of the second word. */
  readonly flags?: number;
}

export function neighborSolicitationFrame(options: NeighborOptions): Uint8Array {
  return neighborFrame(options, 135, 1);
}

export function neighborAdvertisementFrame(options: NeighborOptions): Uint8Array {
  return neighborFrame(options, 136, 2);
}

function neighborFrame(options: NeighborOptions, type: number, optionType: number): Uint8Array {
  const { target, linkAddress, flags = 0, ttl = 255, src = 'fe80::9', dst = 'ff02::1:ff00:2', ...others } = options;
  const option = linkAddress === undefined ? [] : [Uint8Array.of(optionType, 1), macBytes(linkAddress)];
  const body = concat(ipBytes(target), ...option);
  return icmpFrame({ ...others, src, dst, ttl, type, rest: flags, body });
}

export interface ArpOptions extends EthernetOptions {
  /** 1 request (unless set), 2 reply. */
  readonly operation?: number;
  readonly senderMac?: string;
  readonly senderIp?: string;
  readonly targetMac?: string;
  readonly targetIp?: string;
}

export function arpFrame(options: ArpOptions = {}): Uint8Array {
  const { operation = 1, senderMac = options.srcMac ?? '02:00:00:00:00:01', senderIp = DEFAULT_SRC } = options;
  const { targetMac = '00:00:00:00:00:00', targetIp = DEFAULT_DST } = options;
  const head = Uint8Array.of(0, 1, 8, 0, 6, 4);
  const sender = concat(macBytes(senderMac), ipBytes(senderIp));
  const target = concat(macBytes(targetMac), ipBytes(targetIp));
  return ethernet(options, ETHER_TYPE.arp, concat(head, be16(operation), sender, target));
}

// --- bytes ----------------------------------------------------------------------------------------------------

export function be16(value: number): Uint8Array {
  return Uint8Array.of((value >> 8) & 255, value & 255);
}

export function be32(value: number): Uint8Array {
  return Uint8Array.of((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
}
