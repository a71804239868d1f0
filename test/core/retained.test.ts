/** The store of retained bytes against a model that keeps each byte of a stream by its own number. */
import test from 'ava';
import fc from 'fast-check';
import { BLOCK_BYTES, CONNECTION_BYTES, CONNECTION_FLOWS } from '../../assembly/abi/layout';
import { Counter, Risk } from '../../assembly/abi/codes';
import { Flow } from '../support/flow';
import { type Core, start } from '../support/wasm';
import { World } from '../support/world';

const BUILDS = ['debug', 'test'] as const;

/** Payload bytes of a block: the rest is its header. */
const BLOCK_DATA = BLOCK_BYTES - 16;
const PER_FLOW = 3 * BLOCK_DATA;
/** No step reaches as far. */
const END = 9000;

interface Step {
  readonly kind: 'retain' | 'release' | 'clear' | 'raise' | 'read';
  /** Two flows share the pool: what one gives back the other uses. */
  readonly flow: 0 | 1;
  readonly offset: number;
  readonly length: number;
  readonly fill: number;
}

const step = (kind: Step['kind']): fc.Arbitrary<Step> =>
  fc.record({
    kind: fc.constant(kind),
    flow: fc.constantFrom(0 as const, 1 as const),
    offset: fc.nat(6000),
    length: fc.integer({ min: 1, max: 3000 }),
    fill: fc.nat(255),
  });

const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: step('retain') },
    { weight: 1, arbitrary: step('release') },
    { weight: 2, arbitrary: step('read') },
    { weight: 2, arbitrary: step('raise') },
    { weight: 2, arbitrary: step('clear') },
  ),
  { maxLength: 60 },
);

/** One flow's bytes by their offset from its first number: exact, slow, and ignorant of blocks. */
class Model {
  readonly bytes = new Map<number, number>();
  released = 0;

  constructor(
    readonly store: Store,
    readonly flow: number,
    readonly base: number,
  ) {}

  do({ kind, offset, length, fill }: Step): void {
    const { store, flow, base } = this;
    const seq = (base + offset) >>> 0;
    switch (kind) {
      case 'retain': {
        const bytes = Uint8Array.from({ length }, (_, i) => (fill + i) % 256);
        if (store.retain(flow, seq, bytes) !== 0) throw new Error('refused within the budget');
        for (const [i, byte] of bytes.entries()) {
          // The first copy stays, for as long as it has to.
          if (!this.bytes.has(offset + i) || offset + i < this.released) this.bytes.set(offset + i, byte);
        }
        break;
      }
      case 'release':
        store.core.exports.probeReleaseBefore(flow, seq);
        this.released = Math.max(this.released, offset);
        break;
      case 'clear':
        store.core.exports.probeReleaseAll(flow);
        this.bytes.clear();
        break;
      case 'raise':
        store.core.exports.probeRaiseFloor(flow, seq);
        break;
      case 'read':
        this.check(this.run(Math.max(offset, this.released)));
        break;
    }
  }

  /** The first run of bytes at or after this offset. */
  run(from: number): { readonly from: number; readonly start: number; readonly end: number } {
    let start = from;
    while (start < END && !this.bytes.has(start)) start++;
    let end = start;
    while (end < END && this.bytes.has(end)) end++;
    return { from, start, end };
  }

  check({ from, start, end }: ReturnType<Model['run']>): void {
    const { store, flow, base } = this;
    const found = (store.first(flow, base + from, base + END) - base) >>> 0;
    if (found !== start) throw new Error(`first at ${from}: ${found}, not ${start}`);
    const length = store.contiguous(flow, base + start, END - start);
    if (length !== end - start) throw new Error(`run at ${start}: ${length}, not ${end - start}`);
    for (const [i, byte] of store.read(flow, base + start, length).entries()) {
      if (byte !== this.bytes.get(start + i)) throw new Error(`byte ${start + i}`);
    }
  }

