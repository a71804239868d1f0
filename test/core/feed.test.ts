/** The core as a sender of retained bytes: the client's to the replica, the dead server's to the client. */
import test from 'ava';
import { Counter, Phase, TcpState } from '../../assembly/abi/codes';
import { Flow } from '../support/flow';
import type { Segment } from '../support/sent';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

const concat = (segments: readonly Segment[]): Uint8Array => Buffer.concat(segments.map(({ payload }) => payload));
const end = ({ seq, payload, flags }: Segment): number => (seq + payload.length + (flags.includes('F') ? 1 : 0)) >>> 0;

/** The replica acknowledges what it gets until nothing more comes; all segments it got. */
function drain(flow: Flow): Segment[] {
  const got = flow.toReplica().filter(({ payload, flags }) => payload.length > 0 || flags.includes('F'));
  while (flow.toReplica().length > 0) {
    flow.take().stack.ack();
    got.push(...flow.toReplica().filter(({ payload, flags }) => payload.length > 0 || flags.includes('F')));
  }
  return got;
}

/** The same for what the client gets. */
function drainToClient(flow: Flow): Segment[] {
  const got = flow.toClient().filter(({ payload, flags }) => payload.length > 0 || flags.includes('F'));
  while (flow.toClient().some(({ payload, flags }) => payload.length > 0 || flags.includes('F'))) {
    flow.take().client.ack();
    got.push(...flow.toClient().filter(({ payload, flags }) => payload.length > 0 || flags.includes('F')));
  }
  return got;
}

