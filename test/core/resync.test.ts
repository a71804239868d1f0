/** The tap was blind for longer than a window: the record finds its connection again, but not for who only pretends. */
import test from 'ava';
import { Reason, Risk, TcpState } from '../../assembly/abi/codes';
import { Flow } from '../support/flow';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
const GAP = 3_000_000;

/** Both ends go on as if `bytes` more had gone from one to the other unseen. */
function miss(flow: Flow, sender: 'client' | 'primary', bytes: number): void {
  const [from, to] = sender === 'client' ? [flow.client, flow.primary] : [flow.primary, flow.client];
  from.next = (from.next + bytes) >>> 0;
  to.received = from.next;
}

for (const build of BUILDS) {
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