  /** Bytes before the release may be gone; all others are there, and right. */
  checkAll(): void {
    for (let at = this.released; at < END;) {
      const run = this.run(at);
      this.check(run);
      at = Math.max(run.end, at + 1);
    }
  }
}

class Store {
  readonly core: Core<'debug' | 'test'>;
  readonly flows: readonly [number, number];

  constructor(build: (typeof BUILDS)[number], retainedBytes = 1 << 20, retainedPerConnection = PER_FLOW) {
    this.core = start(build, { retainedBytes, retainedPerConnection });
    const base = this.core.exports.connectionsBase() >>> 0;
    this.flows = [base + CONNECTION_FLOWS, base + CONNECTION_BYTES + CONNECTION_FLOWS];
    for (const flow of this.flows) this.core.exports.probeEmptyFlow(flow);
  }

  /** How many bytes were refused. */
  retain(flow: number, seq: number, bytes: Uint8Array): number {
    const at = this.core.exports.rxSlot() >>> 0;
    this.core.bytes.set(bytes, at);
    return this.core.exports.probeRetain(flow, seq >>> 0, at, bytes.length) >>> 0;
  }

  read(flow: number, seq: number, length: number): Uint8Array {
    const at = this.core.exports.rxSlot() >>> 0;
    this.core.bytes.fill(0xa5, at, at + length + 1);
    this.core.exports.probeReadRetained(flow, seq >>> 0, at, length);
    if (this.core.bytes[at + length] !== 0xa5) throw new Error('read more than asked for');
    return this.core.bytes.slice(at, at + length);
  }

  kept(flow: number): number {
    return this.core.exports.probeRetainedBytes(flow) >>> 0;
  }

  contiguous(flow: number, seq: number, limit: number): number {
    return this.core.exports.probeContiguous(flow, seq >>> 0, limit) >>> 0;
  }

  first(flow: number, seq: number, end: number): number {
    return this.core.exports.probeFirstRetained(flow, seq >>> 0, end >>> 0) >>> 0;
  }

  used(): number {
    return this.core.exports.retainedUsed() >>> 0;
  }
}

