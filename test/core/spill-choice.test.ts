/** Which bytes of which records are handed to the host, and which are asked back: see assembly/tracker/spill.ts. */
import test from 'ava';
import { Counter, Phase, RecordState, ServiceState } from '../../assembly/abi/codes';
import { BLOCK_BYTES, RX_FRAME_BYTES, SERVICE_FLAG_REPLAY, SERVICE_FLAG_SHADOW } from '../../assembly/abi/layout';
import { Flow } from '../support/flow';
import { SMALL } from '../support/wasm';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
type Build = (typeof BUILDS)[number];

const BLOCK_DATA = BLOCK_BYTES - 16;
/** Blocks that all records may use in these tests: three quarters of them make memory tight. */
const BLOCKS = 64;
/** How much of the host's a feed has in front of it, at least. */
const AHEAD_BYTES = 163_840;

const make = (build: Build, flags: number, connections = 64): World =>
  new World(build, {
    services: [{ flags }],
    capacity: { connections, recordBytes: BLOCKS * BLOCK_BYTES, recordPerConnection: 8 << 20, retainedBytes: 1 << 20 },
  });

/** Uploads so many blocks, of which the primary acknowledges each, and the host takes what it is handed. */
function upload(flow: Flow, blocks: number, disk?: Buffer[]): void {
  for (let i = 0; i < blocks; i++) {
    flow.client.data(BLOCK_DATA).primary.ack();
    if (disk !== undefined) take(flow, disk);
  }
}

function take(flow: Flow, disk: Buffer[]): void {
  for (let given = flow.world.spill(); given !== undefined; given = flow.world.spill()) {
    if (given.connection !== flow.record().index) throw new Error(`bytes of connection ${given.connection}`);
    disk.push(Buffer.from(given.bytes));
  }
}

/** A connection whose stream is for the most part with the host, when its primary has died and a replica answers. */
function replayed(build: Build, blocks: number): { readonly flow: Flow; readonly kept: Buffer } {
  const flow = new Flow(make(build, SERVICE_FLAG_REPLAY)).established();
  const disk: Buffer[] = [];
  upload(flow, blocks, disk);
  flow.crash().accept().confirm();
  return { flow, kept: Buffer.concat(disk) };
}

