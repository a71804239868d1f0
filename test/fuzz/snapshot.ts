/** What a restart does to the records of live connections: they are kept, damaged or not, and given to another core. */
import { SNAPSHOT_RECORD_BYTES } from '../../assembly/abi/layout';
import { concat } from '../support/checksum';
import { hex } from '../support/frames';
import type { Build, Core } from '../support/wasm';

export interface Damage {
  /** Bytes cut off at the end, or zeros put there when negative. */
  readonly missing: number;
  /** Bytes that have another value, by their offset. */
  readonly changed: readonly (readonly [at: number, value: number])[];
}

/** More calls than there are records. */
const CALLS = 100;
/** Marks, and the flags of both flows: what means something to the core that is gone only. */
const FLEETING = [50, 51, 135, 171];

export function isWhole({ missing, changed }: Damage): boolean {
  return missing === 0 && changed.length === 0;
}

export function exportAll({ exports, bytes }: Core<Build>): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  let from = 0;
  for (let calls = 0; calls < CALLS; calls++) {
    const length = exports.exportLive(from);
    if (length === 0) return concat(...parts);
    const slot = exports.rxSlot() >>> 0;
    parts.push(bytes.slice(slot, slot + length));
    from = exports.exportedTo() >>> 0;
  }
  return undefined;
}

/** Each record, to be compared. */
export function recordsOf(whole: Uint8Array): string[] {
  return Array.from({ length: whole.length / SNAPSHOT_RECORD_BYTES }, (_, i) => {
    const record = whole.slice(i * SNAPSHOT_RECORD_BYTES, (i + 1) * SNAPSHOT_RECORD_BYTES);
    for (const at of FLEETING) record[at] = 0;
    return hex(record);
  });
}

export function spoil(whole: Uint8Array, { missing, changed }: Damage): Uint8Array {
  const spoiled = new Uint8Array(Math.max(whole.length - missing, 0));
  spoiled.set(whole.subarray(0, spoiled.length));
  for (const [at, value] of changed) if (at < spoiled.length) spoiled[at] = value;
  return spoiled;
}
