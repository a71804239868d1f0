/** What is compared: one algorithm in three languages, each behind the same few calls. */

/**
 * A state to begin in. Offsets of steps are of `arena`, whose first bytes these are; `slot` is what the receive slot holds;
 * records are the core's own, byte for byte.
 */
export interface Scene {
  readonly arena: Uint8Array;
  readonly slot: Uint8Array;
  readonly services: readonly Uint8Array[];
  readonly connections: readonly Uint8Array[];
  /** Connections to the service address at `server` of the arena that are entered in addition. */
  readonly fill: { readonly server: number; readonly port: number; readonly count: number } | undefined;
}

/** The name of a step says what its arguments are; offsets, lengths, indices. How often it is repeated comes apart. */
export type Step =
  /** offset, length */
  | 'checksum'
  /** segment, field */
  | 'patch'
  /** offset, length */
  | 'parse'
  /** server, port, first, count, step */
  | 'find'
  /** count, step */
  | 'touch'
  /** connection, data, its length, acknowledgement, its length */
  | 'track'
  /** connection, offset, length */
  | 'translate'
  /** ring, frames in it, frames in one call */
  | 'receive';

export interface Timed {
  /** Of all repetitions. */
  readonly ns: number;
  /** Depends on what each repetition has found: the same in all languages. */
  readonly result: number;
}

export interface Subject {
  readonly name: 'core' | 'native' | 'plain';
  run(step: Step, args: readonly number[], repetitions: number): Timed | Promise<Timed>;
}

/** As assembly/testing/bench-probes.ts, which says what a ring is. */
export const RING_STRIDE = 2048;
export const RING_HEADER = 16;
export const HEADERS_BYTES = 128;
export const ARENA_BYTES = 1 << 20;
/** What the clock of a daemon would show. */
export const NOW_MS = 5000;

/** Capacity of a scene's table, in each language. */
export const SCENE_CONNECTIONS = 128;
export const RETAINED_BYTES = 1 << 20;
export const RETAINED_PER_CONNECTION = 1 << 18;
export const HASH_KEY = [0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c] as const;
export const STACK_MTU = 65535;
