/**
 * TCP segments between objects and frames. Reading is written for the simulation and shares nothing with the core's
 * parser, so that a mistake of one cannot hide in the other; every checksum is verified.
 */
import { pseudoHeader, slowSum } from '../support/checksum';
import {
  hex,
  ipBytes,
  mss,
  sack,
  sackPermitted,
  type Tag,
  TCP_FLAG,
  tcpFrame,
  timestamps,
  windowScale,
} from '../support/frames';

export interface SegmentOptions {
  readonly mss?: number;
  readonly windowShift?: number;
  readonly sackPermitted?: boolean;
  readonly timestamps?: { readonly tsval: number; readonly tsecr: number };
  /** [left edge, right edge], at most four. */
  readonly sack?: readonly (readonly [number, number])[];
}

export interface Segment {
  /** Addresses as text, the form of the hosts' settings. */
  readonly src: string;
  readonly dst: string;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly seq: number;
  readonly ack: number;
  /** Letters of FSRPA. */
  readonly flags: string;
  /** As sent, not scaled. */
  readonly window: number;
  readonly options: SegmentOptions;
  readonly payload: Uint8Array;
}

export interface Link {
  readonly srcMac: string;
  readonly dstMac: string;
  readonly tags: readonly Tag[];
}

const EMPTY = new Uint8Array(0);

/** Sequence numbers the segment takes up (SEG.LEN). */
export function lengthOf({ payload, flags }: Segment): number {
  return payload.length + (flags.includes('S') ? 1 : 0) + (flags.includes('F') ? 1 : 0);
}

export function encode(segment: Segment, link: Link): Uint8Array {
  const { options } = segment;
  const list: Uint8Array[] = [];
  if (options.mss !== undefined) list.push(mss(options.mss));
  if (options.sackPermitted) list.push(sackPermitted());
  if (options.timestamps) list.push(timestamps(options.timestamps.tsval, options.timestamps.tsecr));
  if (options.windowShift !== undefined) list.push(windowScale(options.windowShift));
  if (options.sack && options.sack.length > 0) list.push(sack(...options.sack));
  return tcpFrame({ ...segment, ...link, options: list });
}

/** Addresses repeat; their text is made once. */
const texts = new Map<string, string>();

function addressText(bytes: Uint8Array): string {
  const key = hex(bytes);
  let text = texts.get(key);
  if (text === undefined) {
    text = bytes.length === 4 ? bytes.join('.') : ipv6Text(key);
    texts.set(key, text);
  }
  return text;
}

/** The form the scenarios use: fd00::N. Any other address is written in full. */
function ipv6Text(key: string): string {
  const groups = key.match(/.{4}/g) ?? [];
  const middle = groups.slice(1, 7).every((group) => group === '0000');
  const short = groups.map((group) => parseInt(group, 16).toString(16));
  return middle ? `${short[0] ?? ''}::${short[7] ?? ''}` : short.join(':');
}

export type Decoded =
  | { readonly kind: 'tcp'; readonly segment: Segment; readonly dstMac: string }
  | { readonly kind: 'other' }
  | { readonly kind: 'broken'; readonly why: string };

const OTHER: Decoded = { kind: 'other' };

/** Reads a frame. What a stack would drop as damaged is `broken`. */
export function decode(frame: Uint8Array): Decoded {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  let at = 12;
  while (view.getUint16(at) === 0x8100 || view.getUint16(at) === 0x88a8) at += 4;
  const type = view.getUint16(at);
  const l3 = at + 2;
  if (type === 0x0800) {
    if (frame[l3 + 9] !== 6) return OTHER;
    const header = ((frame[l3] ?? 0) & 15) * 4;
    const end = l3 + view.getUint16(l3 + 2);
    if (end > frame.length) return { kind: 'broken', why: 'IPv4 total length' };
    if (slowSum(frame.subarray(l3, l3 + header)) !== 0xffff) return { kind: 'broken', why: 'IPv4 checksum' };
    return decodeTcp(frame, view, l3 + 12, 4, l3 + header, end);
  }
  if (type === 0x86dd) {
    if (frame[l3 + 6] !== 6) return OTHER;
    const end = l3 + 40 + view.getUint16(l3 + 4);
    if (end > frame.length) return { kind: 'broken', why: 'IPv6 payload length' };
    return decodeTcp(frame, view, l3 + 8, 16, l3 + 40, end);
  }
  return OTHER;
}

function decodeTcp(frame: Uint8Array, view: DataView, from: number, size: number, l4: number, end: number): Decoded {
  const src = frame.subarray(from, from + size);
  const dst = frame.subarray(from + size, from + 2 * size);
  const header = ((frame[l4 + 12] ?? 0) >> 4) * 4;
  if (header < 20 || l4 + header > end) return { kind: 'broken', why: 'TCP data offset' };
  const bytes = frame.subarray(l4, end);
  if (slowSum(pseudoHeader(src, dst, 6, bytes.length), bytes) !== 0xffff) {
    return { kind: 'broken', why: 'TCP checksum' };
  }
  const options = decodeOptions(frame, view, l4 + 20, l4 + header);
  if (options === undefined) return { kind: 'broken', why: 'TCP options' };
  const bits = frame[l4 + 13] ?? 0;
  const flags = (Object.keys(TCP_FLAG) as (keyof typeof TCP_FLAG)[]).filter((f) => bits & TCP_FLAG[f]).join('');
  const segment: Segment = {
    src: addressText(src),
    dst: addressText(dst),
    srcPort: view.getUint16(l4),
    dstPort: view.getUint16(l4 + 2),
    seq: view.getUint32(l4 + 4),
    ack: view.getUint32(l4 + 8),
    flags,
    window: view.getUint16(l4 + 14),
    options,
    payload: end > l4 + header ? frame.slice(l4 + header, end) : EMPTY,
  };
  return { kind: 'tcp', segment, dstMac: hex(frame.subarray(0, 6)) };
}

function decodeOptions(frame: Uint8Array, view: DataView, from: number, end: number): SegmentOptions | undefined {
  const found: { -readonly [K in keyof SegmentOptions]: SegmentOptions[K] } = {};
  let at = from;
  while (at < end) {
    const kind = frame[at] ?? 0;
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    const length = frame[at + 1] ?? 0;
    if (length < 2 || at + length > end) return undefined;
    if (kind === 2) found.mss = view.getUint16(at + 2);
    if (kind === 3) found.windowShift = frame[at + 2] ?? 0;
    if (kind === 4) found.sackPermitted = true;
    if (kind === 5) {
      const blocks: [number, number][] = [];
      for (let b = at + 2; b < at + length; b += 8) blocks.push([view.getUint32(b), view.getUint32(b + 4)]);
      found.sack = blocks;
    }
    if (kind === 8) found.timestamps = { tsval: view.getUint32(at + 2), tsecr: view.getUint32(at + 6) };
    at += length;
  }
  return found;
}

/** For messages and logs. */
export function describe({ src, srcPort, dst, dstPort, flags, seq, ack, window, payload, options }: Segment): string {
  const extra = Object.keys(options).length > 0 ? ` ${JSON.stringify(options)}` : '';
  return `${src}.${srcPort} > ${dst}.${dstPort} [${flags}] seq ${seq} ack ${ack} win ${window} len ${payload.length}${extra}`;
}

export function isIpv6(address: string): boolean {
  return ipBytes(address).length === 16;
}