for (const build of BUILDS) {
  for (const isn of [1000, 0xffffe000]) {
    test(`${build}: all unacknowledged client bytes reach the replica, in order and in its MSS (ISN ${isn})`, (t) => {
      const flow = new Flow(new World(build), { clientOffer: { isn }, replicaOffer: { mss: 1000 } }).established();
      const first = flow.client.next;
      for (let i = 0; i < 30; i++) flow.client.data(1400);
      const got = drain(flow.crash().accept());
      t.deepEqual(concat(got), Buffer.from(flow.client.pattern(first, 42_000)));
      t.true(got.every(({ payload }) => payload.length <= 1000));
      t.is(got[0]?.seq, first);
      t.is(flow.record().inbound.acked, flow.client.next);
      t.is(flow.world.retainedUsed(), 0);
      t.is(flow.world.counted(Counter.FedBytes), 42_000);
      t.is(flow.tick().world.working(), 0);
    });
  }

  test(`${build}: ten segments go before the first acknowledgement (RFC 6928)`, (t) => {
    const flow = new Flow(new World(build)).established();
    for (let i = 0; i < 40; i++) flow.client.data(1460);
    flow.crash().accept();
    t.is(flow.toReplica().filter(({ payload }) => payload.length > 0).length, 10);
    flow.take().stack.ack();
    t.is(flow.toReplica().filter(({ payload }) => payload.length > 0).length, 20);
  });

  test(`${build}: the replica's window is obeyed`, (t) => {
    const flow = new Flow(new World(build), { replicaOffer: { window: 3000 } }).established();
    for (let i = 0; i < 10; i++) flow.client.data(1000);
    flow.crash().accept();
    const first = flow.client.next - 10_000;
    t.is(Math.max(...flow.toReplica().map(end)), first + 3000);
    flow.take().stack.ack({ window: 500 });
    t.is(Math.max(...flow.toReplica().map(end)), first + 3500);
  });

  test(`${build}: a replica that begins with a closed window is probed, and served when it opens`, (t) => {
    const flow = new Flow(new World(build), { replicaOffer: { window: 0 } }).established();
    flow.client.data(100).crash().accept();
    const sent: Segment[] = [];
    for (let ms = 0; ms < 2000 && flow.record().phase !== Phase.Live; ms += 5) {
      flow.tick();
      sent.push(...flow.toReplica());
      // It acknowledges nothing it has no room for.
      if (flow.toReplica().some(({ payload }) => payload.length > 0)) flow.stack.ack({ window: 0 });
    }
    t.is(flow.record().phase, Phase.Live);
    flow.stack.ack({ window: 1000 });
    const [data] = flow.toReplica();
    t.is(data?.payload.length, 100);
  });

  test(`${build}: a lost segment is fed again after the timeout, from the first missing byte, ever more slowly`, (t) => {
    const flow = new Flow(new World(build)).established();
    const first = flow.client.next;
    for (let i = 0; i < 3; i++) flow.client.data(1000);
    flow.crash().accept();
    flow.stack.received = first + 1000;
    flow.stack.ack();
    t.is(flow.record().phase, Phase.Live);
    const started = flow.world.now;
    const again: number[] = [];
    while (flow.world.now < started + 2000) {
      if (flow.tick().toReplica()[0]?.seq === first + 1000) again.push(flow.world.now - started);
    }
    t.deepEqual(again, [200, 600, 1400]);
    t.deepEqual(concat(drain(flow.stack.ack())).length, 0);
  });

  test(`${build}: progress makes the timeout short again`, (t) => {
    const flow = new Flow(new World(build)).established();
    for (let i = 0; i < 3; i++) flow.client.data(1000);
    flow.crash().accept();
    flow.stack.received = flow.client.next - 2000;
    flow.stack.ack();
    flow.world.run(700); // two timeouts: the next one would be 800 ms
    flow.stack.received = flow.client.next - 1000;
    flow.stack.ack();
    const started = flow.world.now;
    while (flow.tick().toReplica().length === 0 && flow.world.now < started + 2000);
    t.is(flow.world.now - started, 200);
    t.is(flow.toReplica()[0]?.seq, flow.client.next - 1000);
  });

  test(`${build}: a hole in the store is skipped, and what the client repeats passes`, (t) => {
    const flow = new Flow(new World(build)).established();
    const first = flow.client.next;
    flow.client.data(100);
    flow.client.next += 100;
    flow.client.data(100);
    flow.crash().accept();
    t.deepEqual(
      flow.toReplica().flatMap(({ seq, payload }) => (payload.length > 0 ? [[seq, payload.length]] : [])),
      [
        [first, 100],
        [first + 200, 100],
      ],
    );
    flow.confirm().client.data(flow.client.pattern(first + 100, 100), { seq: first + 100 });
    t.like(flow.toReplica()[0], { seq: first + 100, payload: flow.client.pattern(first + 100, 100) });
  });

  test(`${build}: data that comes while the store is being fed waits its turn`, (t) => {
    const flow = new Flow(new World(build), { replicaOffer: { window: 2000 } }).established();
    const first = flow.client.next;
    for (let i = 0; i < 5; i++) flow.client.data(1000);
    flow.crash().accept().confirm();
    t.is(flow.record().phase, Phase.Live);
    const fed = flow.toReplica();
    flow.client.data(500);
    flow.note([...fed, ...flow.sent]);
    const rest = drain(flow);
    t.deepEqual(concat(rest), Buffer.from(flow.client.pattern(first + 2000, 3500)));
  });

  test(`${build}: the client's FIN follows its data`, (t) => {
    const flow = new Flow(new World(build)).established().client.data(10).client.fin();
    const got = drain(flow.crash().accept());
    t.deepEqual(
      got.map(({ payload, flags }) => [payload.length, flags.includes('F')]),
      [[10, true]],
    );
    t.is(flow.record().phase, Phase.Live);
    t.is(flow.record().state, TcpState.ClientFin);
    t.is(flow.record().inbound.acked, flow.client.next);
  });

  test(`${build}: a FIN that the primary had acknowledged is told to the replica`, (t) => {
    const flow = new Flow(new World(build)).established().client.data(10).client.fin().primary.ack();
    const fin = flow.client.next - 1;
    t.is(flow.crash().toReplica()[0]?.seq, fin - 1);
    flow.accept();
    t.like(flow.toReplica().at(-1), { seq: fin, flags: 'FA' });
    // Lost: it is repeated until the replica confirms.
    flow.sent = [];
    while (flow.toReplica().every(({ flags }) => !flags.includes('F')) && flow.world.now < 3000) flow.tick();
    t.like(flow.toReplica().at(-1), { seq: fin, flags: 'FA' });
    flow.confirm();
    t.is(flow.record().phase, Phase.Live);
    t.is(flow.record().state, TcpState.ClientFin);
    // The other half goes on, and ends.
    flow.stack.data('half');
    t.is(flow.toClient().at(-1)?.payload.length, 4);
    flow.take().stack.fin();
    t.like(flow.toClient().at(-1), { flags: 'FA', ack: fin + 1 });
    t.is(flow.take().client.ack().record().state, TcpState.TimeWait);
  });

  test(`${build}: server bytes the client has not acknowledged are sent again, in its MSS`, (t) => {
    const flow = new Flow(new World(build), { clientOffer: { mss: 600 } }).established();
    const first = flow.primary.next;
    for (let i = 0; i < 20; i++) flow.primary.data(600);
    flow.client.received = first;
    flow.recovered();
    const got = drainToClient(flow);
    t.deepEqual(concat(got), Buffer.from(flow.primary.pattern(first, 12_000)));
    t.true(got.every(({ payload, src, srcPort }) => payload.length <= 600 && src === '10.0.0.2' && srcPort === 7000));
    t.is(flow.world.retainedUsed(), 0);
    t.is(flow.world.counted(Counter.ResentBytes), 12_000);
    // And the replica's own bytes follow where they end.
    flow.stack.data('next');
    t.is(flow.toClient()[0]?.seq, first + 12_000);
  });

  test(`${build}: the primary's FIN behind its last bytes is sent again with them`, (t) => {
    const flow = new Flow(new World(build)).established();
    const first = flow.primary.next;
    flow.primary.data(100).primary.fin();
    flow.client.received = first;
    flow.recovered();
    t.deepEqual(
      flow
        .toClient()
        .filter(({ payload }) => payload.length > 0)
        .map(({ seq, flags }) => [seq, flags]),
      [[first, 'FPA']],
    );
    t.is(flow.take().client.ack().record().outbound.acked, first + 101);
  });

  test(`${build}: a client without room is probed until its window opens (RFC 9293 3.8.6.1)`, (t) => {
    const flow = new Flow(new World(build), { clientOffer: { window: 1000 } }).established();
    const first = flow.primary.next;
    flow.primary.data(1000);
    flow.client.ack({ window: 0 });
    // The primary's own probe, which the client did not take.
    flow.primary.data(1);
    flow.client.received = first + 1000;
    flow.recovered();
    t.deepEqual(flow.toClient().filter(({ payload }) => payload.length > 0).length, 0);
    while (flow.toClient().length === 0 && flow.world.now < 5000) flow.tick();
    t.like(flow.toClient()[0], { seq: first + 1000, payload: flow.primary.pattern(first + 1000, 1) });
    flow.client.ack({ window: 1000 });
    t.like(flow.toClient()[0], { seq: first + 1000, payload: flow.primary.pattern(first + 1000, 1) });
    t.is(flow.take().client.ack().record().outbound.acked, first + 1001);
  });

  test(`${build}: a client that was blocked is told of the replica's window`, (t) => {
    const flow = new Flow(new World(build), { primaryOffer: { window: 0 } }).established();
    flow.recovered();
    t.like(flow.toClient()[0], { flags: 'A', ack: flow.client.next, window: 64_000 });
  });

  test(`${build}: what the replica sends after the primary's FIN is acknowledged and not passed on`, (t) => {
    const flow = new Flow(new World(build)).established().primary.fin();
    flow.client.ack().recovered();
    const client = flow.client.next;
    flow.stack.data('banner');
    t.deepEqual(
      flow.toClient().filter(({ payload, flags }) => payload.length > 0 || flags !== 'A'),
      [],
    );
    t.like(flow.toReplica()[0], { flags: 'A', ack: flow.stack.next, seq: client });
    // Repeated, it is acknowledged again and moves nothing.
    flow.stack.data('banner', { seq: flow.stack.next - 6 });
    t.is(flow.toReplica()[0]?.ack, flow.stack.next);
    // The client's half goes on.
    flow.client.data('more');
    t.like(flow.toReplica()[0], { seq: client, ack: flow.stack.next });
    flow.take().stack.fin();
    t.is(flow.toReplica()[0]?.ack, flow.stack.next);
    t.like(flow.toClient()[0], { flags: 'A', seq: flow.client.received, ack: flow.client.next });
    flow.client.fin();
    t.like(flow.toReplica()[0], { flags: 'FA', ack: flow.stack.next });
    flow.take().stack.ack();
    t.is(flow.toClient()[0]?.ack, flow.client.next);
    t.is(flow.record().state, TcpState.TimeWait);
  });

  test(`${build}: both halves closed but for the last acknowledgement: it still ends on the replica`, (t) => {
    const flow = new Flow(new World(build)).bothFin();
    flow.crash();
    t.is(flow.toReplica().length, 1);
    flow.accept().confirm();
    t.is(flow.record().phase, Phase.Live);
    flow.client.ack();
    t.is(flow.record().state, TcpState.TimeWait);
  });

  test(`${build}: a tiny MSS of a client makes neither tiny nor giant segments`, (t) => {
    for (const mss of [1, 11, 12, 13, 47]) {
      const flow = new Flow(new World(build), {
        clientOffer: { mss, tsval: 5 },
        primaryOffer: { tsval: 6 },
        replicaOffer: { tsval: 7 },
      }).established();
      for (let i = 0; i < 20; i++) flow.primary.data(1000);
      flow.client.received -= 20_000;
      flow.recovered();
      const lengths = flow.toClient().flatMap(({ payload }) => (payload.length > 0 ? [payload.length] : []));
      t.true(lengths.length > 0 && lengths.every((n) => n >= 8 && n <= 48), `MSS ${mss}: ${lengths.join()}`);
    }
  });
}
