/** A replica that is given the client's stream from its first byte: its handshake, its withheld output, its release. */
import test, { type ExecutionContext } from 'ava';
import { Loss, Phase, Port, Reason, RecordState, Risk, ServiceState, TcpState } from '../../assembly/abi/codes';
import {
  SERVICE_FLAG_REPLAY,
  SERVICE_FLAG_SHADOW,
  SERVICE_LOST,
  SERVICE_RECOVERED,
  SERVICE_RECOVERING,
} from '../../assembly/abi/layout';
import { isUnheard, leavesNothing, make, replay, shadow } from '../support/copies';
import { Flow, type FlowOptions } from '../support/flow';
import { icmpErrorFrame, tcpFrame } from '../support/frames';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));

/** Both ends close through the replica. */
function endsWell(t: ExecutionContext, flow: Flow): void {
  flow.client.fin();
  flow.take().stack.ack().stack.fin();
  flow.take().client.ack();
  t.is(flow.record().state, TcpState.TimeWait);
  leavesNothing(t, flow);
}

const WRAPS: readonly FlowOptions[] = [
  {},
  { clientOffer: { isn: 0xffff_fffe } },
  { primaryOffer: { isn: 0xffff_fffd } },
  { replicaOffer: { isn: 0xffff_fffc } },
  { clientOffer: { isn: 0xffff_fff0 }, primaryOffer: { isn: 0xffff_fff8 }, replicaOffer: { isn: 0xffff_fffb } },
];

