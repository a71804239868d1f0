/**
 * Frames the core makes itself, byte for byte: they are what the frame builder of the tests makes of the same numbers, in
 * memory that was not zero before. What the numbers are is the business of other tests.
 */
import test from 'ava';
import { Counter, Loss, Reason } from '../../assembly/abi/codes';
import { NONE, TX_ARENA_BYTES, TX_DESC_BYTES, TX_MAX } from '../../assembly/abi/layout';
import { Flow, type FlowOptions, type Offer } from '../support/flow';
import { hex, mss, nop, sackPermitted, type Tag, tcpFrame, timestamps, windowScale } from '../support/frames';
import type { Segment } from '../support/sent';
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
  ['nothing', { mss: undefined }, { optionBytes: 4, sackPermitted: false, timestamps: undefined, windowShift: undefined }],
  ['SACK', { sack: true }, { optionBytes: 8, sackPermitted: true, mss: 1460 }],
  ['timestamps', { tsval: 5 }, { optionBytes: 16, sackPermitted: false }],
  ['SACK and timestamps', { sack: true, tsval: 5 }, { optionBytes: 16, sackPermitted: true }],
  ['a scale of 0', { windowShift: 0 }, { optionBytes: 8, windowShift: 0 }],
  ['everything', { sack: true, tsval: 5, windowShift: 7 }, { optionBytes: 20, sackPermitted: true, windowShift: 7 }],
];

for (const build of BUILDS) {
  for (const [network, flowOptions, worldOptions] of NETWORKS) {
    for (const [name, offer, shown] of OFFERS) {
      test(`${build}: ${network}, ${name} offered: every forged frame is as a sender writes it`, (t) => {
        const flow = new Flow(dirtyWorld(build, worldOptions), {
          ...flowOptions,
          clientOffer: { ...offer, isn: 0xffff_ff00 },
          primaryOffer: offer,
          replicaOffer: offer,
        }).established();
        flow.client.data(700);
        flow.client.received = flow.primary.next;
        flow.primary.data(300);
        // Neither is acknowledged: both are sent again from the store.
        flow.crash();
        t.like(flow.toReplica()[0], { flags: 'S', ...shown });
        t.is(flow.world.counted(Counter.ForgedSyn), 1);
        flow.accept().confirm();
        const { index } = flow.record();
        flow.note(flow.world.dismiss());
        const forged = flow.all.filter((sent) => sent.kind === 'tcp');
        const kinds = new Set(forged.map(({ flags, payload }) => (payload.length > 0 ? 'data' : flags)));
        for (const kind of ['S', 'A', 'data', 'RA']) t.true(kinds.has(kind), `${[...kinds].join(' ')} without ${kind}`);
        for (const segment of forged) {
          t.is(hex(segment.bytes), hex(written(segment)));
          t.is(segment.connection, index);
        }
        t.is(flow.record().loss, Loss.Dismissed);
      });
    }
  }

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
