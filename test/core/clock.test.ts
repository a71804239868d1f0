/** The clock that a client reads in its server's timestamps: it goes on from the primary's to the replica's. */
import test from 'ava';
import { Flow } from '../support/flow';
import { nop, timestamps } from '../support/frames';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

const TS = { clientOffer: { tsval: 1000 }, primaryOffer: { tsval: 5000 }, replicaOffer: { tsval: 77 } } as const;

const echo = (tsval: number, tsecr: number): Uint8Array[] => [nop(), nop(), timestamps(tsval, tsecr)];

/** What the client is told by the replica's first segment. */
const told = (flow: Flow): number => flow.stack.data('x').toClient()[0]?.timestamps?.[0] ?? 0;

for (const build of BUILDS) {
  const established = (): Flow => new Flow(new World(build), TS).established();

  test(`${build}: it has gone on since the primary's last tick, not since that was echoed again`, (t) => {
    const flow = established();
    flow.world.now += 500;
    flow.client.ack();
    flow.world.now += 50;
    t.is(told(flow.recovered()), 5000 + 550);
  });

  test(`${build}: a tick that only its echo tells of is as old as that`, (t) => {
    const flow = established();
    flow.world.now += 500;
    flow.client.ack({ options: echo(1000, 5020) });
    flow.world.now += 50;
    t.is(told(flow.recovered()), 5020 + 50);
  });

  test(`${build}: of a new connection the replica itself tells its clock, whatever the client makes of it`, (t) => {
    const flow = new Flow(new World(build), { ...TS, primaryOffer: TS.replicaOffer });
    flow.crash().client.syn().accept();
    flow.client.received = flow.stack.next;
    flow.client.ack({ options: echo(1000, 77) });
    flow.client.data('x', { options: echo(1000, 5000) });
    t.is(flow.record().outbound.tsval, 77);
  });
}