for (const build of BUILDS) {
  test(`${build}: as long as one record has many bytes, those with few keep theirs`, (t) => {
    const world = make(build, SERVICE_FLAG_REPLAY);
    const small = new Flow(world, { clientPort: 1 }).established();
    upload(small, 5);
    const large = new Flow(world, { clientPort: 2 }).established();
    upload(large, BLOCKS - 15);
    // At once, though the other one comes first.
    const first = world.spill();
    t.is(first?.connection, large.record().index);
    const disk = [Buffer.from(first?.bytes ?? [])];
    upload(large, 4 * BLOCKS, disk);
    t.is(small.record().inbound.retained, 5 * BLOCK_DATA);
    t.is(world.counted(Counter.SpilledBytes), Buffer.concat(disk).length);
  });

  test(`${build}: when all have few, those are handed out that are recorded, and no others`, (t) => {
    const world = make(build, SERVICE_FLAG_REPLAY);
    const recorded = (clientPort: number): Flow => new Flow(world, { clientPort }).established();
    const flows = [recorded(1), recorded(2)];
    const other = new Flow(world, { clientPort: 3 }).client.data(100);
    for (let clientPort = 4; clientPort < 14; clientPort++) flows.push(recorded(clientPort));
    for (const flow of flows) upload(flow, 5);
    const given = Array.from({ length: 20 }, () => world.spill()).flatMap((spilled) => spilled ?? []);
    t.true(given.length > 0);
    t.true(given.every(({ bytes, offset }) => bytes.length === 5 * BLOCK_DATA && offset === 0));
    t.true(given.every(({ connection }) => connection !== other.record().index));
    t.is(new Set(given.map(({ connection }) => connection)).size, given.length);
  });

  test(`${build}: what lies behind a full table is no record`, (t) => {
    const world = make(build, SERVICE_FLAG_REPLAY, 2);
    const flows = [1, 2].map((clientPort) => new Flow(world, { clientPort }).established());
    // Bytes that look like one. None of them can be handed out yet, so that all records are looked at.
    const payload = new Uint8Array(BLOCK_DATA).fill(RecordState.Complete);
    for (const flow of flows) for (let i = 0; i < 25; i++) flow.client.data(payload);
    for (let calls = 0; calls < 10; calls++) t.is(world.spill(), undefined);
  });

  test(`${build}: a replica that reads along keeps in memory what it has not read`, (t) => {
    const flow = new Flow(make(build, SERVICE_FLAG_SHADOW)).shadowed();
    upload(flow, BLOCKS - 8);
    for (let calls = 0; calls < 5; calls++) t.is(flow.world.spill(), undefined);
    t.is(flow.record().record, RecordState.Complete);
  });

  test(`${build}: what was given back is not handed out again`, (t) => {
    const { flow, kept } = replayed(build, 3 * BLOCKS);
    for (let wanted = flow.world.wanted(); wanted !== undefined; wanted = flow.world.wanted()) {
      const { connection, from, length } = wanted;
      flow.note(flow.world.supply(connection, kept.subarray(from, from + length)));
      for (let calls = 0; calls < 5; calls++) t.is(flow.world.spill(), undefined);
      while (flow.toReplica().length > 0) flow.take().stack.ack();
    }
    t.is(flow.stack.received, flow.client.next);
  });

  test(`${build}: bytes are asked for once, and again when the host has given only some of them`, (t) => {
    const { flow, kept } = replayed(build, 2 * BLOCKS);
    const { world } = flow;
    // In so small pieces that it is asked more than a thousand times, and for a single byte at last.
    const most = 97;
    let asked = 0;
    for (let wanted = world.wanted(); wanted !== undefined; wanted = world.wanted()) {
      flow.stack.ack();
      t.is(world.wanted(), undefined);
      const { connection, from } = wanted;
      t.is(wanted.length, Math.min(RX_FRAME_BYTES, kept.length - from));
      const given = Math.min(most, Math.max(wanted.length - 1, 1));
      flow.note(world.supply(connection, kept.subarray(from, from + given)));
      while (flow.toReplica().length > 0) flow.take().stack.ack();
      asked++;
    }
    t.is(asked, Math.ceil((kept.length - 1) / most) + 1);
    t.true(asked > 1024);
    const read = Buffer.from(flow.stream(flow.toReplica(flow.all), 1001), 'latin1');
    t.true(read.equals(flow.client.pattern(1001, flow.client.next - 1001)));
    t.is(world.core.exports.wantedLength(flow.record().index), 0);
  });

  test(`${build}: no more is asked for than the replica needs soon`, (t) => {
    const { flow, kept } = replayed(build, 4 * BLOCKS);
    let given = 0;
    for (let wanted = flow.world.wanted(); wanted !== undefined; wanted = flow.world.wanted()) {
      const { connection, from, length } = wanted;
      flow.world.supply(connection, kept.subarray(from, from + length));
      given += length;
    }
    // It has been sent as much as it has room for, and has read nothing of that.
    const most = AHEAD_BYTES + RX_FRAME_BYTES + flow.stack.offer.window;
    t.true(given >= AHEAD_BYTES && given < most && most < kept.length, `${given}`);
  });

  test(`${build}: nobody asks for a connection that has ended meanwhile`, (t) => {
    const { flow } = replayed(build, 2 * BLOCKS);
    flow.client.rst();
    t.is(flow.world.wanted(), undefined);
    t.is(flow.record().phase, Phase.Direct);
    // The next one of the port asks for its own.
    flow.world.setState(ServiceState.Normal);
    const next = new Flow(flow.world, { clientOffer: { isn: 7_000_000 } }).established();
    upload(next, 2 * BLOCKS, []);
    next.crash().accept().confirm();
    t.is(flow.world.wanted()?.connection, next.record().index);
  });

  test(`${build}: a core that is started again asks for nothing`, (t) => {
    const { flow, kept } = replayed(build, 2 * BLOCKS);
    const { world } = flow;
    const wanted = world.wanted();
    world.supply(wanted?.connection ?? 0, kept.subarray(0, wanted?.length));
    const { connections, retainedBytes, retainedPerConnection, recordPerConnection, key } = SMALL;
    const budgets = [retainedBytes, retainedPerConnection, BLOCKS * BLOCK_BYTES, recordPerConnection] as const;
    world.core.exports.init(connections, ...budgets, SMALL.comparePerConnection, ...key);
    t.is(world.wanted(), undefined);
    t.is(world.spill(), undefined);
  });
}
