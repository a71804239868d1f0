/** Who gets a record, and who gives one up: floods of half-open connections, and a table that is full. */
import test from 'ava';
import { Reason, TcpState } from '../../assembly/abi/codes';
import {
  BLOCK_BYTES,
  CONNECTION_BYTES,
  CONNECTION_STATE,
  SERVICE_HALF_OPEN,
  SERVICE_TRACKED,
} from '../../assembly/abi/layout';
import { Flow } from '../support/flow';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

for (const build of BUILDS) {
  test(`${build}: a SYN flood costs half-open records only, and no established connection`, (t) => {
    const world = new World(build, { capacity: { connections: 64 } });
    const live = Array.from({ length: 50 }, (_, i) => new Flow(world, { clientPort: 100 + i }).established());
    for (let i = 0; i < 500; i++) new Flow(world, { client: '10.9.9.9', clientPort: 1000 + i }).synSent();
    t.true(live.every((flow) => flow.found()?.state === TcpState.Established));
    // An eighth of the table, the youngest ones.
    t.is(world.service(SERVICE_HALF_OPEN), 8);
    t.is(world.refused(Reason.HalfOpenBudget), 492);
    t.deepEqual(
      [...world.records()]
        .filter(({ state }) => state === TcpState.SynSent)
        .map(({ clientPort }) => clientPort)
        .sort(),
      Array.from({ length: 8 }, (_, i) => 1492 + i),
    );
    for (const flow of live) t.is(flow.client.data(1).record().inbound.end, flow.client.next);
  });

  test(`${build}: an established connection leaves the half-open budget`, (t) => {
    const world = new World(build, { capacity: { connections: 64 } });
    const flow = new Flow(world).synSent();
    t.is(world.service(SERVICE_HALF_OPEN), 1);
    flow.primary.synAck();
    t.is(world.service(SERVICE_HALF_OPEN), 1);
    flow.client.ack();
    t.is(world.service(SERVICE_HALF_OPEN), 0);
    new Flow(world, { clientPort: 7 }).synSent().client.rst();
    t.is(world.service(SERVICE_HALF_OPEN), 0);
  });

  test(`${build}: running connections of which one side has spoken share the half-open budget`, (t) => {
    const world = new World(build, { capacity: { connections: 64 } });
    const live = new Flow(world, { clientPort: 1 }).established();
    const running = new Flow(world, { clientPort: 2 });
    running.client.data('x').primary.ack();
    t.is(world.service(SERVICE_HALF_OPEN), 0);
    for (let i = 0; i < 200; i++) new Flow(world, { clientPort: 1000 + i }).client.ack();
    t.is(world.service(SERVICE_HALF_OPEN), 8);
    t.is(world.refused(Reason.HalfOpenBudget), 192);
    t.is(live.record().state, TcpState.Established);
    t.is(running.record().state, TcpState.Established);
  });

  test(`${build}: bytes of a record that gives way are free again, whoever sent them`, (t) => {
    for (const end of ['client', 'primary'] as const) {
      const world = new World(build);
      for (let i = 0; i < 100; i++) new Flow(world, { clientPort: 1000 + i })[end].data(100);
      t.is(world.service(SERVICE_HALF_OPEN), 8);
      t.is(world.retainedUsed(), 8 * BLOCK_BYTES);
    }
  });

  test(`${build}: half-open records give way when the table is full`, (t) => {
    const world = new World(build, { capacity: { connections: 8 } });
    for (let i = 0; i < 7; i++) new Flow(world, { clientPort: 1 + i }).established();
    const half = new Flow(world, { clientPort: 50 }).synSent();
    t.is(new Flow(world, { clientPort: 60 }).established().record().state, TcpState.Established);
    t.is(half.found(), undefined);
    t.is(world.refused(Reason.TableFull), 0);
  });

  test(`${build}: connections that are over give way first`, (t) => {
    const ends: readonly ((flow: Flow) => Flow)[] = [(flow) => flow.closed(), (flow) => flow.timeWait()];
    for (const end of ends) {
      const world = new World(build, { capacity: { connections: 16 } });
      for (let i = 0; i < 14; i++) new Flow(world, { clientPort: 1 + i }).established();
      const half = new Flow(world, { clientPort: 50 }).synSent();
      const over = end(new Flow(world, { clientPort: 60 }));
      t.is(new Flow(world, { clientPort: 70 }).established().record().state, TcpState.Established);
      t.is(over.found(), undefined);
      t.not(half.found(), undefined);
      t.is(world.refused(Reason.TableFull), 0);
    }
  });

  test(`${build}: what lies behind the last record is no connection that is over`, (t) => {
    const connections = 16;
    const world = new World(build, { capacity: { connections } });
    const behind = (world.core.exports.connectionsBase() >>> 0) + connections * CONNECTION_BYTES;
    for (let i = 0; i < connections; i++) new Flow(world, { clientPort: 1 + i }).established();
    world.core.bytes[behind + CONNECTION_STATE] = TcpState.TimeWait;
    // Each looks on where the one before has stopped.
    for (let i = 1; i <= 3; i++) {
      t.is(new Flow(world, { clientPort: 100 + i }).synSent().found(), undefined);
      t.is(world.refused(Reason.TableFull), i);
    }
    t.is(world.service(SERVICE_TRACKED), connections);
    t.is(world.core.bytes[behind + CONNECTION_STATE], TcpState.TimeWait);
  });
}
