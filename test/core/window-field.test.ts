/** The window that one side is told of the other's: of a live connection, and of a copy that reads along. */
import test from 'ava';
import { Phase } from '../../assembly/abi/codes';
import { shadow } from '../support/copies';
import { Flow, type FlowOptions } from '../support/flow';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

const scaled = (window: number, windowShift = 5): FlowOptions => ({
  clientOffer: { windowShift, window },
  primaryOffer: { windowShift: 7 },
  replicaOffer: { windowShift: 9 },
});

/** The largest window there is, bytes: the client's acknowledgements then show what the tap need not see. */
const LARGEST = 0xffff << 14;
const VAST: FlowOptions = { ...scaled(0xffff, 14), primaryOffer: { windowShift: 14, isn: 77 } };

/** The client has got as much of the primary as its window allows, unseen, and opens another one. */
function receiveUnseen(flow: Flow, window: number): void {
  flow.primary.next = (flow.primary.next + LARGEST) >>> 0;
  flow.client.received = flow.primary.next;
  flow.client.ack({ window });
}

for (const build of BUILDS) {
  const live = (options: FlowOptions): Flow => new Flow(new World(build), options).established().recovered();

  test(`${build}: a client whose window shrinks by less than its unit: rounded down for who serves it`, (t) => {
    const flow = live(scaled(1000));
    flow.stack.data(31);
    flow.take().client.data('x', { window: 999 });
    // It once granted 32,000 bytes, of which 31 have come.
    t.like(flow.toReplica()[0], { window: 999, ack: flow.stack.next });
  });

  test(`${build}: and up for a copy, which has to reach the last byte of the primary's`, (t) => {
    const flow = shadow(build, scaled(1000)).shadowed();
    flow.primary.data(31).client.ack({ window: 999 });
    flow.stack.data(31);
    t.like(flow.toReplica().at(-1), { window: 1000, ack: flow.stack.next });
  });

  test(`${build}: what was sent into a closed window is no part of it, but for a copy`, (t) => {
    const options = { clientOffer: { window: 1000 } };
    const flow = live(options);
    flow.stack.data(1000).stack.data(1).client.data('x');
    t.like(flow.toReplica()[0], { window: 1000, ack: flow.stack.next - 1001 });
    const copied = shadow(build, options).shadowed();
    copied.primary.data(1000).primary.data(1);
    copied.stack.data(400);
    t.like(copied.toReplica().at(-1), { window: 601, ack: copied.stack.next });
  });

  test(`${build}: a copy is told of the client's room when it has nearly used up what it knows of, and not before`, (t) => {
    const flow = shadow(build, scaled(2000)).shadowed();
    flow.stack.data(10);
    flow.primary.data(10_000).client.ack();
    t.deepEqual(flow.toReplica(), []);
    // The client takes 74,000 bytes by now, of which the replica says all but 2,000.
    for (let said = 10; said < 72_000; said += 2057) flow.stack.data(2057);
    flow.primary.data(10_000).client.ack();
    t.is(flow.toReplica().length, 1);
    t.like(flow.toReplica()[0], { flags: 'A', ack: flow.stack.next, window: Math.ceil((84_000 - 72_005) / 32) });
  });

  test(`${build}: a client is told of more room in whole units, and of less without taking a part of one back`, (t) => {
    const unit = 128;
    const closed = { window: 0 } as const;
    const flow = live({ ...scaled(1000), primaryOffer: { windowShift: 7, ...closed }, replicaOffer: closed });
    const told = (window: number): number | undefined => flow.stack.ack({ window }).toClient()[0]?.window;
    t.is(told(1), 1);
    t.is(told(10 * unit), 10);
    t.is(told(100 * unit + 1), 100);
    // Nothing is read, so that the right edge stays. The latest one that was told stays promised when it is granted.
    const filled = (window: number): number | undefined => {
      flow.client.data(100).take();
      return told(window);
    };
    t.is(filled(99 * unit + 29), 100);
    t.is(filled(98 * unit + 57), 99);
    t.is(told(99 * unit + 78), 100);
  });

  test(`${build}: a client that has no room for a whole segment waits for the replica's word, another one does not`, (t) => {
    for (const [window, segments] of [
      [1460, 1],
      [1461, 0],
    ] as const) {
      t.is(live({ primaryOffer: { window } }).toClient().length, segments, `${window}`);
    }
  });

  test(`${build}: however much a connection has carried, its replica is told what the client takes`, (t) => {
    const flow = new Flow(new World(build), VAST).established();
    for (const window of [0xffff, 0xffff, 10]) receiveUnseen(flow, window);
    flow.recovered().client.data('x', { window: 10 });
    t.is(flow.toReplica()[0]?.window, 10);
  });

  test(`${build}: a replica is granted nothing by a client whose window is full`, (t) => {
    const flow = new Flow(new World(build), { clientOffer: { window: 1000 } }).established();
    flow.primary.data(1000);
    flow.client.ack({ window: 0 });
    flow.crash().accept();
    t.like(flow.toReplica().at(-1), { flags: 'A', window: 0 });
  });

  test(`${build}: a copy that is further behind than numbers can tell is granted as much at a time as any other`, (t) => {
    const flow = shadow(build, VAST).shadowed();
    for (const window of [0xffff, 0xffff, 10]) receiveUnseen(flow, window);
    flow.stack.data('x');
    t.like(flow.toReplica().at(-1), { window: 262_144 >> 14, ack: flow.stack.next });
    t.is(flow.record().phase, Phase.Withheld);
  });
}
