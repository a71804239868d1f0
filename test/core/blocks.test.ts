/** The pool of blocks: what is recorded and what is not yet acknowledged have each their part of it, to the last block. */
import test from 'ava';
import { Port, RecordState, Risk } from '../../assembly/abi/codes';
import { BLOCK_BYTES, SERVICE_FLAG_REPLAY, SERVICE_FLAG_SHADOW } from '../../assembly/abi/layout';
import { Flow } from '../support/flow';
import { SMALL } from '../support/wasm';
import { MAC, type Spilled, World, type WorldOptions } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
type Build = (typeof BUILDS)[number];

/** Payload bytes of a block: the rest is its header. */
const BLOCK_DATA = BLOCK_BYTES - 16;
/** Blocks of either part in these tests. */
const RETAINED = 20;
const RECORDED = 16;
const CAPACITY = {
  retainedBytes: RETAINED * BLOCK_BYTES,
  retainedPerConnection: 1 << 20,
  recordBytes: RECORDED * BLOCK_BYTES,
  recordPerConnection: 1 << 20,
};

const make = (build: Build, capacity: WorldOptions['capacity'] = {}): World =>
  new World(build, { services: [{ flags: SERVICE_FLAG_REPLAY }], capacity: { ...CAPACITY, ...capacity } });

/** The client sends so many blocks of bytes, and the primary acknowledges them. */
function upload(flow: Flow, blocks: number): Flow {
  for (let i = 0; i < blocks; i++) flow.client.data(BLOCK_DATA).primary.ack();
  return flow;
}

/** The primary sends so many. */
function download(flow: Flow, blocks: number): Flow {
  for (let i = 0; i < blocks; i++) flow.primary.data(BLOCK_DATA);
  return flow;
}

