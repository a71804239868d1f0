/** Writes capture files of every form for the tests, frame by frame, into a buffer. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

export const ETHERNET = 1;
export const PCAP_FILE_HEADER_BYTES = 24;
export const PCAP_FRAME_HEADER_BYTES = 16;

/** A frame and when it was captured, ms since 1970. */
export interface Shot {
  readonly frame: Uint8Array;
  readonly atMs: number;
  /** Bytes the frame had; the rest is missing here. */
  readonly wireLength?: number;
}

export type Order = 'LE' | 'BE';

/** Numbers in one byte order. */
class Writer {
  constructor(readonly order: Order) {}

  u16(value: number): Buffer {
    const bytes = Buffer.alloc(2);
    if (this.order === 'LE') bytes.writeUInt16LE(value);
    else bytes.writeUInt16BE(value);
    return bytes;
  }

  u32(value: number): Buffer {
    const bytes = Buffer.alloc(4);
    if (this.order === 'LE') bytes.writeUInt32LE(value);
    else bytes.writeUInt32BE(value);
    return bytes;
  }

  i64(value: bigint): Buffer {
    const bytes = Buffer.alloc(8);
    if (this.order === 'LE') bytes.writeBigInt64LE(value);
    else bytes.writeBigInt64BE(value);
    return bytes;
  }
}

export interface PcapForm {
  readonly order: Order;
  readonly unit: 'us' | 'ns';
  readonly linkType?: number;
  /** An even number, to be told of the frames; absent: nothing is told. */
  readonly fcsBytes?: number;
}

export function pcap({ order, unit, linkType = ETHERNET, fcsBytes }: PcapForm, shots: readonly Shot[]): Buffer {
  const w = new Writer(order);
  const magic = unit === 'us' ? 0xa1b2c3d4 : 0xa1b23c4d;
  const zero = w.u32(0);
  const fcs = fcsBytes === undefined ? 0 : ((fcsBytes / 2) << 28) | 0x04000000;
  const header = [w.u32(magic), w.u16(2), w.u16(4), zero, zero, w.u32(262_144), w.u32((fcs | linkType) >>> 0)];
  const records = shots.flatMap(({ frame, atMs, wireLength = frame.length }) => {
    const seconds = Math.floor(atMs / 1000);
    const fraction = Math.round((atMs - seconds * 1000) * (unit === 'us' ? 1000 : 1_000_000));
    return [w.u32(seconds), w.u32(fraction), w.u32(frame.length), w.u32(wireLength), frame];
  });
  return Buffer.concat([...header, ...records]);
}

export interface PcapngForm {
  readonly order: Order;
  readonly linkType?: number;
  /** if_tsresol; microseconds without it. */
  readonly resolution?: number;
  /** if_tsoffset, s. */
  readonly offset?: number;
}

/** One section of one interface. */
export function pcapng({ order, linkType = ETHERNET, resolution, offset }: PcapngForm, shots: readonly Shot[]): Buffer {
  const capture = new Pcapng(order);
  const options = [
    ...(resolution === undefined ? [] : [capture.resolution(resolution)]),
    ...(offset === undefined ? [] : [capture.offset(BigInt(offset))]),
  ];
  capture.interface({ linkType, options });
  for (const { frame, atMs, wireLength = frame.length } of shots) {
    capture.enhanced(frame, timeUnits(atMs, resolution, offset), { wireLength });
  }
  return capture.bytes();
}

/** A time as an interface with these options has it. */
export function timeUnits(atMs: number, resolution = 6, offset = 0): bigint {
  const perSecond = resolution >= 0x80 ? 2n ** BigInt(resolution - 0x80) : 10n ** BigInt(resolution);
  // In microseconds, which a double still holds exactly.
  return ((BigInt(Math.round(atMs * 1000)) - BigInt(offset) * 1_000_000n) * perSecond) / 1_000_000n;
}

/** Blocks of pcapng in one byte order. */
export class Pcapng {
  readonly #w: Writer;
  readonly #blocks: Buffer[] = [];

  constructor(order: Order) {
    this.#w = new Writer(order);
    this.section(order);
  }

  section(order: Order): this {
    const w = new Writer(order);
    return this.block(0x0a0d0d0a, [w.u32(0x1a2b3c4d), w.u16(1), w.u16(0), w.i64(-1n)], w);
  }

  interface({ linkType = ETHERNET, snapLength = 0, options = [] as readonly Buffer[] } = {}): this {
    const w = this.#w;
    return this.block(1, [w.u16(linkType), w.u16(0), w.u32(snapLength), ...options]);
  }

  /** if_tsresol. */
  resolution(value: number): Buffer {
    return this.option(9, Buffer.of(value));
  }

  /** if_tsoffset, s. */
  offset(seconds: bigint): Buffer {
    return this.option(14, this.#w.i64(seconds));
  }

  option(code: number, value: Uint8Array): Buffer {
    return Buffer.concat([this.#w.u16(code), this.#w.u16(value.length), padded(value)]);
  }

  enhanced(frame: Uint8Array, time: bigint, { interfaceId = 0, wireLength = frame.length } = {}): this {
    const w = this.#w;
    const halves = [w.u32(Number(time >> 32n)), w.u32(Number(time & 0xffffffffn))];
    return this.block(6, [w.u32(interfaceId), ...halves, w.u32(frame.length), w.u32(wireLength), padded(frame)]);
  }

  /** The block that enhanced ones have replaced. */
  obsolete(frame: Uint8Array, time: bigint, { interfaceId = 0, wireLength = frame.length, drops = 0xffff } = {}): this {
    const w = this.#w;
    const halves = [w.u32(Number(time >> 32n)), w.u32(Number(time & 0xffffffffn))];
    const lengths = [w.u32(frame.length), w.u32(wireLength)];
    return this.block(2, [w.u16(interfaceId), w.u16(drops), ...halves, ...lengths, padded(frame)]);
  }

  simple(frame: Uint8Array, wireLength = frame.length): this {
    return this.block(3, [this.#w.u32(wireLength), padded(frame)]);
  }

  block(type: number, body: readonly Uint8Array[], w = this.#w): this {
    const whole = Buffer.concat(body);
    const length = w.u32(whole.length + 12);
    this.#blocks.push(Buffer.concat([w.u32(type), length, whole, length]));
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#blocks);
  }
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

/** A file with these bytes, for as long as the test runs. */
export function fileOf(t: ExecutionContext, bytes: Uint8Array): string {
  const directory = mkdtempSync(join(tmpdir(), 'migware-inspect-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'capture');
  writeFileSync(path, bytes);
  return path;
}