for (const build of BUILDS) {
  for (const [i, options] of WRAPS.entries()) {
    test(`${build}: a replay brings the client's stream, and what follows goes on (numbers ${i})`, (t) => {
      const flow = replay(build, options).established();
      flow.client.data('first ').primary.data('one ').client.data('second').primary.data('two ');
      flow.client.ack();
      isUnheard(t, flow);
      const [syn] = flow.crash().toReplica();
      t.like(syn, { flags: 'S', seq: flow.client.offer.isn, mss: 1460 });
      flow.accept();
      flow.drainToReplica();
      const read = (): string => flow.stream(flow.toReplica(flow.all), (flow.client.offer.isn + 1) >>> 0);
      // The client said the second thing when it had heard the first.
      t.is(read(), 'first ');
      flow.stack.data('one ').drainToReplica();
      t.is(read(), 'first second');
      t.is(flow.record().phase, Phase.Withheld);
      flow.stack.data('two ');
      t.is(flow.toReplica().at(-1)?.ack, flow.stack.next);
      t.is(flow.record().phase, Phase.Live);
      t.true(flow.toClient(flow.all).every(({ payload }) => payload.length === 0));
      // The next byte has the next number.
      flow.stack.data('three');
      t.like(flow.toClient()[0], { seq: flow.primary.next, ack: flow.client.next, payload: bytes('three') });
      flow.take().client.data('third');
      t.like(flow.toReplica()[0], { payload: bytes('third'), ack: flow.stack.next });
      t.is(flow.world.service(SERVICE_RECOVERED), 1);
      endsWell(t, flow.take());
    });

    test(`${build}: a shadow reads along and says nothing until the primary is dead (numbers ${i})`, (t) => {
      const flow = shadow(build, options).established();
      t.like(flow.toReplica()[0], { flags: 'S', seq: flow.client.offer.isn });
      flow.accept().confirm();
      t.is(flow.record().phase, Phase.Withheld);
      flow.client.data('first ').take().stack.data('one ');
      t.is(flow.toReplica().at(-1)?.ack, flow.stack.next);
      flow.primary.data('one ').client.ack();
      flow.client.data('second').take().stack.ack();
      isUnheard(t, flow);
      t.is(flow.record().inbound.end, flow.client.next);
      t.is(flow.record().outbound.end, flow.primary.next);
      flow.crash();
      t.is(flow.record().phase, Phase.Live);
      // It has read what the primary had not acknowledged.
      t.like(flow.toClient().at(-1), { flags: 'A', ack: flow.client.next, seq: flow.primary.next });
      flow.stack.data('two');
      t.like(flow.toClient()[0], { seq: flow.primary.next, payload: bytes('two') });
      endsWell(t, flow.take());
    });
  }

  test(`${build}: data in the SYN is part of the stream`, (t) => {
    const flow = replay(build);
    flow.client.syn({ payload: 'early ' }).primary.synAck().client.data('late').primary.ack();
    flow.crash().accept().drainToReplica();
    t.is(flow.stream(flow.toReplica(flow.all), 1001), 'early late');
    t.is(flow.record().phase, Phase.Live);
  });

  test(`${build}: the client's FIN is part of the stream, read by the primary or not`, (t) => {
    for (const read of [true, false]) {
      const flow = replay(build).established().client.data('all').client.fin();
      if (read) flow.primary.ack();
      flow.crash().accept().drainToReplica();
      t.is(flow.toReplica(flow.all).filter(({ flags }) => flags.includes('F')).length, 1);
      t.is(flow.record().phase, Phase.Live);
      flow.stack.data('answer').take();
      t.is(flow.toClient(flow.all).at(-1)?.payload.length, 6);
      flow.client.ack().stack.fin();
      flow.take().client.ack();
      t.is(flow.record().state, TcpState.TimeWait);
      leavesNothing(t, flow);
    }
  });

  test(`${build}: server bytes on their way come from the primary, missing ones from the replica`, (t) => {
    const flow = shadow(build).shadowed();
    const first = flow.primary.next;
    flow.primary.data('1111').primary.data('3333', { seq: first + 8 });
    flow.primary.next = first + 12;
    flow.stack.data('111122223333');
    isUnheard(t, flow);
    flow.client.received = first;
    flow.crash().drainToClient();
    t.is(flow.stream(flow.toClient(flow.all), first), '111122223333');
    t.is(flow.record().outbound.acked, first + 12);
    flow.stack.data('4');
    t.is(flow.toClient()[0]?.seq, first + 12);
    endsWell(t, flow.take());
  });

  test(`${build}: a replica that is ahead is let go from where the client is`, (t) => {
    const flow = shadow(build).shadowed();
    const first = flow.primary.next;
    flow.stack.data('abcdefghij');
    flow.primary.data('abcd');
    flow.client.ack();
    t.is(flow.world.retainedUsed(), 2048);
    flow.crash();
    t.is(flow.stream(flow.toClient(), first + 4), 'efghij');
    t.true(flow.toClient().every(({ seq, payload }) => payload.length === 0 || seq === first + 4));
    flow.drainToClient();
    t.is(flow.world.retainedUsed(), 0);
    flow.stack.data('k');
    t.like(flow.toClient()[0], { seq: first + 10 });
    endsWell(t, flow.take());
  });

  test(`${build}: a replica that is behind is waited for, and none of what the client has is repeated`, (t) => {
    const flow = shadow(build).shadowed();
    const first = flow.primary.next;
    flow.primary.data('abcdefghij');
    flow.client.ack();
    flow.stack.data('abc');
    flow.crash();
    t.is(flow.record().phase, Phase.Withheld);
    t.is(flow.world.service(SERVICE_RECOVERING), 1);
    flow.stack.data('defghijkl');
    t.is(flow.record().phase, Phase.Live);
    t.is(flow.world.service(SERVICE_RECOVERING), 0);
    t.deepEqual(
      flow.toClient(flow.all).flatMap(({ seq, payload }) => (payload.length > 0 ? [[seq, payload.length]] : [])),
      [[first + 10, 2]],
    );
    endsWell(t, flow.take());
  });

  test(`${build}: what the client says while the replica catches up reaches it, and is acknowledged by it`, (t) => {
    const flow = replay(build).established().client.data('ask').primary.data('answer');
    flow.client.ack();
    flow.crash().client.data(' more');
    t.deepEqual(flow.toClient(), []);
    flow.note(flow.world.tick(0));
    flow.note(flow.toReplica(flow.all)).accept().client.data(' yet');
    flow.note(flow.toReplica(flow.all)).drainToReplica();
    t.is(flow.stream(flow.toReplica(flow.all), 1001), 'ask');
    t.deepEqual(flow.toClient(flow.all), []);
    flow.stack.data('answer').drainToReplica();
    t.is(flow.stream(flow.toReplica(flow.all), 1001), 'ask more yet');
    t.is(flow.toClient().at(-1)?.ack, flow.client.next);
  });

  test(`${build}: the replica is granted what the client grants`, (t) => {
    const flow = shadow(build, {
      clientOffer: { window: 100, windowShift: 3 },
      primaryOffer: { windowShift: 7 },
      replicaOffer: { windowShift: 2 },
    }).shadowed();
    const edge = (): number => {
      const last = flow.toReplica(flow.all).at(-1);
      return (last?.ack ?? 0) + ((last?.window ?? 0) << 3) - flow.stack.offer.isn - 1;
    };
    // Rounded up to a unit: the replica has to reach what the primary says, to the last byte.
    const is = (bytes: number): void => {
      t.true(edge() >= bytes && edge() < bytes + 8, `${edge()}`);
    };
    is(800);
    flow.stack.data(800);
    is(800);
    // The client has read the primary's, and opens its window: the replica is told.
    flow.primary.data(800);
    flow.client.ack({ window: 0 });
    is(800);
    flow.client.ack({ window: 50 });
    is(1200);
    isUnheard(t, flow);
  });

  test(`${build}: a replica that has much to say again is granted 256 KiB of it at a time`, (t) => {
    const flow = replay(build, {
      clientOffer: { windowShift: 7, window: 60_000 },
      primaryOffer: { windowShift: 7 },
      replicaOffer: { windowShift: 7 },
    }).established();
    const told = (): number => {
      const last = flow.toReplica(flow.all).at(-1);
      return ((last?.window ?? 0) << 7) - 262_144;
    };
    for (let i = 0; i < 300; i++) {
      flow.primary.data(1000);
      flow.client.ack();
    }
    flow.crash().accept().drainToReplica();
    flow.stack.data(1000);
    t.is(told(), 0);
    for (let i = 1; i < 299; i++) flow.stack.data(1000);
    t.is(told(), 0);
    // Then the client's whole window is the replica's.
    flow.stack.data(1000);
    t.is(flow.record().phase, Phase.Live);
    t.is(told(), (60_000 << 7) - 262_144);
  });

  test(`${build}: output behind a gap is asked for again, and taken in its order`, (t) => {
    const flow = shadow(build).shadowed();
    flow.stack.data('first ');
    const [first, second] = [flow.stack.next, flow.stack.next + 7];
    flow.stack.next = second;
    flow.stack.data('third');
    t.is(flow.world.refused(Reason.WithheldGap), 1);
    t.is(flow.toReplica().at(-1)?.ack, first);
    flow.stack.next = first;
    flow.stack.data('second ').stack.data('third');
    t.is(flow.toReplica().at(-1)?.ack, second + 5);
    t.is(flow.world.refused(Reason.WithheldGap), 1);
    flow.primary.data('first second third');
    t.deepEqual(flow.record().diverged, [0, 0]);
    isUnheard(t, flow);
  });

  test(`${build}: the replica's clock is echoed to it while withheld, and never runs backwards for the client`, (t) => {
    const flow = shadow(build, {
      clientOffer: { tsval: 5000 },
      primaryOffer: { tsval: 0xffff_fff0 },
      replicaOffer: { tsval: 77 },
    }).shadowed();
    flow.stack.tsval = 90;
    flow.client.tsval = 5001;
    flow.client.data('x').take();
    flow.stack.data('y');
    t.deepEqual(flow.toReplica().at(-1)?.timestamps, [5001, 90]);
    flow.primary.tsval = 5;
    flow.primary.data('y');
    flow.client.ack();
    flow.crash();
    flow.stack.tsval = 91;
    flow.stack.data('z');
    const [, ...later] = flow.toClient(flow.all).map(({ timestamps }) => timestamps?.[0] ?? 0);
    t.true([...later, flow.toClient()[0]?.timestamps?.[0] ?? 0].every((tsval) => tsval > 5 && tsval < 1000));
    // And the client's echo is the replica's clock again.
    const [tsval = 0] = flow.toClient()[0]?.timestamps ?? [];
    flow.take();
    flow.primary.tsval = tsval;
    flow.stack.tsval = tsval;
    flow.client.ack();
    t.deepEqual(flow.toReplica()[0]?.timestamps, [5001, 91]);
  });

  test(`${build}: what is said of the primary on the way is not the copy's business`, (t) => {
    const flow = shadow(build).shadowed();
    const quoted = tcpFrame({ src: '10.0.0.2', srcPort: 7000, dst: '10.0.0.9', dstPort: 40000, seq: 500_001 });
    const error = icmpErrorFrame({ src: '10.0.0.9', dst: '10.0.0.2', type: 3, code: 4, rest: 1000 }, quoted);
    t.deepEqual(flow.world.receive(Port.Wire, error), []);
    t.is(flow.world.refused(Reason.IcmpNotOurs), 1);
    const theirs = tcpFrame({ src: '10.0.0.9', srcPort: 40000, dst: '10.0.0.3', dstPort: 7000, seq: 1001 });
    const answer = icmpErrorFrame({ src: '10.0.0.3', dst: '10.0.0.9', type: 3, code: 4, rest: 1000 }, theirs);
    t.deepEqual(flow.world.receive(Port.Stack, answer), []);
    t.is(flow.world.refused(Reason.Withheld), 2);
  });

  test(`${build}: a segment of no copy is answered with RST`, (t) => {
    const flow = shadow(build);
    flow.stack.received = 5;
    flow.stack.data('who?');
    t.like(flow.toReplica()[0], { flags: 'R', seq: 5 });
    isUnheard(t, flow);
  });

  test(`${build}: a replica on another machine is replayed by its mapped port`, (t) => {
    const flow = replay(build, { remote: true }).established().client.data('ask').primary.data('answer');
    flow.client.ack();
    isUnheard(t, flow);
    flow.crash().accept().drainToReplica();
    t.is(flow.stream(flow.toReplica(flow.all), 1001), 'ask');
    flow.stack.data('answer!');
    t.is(flow.record().phase, Phase.Live);
    t.is(flow.stream(flow.toClient(flow.all), flow.primary.next), '!');
  });

  test(`${build}: a connection picked up while running falls back`, (t) => {
    for (const flags of [SERVICE_FLAG_REPLAY, SERVICE_FLAG_SHADOW]) {
      const flow = make(flags)(build);
      flow.client.next = 1001;
      flow.primary.next = 500_001;
      flow.client.received = 500_001;
      flow.client.data('x').primary.ack();
      t.is(flow.record().record, RecordState.None);
      t.is(flow.record().risk, Risk.WindowScaleUnknown);
      flow.crash();
      t.is(flow.record().loss, Loss.RecordIncomplete);
      t.is(flow.world.losses(Loss.RecordIncomplete), 1);
      t.true(flow.toClient()[0]?.flags.includes('R'));
      leavesNothing(t, flow);
    }
  });

  test(`${build}: copies are made a few at a time, and none is forgotten`, (t) => {
    const world = new World(build, { services: [{ flags: SERVICE_FLAG_SHADOW, handshakeWindow: 1 }] });
    const flows = Array.from({ length: 5 }, (_, i) => new Flow(world, { clientPort: 40_000 + i }).established());
    for (const flow of flows) {
      flow.note(world.tick(0));
      if (flow.record().phase === Phase.Queued) t.fail();
      else
        flow.note(
          flow.toReplica(flows.flatMap(({ all }) => all)).filter(({ srcPort }) => srcPort === flow.options.clientPort),
        );
      flow.accept().confirm();
      for (const other of flows) if (other !== flow) other.note(flow.sent);
    }
    t.true(flows.every((flow) => flow.record().phase === Phase.Withheld));
  });

  test(`${build}: the service at rest again: new connections are the primary's, and copied`, (t) => {
    const flow = shadow(build).shadowed().crash();
    const { world } = flow;
    world.setState(ServiceState.Normal);
    const next = new Flow(world, { clientPort: 40_001 }).shadowed();
    t.is(next.record().phase, Phase.Withheld);
    isUnheard(t, next);
    t.is(flow.record().phase, Phase.Live);
    t.is(world.service(SERVICE_LOST), 0);
  });
}
