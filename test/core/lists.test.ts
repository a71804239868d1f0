/** Connections that wait: for their client, for their replica, for the short timer. Any of them may leave its list first. */
import test from 'ava';
import { Phase, Port, Reason, ServiceState, TcpState } from '../../assembly/abi/codes';
import { SERVICE_FLAG_SHADOW, SERVICE_HALF_OPEN } from '../../assembly/abi/layout';
import { Flow } from '../support/flow';
import type { Segment, Sent } from '../support/sent';
import { SMALL } from '../support/wasm';
import { MAC, World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

const half = (world: World): number[] =>
  [...world.records()].filter(({ state }) => state === TcpState.SynSent).map(({ clientPort }) => clientPort);
const synSent = (world: World, clientPort: number): Flow => new Flow(world, { clientPort }).synSent();
const established = (world: World, clientPort: number): Flow => new Flow(world, { clientPort }).established();
const syns = (sent: readonly Sent[]): Segment[] =>
  sent.filter((frame): frame is Segment => frame.kind === 'tcp' && frame.flags === 'S');
const ports = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

/** The host starts the core again, with two services as before. */
function restart(world: World): void {
  const { connections, retainedBytes, retainedPerConnection, recordBytes, recordPerConnection, key } = SMALL;
  const budgets = [retainedBytes, retainedPerConnection, recordBytes, recordPerConnection] as const;
  world.core.exports.init(connections, ...budgets, SMALL.comparePerConnection, ...key);
  world.setPort(Port.Wire, 1500, MAC.daemon, '00:00:00:00:00:00');
  world.setPort(Port.Stack, 65535, MAC.gateway, MAC.stack);
  for (const service of TWO) world.addService(service);
}

const TWO = [{ handshakeWindow: 1 }, { address: '10.0.0.12', replica: '10.0.0.13' }];

/** Each SYN that comes is answered and confirmed, whatever follows: the ports in their order. */
function recoverAll(flows: readonly Flow[], first: readonly Sent[]): number[] {
  const order: number[] = [];
  let pending = syns(first);
  while (pending.length > 0) {
    const [syn] = pending;
    const flow = flows.find(({ options }) => options.clientPort === syn?.srcPort);
    if (syn === undefined || flow === undefined || order.includes(syn.srcPort)) return [...order, -1];
    order.push(syn.srcPort);
    // It is known to have moved, whatever the state of the service was.
    flow.crash().note([syn]).accept();
    const { sent } = flow.take().stack.ack();
    pending = syns([...flow.all.slice(flow.all.indexOf(syn) + 1), ...sent]).filter(({ srcPort }) => {
      return !order.includes(srcPort);
    });
  }
  return order;
}

for (const build of BUILDS) {
  test(`${build}: half-open connections give way oldest first, whichever of them were completed before`, (t) => {
    const world = new World(build);
    const flows = ports(1, 8).map((port) => synSent(world, port));
    for (const i of [2, 7, 0]) flows[i]?.primary.synAck().client.ack();
    t.deepEqual(half(world).sort(), [2, 4, 5, 6, 7]);
    for (const [given, left] of [
      [5, [5, 6, 7, 100, 101, 102, 103, 104]],
      [2, [7, 100, 101, 102, 103, 104, 105, 106]],
    ] as const) {
      for (let i = 0; i < given; i++) synSent(world, 100 + (given === 5 ? 0 : 5) + i);
      t.deepEqual(
        half(world).sort((a, b) => a - b),
        left,
      );
    }
    for (let i = 0; i < 20; i++) synSent(world, 200 + i);
    t.deepEqual(half(world).sort(), ports(212, 8));
    t.is(world.service(SERVICE_HALF_OPEN), 8);
    for (const i of [2, 7, 0]) t.is(flows[i]?.record().state, TcpState.Established);
  });

  test(`${build}: connections that were completed give way to none, in whatever order that was`, (t) => {
    const world = new World(build);
    const flows = ports(1, 3).map((port) => synSent(world, port));
    for (const i of [1, 2]) flows[i]?.primary.synAck().client.ack();
    for (const port of ports(100, 20)) synSent(world, port);
    t.deepEqual(half(world).sort(), ports(112, 8));
    for (const i of [1, 2]) t.is(flows[i]?.record().state, TcpState.Established);
  });

  test(`${build}: a small table has room for one half-open connection`, (t) => {
    const world = new World(build, { capacity: { connections: 8 } });
    for (const port of [1, 2, 3]) synSent(world, port);
    t.deepEqual(half(world), [3]);
  });

  test(`${build}: in a full table a half-open connection gives way, though not all of these have their share`, (t) => {
    const world = new World(build);
    for (const port of ports(1, 60)) established(world, port);
    for (const port of ports(101, 4)) synSent(world, port);
    t.is(established(world, 200).record().state, TcpState.Established);
    t.deepEqual(half(world), [102, 103, 104]);
    t.is(world.refused(Reason.TableFull), 0);
  });

  test(`${build}: in a table full of established connections there is room when one is over, and not before`, (t) => {
    const world = new World(build, { capacity: { connections: 16 } });
    const [first, ...others] = ports(1, 16).map((port) => established(world, port));
    for (const port of ports(101, 20)) t.is(synSent(world, port).found(), undefined);
    t.is(world.refused(Reason.TableFull), 20);
    t.true(others.every((flow) => flow.found() !== undefined));
    first?.client.rst();
    t.is(established(world, 200).record().state, TcpState.Established);
    t.is(first?.found(), undefined);
  });

  test(`${build}: a connection that is over does not give way before its replica has read all of it`, (t) => {
    const world = new World(build, { capacity: { connections: 8 }, services: [{ flags: SERVICE_FLAG_SHADOW }] });
    const flow = new Flow(world, { clientPort: 1 }).shadowed();
    flow.client.data(100).client.fin();
    flow.primary.ack().primary.fin();
    flow.client.ack();
    t.like(flow.record(), { state: TcpState.TimeWait, phase: Phase.Withheld });
    for (const port of ports(2, 7)) established(world, port);
    t.is(synSent(world, 50).found(), undefined);
    t.is(flow.record().phase, Phase.Withheld);
  });

  test(`${build}: connections that wait for their replica get it in turn, those with waiting bytes first`, (t) => {
    const world = new World(build, { services: [{ handshakeWindow: 1 }] });
    // The second completes its handshake first.
    const [one, two] = [synSent(world, 1), synSent(world, 2)];
    two.primary.synAck().client.ack();
    one.primary.synAck().client.ack();
    const flows = [one, two, ...ports(3, 4).map((port) => established(world, port))];
    two.client.data(10);
    t.deepEqual(recoverAll(flows, world.setState(ServiceState.Recovery)), [2, 1, 3, 4, 5, 6]);
  });

  test(`${build}: a connection whose client gives up while it waits leaves the others their turn`, (t) => {
    const world = new World(build, { services: [{ handshakeWindow: 1 }] });
    const flows = ports(1, 5).map((port) => established(world, port));
    flows[1]?.client.data(10);
    flows[2]?.client.data(10);
    // 3 has its turn; 2, 1, 4 and 5 wait.
    const first = world.setState(ServiceState.Recovery);
    t.is(syns(first)[0]?.srcPort, 3);
    flows[0]?.client.rst();
    flows[4]?.client.rst();
    t.deepEqual(recoverAll(flows, first), [3, 2, 4]);
  });

  test(`${build}: handshakes that are not answered are repeated, whichever of them is done and used for something else`, (t) => {
    const world = new World(build);
    const flows = ports(1, 3).map((port) => established(world, port));
    const sent = world.setState(ServiceState.Recovery);
    const [one] = flows;
    one?.crash().note(syns(sent).filter(({ srcPort }) => srcPort === 1));
    one?.accept().confirm().tick();
    one?.client.rst();
    one?.client.syn({ seq: 77_000_000 });
    t.deepEqual(
      syns(world.tick(100))
        .map(({ srcPort }) => srcPort)
        .sort(),
      [2, 3],
    );
  });

  test(`${build}: a record that is used again while it waits for room to send keeps its place, and the others theirs`, (t) => {
    // More are to be reset than the transmit queue takes at a time.
    const world = new World(build, { capacity: { connections: 700 } });
    const flows = ports(1, 600).map((port) => established(world, port));
    for (const flow of flows) flow.primary.data(10, { seq: flow.primary.next + 10 });
    const { exports, bytes } = world.core;
    exports.setServiceState(0, ServiceState.Recovery, world.now);
    const [again] = flows.slice(589);
    if (again === undefined) return t.fail();
    const syn = again.frame(again.client, 'S', { seq: 7_000_000, ack: 0 });
    bytes.set(syn, exports.rxSlot() >>> 0);
    t.true(exports.receive(Port.Wire, syn.length, syn.length, world.now) > 100);
    // The new connection is given up before the old one's turn has come.
    exports.dismiss(0, world.now);
    const told = world.pump().flatMap((frame) => (frame.kind === 'tcp' && frame.flags === 'RA' ? [frame.dstPort] : []));
    for (const port of ports(580, 21)) t.is(told.filter((each) => each === port).length, 1, `${port}`);
  });

  test(`${build}: a core that is started again waits for nothing of its last life`, (t) => {
    const world = new World(build, { services: TWO });
    for (const port of ports(1, 4)) established(world, port);
    const other = { server: '10.0.0.12', replicaAddress: '10.0.0.13', service: 1 };
    for (const clientPort of ports(11, 3)) new Flow(world, { ...other, clientPort }).synSent();
    // One waits to be reset, which the host has not yet asked for.
    const lost = established(world, 5);
    lost.primary.data(10, { seq: lost.primary.next + 10 });
    world.core.exports.setServiceState(0, ServiceState.Recovery, world.now);
    restart(world);
    t.deepEqual(world.pump(), []);
    t.is(world.working(), 0);
    const flows = ports(1, 14).map((port) => established(world, port));
    const again = established(world, 50);
    again.primary.data(10, { seq: again.primary.next + 10 });
    for (const clientPort of ports(21, 20)) new Flow(world, { ...other, clientPort }).synSent();
    t.deepEqual(half(world).sort(), ports(33, 8));
    t.is(world.refused(Reason.HalfOpenBudget), 12);
    const sent = world.setState(ServiceState.Recovery);
    t.is(again.toClient(sent).filter(({ flags, dstPort }) => flags === 'RA' && dstPort === 50).length, 1);
    t.deepEqual(recoverAll(flows, sent), ports(1, 14));
  });

  test(`${build}: which half-open connection is the oldest has nothing to do with the core's last life`, (t) => {
    const world = new World(build, { services: TWO });
    for (const port of ports(1, 6)) established(world, port);
    synSent(world, 7);
    restart(world);
    for (const port of ports(1, 9)) synSent(world, port);
    t.deepEqual(half(world).sort(), ports(2, 8));
  });

  test(`${build}: the timer looks at the handshakes of this life`, (t) => {
    const world = new World(build, { services: TWO });
    const over = ports(1, 3).map((port) => established(world, port));
    established(world, 4);
    for (const flow of over) flow.client.rst();
    world.setState(ServiceState.Recovery);
    restart(world);
    for (const port of ports(1, 2)) established(world, port);
    world.setState(ServiceState.Recovery);
    t.deepEqual(
      syns(world.tick(1000)).map(({ srcPort }) => srcPort),
      [1],
    );
  });

  test(`${build}: who is given its turn first, having bytes that wait, leaves the others theirs`, (t) => {
    const world = new World(build, { services: [{ handshakeWindow: 1 }] });
    const flows = ports(1, 3).map((port) => established(world, port));
    flows[0]?.client.data(10);
    t.deepEqual(recoverAll(flows, world.setState(ServiceState.Recovery)), [1, 2, 3]);
  });

  test(`${build}: a handshake that begins when the latest has been given up is repeated`, (t) => {
    const world = new World(build, { services: [{ handshakeWindow: 3 }] });
    const flows = ports(1, 4).map((port) => established(world, port));
    world.setState(ServiceState.Recovery);
    t.deepEqual(
      syns(flows[2]?.client.rst().sent ?? []).map(({ srcPort }) => srcPort),
      [4],
    );
    t.true(syns(world.run(100)).some(({ srcPort }) => srcPort === 4));
  });

  test(`${build}: a handshake that was given up is looked at no more, and not counted twice when it is forgotten`, (t) => {
    const world = new World(build);
    const flows = ports(1, 3).map((port) => established(world, port));
    const sent = syns(world.setState(ServiceState.Recovery));
    flows[1]?.client.rst();
    for (const i of [0, 2]) {
      const flow = flows[i];
      flow
        ?.crash()
        .note(sent.filter(({ srcPort }) => srcPort === i + 1))
        .accept()
        .confirm();
    }
    world.run(60_000, 1000);
    t.is(flows[1]?.found(), undefined);
    t.is(world.working(), 0);
  });

  test(`${build}: whoever comes to wait last has a turn too, also when the last in the queue has given up`, (t) => {
    for (const givesUp of [false, true]) {
      const world = new World(build, { services: [{ handshakeWindow: 1 }] });
      const late = new Flow(world, { clientPort: 4 }).synReceived();
      const flows = [...ports(1, 3).map((port) => established(world, port)), late];
      const first = world.setState(ServiceState.Recovery);
      if (givesUp) flows[2]?.client.rst();
      late.client.ack();
      t.deepEqual(recoverAll(flows, first), givesUp ? [1, 2, 4] : [1, 2, 3, 4]);
    }
  });
}
