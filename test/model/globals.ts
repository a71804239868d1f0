/**
 * A module whose mutable globals can be read and set from outside: each gets an export, nothing else changes. With its
 * memory they are all that an instance is, so that it can be put back into any state it has been in.
 */

const GLOBALS = 6;
const EXPORTS = 7;
const I32 = 0x7f;
const I32_CONST = 0x41;
const I64_CONST = 0x42;
const END = 0x0b;
const EXPORT_GLOBAL = 3;
/** Magic and version. */
const HEADER_BYTES = 8;

const NAME = 'global ';

/** The module with an export for every mutable global of 32 bits; those of 64 hold nothing from one call to the next. */
export function exposeGlobals(wasm: Uint8Array): Uint8Array {
  const exposed: Uint8Array[] = [];
  const out = [wasm.subarray(0, HEADER_BYTES)];
  const reader = new Reader(wasm, HEADER_BYTES);
  while (reader.at < wasm.length) {
    const id = reader.byte();
    const section = reader.bytes(reader.number());
    if (id === GLOBALS) exposed.push(...mutableGlobals(section).map(globalExport));
    const changed = id === EXPORTS ? withExports(section, exposed) : section;
    out.push(Uint8Array.of(id, ...leb(changed.length)), changed);
  }
  return Buffer.concat(out);
}

export interface ExposedGlobal {
  value: number;
}

/** The exposed globals of an instance, in the order of the module. */
export function exposedGlobals(exports: object): ExposedGlobal[] {
  return Object.entries(exports).flatMap(([name, value]) => (name.startsWith(NAME) ? [value as ExposedGlobal] : []));
}

function mutableGlobals(section: Uint8Array): number[] {
  const reader = new Reader(section);
  const found: number[] = [];
  const count = reader.number();
  for (let index = 0; index < count; index++) {
    const type = reader.byte();
    const isMutable = reader.byte() === 1;
    const opcode = reader.byte();
    if (opcode !== I32_CONST && opcode !== I64_CONST) throw new Error(`global ${index} begins with opcode ${opcode}`);
    reader.number();
    if (reader.byte() !== END) throw new Error(`global ${index} is computed`);
    if (isMutable && type === I32) found.push(index);
  }
  return found;
}

function globalExport(index: number): Uint8Array {
  const name = Buffer.from(NAME + String(index));
  return Uint8Array.of(...leb(name.length), ...name, EXPORT_GLOBAL, ...leb(index));
}

function withExports(section: Uint8Array, more: readonly Uint8Array[]): Uint8Array {
  const reader = new Reader(section);
  const count = reader.number();
  return Buffer.concat([Uint8Array.from(leb(count + more.length)), section.subarray(reader.at), ...more]);
}

/** LEB128 without sign. */
function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

class Reader {
  constructor(
    private readonly from: Uint8Array,
    public at = 0,
  ) {}

  byte(): number {
    const byte = this.from[this.at++];
    if (byte === undefined) throw new Error('the module ends too early');
    return byte;
  }

  bytes(length: number): Uint8Array {
    this.at += length;
    return this.from.subarray(this.at - length, this.at);
  }

  /** LEB128; of a signed one only the length is of interest here. */
  number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  }
}
