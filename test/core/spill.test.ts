/** Records that outgrow the memory: handed to the host, and given back when a replica is to read them. */
import test, { type ExecutionContext } from 'ava';
import { Counter, Loss, Phase, RecordState, Risk, ServiceState } from '../../assembly/abi/codes';
import { RX_FRAME_BYTES, SERVICE_FLAG_REPLAY, SERVICE_FLAG_SHADOW } from '../../assembly/abi/layout';
import { Flow } from '../support/flow';
import type { Sent } from '../support/sent';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
type Build = (typeof BUILDS)[number];

const BLOCK_DATA = 2032;
/** Blocks that all records may use in these tests: three quarters of them make memory tight. */
const BLOCKS = 64;
const BLOCK_BYTES = 2048;

/** The host's file: what was handed out of each record, in order. */
class Disk {
  readonly kept = new Map<number, Uint8Array>();

  constructor(
    readonly t: ExecutionContext,
    readonly world: World,
  ) {}

  /** Takes all there is. */
  fill(): this {
    for (let given = this.world.spill(); given !== undefined; given = this.world.spill()) {
      const before = this.kept.get(given.connection) ?? new Uint8Array(0);
      this.t.is(given.offset, before.length, 'in order and without a gap');
      this.kept.set(given.connection, Uint8Array.from([...before, ...given.bytes]));
    }
    return this;
  }

  /** Gives back what is asked for first, if anything is. What the core sends then. */
  serve(): Sent[] | undefined {
    const wanted = this.world.wanted();
    if (wanted === undefined) return undefined;
    const { connection, from, length } = wanted;
    const bytes = this.kept.get(connection)?.slice(from, from + length) ?? new Uint8Array(0);
    this.t.is(bytes.length, length, 'no more is asked for than was handed out');
    this.t.true(length > 0);
    return this.world.supply(connection, bytes);
  }
}

/** Windows that hold all of that. */
const WIDE = { clientOffer: { windowShift: 7 }, primaryOffer: { windowShift: 7 } };

const make = (build: Build, flags: number, perConnection = 1 << 20): World =>
  new World(build, {
    services: [{ flags }],
    capacity: { recordBytes: BLOCKS * BLOCK_BYTES, recordPerConnection: perConnection, retainedBytes: 1 << 20 },
  });

function talk(flow: Flow, bytes: number, disk?: Disk, reads = false): void {
  for (let left = bytes; left > 0; left -= 1400) {
    flow.client.data(Math.min(left, 1400));
    if (reads) flow.take().stack.ack();
    flow.primary.ack();
    disk?.fill();
  }
}

/** The replica reads what it is sent, and the host gives what is asked for, until neither happens any more. */
function readAll(flow: Flow, disk: Disk): void {
  for (let rounds = 0; rounds < 10_000; rounds++) {
    const given = disk.serve();
    if (given === undefined && flow.toReplica().length === 0) return;
    flow
      .note([...flow.sent, ...(given ?? [])])
      .take()
      .stack.ack();
  }
}

