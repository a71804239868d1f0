/** The compiled core for tests: which builds there are, and how one is started. */
import { readFileSync } from 'node:fs';
import { DEFAULT_RETAINED_PER_CONNECTION } from '../../assembly/abi/layout';

/** What the shipped module exports: the ABI. */
export type Abi = Awaited<ReturnType<(typeof import('../../build/core.release'))['instantiate']>>;
/** The same and the probes of assembly/testing. */
export type Probed = Awaited<ReturnType<(typeof import('../../build/core.test'))['instantiate']>>;

/**
 * release: what is shipped. debug: assertions on, probes. test: compiled like release, probes.
 * A suite of the core runs on `debug` and on `release` or `test`, so that neither the optimiser nor an assertion
 * can hide a mistake.
 */
export interface Exports {
  release: Abi;
  debug: Probed;
  test: Probed;
}
export type Build = keyof Exports;

/** One instance with views over its memory; the views are void once the memory grows. */
export interface Core<B extends Build> {
  readonly build: B;
  /** Direct exports: u32 results come out signed (use `>>> 0`), a bool as 0 or 1. */
  readonly exports: Exports[B];
  readonly memory: WebAssembly.Memory;
  readonly bytes: Uint8Array;
  /** For reads and writes of the host's (little-endian) fields and of network order alike. */
  readonly view: DataView;
}

export interface Capacity {
  readonly connections: number;
  readonly retainedBytes: number;
  readonly retainedPerConnection: number;
  readonly recordBytes: number;
  readonly recordPerConnection: number;
  readonly comparePerConnection: number;
  /** SipHash key of the connection table. */
  readonly key: readonly [number, number, number, number];
}

/** Small enough that a test may start hundreds of instances. */
export const SMALL: Capacity = {
  connections: 64,
  retainedBytes: 1 << 20,
  retainedPerConnection: Math.min(1 << 18, DEFAULT_RETAINED_PER_CONNECTION),
  recordBytes: 1 << 20,
  recordPerConnection: 1 << 18,
  comparePerConnection: 1 << 16,
  key: [0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c],
};

const PAGE_BYTES = 65536;
const modules = new Map<Build, WebAssembly.Module>();

/** Ava runs tests in the project's root, whatever the folder of the bundle is. */
export function readBuild(name: string): Buffer {
  return readFileSync(`build/${name}`);
}

export function compile(build: Build): WebAssembly.Module {
  let module = modules.get(build);
  if (module === undefined) {
    module = new WebAssembly.Module(readBuild(`core.${build}.wasm`));
    modules.set(build, module);
  }
  return module;
}

/** An instance as it is before `init`, optionally with room for a test's own data behind the core's. */
export function instantiate<B extends Build>(build: B, extraPages = 0): Core<B> {
  const exports = new WebAssembly.Instance(compile(build), {}).exports as unknown as Exports[B];
  if (extraPages > 0) exports.memory.grow(extraPages);
  return over(build, exports);
}

/** An instance as a host starts it: memory grown once to what the capacity needs, then `init`. */
export function start<B extends Build>(build: B, capacity: Partial<Capacity> = {}): Core<B> {
  const all = { ...SMALL, ...capacity };
  const { connections, retainedBytes, retainedPerConnection, recordBytes, recordPerConnection, key } = all;
  const { exports } = instantiate(build);
  const pages = exports.pagesNeeded(connections, retainedBytes, recordBytes) >>> 0;
  const present = exports.memory.buffer.byteLength / PAGE_BYTES;
  if (pages > present) exports.memory.grow(pages - present);
  const status = exports.init(
    connections,
    retainedBytes,
    retainedPerConnection,
    recordBytes,
    recordPerConnection,
    all.comparePerConnection,
    ...key,
  );
  if (status !== 0) throw new Error(`init failed with status ${status}`);
  return over(build, exports);
}

function over<B extends Build>(build: B, exports: Exports[B]): Core<B> {
  const { memory } = exports;
  return { build, exports, memory, bytes: new Uint8Array(memory.buffer), view: new DataView(memory.buffer) };
}
