/** How a copy ends: with its connection, before it, or never; and what is tried again. */
import test from 'ava';
import { Counter, Loss, Phase, Port, RecordState, Risk, ServiceState, TcpState } from '../../assembly/abi/codes';
import { SERVICE_FLAG_REPLAY, SERVICE_FLAG_SHADOW, SERVICE_LOST } from '../../assembly/abi/layout';
import { isUnheard, leavesNothing, replay, shadow } from '../support/copies';
import { Flow } from '../support/flow';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

/** A copy that the replica has ended is tried again after this, ms. */
const AGAIN_MS = 500;
/** How long a replica may be silent on its way to the client's position, ms. */
const PATIENCE_MS = 15_000;
/** How long a replica that closes first is waited for the primary, ms. */
const CLOSE_GRACE_MS = 1000;

/** Steps of the short timer until the core sends something to the replica. */
function waitForReplica(flow: Flow, limitMs: number): number {
  const from = flow.world.now;
  while (flow.tick().toReplica().length === 0 && flow.world.now < from + limitMs);
  return flow.world.now - from;
}

const flagsOf = (flow: Flow): string[] => flow.toReplica().map(({ flags }) => flags);

for (const build of BUILDS) {
  test(`${build}: a connection that ends on the primary ends on the replica, whoever is first`, (t) => {
    for (const first of ['primary', 'replica']) {
      const flow = shadow(build).shadowed();
      flow.client.data('bye').take().stack.ack();
      const primary = (): void => void flow.primary.data('bye').primary.fin();
      const replica = (): void => void flow.stack.data('bye').stack.fin();
      if (first === 'primary') primary();
      replica();
      if (first === 'replica') primary();
      t.is(flow.record().phase, Phase.Withheld);
      flow.client.ack().client.fin();
      t.true(flagsOf(flow).some((flags) => flags.includes('F')));
      flow.take().stack.ack();
      flow.primary.ack();
      t.is(flow.record().state, TcpState.TimeWait);
      t.is(flow.record().phase, Phase.Direct);
      isUnheard(t, flow);
      t.true(flow.toReplica(flow.all).every(({ flags }) => !flags.includes('R')));
      t.is(flow.world.retainedUsed(), 0);
      leavesNothing(t, flow);
    }
  });

  test(`${build}: a replica that never closes is reset when the connection is forgotten`, (t) => {
    const flow = shadow(build).shadowed();
    flow.client.fin().take().stack.ack();
    flow.primary.fin();
    flow.client.ack();
    t.is(flow.record().phase, Phase.Withheld);
    const ms = waitForReplica(flow, 100_000);
    t.true(ms >= 60_000);
    t.like(flow.toReplica()[0], { flags: 'R', seq: flow.client.next });
    isUnheard(t, flow);
    leavesNothing(t, flow);
  });

  test(`${build}: when the primary or the client resets, the replica is reset, at the number it expects`, (t) => {
    for (const name of ['primary', 'client'] as const) {
      const flow = shadow(build).shadowed();
      flow.client.data('half').take().stack.ack();
      flow[name].rst();
      t.like(flow.toReplica()[0], { flags: 'R', seq: flow.client.next });
      t.is(flow.record().phase, Phase.Direct);
      isUnheard(t, flow);
      leavesNothing(t, flow);
    }
  });

  test(`${build}: a reset before the replica has answered leaves nothing, and its late answer is reset`, (t) => {
    const flow = shadow(build).established();
    flow.client.rst();
    flow.note(flow.toReplica(flow.all)).accept();
    t.like(flow.toReplica()[0], { flags: 'R', seq: flow.stack.received });
    const next = new Flow(flow.world, { clientPort: 40_001 }).shadowed();
    t.is(next.record().phase, Phase.Withheld);
    next.client.rst();
    leavesNothing(t, flow);
  });

  test(`${build}: a port that is used again is another connection to the replica too`, (t) => {
    const flow = shadow(build).shadowed();
    flow.client.data('old').take().stack.ack();
    flow.stack.data('old').stack.fin();
    flow.primary.data('old').primary.fin();
    flow.client.ack().client.fin();
    flow.primary.ack();
    t.is(flow.record().state, TcpState.TimeWait);
    t.is(flow.record().phase, Phase.Withheld);
    const again = new Flow(flow.world, {
      clientOffer: { isn: 7_000_000 },
      primaryOffer: { isn: 9_000_000 },
      replicaOffer: { isn: 11_000_000 },
    });
    const expected = flow.client.next;
    again.client.syn();
    t.like(again.toReplica()[0], { flags: 'R', seq: expected });
    again.primary.synAck().client.ack();
    t.like(again.toReplica()[0], { flags: 'S', seq: 7_000_000 });
    again.accept().confirm().client.data('new');
    t.is(again.stream(again.toReplica(), 7_000_001), 'new');
    t.is(again.record().phase, Phase.Withheld);
    isUnheard(t, again);
    again.client.rst();
    leavesNothing(t, again);
  });

  test(`${build}: a replica that resets or refuses its copy is given it again, from the first byte`, (t) => {
    for (const refuses of [true, false]) {
      const flow = shadow(build).established();
      if (!refuses) flow.accept().confirm();
      flow.client.data('one ').take();
      flow.stack.rst({ flags: 'RA', ack: refuses ? 1001 : flow.stack.received });
      t.is(flow.record().risk, Risk.NotShadowed);
      t.is(flow.record().phase, Phase.Direct);
      flow.client.data('two');
      t.is(waitForReplica(flow, 2 * AGAIN_MS), AGAIN_MS);
      t.like(flow.toReplica()[0], { flags: 'S', seq: 1000 });
      flow.stack.next = 0;
      flow.accept().drainToReplica();
      t.is(flow.record().phase, Phase.Withheld);
      t.is(flow.record().risk, Risk.None);
      t.is(flow.stream(flow.toReplica(flow.all), 1001), 'one two');
      isUnheard(t, flow);
      t.is(flow.world.service(SERVICE_LOST), 0);
      flow.crash();
      t.is(flow.record().phase, Phase.Live);
    }
  });

  test(`${build}: a replica that goes on refusing is asked ever more rarely, and the connection is lost with its primary`, (t) => {
    const flow = shadow(build).established();
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      flow.stack.rst({ flags: 'RA', ack: 1001 });
      waits.push(waitForReplica(flow, 20_000));
    }
    t.deepEqual(waits, [500, 1000, 2000, 4000]);
    flow.stack.rst({ flags: 'RA', ack: 1001 });
    flow.crash();
    t.is(flagsOf(flow)[0], 'S');
    flow.stack.rst({ flags: 'RA', ack: 1001 });
    t.is(flow.record().loss, Loss.ReplicaRefused);
    t.true(flow.toClient()[0]?.flags.includes('R'));
    leavesNothing(t, flow);
  });

  test(`${build}: a replica that closes before the primary is waited for, then given the stream again`, (t) => {
    const flow = shadow(build).shadowed();
    flow.client.data('ask').take().stack.fin();
    t.is(flow.toReplica().at(-1)?.ack, flow.stack.next);
    const ms = waitForReplica(flow, 5000);
    t.is(ms, CLOSE_GRACE_MS);
    // Its half is open: it still waits for the client.
    t.like(flow.toReplica()[0], { flags: 'R', seq: flow.client.next });
    t.is(flow.record().risk, Risk.NotShadowed);
    t.is(waitForReplica(flow, 5000), AGAIN_MS);
    t.is(flagsOf(flow)[0], 'S');
    isUnheard(t, flow);
  });

  test(`${build}: a replica that had closed when the primary died closes the connection`, (t) => {
    const flow = shadow(build).shadowed();
    const first = flow.primary.next;
    flow.stack.data('bye').stack.fin();
    flow.crash();
    t.is(flow.stream(flow.toClient(), first), 'bye');
    t.true(flow.toClient().at(-1)?.flags.includes('F'));
    flow.take().client.ack().client.fin();
    flow.take().stack.ack();
    t.is(flow.record().state, TcpState.TimeWait);
    leavesNothing(t, flow);
  });

  test(`${build}: a primary had closed: nothing of the replica follows, and it may close later`, (t) => {
    for (const acknowledged of [true, false]) {
      const flow = shadow(build).shadowed();
      const first = flow.primary.next;
      flow.primary.data('end').primary.fin();
      if (acknowledged) flow.client.ack();
      else flow.client.received = first;
      flow.stack.data('end');
      flow.crash();
      t.is(flow.record().phase, Phase.Live);
      flow.drainToClient();
      t.is(flow.client.received, first + 4);
      flow.client.data('more').take().stack.fin();
      t.true(flow.toClient().every(({ payload, flags }) => payload.length === 0 && flags === 'A'));
      flow.client.fin();
      flow.take().stack.ack();
      t.is(flow.record().state, TcpState.TimeWait);
      leavesNothing(t, flow);
    }
  });

  test(`${build}: both have closed, the replica reads the client's FIN last: the connection is over`, (t) => {
    const flow = shadow(build).shadowed();
    flow.primary.fin();
    flow.client.ack().stack.fin();
    flow.client.fin();
    flow.crash();
    t.is(flow.record().phase, Phase.Live);
    flow.note(flow.toReplica(flow.all)).take().stack.ack();
    t.is(flow.toClient().at(-1)?.ack, flow.client.next);
    t.is(flow.record().state, TcpState.TimeWait);
    leavesNothing(t, flow);
  });

  test(`${build}: a FIN that only its acknowledgement tells of is the primary's when the replica closes there`, (t) => {
    const flow = shadow(build).shadowed();
    flow.stack.data('end').stack.fin();
    flow.primary.data('end');
    // Its FIN never comes to the tap.
    flow.client.received = flow.primary.next + 1;
    flow.client.ack();
    flow.crash();
    t.is(flow.record().phase, Phase.Live);
    t.deepEqual(flow.record().diverged, [0, 0]);
    flow.client.fin();
    flow.take().stack.ack();
    t.is(flow.record().state, TcpState.TimeWait);
  });

  test(`${build}: a FIN of a suspected primary that the client never got does not end what the replica goes on with`, (t) => {
    const flow = shadow(build).shadowed();
    const first = flow.primary.next;
    flow.world.setQuarantine(true);
    flow.primary.data('half').primary.fin();
    flow.client.received = first + 4;
    flow.client.ack();
    flow.stack.data('half and half');
    flow.crash().drainToClient();
    t.is(flow.stream(flow.toClient(flow.all), first + 4), ' and half');
    t.is(flow.record().state, TcpState.Established);
    flow.stack.data('!');
    t.is(flow.toClient()[0]?.seq, first + 13);
  });

  test(`${build}: a replica that does not reach the client's position is given up, and both are reset`, (t) => {
    const flow = replay(build).established().client.data('ask').primary.data('answer');
    flow.client.ack();
    flow.crash().accept().drainToReplica();
    flow.world.run(PATIENCE_MS - 100);
    flow.stack.data('ans');
    t.is(flow.record().phase, Phase.Withheld);
    flow.note(flow.world.run(PATIENCE_MS - 10));
    t.is(flow.record().phase, Phase.Withheld);
    flow.note(flow.world.run(20));
    t.is(flow.record().loss, Loss.ReplicaBehind);
    t.is(flow.world.losses(Loss.ReplicaBehind), 1);
    t.like(flow.toReplica().at(-1), { flags: 'R', seq: flow.client.next });
    t.true(flow.toClient()[0]?.flags.includes('R'));
    leavesNothing(t, flow);
  });

  test(`${build}: a replica that resets on the way is the end of the connection when the primary is dead`, (t) => {
    const flow = replay(build).established().client.data('ask').primary.data('answer');
    flow.crash().accept().confirm().stack.rst();
    t.is(flow.record().loss, Loss.ReplicaReset);
    t.true(flow.toClient()[0]?.flags.includes('R'));
    leavesNothing(t, flow);
  });

  test(`${build}: a connection that is over when the primary dies is nobody's loss, whatever its copy does`, (t) => {
    const flow = shadow(build).shadowed();
    flow.client.fin().primary.fin();
    flow.client.ack();
    t.is(flow.record().state, TcpState.TimeWait);
    flow.crash().stack.rst();
    t.is(flow.world.service(SERVICE_LOST), 0);
    t.deepEqual(flow.toClient(flow.all), []);
    leavesNothing(t, flow);
  });

  test(`${build}: a handshake with the replica that outlives its connection counts no longer as one`, (t) => {
    const world = new World(build, { services: [{ flags: SERVICE_FLAG_SHADOW, handshakeWindow: 1 }] });
    const flow = new Flow(world).established();
    flow.client.fin().primary.fin();
    flow.client.ack();
    t.is(flow.record().state, TcpState.TimeWait);
    flow.crash();
    // The client's port is used again: for the replica, which has room for one handshake.
    const next = new Flow(world, { clientPort: 40_001 });
    world.setState(ServiceState.Normal);
    flow.stack.rst({ flags: 'RA', ack: 1001 });
    next.established();
    next
      .note(next.toReplica(next.all).filter(({ srcPort }) => srcPort === 40_001))
      .accept()
      .confirm();
    t.is(next.record().phase, Phase.Withheld);
  });

  test(`${build}: the same tuple opened again while its copy shakes hands with the replica`, (t) => {
    const world = new World(build, { services: [{ flags: SERVICE_FLAG_SHADOW, handshakeWindow: 1 }] });
    const flow = new Flow(world).established();
    flow.client.fin().primary.fin();
    flow.client.ack();
    flow.crash();
    const again = new Flow(world, { clientOffer: { isn: 7_000_000 } });
    again.client.syn();
    t.like(again.toReplica().at(-1), { flags: 'S', seq: 7_000_000 });
    world.setState(ServiceState.Normal);
    const next = new Flow(world, { clientPort: 40_001 }).established();
    t.is(flagsOf(next)[0], 'S');
  });

  test(`${build}: the host stops while the primary serves: the replica is reset, the client hears nothing`, (t) => {
    const world = new World(build, { services: [{ flags: SERVICE_FLAG_SHADOW }], capacity: { connections: 1024 } });
    const flows = Array.from({ length: 600 }, (_, i) => new Flow(world, { clientPort: 20_000 + i }).shadowed());
    const sent = world.dismiss();
    t.is(sent.length, 600);
    t.true(sent.every((frame) => frame.kind === 'tcp' && frame.port === Port.Stack && frame.flags === 'R'));
    t.is(world.service(SERVICE_LOST), 0);
    for (const flow of flows.slice(0, 3)) {
      t.is(flow.record().phase, Phase.Direct);
      isUnheard(t, flow);
    }
  });

  test(`${build}: a primary proved alive had reset its connection: so is the copy`, (t) => {
    const flow = shadow(build).shadowed();
    flow.world.setQuarantine(true);
    flow.primary.rst();
    t.deepEqual(flow.toReplica(), []);
    flow.world.setQuarantine(false);
    flow.note(flow.world.pump());
    t.like(flow.toReplica()[0], { flags: 'R', seq: flow.client.next });
    isUnheard(t, flow);
    leavesNothing(t, flow);
  });

  test(`${build}: hours of silence are no reason to give a copy up`, (t) => {
    const flow = shadow(build).shadowed();
    flow.tick();
    t.is(flow.world.working(), 0);
    flow.world.now += 3_600_000;
    flow.client.data('hello').take();
    t.is(flow.tick().record().phase, Phase.Withheld);
    // Nor to repeat anything.
    t.deepEqual(flow.toReplica(), []);
    flow.stack.ack();
    t.is(flow.tick().world.working(), 0);
    t.is(flow.world.counted(Counter.CopyEnded), 0);
  });

  test(`${build}: a record that is lost while the replica catches up loses the connection at once`, (t) => {
    const world = new World(build, {
      services: [{ flags: SERVICE_FLAG_REPLAY }],
      capacity: { recordPerConnection: 4000, recordBytes: 1 << 20 },
    });
    for (const phase of [Phase.Queued, Phase.SynSent, Phase.Withheld]) {
      const flow = new Flow(world, { clientPort: 40_000 + phase }).established().client.data(3000).primary.ack();
      if (phase === Phase.Queued) t.is(flow.record().record, RecordState.Complete);
      flow.crash();
      if (phase === Phase.Withheld) flow.accept({ window: 0 }).stack.ack({ window: 0 });
      flow.client.data(3000);
      flow.note(world.tick());
      t.is(flow.record().loss, Loss.RecordIncomplete);
      world.setState(ServiceState.Normal);
    }
    world.setState(ServiceState.Recovery);
    leavesNothing(t, new Flow(world));
  });
}
