/** The real core with one service and one connection, which can be put back into any state it has been in. */
import { Port, ServiceState } from '../../assembly/abi/codes';
import {
  BLOCK_BYTES,
  CONNECTION_BYTES,
  NONE,
  SERVICE_ADDRESS,
  SERVICE_BYTES,
  SERVICE_FLAGS,
  SERVICE_FLAG_REPLAY,
  SERVICE_FLAG_SHADOW,
  SERVICE_PORTS,
  SERVICE_PORT_COUNT,
  SERVICE_REPLICA,
  TX_DESC_BYTES,
  TX_DESC_LEN,
  TX_DESC_OFF,
  TX_DESC_PORT,
} from '../../assembly/abi/layout';
import { asCode } from '../../src/core/names';
import { mappedBytes } from '../support/frames';
import { type Probed, readBuild } from '../support/wasm';
import { type ExposedGlobal, exposeGlobals, exposedGlobals } from './globals';
import { ADDRESS, type Segment, type Segments } from './segment';

export type Policy = 'resume' | 'replay' | 'shadow';

export interface Sent {
  readonly port: Port;
  readonly segment: Segment;
}

const PAGE_BYTES = 65536;
/** Of either kind: more than two streams of a few bytes can need. */
const BLOCKS = 8;
/** Header of a block, and more bytes than either stream has. */
const BLOCK_USED = 32;
/** Entries of the connection table's index for one connection; two tuples, so no more than a few are ever in use. */
const INDEX_ENTRIES = 1024;
const INDEX_ENTRY_BYTES = 8;
const INDEX_USED = 4;
const MTU = 1500;

/** The builds that have the probes: with assertions, and optimised. */
export type ModelBuild = 'debug' | 'test';

const modules = new Map<ModelBuild, WebAssembly.Module>();

function compile(build: ModelBuild): WebAssembly.Module {
  let module = modules.get(build);
  if (module === undefined) {
    module = new WebAssembly.Module(exposeGlobals(readBuild(`core.${build}.wasm`)));
    modules.set(build, module);
  }
  return module;
}

export class Core {
  now = 1000;
  readonly record: DataView;
  /** Where D1 and D2 are in it. */
  readonly deltas: readonly [d1: number, d2: number];
  private readonly exports: Probed;
  private readonly globals: ExposedGlobal[];
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  private readonly index: Int32Array;
  private readonly rx: number;
  private readonly connection: number;
  private readonly service: number;
  private readonly blocks: number;
  /** Words of the record: chains of blocks, times, and the rest. */
  private readonly chains: number[] = [];
  private readonly clocks: number[] = [];
  private readonly plain: readonly number[];

