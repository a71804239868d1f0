/** SACK blocks in the place of a replica that did not agree to them (assembly/recovery/selective.ts). */
import test from 'ava';
import { Port, ServiceState } from '../../assembly/abi/codes';
import { CONNECTION_FLAG_SACK_FORGED, SERVICE_FLAG_SHADOW } from '../../assembly/abi/layout';
import { Flow, type FlowOptions, type Offer } from '../support/flow';
import { nop, sack } from '../support/frames';
import { MAC, World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

const SIZE = 100;

for (const build of BUILDS) {
  const begun = (offer: Offer = {}, options: FlowOptions = {}, flags = 0): Flow =>
    new Flow(new World(build, { services: [{ flags }] }), {
      clientOffer: { sack: true, ...offer },
      primaryOffer: { sack: true, ...offer, isn: 500_000 },
      ...options,
    });
  /** Behind its first bytes: a hole before them may be a gap of the tap (assembly/recovery/gap.ts). */
  const read = (flow: Flow): Flow => flow.client.data('hello').take().stack.ack();
  const live = (offer: Offer = {}, options: FlowOptions = {}): Flow =>
    read(begun(offer, options).established().recovered());

  /** The client's segment number `n` from `from` on, which the replica gets. */
  const pass = (flow: Flow, from: number, n: number, count = 1): Flow =>
    flow.client.data(SIZE * count, { seq: (from + n * SIZE) >>> 0 });
  /** What the client hears when the replica acknowledges all before segment `n`. */
  const told = (flow: Flow, from: number, n: number): readonly (readonly [number, number])[] => {
    flow.stack.ack({ ack: (from + n * SIZE) >>> 0 });
    const answers = flow.toClient();
    return answers.flatMap(({ sack: blocks }) =>
      blocks.map(([l, r]) => [((l - from) | 0) / SIZE, ((r - from) | 0) / SIZE]),
    );
  };

  for (const isn of [1000, 0xffffffff - 250, 0x7fffffff - 250]) {
    test(`${build}: what lies behind a hole is told while the hole is there, from ${isn} on`, (t) => {
      const flow = live({ isn });
      const from = flow.client.next;
      t.deepEqual(told(pass(flow, from, 0), from, 1), []);
      t.deepEqual(told(pass(flow, from, 2), from, 1), [[2, 3]]);
      t.deepEqual(told(pass(flow, from, 3), from, 1), [[2, 4]]);
      t.deepEqual(told(pass(flow, from, 5), from, 1), [[5, 6]], 'the latest run');
      t.deepEqual(told(pass(flow, from, 4), from, 1), [[4, 6]], 'which grows downwards too');
      t.deepEqual(told(pass(flow, from, 3, 2), from, 1), [[3, 6]], 'and by what overlaps it');
      t.deepEqual(told(pass(flow, from, 1), from, 6), []);
      t.deepEqual(told(pass(flow, from, 6), from, 7), []);
      t.deepEqual(told(flow, from, 7), []);
    });
  }

  test(`${build}: a segment with a block is complete`, (t) => {
    const flow = live();
    const from = flow.client.next;
    pass(flow, from, 1).stack.ack({ window: 64_321 });
    t.like(flow.toClient()[0], {
      flags: 'A',
      seq: flow.client.received,
      ack: from,
      window: 64_321,
      optionBytes: 12,
      sack: [[from + SIZE, from + 2 * SIZE]],
    });
  });

  for (const tsval of [undefined, 77]) {
    test(`${build}: a block beside timestamps, ${tsval === undefined ? 'which' : 'like'} the replica has`, (t) => {
      const flow = live({ tsval: 5000 }, { replicaOffer: { tsval } });
      const from = flow.client.next;
      t.deepEqual(told(pass(flow, from, 1), from, 0), [[1, 2]]);
      const [answer] = flow.toClient();
      t.is(answer?.optionBytes, 24);
      t.is(answer?.timestamps?.[1], 5000);
      t.true((answer?.timestamps?.[0] ?? 0) - 5000 >= 0);
    });
  }

  test(`${build}: blocks that a replica tells although it has not agreed to are passed on, and no other`, (t) => {
    const flow = live();
    const from = flow.client.next;
    const own: [number, number] = [from + 5 * SIZE, from + 6 * SIZE];
    pass(flow, from, 1)
      .take()
      .stack.ack({ ack: from, options: [nop(), nop(), sack(own)] });
    t.deepEqual(flow.toClient()[0]?.sack, [own]);
  });

  test(`${build}: a stream in order has no block, however far it goes and whatever window is told`, (t) => {
    const flow = live();
    const from = flow.client.next;
    let acked = from;
    for (let i = 0; i < 5; i++) {
      flow.client.data(SIZE);
      flow.client.data(SIZE);
      for (const window of [5000, 6000]) flow.stack.ack({ ack: acked, window });
      acked += SIZE;
      flow.stack.ack({ ack: acked });
      flow.stack.ack({ ack: acked });
    }
    t.deepEqual(
      flow.toClient(flow.all).filter((segment) => segment.sack.length > 0),
      [],
    );
  });

  test(`${build}: what the client had sent before the crash and what the core feeds of it are no block`, (t) => {
    const flow = begun().established();
    for (let i = 0; i < 3; i++) flow.client.data(SIZE);
    flow.recovered();
    t.true(flow.toClient().every((segment) => segment.sack.length === 0));
    const from = flow.client.next;
    const before = from - 3 * SIZE;
    flow.client.data(SIZE);
    t.deepEqual(told(flow, before, 0), []);
    t.deepEqual(told(flow, before, 0), []);
    t.deepEqual(told(flow, before, 4), []);
    t.deepEqual(told(pass(flow, before, 6), before, 4), [[6, 7]]);
  });

  test(`${build}: a hole in what the core feeds is told`, (t) => {
    const flow = begun().established();
    const from = flow.client.next;
    flow.client.data(SIZE);
    flow.client.data(SIZE, { seq: from + 2 * SIZE });
    flow.client.next = from + 3 * SIZE;
    flow.recovered();
    t.deepEqual(told(flow, from, 1), [[2, 3]]);
    t.deepEqual(told(pass(flow, from, 1), from, 3), []);
  });

  test(`${build}: a FIN behind the hole is part of the block`, (t) => {
    const flow = live();
    const from = flow.client.next;
    flow.client.segment('FPA', { seq: from + SIZE, payload: flow.client.pattern(from + SIZE, SIZE) });
    flow.stack.ack({ ack: from });
    t.deepEqual(flow.toClient()[0]?.sack, [[from + SIZE, from + 2 * SIZE + 1]]);
  });

  test(`${build}: a client whose primary had closed its side is told too`, (t) => {
    const flow = begun().serverFin();
    read(flow.client.ack().recovered());
    const from = flow.client.next;
    t.deepEqual(told(pass(flow, from, 1), from, 0), [[1, 2]]);
  });

  test(`${build}: a replica that has read along and agreed to less`, (t) => {
    const flow = begun({}, {}, SERVICE_FLAG_SHADOW).shadowed();
    flow.client.data(SIZE);
    flow.take().stack.ack();
    flow.crash();
    const from = flow.client.next;
    t.deepEqual(told(pass(flow, from, 1), from, 0), [[1, 2]]);
    t.deepEqual(told(pass(flow, from, 0), from, 2), []);
    t.deepEqual(told(pass(flow, from, 2), from, 2), []);
  });

  test(`${build}: only a repeated acknowledgement without payload tells`, (t) => {
    const flow = live();
    const from = flow.client.next;
    pass(flow, from, 0);
    pass(flow, from, 2);
    t.deepEqual(told(flow, from, 1), [], 'what is new');
    flow.stack.data('hello', { ack: from + SIZE });
    t.like(flow.toClient()[0], { sack: [], payload: new TextEncoder().encode('hello') });
    t.deepEqual(told(flow, from, 0), [], 'what is old');
    t.deepEqual(told(flow, from, 1), [[2, 3]]);
    flow.stack.segment('RA', { ack: from + SIZE });
    t.like(flow.toClient()[0], { sack: [], flags: 'RA' });
  });

  test(`${build}: what the replica never got is not told: damaged, or outside its window`, (t) => {
    const flow = live();
    const from = flow.client.next;
    flow.client.data(SIZE, { seq: from + SIZE, checksum: 0x1234 });
    t.deepEqual(told(flow, from, 0), []);
    pass(flow, from, 10_000);
    t.deepEqual(told(flow, from, 0), []);
  });

  test(`${build}: a replica that agreed to SACK tells itself`, (t) => {
    const flow = live({}, { replicaOffer: { sack: true } });
    const from = flow.client.next;
    t.deepEqual(told(pass(flow, from, 1), from, 0), []);
    flow.stack.ack({ ack: from, options: [nop(), nop(), sack([from + 7, from + 9])] });
    t.deepEqual(flow.toClient()[0]?.sack, [[from + 7, from + 9]]);
    t.is(flow.record().flags & CONNECTION_FLAG_SACK_FORGED, 0);
  });

  test(`${build}: a client that had not agreed to SACK is told nothing`, (t) => {
    const flow = live({ sack: false });
    const from = flow.client.next;
    t.deepEqual(told(pass(flow, from, 1), from, 0), []);
  });

  test(`${build}: a connection that began with the replica is told what the replica tells`, (t) => {
    const flow = begun();
    flow.crash();
    flow.client.syn();
    flow.stack.received = flow.client.next;
    flow.stack.synAck();
    flow.client.received = flow.stack.next;
    flow.client.ack();
    const from = flow.client.next;
    t.deepEqual(told(pass(flow, from, 1), from, 0), []);
    t.is(flow.toClient().length, 1);
  });

  test(`${build}: a host that was started again tells of the holes that come`, (t) => {
    const flow = live();
    const { world } = flow;
    const from = flow.client.next;
    flow.client.data(SIZE);
    world.setState(ServiceState.Proxy);
    const { exports, bytes } = world.core;
    const length = exports.exportLive(0);
    const records = bytes.slice(exports.rxSlot() >>> 0, (exports.rxSlot() >>> 0) + length);
    exports.init(64, 1 << 20, 1 << 18, 0, 0, 0, 1, 2, 3, 4);
    world.setPort(Port.Wire, 1500, MAC.daemon, '00:00:00:00:00:00');
    world.setPort(Port.Stack, 65535, MAC.gateway, MAC.stack);
    world.addService();
    world.setState(ServiceState.Proxy);
    bytes.set(records, exports.rxSlot() >>> 0);
    exports.importLive(length, world.now);
    t.deepEqual(told(flow, from, 0), [], 'what is on its way is no hole');
    t.deepEqual(told(flow, from, 1), []);
    t.deepEqual(told(pass(flow, from, 3), from, 1), [[3, 4]]);
  });
}
