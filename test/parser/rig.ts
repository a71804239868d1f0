/**
 * Runs the parser over frames of a test. The frame ends where the memory ends, so that reading one byte too many
 * traps; the Packet lies between guard bytes, so that writing one too many shows.
 */
import type { PacketKind } from '../../assembly/parser/packet-codes';
import type { Reason } from '../../assembly/abi/codes';
import { type Build, type Core, type Probed, instantiate } from '../support/wasm';

/** The builds that have the probes: with assertions, and optimised. */
export const BUILDS = ['debug', 'test'] as const satisfies readonly Build[];

type FieldName<Export> = Export extends `packet${infer Name}` ? Uncapitalize<Name> : never;
/** Every field of a Packet by its name; u32, addresses absolute. */
export type Fields = Readonly<Record<FieldName<keyof Probed>, number>>;

export interface Parsed {
  readonly reason: Reason;
  readonly kind: PacketKind;
  readonly fields: Fields;
  /** Offset inside the frame of an address found by the parser. */
  readonly offset: (address: number) => number;
  /** `length` bytes at an address, as hex. */
  readonly bytes: (address: number, length: number) => string;
}

/** The module speaks numbers; what they mean is said here and nowhere else. */
export function asReason(value: unknown): Reason {
  return value as Reason;
}

function asKind(value: unknown): PacketKind {
  return value as PacketKind;
}

const GUARD = 0xa5;
const GUARD_BYTES = 64;
/** Pages of the test's own: one for its data, two for a frame of any size. */
const OWN_PAGES = 3;
const PAGE_BYTES = 65536;

export class Rig {
  readonly core: Core<'debug' | 'test'>;
  /** Address of the Packet that is parsed into. */
  readonly region: number;
  /** Start of a page that is free for the test's own data. */
  readonly scratch: number;
  /** One past the last byte of memory. */
  readonly end: number;
  readonly #packetBytes: number;
  readonly #readers: readonly (readonly [string, (region: number) => number])[];

  constructor(build: (typeof BUILDS)[number]) {
    this.core = instantiate(build, OWN_PAGES);
    this.end = this.core.bytes.length;
    this.scratch = this.end - OWN_PAGES * PAGE_BYTES;
    this.#packetBytes = this.core.exports.probePacketBytes();
    this.region = this.scratch + PAGE_BYTES - GUARD_BYTES - Math.ceil(this.#packetBytes / 8) * 8;
    this.#readers = Object.entries(this.core.exports)
      .filter(([name]) => name.startsWith('packet'))
      .map(([name, read]) => [name.charAt(6).toLowerCase() + name.slice(7), read as (region: number) => number]);
  }

  /** Where a frame of `length` bytes is put. */
  frameAt(length: number): number {
    return this.end - length;
  }

  /**
   * Parses without reading anything back. Throws when a byte outside the Packet was written.
   * @param before a frame that is parsed into the same Packet first; without it, what is void is 0
   */
  run(frame: Uint8Array, wireLength = frame.length, before?: Uint8Array): Reason {
    const { bytes, exports } = this.core;
    const start = this.frameAt(frame.length);
    const guard = this.region - GUARD_BYTES;
    const after = this.region + this.#packetBytes;
    bytes.fill(GUARD, guard, after + GUARD_BYTES);
    bytes.fill(0, this.region, after);
    if (before !== undefined) {
      const at = this.frameAt(before.length);
      bytes.set(before, at);
      exports.probeParse(this.region, at, before.length, before.length);
    }
    bytes.set(frame, start);
    const reason = asReason(exports.probeParse(this.region, start, frame.length, wireLength));
    for (let i = 0; i < GUARD_BYTES; i++) {
      if (bytes[guard + i] !== GUARD || bytes[after + i] !== GUARD) throw new Error('written outside the Packet');
    }
    if (Buffer.compare(bytes.subarray(start, this.end), frame) !== 0) throw new Error('the frame was changed');
    return reason;
  }

  parse(frame: Uint8Array, wireLength = frame.length, before?: Uint8Array): Parsed {
    const reason = this.run(frame, wireLength, before);
    const start = this.frameAt(frame.length);
    const fields = Object.fromEntries(this.#readers.map(([name, read]) => [name, read(this.region) >>> 0])) as Fields;
    return {
      reason,
      kind: asKind(fields.kind),
      fields,
      offset: (address) => address - start,
      bytes: (address, length) => Buffer.from(this.core.bytes.subarray(address, address + length)).toString('hex'),
    };
  }
}
