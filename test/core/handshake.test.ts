/** Moving a connection to the replica: the forged SYN, the deltas, confirmation, refusal, and giving up. */
import test from 'ava';
import { Counter, Loss, Phase, Port, Reason, ServiceState, TcpState } from '../../assembly/abi/codes';
import { SERVICE_LOST, SERVICE_RECOVERED, SERVICE_RECOVERING } from '../../assembly/abi/layout';
import { Flow, type FlowOptions, type Offer } from '../support/flow';
import { MAC, World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

const V6 = { client: 'fd00::9' } as const;
const V6_SERVICE = { address: 'fd00::2', replica: 'fd00::3' } as const;

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function v6World(build: (typeof BUILDS)[number]): World {
  return new World(build, { services: [V6_SERVICE] });
}

/** Every combination of what two SYNs can agree on. */
function* agreements(): Generator<{ client: Offer; primary: Offer; name: string }> {
  for (let bits = 0; bits < 16; bits++) {
    const [ws, sack, ts, ecn] = [1, 2, 4, 8].map((bit) => (bits & bit) !== 0);
    const offer = (isn: number, shift: number, tsval: number): Offer => ({
      isn,
      windowShift: ws ? shift : undefined,
      sack: sack ?? false,
      tsval: ts ? tsval : undefined,
      ecn: ecn ?? false,
    });
    const name = `${ws ? 'WS ' : ''}${sack ? 'SACK ' : ''}${ts ? 'TS ' : ''}${ecn ? 'ECN ' : ''}` || 'nothing ';
    yield { client: offer(1000, 9, 0xfffffffe), primary: offer(500_000, 7, 77_000), name };
  }
}

for (const build of BUILDS) {
  for (const { client, primary, name } of agreements()) {
    test(`${build}: the forged SYN carries what was agreed: ${name}`, (t) => {
      const flow = new Flow(new World(build), { clientOffer: { ...client, mss: 1400 }, primaryOffer: primary });
      flow.established();
      flow.client.tsval = 5; // its clock went on, across the wrap
      flow.client.data(100);
      flow.primary.ack();
      const [syn, ...others] = flow.crash().toReplica();
      t.is(others.length, 0);
      t.like(syn, {
        flags: primary.ecn ? 'SEC' : 'S',
        src: '10.0.0.9',
        dst: '10.0.0.3',
        srcPort: 40000,
        dstPort: 7000,
        // D1 = 0: the first byte the replica reads has the client's own number.
        seq: (flow.client.next - 1) >>> 0,
        ack: 0,
        mss: 1400,
        windowShift: client.windowShift,
        sackPermitted: client.sack,
        timestamps: client.tsval === undefined ? undefined : [5, 0],
        dstMac: MAC.stack,
        srcMac: MAC.gateway,
        tags: [],
      });
    });

    test(`${build}: an option that only the client offered is not forged: ${name}`, (t) => {
      const flow = new Flow(new World(build), { clientOffer: client }).established();
      const [syn] = flow.crash().toReplica();
      t.like(syn, { flags: 'S', windowShift: undefined, sackPermitted: false, timestamps: undefined });
    });
  }

  test(`${build}: the forged SYN of IPv6`, (t) => {
    const [syn] = new Flow(v6World(build), V6).established().crash().toReplica();
    t.like(syn, { flags: 'S', src: 'fd00::9', dst: 'fd00::3', mss: 1440 });
  });

  test(`${build}: no MSS of the client means the default of the standard (RFC 9293 3.7.1)`, (t) => {
    const [syn] = new Flow(new World(build), { clientOffer: { mss: undefined } }).established().crash().toReplica();
    t.is(syn?.mss, 536);
    const [syn6] = new Flow(v6World(build), { ...V6, clientOffer: { mss: undefined } })
      .established()
      .crash()
      .toReplica();
    t.is(syn6?.mss, 1220);
  });

  test(`${build}: the first byte for the replica is the first the primary had not acknowledged`, (t) => {
    const flow = new Flow(new World(build)).established();
    flow.client.data(100).primary.ack().client.data(50);
    const first = flow.client.next - 50;
    t.is(flow.crash().toReplica()[0]?.seq, first - 1);
    // Data confirms: the bytes from the store carry the ACK.
    const [data, ...others] = flow.accept().toReplica();
    t.is(others.length, 0);
    t.like(data, { seq: first, ack: flow.stack.next, payload: flow.client.pattern(first, 50) });
    t.is(flow.record().phase, Phase.Confirming);
    const [told] = flow.confirm().toClient();
    t.is(flow.record().phase, Phase.Live);
    t.like(told, { flags: 'A', seq: flow.client.received, ack: flow.client.next, src: '10.0.0.2', srcPort: 7000 });
    t.is(flow.world.service(SERVICE_RECOVERED), 1);
    t.is(flow.world.service(SERVICE_RECOVERING), 0);
  });

  test(`${build}: an idle connection is confirmed by the answer to a probe, of which the client hears nothing`, (t) => {
    const flow = new Flow(new World(build)).established().crash().accept();
    const [ack, probe, ...others] = flow.toReplica();
    t.is(others.length, 0);
    t.like(ack, { flags: 'A', seq: flow.client.next, ack: flow.stack.next });
    t.like(probe, { flags: 'A', seq: flow.client.next - 2, ack: flow.stack.next + 1 });
    t.is(probe?.payload.length, 1);
    t.deepEqual(flow.confirm().toClient(), []);
    t.is(flow.record().phase, Phase.Live);
    t.is(flow.tick().world.working(), 0);
  });

  test(`${build}: deltas: both directions, across the wrap`, (t) => {
    for (const isn of [1, 0x7fffff00, 0xffffff00]) {
      const flow = new Flow(new World(build), {
        clientOffer: { isn: 0xfffffff0 },
        primaryOffer: { isn },
        replicaOffer: { isn: 0xffffffff },
      });
      flow.established().client.data(100).primary.data(30).client.ack().recovered();
      const server = flow.client.received;
      flow.replica().data('from the replica');
      t.like(flow.toClient()[0], { seq: server, ack: flow.client.next, payload: bytesOf('from the replica') });
      flow.take().client.data('answer');
      t.like(flow.toReplica()[0], {
        seq: (flow.client.next - 6) >>> 0,
        ack: flow.stack.next,
        payload: bytesOf('answer'),
      });
    }
  });

  test(`${build}: a SYN-ACK for another SYN is not taken`, (t) => {
    const flow = new Flow(new World(build)).established().crash();
    const before = flow.bytes();
    t.deepEqual(flow.accept({ ack: flow.client.next + 1 }).sent, []);
    t.is(flow.world.refused(Reason.AckAboveWindow), 1);
    t.deepEqual(flow.bytes(), before);
  });

  test(`${build}: an unanswered SYN is repeated with growing gaps, and its connection given up at last`, (t) => {
    const flow = new Flow(new World(build)).established().crash();
    const [syn] = flow.toReplica();
    const times: number[] = [];
    const ports = new Set<number>();
    while (flow.record().phase === Phase.SynSent && flow.world.now < 60_000) {
      flow.tick();
      if (flow.record().phase !== Phase.SynSent) break;
      const [again, ...others] = flow.toReplica();
      t.is(others.length, 0);
      if (again === undefined) continue;
      // After four in vain another source port is tried, once.
      if (times.length < 3) t.deepEqual(again.bytes, syn?.bytes);
      else t.not(again.srcPort, syn?.srcPort);
      ports.add(again.srcPort);
      times.push(flow.world.now - 1000);
    }
    t.deepEqual(times.slice(0, 5), [20, 60, 140, 300, 620]);
    t.is(ports.size, 2);
    t.is(flow.world.losses(Loss.ReplicaSilent), 1);
    t.like(flow.record(), { loss: Loss.ReplicaSilent, state: TcpState.Closed });
    // The client is told at once.
    t.like(flow.toClient()[0], { flags: 'RA', seq: flow.client.received, ack: flow.client.next });
    t.is(flow.world.service(SERVICE_RECOVERING), 0);
  });

  test(`${build}: a refused SYN is a lost connection, and its client is reset at once`, (t) => {
    const flow = new Flow(new World(build)).established().client.data(10).crash();
    const [syn] = flow.toReplica();
    flow.stack.segment('RA', { seq: 0, ack: ((syn?.seq ?? 0) + 1) >>> 0 });
    t.like(flow.toClient()[0], { flags: 'RA', seq: flow.client.received });
    t.is(flow.world.losses(Loss.ReplicaRefused), 1);
    t.is(flow.world.service(SERVICE_LOST), 1);
    t.is(flow.world.counted(Counter.ForgedRst), 1);
    t.is(flow.world.retainedUsed(), 0);
  });

  test(`${build}: a forged refusal of the SYN is not believed`, (t) => {
    const flow = new Flow(new World(build)).established().crash();
    flow.stack.segment('RA', { seq: 0, ack: 12_345 });
    flow.stack.segment('R', { seq: 12_345, ack: 0 });
    t.is(flow.record().phase, Phase.SynSent);
  });

  test(`${build}: a RST to the probe means a full accept queue: again later, with half the pace`, (t) => {
    const world = new World(build, { services: [{ handshakeWindow: 4 }] });
    const flow = new Flow(world).established().crash().accept();
    const [, probe] = flow.toReplica();
    flow.stack.segment('R', { seq: probe?.ack ?? 0, ack: 0 });
    t.deepEqual(flow.sent, []);
    t.is(flow.record().phase, Phase.Confirming);
    world.run(15);
    t.is(flow.record().phase, Phase.Confirming);
    const again = flow.tick(200).toReplica();
    t.deepEqual(
      again.map(({ seq, ack }) => [seq, ack]),
      [
        [flow.client.next, flow.stack.next],
        [flow.client.next - 2, flow.stack.next + 1],
      ],
    );
    t.is(flow.confirm().record().phase, Phase.Live);
  });

  test(`${build}: handshakes in flight are bounded, and halved by a full queue`, (t) => {
    const world = new World(build, { services: [{ handshakeWindow: 8 }] });
    const flows = Array.from({ length: 32 }, (_, i) => new Flow(world, { clientPort: 40_000 + i }).established());
    const sent = world.setState(ServiceState.Recovery);
    t.is(sent.length, 8);
    const inFlight = (): number =>
      [...world.records()].filter(({ phase }) => phase === Phase.SynSent || phase === Phase.Confirming).length;
    t.is(inFlight(), 8);
    const [first] = flows;
    if (first === undefined) return t.fail();
    first.note(sent.filter((frame) => frame.kind === 'tcp' && frame.srcPort === 40_000)).accept();
    const [, probe] = first.toReplica();
    first.stack.segment('R', { seq: probe?.ack ?? 0, ack: 0 });
    t.is(inFlight(), 8);
    // Four (half of eight) may be in flight, and fewer with each that is not answered: the others wait in the queue again.
    first.tick(100).confirm();
    t.is(first.record().phase, Phase.Live);
    t.true(inFlight() >= 1 && inFlight() <= 4);
  });

  test(`${build}: connections with waiting bytes go first`, (t) => {
    const world = new World(build, { services: [{ handshakeWindow: 1 }] });
    const flow = (i: number): Flow => new Flow(world, { clientPort: 40_000 + i }).established();
    flow(0);
    flow(1).client.data(10);
    flow(2);
    const [syn] = world.setState(ServiceState.Recovery);
    t.is(syn?.kind === 'tcp' ? syn.srcPort : 0, 40_001);
  });

  test(`${build}: a RST of the replica while it is being fed ends the connection`, (t) => {
    const flow = new Flow(new World(build)).established().client.data(100).crash().accept();
    flow.stack.rst();
    t.is(flow.world.losses(Loss.ReplicaReset), 1);
    t.like(flow.toClient()[0], { flags: 'RA' });
    t.deepEqual(flow.toReplica(), []);
  });

  test(`${build}: a client that resets its connection while it moves: the replica is told, nobody is counted lost`, (t) => {
    const flow = new Flow(new World(build)).established().crash().accept();
    flow.client.rst();
    t.like(flow.toReplica()[0], { flags: 'R', seq: flow.client.next });
    t.is(flow.world.service(SERVICE_RECOVERING), 0);
    t.is(flow.world.service(SERVICE_LOST), 0);
    t.is(flow.record().state, TcpState.Closed);
    t.is(flow.world.working(), 0);
  });

  test(`${build}: missing server bytes: the connection is lost, and says why`, (t) => {
    const flow = new Flow(new World(build)).established();
    flow.primary.next += 100; // the tap missed them
    flow.primary.data(50).crash();
    t.is(flow.world.losses(Loss.ServerBytesMissing), 1);
    t.like(flow.toClient()[0], { flags: 'RA', seq: flow.primary.next });
    t.deepEqual(flow.toReplica(), []);
  });

  test(`${build}: every one of a thousand lost connections is reset`, (t) => {
    const world = new World(build, { capacity: { connections: 2048 } });
    for (let i = 0; i < 1000; i++) {
      const flow = new Flow(world, { clientPort: 10_000 + i }).established();
      flow.primary.next += 100;
      flow.primary.data(50);
    }
    const resets = world.setState(ServiceState.Recovery);
    t.is(new Set(resets.map((frame) => (frame.kind === 'tcp' && frame.flags === 'RA' ? frame.dstPort : 0))).size, 1000);
    t.is(world.losses(Loss.ServerBytesMissing), 1000);
    t.is(world.counted(Counter.ForgedRst), 1000);
  });

  test(`${build}: signed connections (RFC 2385, RFC 5925) cannot be forged`, (t) => {
    for (const [kind, length, loss] of [
      [19, 16, Loss.Md5],
      [29, 14, Loss.Ao],
    ] as const) {
      const flow = new Flow(new World(build)).established();
      flow.client.ack({ options: [Uint8Array.of(kind, length + 2, ...new Uint8Array(length))] });
      t.is(flow.record().loss, loss);
      t.deepEqual(flow.crash().toReplica(), []);
      t.is(flow.world.losses(loss), 1);
    }
  });

  test(`${build}: two clients that the replica could not tell apart: the second is lost`, (t) => {
    const world = new World(build, { services: [{}, { address: '10.0.0.7' }] });
    new Flow(world).established().crash();
    new Flow(world, { server: '10.0.0.7', service: 1 }).established().crash();
    t.is(world.losses(Loss.TupleClash, 1), 1);
    t.is(world.losses(Loss.TupleClash, 0), 0);
  });

  test(`${build}: a SYN retransmitted after the crash begins a new connection on the replica`, (t) => {
    const flow = new Flow(new World(build)).synSent();
    flow.crash();
    t.deepEqual(flow.sent, []);
    t.is(flow.found(), undefined);
    const [syn] = flow.client.syn().toReplica();
    t.like(syn, { flags: 'S', seq: flow.client.offer.isn, src: '10.0.0.9', dst: '10.0.0.3' });
    t.is(flow.accept().toClient()[0]?.flags, 'SA');
    t.is(flow.record().state, TcpState.SynReceived);
  });

  test(`${build}: a handshake finished by the client after the crash moves the connection`, (t) => {
    const flow = new Flow(new World(build)).synReceived();
    flow.crash();
    t.deepEqual(flow.sent, []);
    flow.client.data('hello');
    t.like(flow.toReplica()[0], { flags: 'S', seq: flow.client.next - 6 });
    const fed = flow.accept().toReplica();
    t.deepEqual(fed.at(-1)?.payload, bytesOf('hello'));
    t.is(flow.confirm().record().phase, Phase.Live);
  });

  test(`${build}: a repeated SYN-ACK of the replica gets the third step again`, (t) => {
    const flow = new Flow(new World(build)).established().recovered();
    const seq = flow.stack.offer.isn;
    const [ack] = flow.stack.segment('SA', { seq }).toReplica();
    t.like(ack, { flags: 'A', seq: flow.client.next, ack: seq + 1 });
    t.deepEqual(flow.toClient(), []);
  });

  const REMOTE: FlowOptions = { remote: true };

  test(`${build}: a remote replica sees the service address and a mapped port`, (t) => {
    const world = new World(build, { services: [{ remote: true, mapFirst: 61_000, mapLast: 61_003 }] });
    const flows = [0, 1, 2].map((i) => new Flow(world, { ...REMOTE, clientPort: 40_000 + i }).established());
    const syns = world.setState(ServiceState.Recovery).filter((frame) => frame.kind === 'tcp');
    t.deepEqual(
      syns.map(({ port, src, srcPort, dst, dstMac, srcMac }) => [port, src, srcPort, dst, dstMac, srcMac]),
      [61_000, 61_001, 61_002].map((port) => [Port.Wire, '10.0.0.2', port, '10.0.0.3', MAC.remote, MAC.daemon]),
    );
    const [flow] = flows;
    if (flow === undefined) return t.fail();
    flow.crash();
    flow.note(syns.slice(0, 1)).accept().confirm();
    t.is(flow.record().phase, Phase.Live);
    flow.stack.data('hello');
    t.like(flow.toClient()[0], { src: '10.0.0.2', srcPort: 7000, dst: '10.0.0.9', dstPort: 40_000 });
    t.like(flow.client.data('bye').toReplica()[0], { src: '10.0.0.2', srcPort: 61_000, dst: '10.0.0.3' });
  });

  test(`${build}: no mapped port left: the connection is lost`, (t) => {
    const world = new World(build, { services: [{ remote: true, mapFirst: 61_000, mapLast: 61_000 }] });
    for (const i of [0, 1]) new Flow(world, { ...REMOTE, clientPort: 40_000 + i }).established();
    world.setState(ServiceState.Recovery);
    t.is(world.losses(Loss.TupleClash), 1);
  });

  test(`${build}: a damaged SYN-ACK of a remote replica is not taken`, (t) => {
    const flow = new Flow(new World(build, { services: [{ remote: true }] }), REMOTE).established().crash();
    const before = flow.bytes();
    t.deepEqual(flow.accept({ checksum: 0x1234 }).sent, []);
    t.is(flow.world.refused(Reason.BadTcpChecksum), 1);
    t.deepEqual(flow.bytes(), before);
  });
}
