/**
 * Tuples whose hashes are equal, which a table of millions has, and an attacker cannot choose without the key: each is told
 * from the others by what it is. And a core that is started again knows nothing of its last life.
 */
import test from 'ava';
import { ServiceState, TcpState } from '../../assembly/abi/codes';
import { SERVICE_HALF_OPEN, SERVICE_TRACKED } from '../../assembly/abi/layout';
import { Flow, type FlowOptions } from '../support/flow';
import { mappedBytes } from '../support/frames';
import { SMALL } from '../support/wasm';
import { World } from '../support/world';

/** Only these have the probe that computes a hash. */
const BUILDS = ['debug', 'test'] as const;
const SERVICES = [{ ports: [7000, 7001] }, { address: '10.0.0.12', replica: '10.0.0.13', ports: [7000, 7001] }];
const WIRE_VLAN = 0;
/** What stands in the place of the VLAN for the tuple that a replica sees. */
const STACK_SIDE = 1;

type Side = 'wire' | 'stack';

/** Which tuples are tried: many clients of two services, or few with all of their ports. */
const LAYOUTS = {
  'of any clients': { hosts: 8, services: SERVICES, clientPorts: 8192 },
  'of one client': { hosts: 2, services: SERVICES.slice(0, 1), clientPorts: 0xffff - 1024 },
} as const;

/** Pairs of connections, each pair of one hash: by the birthday paradox some in 2^18 tuples. */
function colliding(
  world: World<'debug' | 'test'>,
  side: Side,
  { hosts, services, clientPorts }: (typeof LAYOUTS)[keyof typeof LAYOUTS],
): (readonly [FlowOptions, FlowOptions])[] {
  const { exports, bytes } = world.core;
  const at = exports.rxSlot() >>> 0;
  const seen = new Map<number, FlowOptions>();
  const found: (readonly [FlowOptions, FlowOptions])[] = [];
  for (let host = 1; host <= hosts; host++) {
    for (const [service, { address = '10.0.0.2', replica = '10.0.0.3' }] of services.entries()) {
      const client = `10.1.${host}.9`;
      bytes.set(mappedBytes(client), at);
      bytes.set(mappedBytes(side === 'wire' ? address : replica), at + 16);
      for (const serverPort of [7000, 7001]) {
        for (let clientPort = 1024; clientPort < 1024 + clientPorts; clientPort++) {
          const last = side === 'wire' ? WIRE_VLAN : STACK_SIDE;
          const hash = exports.probeHashTuple(at, clientPort, at + 16, serverPort, last);
          const options = { client, clientPort, server: address, serverPort, replicaAddress: replica, service };
          const other = seen.get(hash);
          if (other === undefined) seen.set(hash, options);
          else found.push([other, options]);
        }
      }
    }
  }
  return found;
}

const isSameClient = ([one, other]: readonly [FlowOptions, FlowOptions]): boolean => one.client === other.client;

for (const build of BUILDS) {
  const sides = ['wire', 'stack'] as const;
  const layouts = ['of any clients', 'of one client'] as const;
  for (const [side, name] of sides.flatMap((each) => layouts.map((layout) => [each, layout] as const))) {
    test(`${build}: connections ${name} with the same hash on the ${side} are told apart`, (t) => {
      const pairs = colliding(new World(build), side, LAYOUTS[name]);
      t.true(pairs.length >= 3, `${pairs.length} pairs`);
      if (name === 'of one client') t.true(pairs.some(isSameClient));
      for (const [one, other] of pairs) {
        const world = new World(build, { services: SERVICES });
        const flows = [new Flow(world, { ...one, clientOffer: { isn: 1 } }).established()];
        // Not yet: its segment must not be taken for the first one's.
        const stranger = new Flow(world, { ...other, clientOffer: { isn: 70_000_000 } });
        t.is(stranger.found(), undefined);
        stranger.established();
        flows.push(stranger);
        for (const flow of flows) {
          flow.client.data('hello').primary.ack();
          t.is(flow.record().inbound.end, flow.client.next);
        }
        const moved = flows.map((flow) => flow.options.service);
        const syns = [...new Set(moved)].flatMap((service) => world.setState(ServiceState.Recovery, service));
        for (const flow of flows) {
          const mine = flow.toReplica(syns).filter(({ src, srcPort, dstPort }) => {
            const { client, clientPort, serverPort } = flow.options;
            return src === client && srcPort === clientPort && dstPort === serverPort;
          });
          t.is(mine.length, 1);
          flow.crash().note(mine);
          flow.accept().confirm();
        }
        for (const flow of flows) {
          flow.stack.data('world');
          t.like(flow.toClient()[0], { dst: flow.options.client, dstPort: flow.options.clientPort });
          flow.take().client.data('again');
          t.like(flow.toReplica()[0], { srcPort: flow.options.clientPort, seq: flow.client.next - 5 });
        }
        const [first, second] = flows;
        first?.client.rst();
        second?.take().client.data('still here');
        t.is(second?.toReplica().length, 1);
        world.run(40_000, 1000);
        t.is(first?.found(), undefined);
        second?.client.data('and still');
        t.is(second?.toReplica().length, 1);
      }
    });
  }

  test(`${build}: connections that come and go beside one of the same hash leave nothing behind`, (t) => {
    const [pair] = colliding(new World(build), 'wire', LAYOUTS['of any clients']);
    if (pair === undefined) return t.fail();
    // Two records: the third connection takes the place of one that is over. The index has 1,024 entries.
    const world = new World(build, { services: SERVICES, capacity: { connections: 2 } });
    const stays = new Flow(world, pair[0]).established();
    for (let i = 0; i < 1100; i++) {
      for (const options of [pair[1], { clientPort: 1 + i }]) {
        t.is(new Flow(world, options).established().client.rst().record().state, TcpState.Closed);
      }
    }
    t.is(stays.client.data(10).record().inbound.end, stays.client.next);
    t.deepEqual(new Flow(world, { clientPort: 7 }).client.rst().sent, []);
  });

  test(`${build}: a core that is started again has an empty table`, (t) => {
    const world = new World(build);
    for (let i = 0; i < 20; i++) new Flow(world, { clientPort: 50_000 + i }).established().client.data(100);
    for (let i = 0; i < 5; i++) new Flow(world, { clientPort: 51_000 + i }).synSent();
    const moved = new Flow(world, { clientPort: 52_000 }).established();
    moved.client.rst();
    world.run(40_000, 1000);
    world.setState(ServiceState.Recovery);
    t.true(world.working() > 0);
    const { connections, retainedBytes, retainedPerConnection, recordBytes, recordPerConnection, key } = SMALL;
    const budgets = [retainedBytes, retainedPerConnection, recordBytes, recordPerConnection] as const;
    const { exports } = world.core;
    t.is(exports.init(connections, ...budgets, SMALL.comparePerConnection, ...key), 0);
    t.deepEqual([...world.records()], []);
    t.is(world.working(), 0);
    t.is(world.retainedUsed(), 0);
    t.is(exports.connectionsUsed(), 0);
    t.is(world.addService(), 0);
    t.deepEqual(world.tick(1000), []);
    for (let i = 0; i < connections; i++) new Flow(world, { clientPort: 50_000 + i }).established();
    t.is([...world.records()].filter(({ state }) => state === TcpState.Established).length, connections);
    t.is(world.service(SERVICE_TRACKED), connections);
    t.is(world.service(SERVICE_HALF_OPEN), 0);
    t.is(exports.connectionsUsed(), connections);
  });
}