for (const build of BUILDS) {
  test(`${build}: random segments of two flows against the model`, (t) => {
    const property = fc.property(fc.constantFrom(1000, 0xfffff000, 0x7ffff000), steps, (base, list: Step[]) => {
      const store = new Store(build, 1 << 20, 1 << 18);
      // The numbers of one lie among those of the other.
      const models = store.flows.map((flow, i) => new Model(store, flow, (base + 100 * i) >>> 0));
      for (const next of list) models[next.flow]?.do(next);
      for (const model of models) model.checkAll();
      for (const flow of store.flows) store.core.exports.probeReleaseAll(flow);
      return store.used() === 0 && store.flows.every((flow) => store.kept(flow) === 0);
    });
    t.notThrows(() => {
      fc.assert(property, { numRuns: build === 'debug' ? 60 : 200 });
    });
  });

  test(`${build}: the first copy of a byte stays`, (t) => {
    const store = new Store(build);
    const [flow] = store.flows;
    store.retain(flow, 100, Uint8Array.of(1, 2, 3));
    store.retain(flow, 98, Uint8Array.of(9, 9, 9, 9, 9, 9, 9));
    t.deepEqual([...store.read(flow, 98, 7)], [9, 9, 1, 2, 3, 9, 9]);
  });

  test(`${build}: bytes that are kept already cost nothing`, (t) => {
    const store = new Store(build);
    const [flow] = store.flows;
    for (const seq of [100, 200, 300]) store.retain(flow, seq, Uint8Array.of(1, 2, 3));
    for (const seq of [100, 200, 300]) store.retain(flow, seq, Uint8Array.of(9, 9, 9));
    t.is(store.used(), 3 * BLOCK_BYTES);
    t.is(store.kept(flow), 9);
    t.deepEqual([...store.read(flow, 200, 3)], [1, 2, 3]);
    for (let i = 0; i < 2; i++) t.is(store.retain(flow, 1000, new Uint8Array(BLOCK_DATA + 100)), 0);
    t.is(store.used(), 5 * BLOCK_BYTES);
  });

  test(`${build}: one flow takes no more than its budget, and says what it refused`, (t) => {
    const store = new Store(build);
    const [flow, other] = store.flows;
    const chunk = new Uint8Array(1000).fill(7);
    let refused = 0;
    for (let i = 0; i < 10; i++) refused += store.retain(flow, 5000 + 1000 * i, chunk);
    t.is(store.kept(flow) + refused, 10_000);
    t.true(store.kept(flow) <= PER_FLOW && store.kept(flow) > PER_FLOW - 1000);
    t.is(store.retain(other, 5000, chunk), 0, 'another flow has its own');
    store.core.exports.probeReleaseBefore(flow, 5000 + BLOCK_DATA);
    t.is(store.retain(flow, 5000 + store.kept(flow) + BLOCK_DATA, chunk), 0, 'what is released is free again');
  });

  test(`${build}: one flow of tiny pieces with gaps takes no more blocks than its budget pays for`, (t) => {
    const store = new Store(build);
    const [flow, other] = store.flows;
    for (let i = 0; i < 600; i++) store.retain(flow, 2 * i, Uint8Array.of(i));
    t.true(store.used() <= PER_FLOW + 3 * BLOCK_BYTES, `${store.used()} bytes of the pool`);
    t.is(store.retain(other, 1, new Uint8Array(PER_FLOW)), 0, 'the others keep theirs');
  });

  test(`${build}: the pool is shared, and full for everybody when it is full`, (t) => {
    const store = new Store(build, 4 * BLOCK_BYTES, 1 << 20);
    const [flow, other] = store.flows;
    t.is(store.retain(flow, 0, new Uint8Array(3 * BLOCK_DATA)), 0);
    t.is(store.retain(other, 0, new Uint8Array(2 * BLOCK_DATA)), BLOCK_DATA);
    t.is(store.used(), 4 * BLOCK_BYTES);
    store.core.exports.probeReleaseAll(flow);
    t.is(store.retain(other, BLOCK_DATA, new Uint8Array(3 * BLOCK_DATA)), 0);
  });

  test(`${build}: acknowledged bytes leave the store, whoever sent them`, (t) => {
    const flow = new Flow(new World(build)).established();
    flow.client.data(5000).primary.data(7000);
    // The primary's segment acknowledged the client's bytes; its own wait for the client.
    t.is(flow.record().inbound.retained, 0);
    t.is(flow.record().outbound.retained, 7000);
    flow.client.ack();
    t.is(flow.world.retainedUsed(), 0);
  });

  test(`${build}: a server that outruns the budget puts the connection at risk until its client catches up`, (t) => {
    const flow = new Flow(new World(build, { capacity: { retainedPerConnection: 4000 } })).established();
    for (let i = 0; i < 5; i++) flow.primary.data(1400);
    t.is(flow.record().risk, Risk.RetainedBudget);
    t.is(flow.world.counted(Counter.RetainedDropped), 3 * 1400);
    flow.client.ack();
    t.is(flow.record().risk, Risk.None);
    flow.primary.data(4000).primary.data(1);
    t.is(flow.world.counted(Counter.RetainedDropped), 3 * 1400 + 1);
  });

  test(`${build}: the store is empty again when connections end or are given up`, (t) => {
    for (const into of [
      (flow: Flow) => flow.client.rst(),
      (flow: Flow) => flow.primary.rst({ seq: flow.primary.next }),
      (flow: Flow) => flow.crash().client.rst(),
    ]) {
      const flow = new Flow(new World(build)).established().client.data(3000);
      t.true(flow.world.retainedUsed() > 0);
      into(flow);
      t.is(flow.world.retainedUsed(), 0);
    }
  });
}
