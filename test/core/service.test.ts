/** What a host may configure of a service, and what it gets where it has said nothing. */
import test from 'ava';
import { Reason, ServiceState } from '../../assembly/abi/codes';
import { MAX_SERVICES, MAX_SERVICE_PORTS } from '../../assembly/abi/layout';
import { Flow } from '../support/flow';
import { World, type ServiceOptions } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

const ports = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

for (const build of BUILDS) {
  test(`${build}: a service has the ports it was given, and no others`, (t) => {
    for (const count of [1, 3, MAX_SERVICE_PORTS]) {
      const world = new World(build, { services: [{ ports: ports(7000, count) }] });
      for (const serverPort of ports(7000, count)) {
        t.not(new Flow(world, { serverPort }).synSent().found(), undefined, `${serverPort} of ${count}`);
        new Flow(world, { serverPort }).client.rst();
      }
      const before = world.refused(Reason.NotOurs);
      for (const serverPort of [0, 6999, 7000 + count]) new Flow(world, { serverPort }).client.syn();
      t.is(world.refused(Reason.NotOurs), before + 3);
    }
  });

  test(`${build}: no more services, and no more ports of one, than there is room for`, (t) => {
    const world = new World(build, { services: [] });
    t.throws(() => world.addService({ ports: [] }));
    t.throws(() => world.addService({ ports: ports(1, MAX_SERVICE_PORTS + 1) }));
    for (let i = 0; i < MAX_SERVICES; i++) {
      t.is(world.addService({ address: `10.0.1.${i}`, ports: ports(1, MAX_SERVICE_PORTS) }), i);
    }
    t.throws(() => world.addService());
  });

  test(`${build}: 64 handshakes are under way at a time where nothing else was said`, (t) => {
    const world = new World(build, { capacity: { connections: 100 } });
    for (const clientPort of ports(1, 70)) new Flow(world, { clientPort }).established();
    t.is(world.setState(ServiceState.Recovery).length, 64);
  });

  test(`${build}: connections to a remote replica have the ports that were given, or those that Linux leaves free`, (t) => {
    const cases: readonly (readonly [ServiceOptions, readonly number[]])[] = [
      [{}, [61_000, 61_001, 61_002]],
      [{ mapFirst: 0, mapLast: 10 }, [61_000, 61_001, 61_002]],
      [{ mapFirst: 20, mapLast: 10 }, [61_000, 61_001, 61_002]],
      [{ mapFirst: 1, mapLast: 10 }, [1, 2, 3]],
      [{ mapFirst: 65_535, mapLast: 65_535 }, [65_535]],
    ];
    for (const [options, expected] of cases) {
      const world = new World(build, { services: [{ remote: true, ...options }] });
      for (const clientPort of ports(1, 3)) new Flow(world, { clientPort, remote: true }).established();
      const sent = world.setState(ServiceState.Recovery);
      const used = sent.flatMap((frame) => (frame.kind === 'tcp' && frame.flags === 'S' ? [frame.srcPort] : []));
      t.deepEqual(used, expected);
    }
  });
}