  constructor(
    readonly segments: Segments,
    policy: Policy,
    build: ModelBuild,
  ) {
    const { exports } = new WebAssembly.Instance(compile(build), {});
    this.exports = exports as unknown as Probed;
    this.globals = exposedGlobals(exports);
    const { memory, pagesNeeded, init } = this.exports;
    const bytes = BLOCKS * BLOCK_BYTES;
    memory.grow(Math.max(0, pagesNeeded(1, bytes, bytes) - memory.buffer.byteLength / PAGE_BYTES));
    this.view = new DataView(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.check(init(1, bytes, bytes, bytes, bytes, bytes, 1, 2, 3, 4));
    this.rx = this.exports.rxSlot();
    this.service = this.exports.servicesBase();
    this.connection = this.exports.connectionsBase();
    this.blocks = this.connection + CONNECTION_BYTES;
    this.record = new DataView(memory.buffer, this.connection, CONNECTION_BYTES);
    const indexBytes = INDEX_ENTRIES * INDEX_ENTRY_BYTES;
    this.index = new Int32Array(memory.buffer, this.connection - indexBytes, indexBytes / 4);
    this.setUp(policy);
    const { probeChain, probeClock, probeD1, probeD2 } = this.exports;
    this.deltas = [probeD1(), probeD2()];
    for (let i = 0; probeChain(0, i) !== 0; i++) this.chains.push((probeChain(0, i) - this.connection) / 4);
    for (let i = 0; probeClock(i) !== NONE; i++) this.clocks.push(probeClock(i) / 4);
    const elsewhere = [
      ...this.clocks,
      ...this.chains.flatMap((at) => Array.from({ length: CHAIN_WORDS }, (_, i) => at + i)),
    ];
    this.plain = Array.from({ length: CONNECTION_BYTES / 4 }, (_, i) => i).filter((i) => !elsewhere.includes(i));
  }

  private setUp(policy: Policy): void {
    const { exports, bytes, view } = this;
    for (const port of [Port.Wire, Port.Stack])
      this.check(exports.setPort(port, MTU, 0x0200, port, 0x0200, 0x10 + port));
    const at = exports.serviceScratch();
    bytes.set(mappedBytes(ADDRESS.primary), at + SERVICE_ADDRESS);
    bytes.set(mappedBytes(ADDRESS.replica), at + SERVICE_REPLICA);
    view.setUint16(at + SERVICE_PORT_COUNT, 1, true);
    view.setUint16(at + SERVICE_PORTS, 7000, true);
    const flags = { resume: 0, replay: SERVICE_FLAG_REPLAY, shadow: SERVICE_FLAG_SHADOW }[policy];
    view.setUint32(at + SERVICE_FLAGS, flags, true);
    this.check(exports.addService());
  }

  receive(port: Port, frame: Uint8Array): Sent[] {
    this.bytes.set(frame, this.rx);
    return this.sent(this.exports.receive(port, frame.length, frame.length, this.now));
  }

  recover(): Sent[] {
    this.check(this.exports.setServiceState(0, ServiceState.Recovery, this.now));
    return this.sent(this.exports.pump(this.now));
  }

  /** Time passes. */
  tick(ms: number): Sent[] {
    this.now += ms;
    return this.sent(this.exports.tick(this.now));
  }

  private sent(first: number): Sent[] {
    const { exports, view, segments } = this;
    const sent: Sent[] = [];
    for (let n = this.check(first); n > 0; n = this.check(exports.pump(this.now))) {
      const table = exports.txTable();
      for (let desc = table; desc < table + n * TX_DESC_BYTES; desc += TX_DESC_BYTES) {
        const at = view.getUint32(desc + TX_DESC_OFF, true);
        const segment = segments.read(view, at, view.getUint32(desc + TX_DESC_LEN, true));
        sent.push({ port: asCode<Port>(view.getUint32(desc + TX_DESC_PORT, true)), segment });
      }
    }
    return sent;
  }

  private check(result: number): number {
    if (result < 0) throw new Error(`status ${result}`);
    return result;
  }

  // --- states ---------------------------------------------------------------------------------------------------

  /** All that differs from one state to another: record, service, blocks, index and globals; and the time. */
  save(): Int32Array {
    const { words, globals, index } = this;
    const state = new Int32Array(STATE_WORDS);
    state.set(words.subarray(this.connection / 4, this.connection / 4 + CONNECTION_BYTES / 4));
    let at = CONNECTION_BYTES / 4;
    state.set(words.subarray(this.service / 4, this.service / 4 + SERVICE_BYTES / 4), at);
    at += SERVICE_BYTES / 4;
    for (let block = this.blocks / 4, i = 0; i < 2 * BLOCKS; i++, block += BLOCK_BYTES / 4) {
      state.set(words.subarray(block, block + BLOCK_USED / 4), at);
      at += BLOCK_USED / 4;
    }
    const end = at + INDEX_USED * 3;
    for (let i = 0; i < index.length; i += 2) {
      if (index[i] === 0 && index[i + 1] === 0) continue;
      if (at === end) throw new Error('more entries in the index than a connection has');
      state[at++] = i + 1;
      state[at++] = index[i] ?? 0;
      state[at++] = index[i + 1] ?? 0;
    }
    at = end;
    for (const global of globals) state[at++] = global.value;
    state[at] = this.now;
    return state;
  }

  /**
   * What tells this state from others, word by word: the record, with times as seen from now and chains as what they hold.
   * With one connection the lists, the index and the free blocks follow from it.
   */
  tell(word: (word: number) => void): void {
    const { words, now } = this;
    const record = this.connection / 4;
    for (const i of this.plain) word(words[record + i] ?? 0);
    for (const i of this.clocks) word(now - (words[record + i] ?? 0));
    for (const i of this.chains) this.tellChain(record + i, word);
  }

  private tellChain(chain: number, word: (word: number) => void): void {
    const { words } = this;
    word(words[chain + CHAIN_BUDGET] ?? 0);
    for (let i = words[chain + CHAIN_HEAD] ?? 0; i !== NONE;) {
      const block = (this.blocks + i * BLOCK_BYTES) / 4;
      const length = words[block + BLOCK_LENGTH] ?? 0;
      const marks = (words[chain + CHAIN_HINT] === i ? 1 : 0) | (words[chain + CHAIN_FLOOR] === i ? 2 : 0);
      word(words[block] ?? 0);
      word((length << 2) | marks);
      const bytes = (block + BLOCK_DATA) * 4;
      for (let at = bytes; at < bytes + length; at++) word(this.bytes[at] ?? 0);
      i = words[block + BLOCK_NEXT] ?? NONE;
    }
    word(NONE);
  }

  restore(state: Int32Array): void {
    const { words, globals, index } = this;
    words.set(state.subarray(0, CONNECTION_BYTES / 4), this.connection / 4);
    let at = CONNECTION_BYTES / 4;
    words.set(state.subarray(at, at + SERVICE_BYTES / 4), this.service / 4);
    at += SERVICE_BYTES / 4;
    for (let block = this.blocks / 4, i = 0; i < 2 * BLOCKS; i++, block += BLOCK_BYTES / 4) {
      words.set(state.subarray(at, at + BLOCK_USED / 4), block);
      at += BLOCK_USED / 4;
    }
    index.fill(0);
    const end = at + INDEX_USED * 3;
    for (; at < end && state[at] !== 0; at += 3) {
      const i = (state[at] ?? 0) - 1;
      index[i] = state[at + 1] ?? 0;
      index[i + 1] = state[at + 2] ?? 0;
    }
    at = end;
    for (const global of globals) global.value = state[at++] ?? 0;
    this.now = state[at] ?? 0;
  }
}

/** A chain: head, tail, bytes, blocks, hint, floor, budget (assembly/tracker/retained.ts). */
const CHAIN_WORDS = 7;
const [CHAIN_HEAD, CHAIN_HINT, CHAIN_FLOOR, CHAIN_BUDGET] = [0, 4, 5, 6] as const;
/** A block: sequence number, length, next, bytes. */
const [BLOCK_LENGTH, BLOCK_NEXT, BLOCK_DATA] = [1, 2, 3] as const;

/** Globals of any build are fewer. */
const GLOBALS_MAX = 80;
const STATE_WORDS =
  CONNECTION_BYTES / 4 + SERVICE_BYTES / 4 + (2 * BLOCKS * BLOCK_USED) / 4 + INDEX_USED * 3 + GLOBALS_MAX + 1;
