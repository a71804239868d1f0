/** The tap was blind for longer than a window: the record finds its connection again, but not for who only pretends. */
import test from 'ava';
import { Reason, RecordState, Risk, TcpState } from '../../assembly/abi/codes';
import { SERVICE_FLAG_REPLAY } from '../../assembly/abi/layout';
import { type End, Flow, type FlowOptions } from '../support/flow';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
const GAP = 3_000_000;
const WINDOW = 64_000;
/** How far an acknowledgement may be behind, at least: see window.test.ts. */
const LAG = 66_000;

/** Both ends go on as if `bytes` more had gone from one to the other unseen. */
function miss(flow: Flow, sender: 'client' | 'primary', bytes: number): void {
  const [from, to] = sender === 'client' ? [flow.client, flow.primary] : [flow.primary, flow.client];
  from.next = (from.next + bytes) >>> 0;
  to.received = from.next;
}

/** Both ends in turn, `turns` segments in all, the one that was missed first. */
function takeTurns(flow: Flow, first: 'client' | 'primary', turns: number, slow = 0): void {
  const [sender, receiver] = first === 'client' ? [flow.client, flow.primary] : [flow.primary, flow.client];
  for (let i = 0; i < turns; i++) {
    // Nothing new after that: then both acknowledgements are behind by the same.
    if (i % 2 === 0) sender.segment('PA', i === 0 || slow === 0 ? { payload: sender.pattern(0, 1000) } : {});
    else receiver.ack({ ack: (receiver.received - slow) >>> 0 });
  }
}

