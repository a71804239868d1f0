/**
 * Frames the core makes itself, byte for byte: they are what the frame builder of the tests makes of the same numbers, in
 * memory that was not zero before. What the numbers are is the business of other tests.
 */
import test from 'ava';
import { Counter, Loss, Reason } from '../../assembly/abi/codes';
import { NONE, TX_ARENA_BYTES, TX_DESC_BYTES, TX_MAX } from '../../assembly/abi/layout';
import { Flow, type FlowOptions, type Offer } from '../support/flow';
import { hex, mss, nop, sack, sackPermitted, type Tag, tcpFrame, timestamps, windowScale } from '../support/frames';
import type { Segment, Sent } from '../support/sent';
import { World, type WorldOptions } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
const RESIDUE = 0xa5;

/** A world in which everything the core does not write shows. */
function dirtyWorld(build: (typeof BUILDS)[number], options: WorldOptions): World {
  const world = new World(build, options);
  const arena = (world.core.exports.txTable() >>> 0) + TX_MAX * TX_DESC_BYTES;
  world.core.bytes.fill(RESIDUE, arena, arena + TX_ARENA_BYTES);
  return world;
}

/** The frame as a sender writes it: hop limit 64, DF, no identification, options in the order of Linux. */
function written(segment: Segment): Uint8Array {
  const { srcMac, dstMac, src, dst, srcPort, dstPort, seq, ack, window, flags, payload } = segment;
  const tags = segment.tags.map((tag): Tag => {
    const [tpid = 0, tci = 0] = tag.split(':').map((word) => parseInt(word, 16));
    return { tpid, vid: tci & 0xfff, priority: tci >> 13 };
  });
  const ends = { srcMac, dstMac, tags, src, dst, srcPort, dstPort };
  return tcpFrame({ ...ends, seq, ack, window, flags, payload, ttl: 64, options: options(segment) });
}

function options(segment: Segment): Uint8Array[] {
  const times = segment.timestamps === undefined ? [] : [timestamps(...segment.timestamps)];
  if (!segment.flags.includes('S')) return times.length === 0 ? [] : [nop(), nop(), ...times];
  const aligned = segment.sackPermitted ? [sackPermitted()] : [nop(), nop()];
  return [
    mss(segment.mss ?? 0),
    ...(times.length > 0 ? [...aligned, ...times] : segment.sackPermitted ? [...aligned, nop(), nop()] : []),
    ...(segment.windowShift === undefined ? [] : [nop(), windowScale(segment.windowShift)]),
  ];
}

const NETWORKS: readonly (readonly [name: string, flow: FlowOptions, world: WorldOptions])[] = [
  ['IPv4', {}, {}],
  ['IPv6', { client: 'fd00::9' }, { services: [{ address: 'fd00::2', replica: 'fd00::3' }] }],
  ['two tags', { tags: [{ vid: 100, tpid: 0x88a8, priority: 5 }, { vid: 7 }] }, {}],
  ['a remote replica', { remote: true, tags: [{ vid: 9 }] }, { services: [{ remote: true }] }],
];

const OFFERS: readonly (readonly [name: string, offer: Offer, shown: Partial<Segment>])[] = [
  [
    'nothing',
    { mss: undefined },
    { optionBytes: 4, sackPermitted: false, timestamps: undefined, windowShift: undefined },
  ],
  ['SACK', { sack: true }, { optionBytes: 8, sackPermitted: true }],
  ['timestamps', { tsval: 5 }, { optionBytes: 16, sackPermitted: false }],
  ['SACK and timestamps', { sack: true, tsval: 5 }, { optionBytes: 16, sackPermitted: true }],
  ['a scale of 0', { windowShift: 0 }, { optionBytes: 8, windowShift: 0 }],
  ['everything', { sack: true, tsval: 5, windowShift: 7 }, { optionBytes: 20, sackPermitted: true, windowShift: 7 }],
];

