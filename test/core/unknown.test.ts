/** Segments of no connection, and of connections that are over, while the replica serves. */
import test from 'ava';
import { Counter, Loss, Phase, Port, Reason, ServiceState, TcpState } from '../../assembly/abi/codes';
import { SERVICE_PROXIED } from '../../assembly/abi/layout';
import { Flow, type FlowOptions } from '../support/flow';
import { hopByHop, tcpFrame } from '../support/frames';
import { MAC, World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

const V6: FlowOptions = { client: 'fd00::9' };

for (const build of BUILDS) {
  const worlds = (): World[] => [
    new World(build),
    new World(build, { services: [{ address: 'fd00::2', replica: 'fd00::3' }] }),
  ];
  const serving = (options: FlowOptions = {}): Flow => {
    const v6 = options.client !== undefined;
    const world = new World(build, v6 ? { services: [{ address: 'fd00::2', replica: 'fd00::3' }] } : {});
    return new Flow(world, options).crash();
  };

  test(`${build}: a segment with an acknowledgement is answered with a RST at that number (RFC 9293 3.10.7.1)`, (t) => {
    for (const options of [{}, V6, { tags: [{ vid: 100 }, { vid: 7, priority: 3 }] }]) {
      const flow = serving(options);
      flow.client.received = 4711;
      const [rst, ...others] = flow.client.data('hello').toClient();
      t.is(others.length, 0);
      t.like(rst, {
        flags: 'R',
        seq: 4711,
        ack: 0,
        srcPort: 7000,
        dstPort: 40_000,
        srcMac: MAC.daemon,
        dstMac: MAC.client,
      });
      t.is(rst?.tags.length, options === V6 ? 0 : flow.options.tags.length);
      t.is(flow.world.refused(Reason.NoConnection), 1);
      t.is(flow.world.counted(Counter.ForgedRst), 1);
      t.is(flow.found(), undefined);
    }
  });

  test(`${build}: a RST is not answered`, (t) => {
    t.deepEqual(serving().client.rst().sent, []);
  });

  test(`${build}: a damaged segment of no connection is not answered`, (t) => {
    for (const flags of ['A', 'S']) {
      const flow = serving();
      t.deepEqual(flow.client.segment(flags, { checksum: 0x4321 }).sent, [], flags);
      t.is(flow.world.refused(Reason.BadTcpChecksum), 1, flags);
      t.is(flow.found(), undefined, flags);
    }
  });

  test(`${build}: the answer does not inherit how far the segment had come`, (t) => {
    for (const options of [{}, V6]) {
      t.is(serving(options).client.ack({ ttl: 1 }).toClient()[0]?.ttl, 64);
    }
  });

  test(`${build}: the answer has none of the extension headers and options of the segment`, (t) => {
    const [v4] = serving()
      .client.ack({ ipOptions: Uint8Array.of(1, 1, 1, 0) })
      .toClient();
    t.is(v4?.bytes.length, 14 + 40);
    const [v6] = serving(V6)
      .client.ack({ extensions: [hopByHop()] })
      .toClient();
    t.is(v6?.bytes.length, 14 + 60);
  });

  test(`${build}: a new connection is proxied with zero deltas to its end`, (t) => {
    for (const [i, world] of worlds().entries()) {
      const options = i === 0 ? {} : V6;
      const flow = new Flow(world, { ...options, clientOffer: { windowShift: 7, tsval: 5, sack: true, ecn: true } });
      const [syn] = flow.crash().client.syn().toReplica();
      t.like(syn, { flags: 'SEC', seq: flow.client.offer.isn, windowShift: 7, mss: 1460, timestamps: [5, 0] });
      t.is(world.service(SERVICE_PROXIED), 1);
      const [synAck] = flow.accept().toClient();
      t.like(synAck, { flags: 'SA', seq: flow.stack.offer.isn, ack: flow.client.next, srcPort: 7000 });
      flow.client.received = flow.stack.next;
      t.like(flow.client.data('hi').toReplica()[0], { seq: flow.client.next - 2, ack: flow.stack.next });
      t.is(flow.record().state, TcpState.Established);
      flow.take().stack.data('ho');
      t.like(flow.toClient()[0], { seq: flow.stack.next - 2, ack: flow.client.next });
      flow.take().client.fin();
      t.is(flow.record().state, TcpState.ClientFin);
      flow.take().stack.fin();
      flow.take().client.ack();
      t.is(flow.record().state, TcpState.TimeWait);
      t.like(flow.toReplica()[0], { flags: 'A', seq: flow.client.next, ack: flow.stack.next });
    }
  });

  test(`${build}: a proxied connection that the replica refuses`, (t) => {
    const flow = serving();
    const [syn] = flow.client.syn().toReplica();
    flow.stack.segment('RA', { seq: 0, ack: ((syn?.seq ?? 0) + 1) >>> 0 });
    t.like(flow.toClient()[0], { flags: 'RA', seq: 0, ack: flow.client.next });
    t.is(flow.record().state, TcpState.Closed);
  });

  test(`${build}: the primary's own segments are ignored after its connections have moved`, (t) => {
    const flow = new Flow(new World(build)).established().recovered();
    const before = flow.bytes();
    for (const flags of ['A', 'RA', 'FA', 'SA']) flow.primary.segment(flags, { seq: flow.primary.next });
    t.deepEqual(flow.bytes(), before);
    t.is(flow.world.refused(Reason.FromPrimary), 4);
    t.deepEqual(flow.sent, []);
  });

  test(`${build}: a late FIN to a connection that was over before the crash is acknowledged (TIME-WAIT)`, (t) => {
    const flow = new Flow(new World(build)).timeWait().crash();
    t.deepEqual(flow.toReplica(), []);
    t.like(flow.client.fin().toClient()[0], { flags: 'A', seq: flow.primary.next, ack: flow.client.next });
    t.deepEqual(flow.client.ack().sent, []);
    t.deepEqual(flow.client.rst({ payload: 'why' }).sent, [], 'a RST is never answered');
  });

  test(`${build}: a lost connection resets its client again when that goes on`, (t) => {
    const flow = new Flow(new World(build)).established();
    flow.client.ack({ options: [Uint8Array.of(19, 18, ...new Uint8Array(16))] });
    flow.crash();
    t.is(flow.record().loss, Loss.Md5);
    flow.client.received = flow.primary.next;
    t.like(flow.client.data('hello').toClient()[0], { flags: 'R', seq: flow.primary.next });
  });

  test(`${build}: a port is used again: over TIME-WAIT, over a lost and over a reset connection`, (t) => {
    const ways: Readonly<Record<string, (flow: Flow) => Flow>> = {
      'TIME-WAIT on the primary': (flow) => flow.timeWait().crash(),
      'reset before the crash': (flow) => flow.closed().crash(),
      'reset on the replica': (flow) => flow.established().recovered().client.rst(),
      'TIME-WAIT on the replica': (flow) => {
        flow.established().recovered().client.fin();
        flow.take().stack.fin();
        return flow.take().client.ack();
      },
    };
    for (const [name, into] of Object.entries(ways)) {
      const flow = into(new Flow(new World(build)));
      const isn = 77_000_000;
      const [syn, ...others] = flow.client.syn({ seq: isn }).toReplica();
      t.is(others.length, 0, name);
      t.like(syn, { flags: 'S', seq: isn, ack: 0 }, name);
      t.like(flow.record(), { state: TcpState.SynSent, phase: Phase.Live, loss: 0, risk: 0 }, name);
      flow.client.next = isn + 1;
      t.like(flow.accept().toClient()[0], { flags: 'SA', seq: flow.stack.offer.isn, ack: isn + 1 }, name);
    }
  });

  test(`${build}: a SYN for a live translated connection is the replica's to challenge (RFC 5961 4.2)`, (t) => {
    const flow = new Flow(new World(build)).established().recovered();
    const before = flow.record();
    const [syn] = flow.client.syn({ seq: 123 }).toReplica();
    t.like(syn, { flags: 'S', seq: 123 });
    t.deepEqual(flow.record(), before);
    flow.stack.ack();
    t.like(flow.toClient()[0], { flags: 'A', seq: flow.client.received });
  });

  test(`${build}: a table full of live connections refuses a new one`, (t) => {
    const world = new World(build, { capacity: { connections: 4 } });
    for (let i = 0; i < 4; i++) new Flow(world, { clientPort: 1000 + i }).established();
    const extra = new Flow(world, { clientPort: 2000 });
    extra.client.syn();
    t.is(world.refused(Reason.TableFull), 1);
    t.is([...world.records()].length, 4);
    world.setState(ServiceState.Recovery);
    t.deepEqual(extra.client.syn().toReplica(), []);
    t.is(world.refused(Reason.TableFull), 2);
  });

  test(`${build}: connections made straight to the replica's own address are not touched`, (t) => {
    const world = new World(build);
    world.setState(ServiceState.Proxy);
    const frame = tcpFrame({ src: '10.0.0.9', dst: '10.0.0.3', dstPort: 7000, flags: 'S' });
    t.deepEqual(world.receive(Port.Wire, frame), []);
    t.is(world.refused(Reason.NotOurs), 1);
  });
}