for (const build of BUILDS) {
  test(`${build}: records take all of their blocks, and not one more`, (t) => {
    const flow = upload(new Flow(make(build)).established(), RECORDED);
    t.is(flow.record().record, RecordState.Complete);
    t.is(flow.world.recordedUsed(), RECORDED * BLOCK_BYTES);
    flow.client.data(1);
    t.like(flow.record(), { record: RecordState.Lost, risk: Risk.RecordBudget });
  });

  test(`${build}: what is not yet acknowledged has its own blocks, whatever is recorded`, (t) => {
    const world = make(build);
    upload(new Flow(world).established(), RECORDED);
    const other = download(new Flow(world, { clientPort: 40_001 }).established(), RETAINED);
    t.like(other.record(), { risk: Risk.None, outbound: { retained: RETAINED * BLOCK_DATA } });
    t.is(world.retainedUsed(), (RETAINED + RECORDED) * BLOCK_BYTES);
    download(other, 1);
    t.is(other.record().outbound.retained, RETAINED * BLOCK_DATA);
    t.is(world.retainedUsed(), (RETAINED + RECORDED) * BLOCK_BYTES);
  });

  test(`${build}: output is not kept to be compared where records have taken all blocks`, (t) => {
    const world = make(build);
    const flow = upload(new Flow(world).established(), RECORDED - 1);
    const counted = (): number[] => [world.recordedUsed(), world.retainedUsed()].map((bytes) => bytes / BLOCK_BYTES);
    download(flow, 1).client.ack();
    t.deepEqual(counted(), [RECORDED, RECORDED]);
    download(flow, 3);
    t.deepEqual(counted(), [RECORDED, RECORDED + 3]);
    flow.client.ack();
    t.deepEqual(counted(), [RECORDED, RECORDED]);
    flow.client.rst();
    t.deepEqual(counted(), [0, 0]);
  });

  test(`${build}: output that is kept to be compared leaves the sender all that it may have on its way`, (t) => {
    const capacity = { retainedPerConnection: 8 * BLOCK_BYTES, recordBytes: 1 << 20 };
    const flow = new Flow(make(build, capacity)).established();
    for (let i = 0; i < 30; i++) download(flow, 1).client.ack();
    t.is(flow.world.recordedUsed(), 30 * BLOCK_BYTES);
    download(flow, 8);
    t.like(flow.record(), { risk: Risk.None, outbound: { retained: 8 * BLOCK_DATA } });
  });

  test(`${build}: output is kept to be compared up to its budget, and what is not is given back`, (t) => {
    const flow = new Flow(make(build, { comparePerConnection: 2 * BLOCK_DATA })).established();
    for (let i = 0; i < 5; i++) download(flow, 1).client.ack();
    t.is(flow.world.recordedUsed(), 2 * BLOCK_BYTES);
    t.is(flow.world.retainedUsed(), 2 * BLOCK_BYTES);
    flow.client.rst();
    t.is(flow.world.retainedUsed(), 0);
  });

  test(`${build}: output in small pieces shares blocks, and all of it is compared`, (t) => {
    const flow = new Flow(make(build)).established();
    flow.primary.data(1000).client.ack();
    flow.primary.data(BLOCK_DATA - 1000).client.ack();
    t.is(flow.world.recordedUsed(), BLOCK_BYTES);
    const said = flow.stack.pattern(flow.primary.offer.isn + 1, BLOCK_DATA);
    said[BLOCK_DATA - 1] = 255;
    flow.crash().accept().confirm().stack.data(said);
    t.deepEqual(flow.record().diverged, [BLOCK_DATA - 1, BLOCK_DATA]);
  });

  test(`${build}: output that the replica has said before its client has read it is not kept`, (t) => {
    const world = new World(build, { services: [{ flags: SERVICE_FLAG_SHADOW }] });
    const flow = new Flow(world).shadowed();
    flow.primary.data(100).stack.data(flow.primary.pattern(flow.primary.next - 100, 100));
    flow.client.ack();
    t.is(world.recordedUsed(), 0);
    // And of two blocks the one that the client lacks still is, the primary's and the replica's.
    const first = flow.primary.next;
    download(flow, 2).client.ack({ ack: first + BLOCK_DATA });
    flow.stack.data(flow.primary.pattern(first, 2 * BLOCK_DATA));
    t.is(world.recordedUsed(), 0);
    t.is(world.retainedUsed(), 2 * BLOCK_BYTES);
    flow.client.ack();
    t.is(world.retainedUsed(), 0);
    t.deepEqual(flow.record().diverged, [0, 0]);
  });

  test(`${build}: what the host gives back finds room in the pool, or waits until there is some`, (t) => {
    const world = make(build);
    const flow = new Flow(world).established();
    const first = flow.client.next;
    const disk: Spilled[] = [];
    for (let i = 0; i < 3 * RECORDED; i++) {
      upload(flow, 1);
      for (let given = world.spill(); given !== undefined; given = world.spill()) disk.push(given);
    }
    const kept = Buffer.concat(disk.map(({ bytes }) => bytes));
    t.true(kept.length > RECORDED * BLOCK_DATA);
    // All other blocks hold what another client does not acknowledge.
    download(new Flow(world, { clientPort: 40_001 }).established(), RETAINED);
    const { index } = flow.crash().record();
    flow.note(flow.sent.filter(({ connection }) => connection === index));
    flow.accept().confirm();
    for (let wanted = world.wanted(); wanted !== undefined; wanted = world.wanted()) {
      t.is(wanted.connection, index);
      const { from, length } = wanted;
      flow.note(world.supply(index, kept.subarray(from, from + length)));
      t.true(world.retainedUsed() <= (RETAINED + RECORDED) * BLOCK_BYTES);
      while (flow.toReplica().length > 0) flow.take().stack.ack();
    }
    t.is(flow.stack.received, flow.client.next);
    const read = Buffer.from(flow.stream(flow.toReplica(flow.all), first), 'latin1');
    t.true(read.equals(flow.client.pattern(first, flow.client.next - first)));
  });

  test(`${build}: a core that is started again has its whole pool again`, (t) => {
    const world = make(build);
    const blocks = (): number[] => [world.recordedUsed(), world.retainedUsed()].map((bytes) => bytes / BLOCK_BYTES);
    const use = (): Flow[] => {
      const recorded = upload(new Flow(world).established(), RECORDED);
      const retained = download(new Flow(world, { clientPort: 40_001 }).established(), RETAINED);
      return [recorded, retained];
    };
    const [, retained] = use();
    // Some of its blocks have been given back.
    retained?.client.ack({ ack: retained.client.received - 5 * BLOCK_DATA });
    const { connections, comparePerConnection, key } = SMALL;
    const { retainedBytes, retainedPerConnection, recordBytes, recordPerConnection } = CAPACITY;
    const budgets = [retainedBytes, retainedPerConnection, recordBytes, recordPerConnection] as const;
    t.is(world.core.exports.init(connections, ...budgets, comparePerConnection, ...key), 0);
    t.deepEqual(blocks(), [0, 0]);
    world.setPort(Port.Wire, 1500, MAC.daemon, '00:00:00:00:00:00');
    world.setPort(Port.Stack, 65535, MAC.gateway, MAC.stack);
    world.addService({ flags: SERVICE_FLAG_REPLAY });
    const [recorded, other] = use();
    t.deepEqual(blocks(), [RECORDED, RECORDED + RETAINED]);
    t.is(recorded?.record().record, RecordState.Complete);
    t.is(other?.record().outbound.retained, RETAINED * BLOCK_DATA);
    if (recorded === undefined) return t.fail();
    // And no block is two connections'.
    const { index } = recorded.crash().record();
    recorded.note(recorded.sent.filter(({ connection }) => connection === index));
    recorded.accept().drainToReplica();
    const sent = recorded.client.next - 1001;
    const read = Buffer.from(recorded.stream(recorded.toReplica(recorded.all), 1001), 'latin1');
    t.true(read.equals(recorded.client.pattern(1001, sent)));
  });
}
