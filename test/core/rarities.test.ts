/** What seldom happens on the way to the replica, and after it. */
import test from 'ava';
import { Loss, Phase, Risk, Status, TcpState } from '../../assembly/abi/codes';
import { Flow } from '../support/flow';
import type { Segment } from '../support/sent';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
/** RFC 9293 3.8.3, R2: a sender gives up after at least 100 s. */
const R2_MS = 100_000;

const withData = (segments: readonly Segment[]): Segment[] => segments.filter(({ payload }) => payload.length > 0);

for (const build of BUILDS) {
  test(`${build}: a client that has fallen silent is not fed for ever, and its replica is told`, (t) => {
    const flow = new Flow(new World(build)).established();
    flow.primary.data(1000);
    flow.recovered();
    t.is(withData(flow.toClient()).length, 1);
    flow.world.run(R2_MS - 1000, 50);
    t.is(flow.world.working(), 1);
    const last = flow.world.run(12_000, 50);
    t.is(flow.world.working(), 0);
    t.is(flow.record().state, TcpState.Closed);
    t.true(last.some((sent) => sent.kind === 'tcp' && sent.flags.includes('R') && sent.dst === '10.0.0.3'));
  });

  test(`${build}: a client that answers is fed as long as its window stays closed`, (t) => {
    const flow = new Flow(new World(build), { clientOffer: { window: 1000 } }).established();
    const first = flow.primary.next;
    flow.primary.data(1000);
    flow.client.ack({ window: 0 });
    flow.primary.data(1);
    flow.client.received = first + 1000;
    flow.recovered();
    for (let waited = 0; waited < 2 * R2_MS; waited += 10_000) {
      flow.world.run(10_000, 50);
      flow.client.ack({ window: 0 });
    }
    t.is(flow.world.working(), 1);
    flow.client.ack({ window: 1000 });
    t.is(withData(flow.toClient()).length, 1);
  });

  test(`${build}: a replica that has fallen silent while it is fed is given up`, (t) => {
    const flow = new Flow(new World(build)).established();
    for (let i = 0; i < 3; i++) flow.client.data(1000);
    flow.crash().accept();
    flow.stack.received = flow.client.next - 2000;
    flow.stack.ack();
    flow.world.run(R2_MS + 12_000, 50);
    t.is(flow.record().loss, Loss.ReplicaSilent);
    t.is(flow.world.working(), 0);
  });

  for (const when of ['queued for the replica', 'live'] as const) {
    test(`${build}: a suspected FIN that the client acknowledges when it is ${when} has been heard`, (t) => {
      const flow = new Flow(new World(build)).established();
      flow.world.setQuarantine(true);
      flow.primary.fin();
      // Nobody has seen the client read it, yet.
      const next = flow.client.received - 1;
      flow.client.received = next;
      if (when === 'live') flow.recovered();
      else flow.crash();
      flow.client.received = next + 1;
      flow.client.ack();
      t.is(flow.record().state, TcpState.ServerFin);
      if (when !== 'live') return;
      // The replica's first number now comes after the FIN: the client's data acknowledges nothing the replica has not sent.
      flow.client.data('more');
      t.like(flow.toReplica()[0], { ack: flow.stack.next });
      // What it says reaches nobody any more.
      flow.take().stack.data('late');
      t.deepEqual(withData(flow.toClient()), []);
      t.is(flow.toReplica()[0]?.ack, flow.stack.next);
    });
  }

  test(`${build}: a FIN that the replica sends first is its own`, (t) => {
    const flow = new Flow(new World(build)).established();
    flow.world.setQuarantine(true);
    flow.primary.fin();
    const next = flow.client.received - 1;
    flow.client.received = next;
    flow.recovered();
    flow.stack.fin();
    t.like(flow.toClient()[0], { flags: 'FA', seq: next });
    flow.take().client.ack();
    t.like(flow.toReplica()[0], { ack: flow.stack.next });
  });

  test(`${build}: server bytes sent before the connection was picked up, and still missing, are known to be`, (t) => {
    const flow = new Flow(new World(build));
    const first = flow.primary.next;
    flow.primary.data(1000, { seq: first + 1000 });
    flow.client.received = first;
    flow.client.ack();
    t.like(flow.record(), { risk: Risk.OutboundHole, holeSeq: first, holeBytes: 1000 });
    flow.crash();
    t.is(flow.record().loss, Loss.ServerBytesMissing);
  });

  test(`${build}: of a running connection an old acknowledgement takes nothing back, and the first words of its server neither`, (t) => {
    const flow = new Flow(new World(build));
    flow.client.data(10).primary.data(1000);
    flow.client.ack();
    const before = flow.record();
    flow.client.ack({ ack: flow.client.received - 500 });
    t.deepEqual(flow.record(), before);

    const other = new Flow(new World(build));
    other.client.next = 7000;
    other.client.received = other.primary.next;
    other.client.data(10);
    // It has yet to read what the client had sent before.
    other.primary.data(10, { ack: 6000 });
    t.like(other.record(), { risk: Risk.WindowScaleUnknown, inbound: { acked: 7000, end: 7010 } });
  });

  test(`${build}: when the host stops, client and replica are told at once`, (t) => {
    const flow = new Flow(new World(build)).established().recovered();
    flow.client.data('hello').take().stack.ack();
    const { exports } = flow.world.core;
    t.is(exports.dismiss(0, flow.world.now), 0);
    flow.note(flow.world.pump());
    t.like(flow.toReplica()[0], { flags: 'R', seq: flow.stack.received });
    t.like(flow.toClient()[0], { flags: 'RA', seq: flow.client.received });
    t.is(flow.record().loss, Loss.Dismissed);
    t.is(exports.dismiss(1, 0), Status.BadArgument);
  });

  test(`${build}: a client that is connected to the replica itself by the same port gets another one there`, (t) => {
    const flow = new Flow(new World(build)).established();
    flow.client.data('hello');
    // The forged SYN meets the client's own connection, whose stack answers by the wire, not to us.
    flow.crash();
    const own = flow.toReplica()[0]?.srcPort;
    while (flow.toReplica().every(({ srcPort }) => srcPort === own) && flow.world.now < 5000) flow.tick();
    t.true(flow.world.now < 5000);
    const first = flow.client.next - 5;
    flow.accept().take().stack.ack();
    t.is(flow.record().phase, Phase.Live);
    t.like(flow.toClient()[0], { dstPort: own, ack: first + 5 });
    flow.client.data('more');
    t.not(flow.toReplica()[0]?.srcPort, own);
  });

  test(`${build}: a replica that still has an old connection of the tuple is made to forget it`, (t) => {
    const flow = new Flow(new World(build)).established().crash();
    const [syn] = flow.toReplica();
    flow.accept({ flags: 'A', seq: 77_000, ack: 55_000 });
    const [rst, again] = flow.toReplica();
    t.like(rst, { flags: 'R', seq: 55_000 });
    t.like(again, { flags: 'S', seq: syn?.seq });
    t.is(flow.record().phase, Phase.SynSent);
  });

  test(`${build}: of a replica's segment that was acknowledged in part the rest is acknowledged too`, (t) => {
    const flow = new Flow(new World(build)).established().primary.fin();
    flow.client.ack().recovered();
    flow.stack.data('0123456789');
    t.is(flow.toReplica()[0]?.ack, flow.stack.next);
    flow.stack.data('56789abcde', { seq: flow.stack.next - 5 });
    t.is(flow.toReplica()[0]?.ack, flow.stack.next + 5);
  });
}