for (const build of BUILDS) {
  for (const first of ['client', 'primary'] as const) {
    test(`${build}: three segments that agree move nothing, the fourth does (${first} first)`, (t) => {
      const world = new World(build, { services: [{ flags: SERVICE_FLAG_REPLAY }] });
      const flow = new Flow(world).established();
      flow.client.data(10);
      flow.primary.data(10);
      flow.client.ack();
      // What the store holds is of before.
      flow.client.data(7);
      flow.primary.data(7, { ack: flow.client.next - 7 });
      const known = flow.client.next;
      miss(flow, first, GAP);
      const before = flow.bytes();
      takeTurns(flow, first, 3);
      t.deepEqual(flow.bytes(), before);
      // From the fourth on: both ends are where they say.
      const last = first === 'client' ? flow.primary : flow.client;
      last.ack();
      const { inbound, outbound, risk, holeSeq, holeBytes, record } = flow.record();
      const [client, server] = [flow.client.next, flow.primary.next];
      t.like(inbound, { end: client, acked: client, edge: client + WINDOW, retained: 0 });
      t.like(outbound, { end: server, acked: server, edge: server + WINDOW, retained: 0 });
      t.is(record, RecordState.Lost);
      // Whoever was missed, the record of the client's bytes ends there: nobody knows what else was.
      t.deepEqual([risk, holeSeq, holeBytes], [Risk.InboundHole, known, first === 'client' ? client - known : 0]);
    });

    test(`${build}: a record that has just been moved is not moved again for less (${first} first)`, (t) => {
      const flow = new Flow(new World(build)).established();
      miss(flow, first, GAP);
      takeTurns(flow, first, 4);
      miss(flow, first, GAP);
      const before = flow.bytes();
      takeTurns(flow, first, 3);
      t.deepEqual(flow.bytes(), before);
    });

    test(`${build}: what fits in between begins the count anew (${first} first)`, (t) => {
      const flow = new Flow(new World(build)).established();
      const { next } = flow.client;
      miss(flow, first, GAP);
      takeTurns(flow, first, 3);
      flow.client.segment('A', { seq: next, ack: flow.record().outbound.end });
      const before = flow.bytes();
      const [sender, receiver] = first === 'client' ? [flow.client, flow.primary] : [flow.primary, flow.client];
      receiver.ack();
      sender.data(1000);
      receiver.ack();
      t.deepEqual(flow.bytes(), before);
      sender.data(1000);
      t.is(first === 'client' ? flow.record().inbound.end : flow.record().outbound.end, sender.next);
    });

    test(`${build}: an end that says more before the other answers is taken at its last word (${first} first)`, (t) => {
      const flow = new Flow(new World(build)).established();
      miss(flow, first, GAP);
      const [sender, receiver] = first === 'client' ? [flow.client, flow.primary] : [flow.primary, flow.client];
      for (let i = 0; i < 2; i++) {
        for (let n = 0; n < 10; n++) sender.data(10_000);
        receiver.ack();
      }
      t.is(first === 'client' ? flow.record().inbound.end : flow.record().outbound.end, sender.next);
    });

    const scaled = (mine: number, theirs: number): FlowOptions => ({
      clientOffer: { windowShift: 7, window: first === 'client' ? mine : theirs },
      primaryOffer: { windowShift: 7, window: first === 'client' ? theirs : mine },
    });
    for (const [options, lag] of [
      [{}, LAG],
      [scaled(1000, 10), 128_000],
      [scaled(10, 1000), 128_000],
    ] as const) {
      test(`${build}: ends agree whose acknowledgements are ${lag} behind, not more (${first} first, ${JSON.stringify(options)})`, (t) => {
        const ends = (flow: Flow): readonly [End, number] =>
          first === 'client' ? [flow.client, flow.record().inbound.end] : [flow.primary, flow.record().outbound.end];
        for (const [slow, agree] of [
          [lag, true],
          [lag + 1, false],
          [-1, false],
        ] as const) {
          const flow = new Flow(new World(build), options).established();
          flow.primary.ack().client.ack();
          miss(flow, first, GAP);
          takeTurns(flow, first, 4, slow);
          const [sender, end] = ends(flow);
          t.is(end === sender.next, agree, `${slow} behind`);
        }
      });
    }
  }

  test(`${build}: an answer that does not agree begins the count anew`, (t) => {
    const flow = new Flow(new World(build)).established();
    const before = flow.bytes();
    flow.client.data(100, { seq: flow.client.next + GAP });
    flow.client.next += 3 * GAP;
    flow.primary.received = flow.client.next;
    flow.primary.ack();
    flow.client.data(100).primary.ack();
    t.deepEqual(flow.bytes(), before);
    flow.client.data(100);
    t.is(flow.record().inbound.end, flow.client.next);
  });

  test(`${build}: data that moves the record is kept, and nothing is missing before it`, (t) => {
    const flow = new Flow(new World(build)).established();
    miss(flow, 'primary', GAP);
    flow.client.ack().primary.data(1000);
    flow.client.ack().primary.data(1000);
    t.like(flow.record(), { risk: Risk.None, outbound: { end: flow.primary.next, retained: 1000 } });
  });

  test(`${build}: what the client has not acknowledged when the record is moved is missing`, (t) => {
    const flow = new Flow(new World(build)).established();
    miss(flow, 'primary', GAP);
    takeTurns(flow, 'primary', 4, 500);
    const end = flow.primary.next;
    t.like(flow.record(), { risk: Risk.OutboundHole, holeSeq: end - 500, holeBytes: 500 });
    t.like(flow.record().outbound, { end, acked: end - 500 });
    t.is(flow.client.ack().record().risk, Risk.None);
  });

  for (const isn of [1000, 0xffd00000]) {
    test(`${build}: an upload that ran on unseen is followed again (ISN ${isn})`, (t) => {
      const flow = new Flow(new World(build), { clientOffer: { isn } }).established();
      flow.client.data(1000).primary.ack();
      miss(flow, 'client', GAP);
      for (let i = 0; i < 4; i++) flow.client.data(1000).primary.ack();
      t.is(flow.record().inbound.end, flow.client.next);
      t.is(flow.record().inbound.acked, flow.client.next);
      t.is(flow.record().risk, Risk.InboundHole);
      flow.client.data('unacknowledged');
      flow.crash().accept();
      t.deepEqual(
        flow
          .toReplica()
          .map(({ payload }) => Buffer.from(payload).toString())
          .filter((text) => text !== ''),
        ['unacknowledged'],
      );
    });
  }

  test(`${build}: a download that ran on unseen is followed again, and its last bytes are kept`, (t) => {
    const flow = new Flow(new World(build)).established();
    flow.primary.data(1000).client.ack();
    miss(flow, 'primary', GAP);
    for (let i = 0; i < 4; i++) flow.primary.data(1000).client.ack();
    t.is(flow.record().outbound.acked, flow.primary.next);
    t.is(flow.record().risk, Risk.None);
    flow.primary.data(500);
    flow.recovered();
    t.is(
      flow.toClient().reduce((sum, { payload }) => sum + payload.length, 0),
      500,
    );
  });

  test(`${build}: one end alone moves nothing, however often it insists`, (t) => {
    for (const end of ['client', 'primary'] as const) {
      const flow = new Flow(new World(build)).established();
      const before = flow.bytes();
      for (let i = 0; i < 20; i++) flow[end].data(100, { seq: flow[end].next + GAP + i * 100 });
      t.deepEqual(flow.bytes(), before, end);
      t.is(flow.world.refused(Reason.SeqAboveWindow), 20);
    }
  });

  test(`${build}: two ends that do not speak of the same stream move nothing`, (t) => {
    const flow = new Flow(new World(build)).established();
    const before = flow.bytes();
    for (let i = 0; i < 10; i++) {
      flow.client.data(100, { seq: flow.client.next + GAP + i * 100 });
      flow.primary.ack({ ack: flow.client.next + 3 * GAP + i * 100 });
    }
    t.deepEqual(flow.bytes(), before);
    t.is(flow.record().state, TcpState.Established);
  });

  test(`${build}: what goes on inside the window outweighs a forged pair`, (t) => {
    const flow = new Flow(new World(build)).established();
    for (let i = 0; i < 10; i++) {
      const at = flow.client.next + GAP;
      flow.client.data(100, { seq: at });
      flow.primary.ack({ ack: at + 100 });
      flow.client.data(10).primary.ack();
    }
    t.is(flow.record().inbound.end, flow.client.next);
    t.is(flow.record().risk, Risk.None);
  });
}