for (const build of BUILDS) {
  test(`${build}: nothing is handed out while there is room`, (t) => {
    const world = make(build, SERVICE_FLAG_REPLAY);
    const flow = new Flow(world).established();
    talk(flow, (BLOCKS / 2) * BLOCK_DATA);
    t.is(world.spill(), undefined);
    t.is(world.wanted(), undefined);
  });

  for (const isn of [1000, 0xfffe_0000]) {
    test(`${build}: a stream of which most is with the host is replayed as if it had been kept (ISN ${isn})`, (t) => {
      const world = make(build, SERVICE_FLAG_REPLAY, 8 << 20);
      const disk = new Disk(t, world);
      const flow = new Flow(world, { clientOffer: { isn } }).established();
      const total = 1 << 20;
      talk(flow, total, disk);
      t.is(flow.record().record, RecordState.Complete);
      t.is(flow.record().risk, Risk.None);
      t.true((disk.kept.get(flow.record().index)?.length ?? 0) > total - BLOCKS * BLOCK_DATA);
      flow.client.data('unread');
      flow.crash().accept().confirm();
      readAll(flow, disk);
      t.is(flow.stack.received, flow.client.next);
      const first = (isn + 1) >>> 0;
      const got = Buffer.from(flow.stream(flow.toReplica(flow.all), first), 'latin1');
      t.is(got.length, (flow.client.next - first) >>> 0);
      t.true(got.subarray(0, total).equals(flow.client.pattern(first, total)));
      t.is(flow.record().phase, Phase.Live);
      t.is(world.counted(Counter.SuppliedBytes), disk.kept.get(flow.record().index)?.length ?? 0);
      t.is(world.wanted(), undefined);
      t.is(world.recordedUsed(), 0);
      t.is(world.retainedUsed(), 0);
    });
  }

  test(`${build}: a shadow that reads along needs nothing back, one that begins again needs all of it`, (t) => {
    const world = make(build, SERVICE_FLAG_SHADOW, 8 << 20);
    const disk = new Disk(t, world);
    const flow = new Flow(world).shadowed();
    talk(flow, 300_000, disk, true);
    t.is(flow.record().record, RecordState.Complete);
    t.is(world.counted(Counter.SuppliedBytes), 0);
    flow.stack.rst();
    while (!flow.toReplica().some(({ flags }) => flags === 'S')) flow.tick();
    const before = flow.all.length;
    const used = world.recordedUsed();
    flow.accept().confirm();
    readAll(flow, disk);
    t.is(world.recordedUsed(), used, 'what was given back is not kept twice');
    const got = Buffer.from(flow.stream(flow.toReplica(flow.all.slice(before)), 1001), 'latin1');
    t.true(got.equals(flow.client.pattern(1001, 300_000)));
    t.is(flow.record().phase, Phase.Withheld);
    talk(flow, 1400, disk, true);
    flow.crash();
    t.is(flow.record().phase, Phase.Live);
    t.is(world.recordedUsed(), 0);
  });

  test(`${build}: only whole blocks that the primary has acknowledged are handed out`, (t) => {
    const world = make(build, SERVICE_FLAG_REPLAY);
    const flow = new Flow(world, WIDE).established();
    flow.primary.ack();
    for (let i = 0; i < BLOCKS - 8; i++) flow.client.data(BLOCK_DATA);
    flow.primary.ack({ ack: 1001 + 5 * BLOCK_DATA });
    const disk = new Disk(t, world);
    // So little is taken only when no record has more.
    for (let calls = 0; calls < 4; calls++) disk.fill();
    t.is(disk.kept.get(flow.record().index)?.length, 5 * BLOCK_DATA);
  });

  test(`${build}: as much is handed out at once as the slot takes, and not a byte more`, (t) => {
    for (const odd of [0, RX_FRAME_BYTES % BLOCK_DATA]) {
      const world = make(build, SERVICE_FLAG_REPLAY);
      const flow = new Flow(world, WIDE).established();
      flow.primary.ack();
      // What comes first and lies behind begins a block of its own.
      flow.client.data(BLOCK_DATA, { seq: 1001 + odd });
      if (odd > 0) flow.client.data(odd);
      flow.client.next = 1001 + odd + BLOCK_DATA;
      for (let i = 0; i < BLOCKS - 8; i++) flow.client.data(BLOCK_DATA);
      flow.primary.received = flow.client.next;
      flow.primary.ack();
      t.is(world.spill()?.bytes.length, odd + RX_FRAME_BYTES - (RX_FRAME_BYTES % BLOCK_DATA));
    }
  });

  test(`${build}: a replica that begins again reads what the host has, though the record outgrows its budget meanwhile`, (t) => {
    const world = make(build, SERVICE_FLAG_SHADOW, 200_000);
    const disk = new Disk(t, world);
    const flow = new Flow(world).shadowed();
    talk(flow, 190_000, disk, true);
    flow.stack.rst();
    while (!flow.toReplica().some(({ flags }) => flags === 'S')) flow.tick();
    const before = flow.all.length;
    flow.accept().confirm();
    talk(flow, 20_000, disk);
    t.is(flow.record().record, RecordState.Trimmed);
    readAll(flow, disk);
    const got = Buffer.from(flow.stream(flow.toReplica(flow.all.slice(before)), 1001), 'latin1');
    t.true(got.equals(flow.client.pattern(1001, flow.client.next - 1001)));
    t.is(flow.crash().record().phase, Phase.Live);
    t.is(world.recordedUsed(), 0);
  });

  test(`${build}: many records share the memory, and each gets its own bytes back`, (t) => {
    const world = make(build, SERVICE_FLAG_REPLAY);
    const disk = new Disk(t, world);
    const flows = Array.from({ length: 4 }, (_, i) =>
      new Flow(world, { clientPort: 40_000 + i, clientOffer: { isn: i * 1_000_003 } }).established(),
    );
    for (let i = 0; i < 30; i++) for (const flow of flows) talk(flow, 1400 * (1 + (i % 3)), disk);
    t.true(disk.kept.size >= 2);
    t.true(flows.every((flow) => flow.record().record === RecordState.Complete));
    let pending = world.setState(ServiceState.Recovery);
    const own = (flow: Flow): Sent[] => {
      const mine = flow.toReplica(pending).filter(({ srcPort }) => srcPort === flow.options.clientPort);
      pending = pending.filter((frame) => !mine.some((other) => other === frame));
      return mine;
    };
    const play = (flow: Flow, step: () => Flow): void => {
      const mine = own(flow);
      if (mine.length === 0) return;
      flow.note(mine);
      const { sent } = step();
      pending.push(...sent);
    };
    for (const flow of flows) play(flow, () => flow.accept());
    for (let given: Sent[] | undefined = []; given !== undefined || pending.length > 0; given = disk.serve()) {
      pending.push(...(given ?? []));
      for (const flow of flows) play(flow, () => flow.take().stack.ack());
    }
    for (const flow of flows) t.is(flow.stack.received, flow.client.next);
  });

  test(`${build}: bytes that the host could not keep are a lost record`, (t) => {
    const world = make(build, SERVICE_FLAG_REPLAY);
    const flow = new Flow(world).established();
    talk(flow, (BLOCKS - 8) * BLOCK_DATA);
    const given = world.spill();
    t.is(given?.connection, flow.record().index);
    world.spillFailed(given?.connection ?? 0);
    t.is(flow.record().record, RecordState.Lost);
    t.is(flow.record().risk, Risk.RecordBudget);
    t.is(world.recordedUsed(), 0);
    t.is(world.spill(), undefined);
    flow.crash();
    t.is(flow.record().loss, Loss.RecordIncomplete);
  });

  test(`${build}: bytes that come when nobody wants them any more do no harm`, (t) => {
    const world = make(build, SERVICE_FLAG_REPLAY);
    const disk = new Disk(t, world);
    const flow = new Flow(world).established();
    talk(flow, 200_000, disk);
    flow.crash().accept().confirm();
    const wanted = world.wanted();
    t.is(wanted?.connection, flow.record().index);
    // The client gives up before the host has found them.
    flow.client.rst();
    flow.note(world.supply(wanted?.connection ?? 0, new Uint8Array(1000)));
    t.deepEqual(flow.sent, []);
    t.is(world.retainedUsed(), 0);
    t.is(world.recordedUsed(), 0);
  });

  test(`${build}: a record over its own budget is lost although the host has most of it`, (t) => {
    const world = make(build, SERVICE_FLAG_REPLAY, 200_000);
    const disk = new Disk(t, world);
    const flow = new Flow(world).established();
    talk(flow, 190_000, disk);
    t.is(flow.record().record, RecordState.Complete);
    talk(flow, 20_000, disk);
    t.is(flow.record().record, RecordState.Lost);
    t.is(flow.record().risk, Risk.RecordBudget);
    t.is(world.recordedUsed(), 0);
  });
}