for (const build of BUILDS) {
  for (const [network, flowOptions, worldOptions] of NETWORKS) {
    for (const [name, offer, shown] of OFFERS) {
      test(`${build}: ${network}, ${name} offered: every forged frame is as a sender writes it`, (t) => {
        const world = dirtyWorld(build, worldOptions);
        // So that the record is not the first one.
        new Flow(world, { ...flowOptions, clientPort: 1 }).established();
        const flow = new Flow(world, {
          ...flowOptions,
          clientOffer: { ...offer, isn: 0xffff_ff00 },
          primaryOffer: offer,
          replicaOffer: offer,
        }).established();
        flow.client.data(700);
        flow.client.received = flow.primary.next;
        flow.primary.data(300);
        // Neither is acknowledged: both are sent again from the store.
        const mine = ({ connection }: Sent): boolean => connection === flow.record().index;
        flow.crash();
        flow.sent = flow.sent.filter(mine);
        t.like(flow.toReplica()[0], { flags: 'S', ...shown });
        t.is(flow.world.counted(Counter.ForgedSyn), 2);
        flow.accept().confirm();
        flow.note(flow.world.dismiss());
        const forged = flow.all.filter((sent) => sent.kind === 'tcp').filter(mine);
        const kinds = new Set(forged.map(({ flags, payload }) => (payload.length > 0 ? 'data' : flags)));
        for (const kind of ['S', 'A', 'data', 'RA']) t.true(kinds.has(kind), `${[...kinds].join(' ')} without ${kind}`);
        for (const segment of forged) {
          t.is(hex(segment.bytes), hex(written(segment)));
        }
        t.is(flow.record().loss, Loss.Dismissed);
      });
    }
  }

  const fed = (options: FlowOptions, worldOptions: WorldOptions = {}): Flow => {
    const flow = new Flow(dirtyWorld(build, worldOptions), options).established();
    flow.primary.ack();
    return flow;
  };
  const sizes = (segments: readonly Segment[]): number[] => segments.map(({ payload }) => payload.length);
  const withData = (segments: readonly Segment[]): Segment[] => segments.filter(({ payload }) => payload.length > 0);

  test(`${build}: segments for a replica that did not agree to timestamps have none, those for the client have`, (t) => {
    const times = { tsval: 77 };
    const flow = fed({ clientOffer: times, primaryOffer: times });
    flow.client.data(100);
    flow.primary.data(100);
    flow.recovered();
    const toReplica = withData(flow.toReplica(flow.all));
    const toClient = withData(flow.toClient(flow.all));
    t.deepEqual(
      toReplica.map(({ optionBytes }) => optionBytes),
      [0],
    );
    t.deepEqual(
      toClient.map(({ timestamps: pair }) => pair?.[1]),
      [77],
    );
    // One that ends the connection needs none (RFC 7323 3.2), and is passed on as it is.
    flow.stack.segment('RA', { ttl: 63 });
    t.like(flow.toClient()[0], { flags: 'RA', timestamps: undefined, ttl: 63 });
  });

  test(`${build}: a server that answers with timestamps nobody has asked for is not taken at its word`, (t) => {
    const flow = new Flow(dirtyWorld(build, {})).synSent();
    flow.primary.synAck({ options: [mss(1460), timestamps(5, 0)] }).client.ack();
    flow.primary.data(100);
    flow.recovered();
    t.deepEqual(
      withData(flow.toClient(flow.all)).map(({ optionBytes }) => optionBytes),
      [0],
    );
  });

  test(`${build}: each port has an MTU of its own`, (t) => {
    const wire = fed({}, { wireMtu: 1000 });
    wire.client.data(1400);
    // What neither end has acknowledged.
    wire.primary.data(1400, { ack: wire.client.next - 1400 });
    wire.recovered();
    wire.drainToReplica().drainToClient();
    t.deepEqual(sizes(withData(wire.toClient(wire.all))).slice(0, 1), [960]);
    t.deepEqual(sizes(withData(wire.toReplica(wire.all))), [1400]);
    const stack = fed({}, { stackMtu: 1000 });
    stack.client.data(1400);
    // What neither end has acknowledged.
    stack.primary.data(1400, { ack: stack.client.next - 1400 });
    stack.recovered();
    stack.drainToReplica();
    t.deepEqual(sizes(withData(stack.toReplica(stack.all))), [960, 440]);
    t.is(Math.max(...sizes(stack.toClient(stack.all))), 1400);
  });

  test(`${build}: no segment is longer than the core has room for, whatever both ends would take`, (t) => {
    const flow = fed({ replicaOffer: { mss: 65_000 } });
    flow.client.data(20_000);
    flow.recovered().drainToReplica();
    t.deepEqual(sizes(withData(flow.toReplica(flow.all))), [9088, 9088, 20_000 - 2 * 9088]);
  });

  test(`${build}: the window of a forged segment is in the scale that the replica reads`, (t) => {
    const options = { clientOffer: { windowShift: 5, window: 5000 }, primaryOffer: { windowShift: 7 } };
    for (const [client, replica, window] of [
      [5000, 9, 5000],
      [5000, undefined, 0xffff],
      [1001, undefined, 32_032],
    ] as const) {
      const flow = fed({
        ...options,
        clientOffer: { windowShift: 5, window: client },
        replicaOffer: { windowShift: replica },
      }).crash();
      flow.accept();
      t.is(flow.toReplica().at(-1)?.window, window);
    }
  });

  test(`${build}: the client of a connection that was picked up is told windows in the scale it is thought to read`, (t) => {
    const flow = new Flow(dirtyWorld(build, {}), { replicaOffer: { window: 100, windowShift: 8 } });
    flow.client.next = 7000;
    flow.client.received = 90_000;
    flow.primary.received = 7000;
    flow.primary.next = 90_000;
    flow.client.ack().primary.ack();
    flow.recovered();
    t.is(flow.stack.data(1).toClient()[0]?.window, 200);
  });

  test(`${build}: a merged frame of two segments counts as two`, (t) => {
    const flow = fed({ clientOffer: { mss: 536 } }).recovered();
    flow.stack.data(1000);
    t.deepEqual(sizes(flow.toClient()), [536, 464]);
    t.is(flow.world.counted(Counter.SplitSegments), 2);
  });

  test(`${build}: a frame that capture shows without its length gets one`, (t) => {
    for (const [, options, worldOptions] of NETWORKS.slice(0, 2)) {
      const flow = fed(options, worldOptions).recovered();
      flow.client.data(40_000, { ipLength: 0 });
      t.deepEqual(sizes(flow.toReplica()), [40_000]);
    }
  });

  test(`${build}: congestion signals of a connection without them pass as they are`, (t) => {
    const flow = fed({}).recovered();
    t.is(flow.client.segment('AEC').toReplica()[0]?.flags, 'AEC');
    t.is(flow.take().stack.segment('AEC').toClient()[0]?.flags, 'AEC');
  });

  test(`${build}: what a replica has behind a gap in the client's numbers is told in the client's`, (t) => {
    const offer = { sack: true };
    const flow = fed({ clientOffer: offer, primaryOffer: offer, replicaOffer: offer }).client.data(10);
    flow.primary.ack();
    flow.client.next += 100;
    flow.recovered().take();
    const first = flow.client.next;
    flow.provesGap(20).confirm();
    flow.stack.ack({ options: [nop(), nop(), sack([first - 100 + 40, first - 100 + 60])] });
    t.deepEqual(flow.toClient()[0]?.sack, [[first + 40, first + 60]]);
  });

  test(`${build}: an answer to a stranger belongs to no connection`, (t) => {
    const world = dirtyWorld(build, {});
    new Flow(world).established().recovered();
    const stranger = new Flow(world, { clientPort: 40_001 });
    const [reset] = stranger.client.ack().toClient();
    t.like(reset, { connection: NONE, flags: 'R' });
    t.is(world.refused(Reason.NoConnection), 1);
  });

  test(`${build}: a split segment has the congestion signal once, at its beginning`, (t) => {
    const ecn = { ecn: true };
    const options = { clientOffer: { ...ecn, mss: 536 }, primaryOffer: ecn, replicaOffer: ecn };
    const flow = new Flow(dirtyWorld(build, {}), options).established().recovered();
    flow.stack.segment('PAC', { payload: flow.stack.pattern(0, 1200) });
    t.deepEqual(
      flow.toClient().map(({ flags }) => flags),
      ['AC', 'A', 'PA'],
    );
    flow.take();
    // Exactly one segment: nothing to split, and edited in place.
    flow.stack.segment('PAC', { payload: flow.stack.pattern(0, 536), ttl: 63 });
    t.deepEqual(
      flow.toClient().map(({ flags, ttl }) => [flags, ttl]),
      [['PAC', 63]],
    );
    t.is(flow.world.counted(Counter.SplitSegments), 3);
  });
}
