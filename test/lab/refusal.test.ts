/** A service that the replica does not run: nothing can be saved, and nobody is left to wait for fifteen minutes. */
import test from 'ava';
import type { LabOptions } from './lab';
import { openLab } from './lab';
import type { ClientStat } from './vocabulary';

const CONNECTIONS = 20;
const PLACES: Readonly<Record<string, LabOptions>> = {
  'on the backup': {},
  'on the backup, IPv6': { family: 6 },
  'on another machine': { remoteReplica: true },
};

for (const [place, choices] of Object.entries(PLACES)) {
  test(`the clients of a service that the replica ${place} does not run are reset, and the status says why`, async (t) => {
    const lab = await openLab(t, { ...choices, replica: null });
    const daemon = lab.daemon();
    await daemon.start();
    const clients = await lab.connect({ connections: CONNECTIONS });
    await lab.allProgress(clients);
    await daemon.until('all connections tracked', ({ connections }) => connections.tracked === CONNECTIONS);
    lab.cut();
    await clients.until<ClientStat>('stat', 'a reset of every connection', ({ errors }) => errors === CONNECTIONS);
    const { failovers, connections } = await daemon.until('proxy', ({ state }) => state === 'proxy');
    t.like(failovers, [{ recovered: 0, lost: CONNECTIONS }]);
    t.like(connections, { recovered: 0, lost: CONNECTIONS });

    const results = await lab.interrupt(clients);
    t.deepEqual([...new Set(results.map(({ error }) => error))], ['ECONNRESET']);
    const verdict = await lab.judge();
    t.is(verdict.kept, 0);
    // Each is repeated a few times, in case it is lost.
    t.true(verdict.resets >= CONNECTIONS);
    t.deepEqual(await daemon.stop(), []);
  });
}
