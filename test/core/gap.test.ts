/** Client bytes that the primary acknowledged out of the tap's sight: see assembly/recovery/gap.ts. */
import test from 'ava';
import { Flow } from '../support/flow';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
/** Repetitions that prove a gap, and how far apart they come, ms. */
const PROOF = 4;
const TIMEOUT_MS = 200;

/** A connection whose client has sent `gap` bytes that neither the tap nor, therefore, the core knows of. */
function withGap(build: (typeof BUILDS)[number], gap: number, isn = 1000): Flow {
  const flow = new Flow(new World(build), { clientOffer: { isn } }).established().client.data(10);
  flow.primary.ack();
  flow.client.next = (flow.client.next + gap) >>> 0;
  flow.recovered();
  flow.take();
  return flow;
}

for (const build of BUILDS) {
  for (const isn of [1000, 0xffffffff - 60]) {
    test(`${build}: what the client repeats again and again is where the replica goes on, ISN ${isn}`, (t) => {
      const flow = withGap(build, 100, isn);
      const expected = flow.stack.received;
      const first = flow.client.next;
      flow.client.data(20);
      t.deepEqual(flow.toReplica(), [], 'it may have been overtaken');
      flow.client.data(30);
      flow.client.data(30, { seq: (first + 20) >>> 0 });
      flow.client.data(30, { seq: (first + 20) >>> 0 });
      t.deepEqual(flow.toReplica(), [], 'a probe repeats the last segment');
      for (let repeats = 1; repeats < PROOF; repeats++) {
        flow.client.data(20, { seq: first }).client.data(20, { seq: first });
        t.deepEqual(flow.toReplica(), [], 'what comes before it may have been lost again');
        flow.world.now += TIMEOUT_MS;
      }
      flow.client.data(20, { seq: first });
      const [fed] = flow.toReplica();
      t.is(fed?.seq, expected);
      t.deepEqual(fed?.payload, flow.client.pattern(first, 50));
      flow.confirm();
      t.is(flow.toClient()[0]?.ack, flow.client.next, 'the client hears of its own numbers');
      flow.client.data(5);
      t.like(flow.toReplica()[0], { seq: (expected + 50) >>> 0, payload: flow.client.pattern((first + 50) >>> 0, 5) });
    });
  }

  test(`${build}: a segment that was overtaken closes the gap by itself`, (t) => {
    const flow = withGap(build, 0);
    const first = flow.client.next;
    flow.client.data(20, { seq: (first + 10) >>> 0 });
    t.deepEqual(flow.toReplica(), []);
    flow.client.data(10, { seq: first });
    const bytes = flow.toReplica().flatMap(({ payload }) => [...payload]);
    t.deepEqual(bytes, [...flow.client.pattern(first, 30)]);
    t.is(flow.toReplica()[0]?.seq, first);
  });

  test(`${build}: a gap before what the store holds is closed as well`, (t) => {
    const flow = new Flow(new World(build)).established().client.data(10);
    flow.primary.ack();
    flow.client.next += 100;
    const first = flow.client.next;
    flow.client.data(20);
    flow.recovered().take();
    const expected = flow.stack.received;
    for (let repeats = 0; repeats < PROOF; repeats++) {
      flow.world.now += TIMEOUT_MS;
      flow.client.data(20, { seq: first });
    }
    t.like(flow.toReplica()[0], { seq: expected, payload: flow.client.pattern(first, 20) });
  });

  test(`${build}: a segment without a gap goes on at once`, (t) => {
    const flow = withGap(build, 0);
    const first = flow.client.next;
    flow.client.data(20);
    t.like(flow.toReplica()[0], { seq: first, payload: flow.client.pattern(first, 20) });
  });
}
