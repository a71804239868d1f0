/** A fail-over that nobody survives: what cannot be saved is reset at once, so that its client reconnects now. */
import type { ExecutionContext } from 'ava';
import { openLab } from '../lab';
import type { CrashOptions } from '../scenario';
import { workAll } from '../scenario';
import type { ClientStat } from '../vocabulary';

/** The primary dies, and every client is told so at once. */
export async function resetAll(t: ExecutionContext, choices: CrashOptions): Promise<void> {
  const { client = {}, daemon: config, before, cut, ...topology } = choices;
  const connections = client.connections ?? 1;
  const lab = await openLab(t, topology);
  const daemon = lab.daemon(config);
  await daemon.start();
  const clients = await lab.connect({ ...client, connections });
  const running = { lab, daemon, clients };
  t.teardown(() => {
    if (!t.passed) t.log(daemon.log);
  });
  await (before ?? workAll)(running);
  await daemon.until('all connections tracked', (status) => status.connections.tracked === connections);
  if (cut === undefined) lab.cut();
  else await cut(running);
  await clients.until<ClientStat>('stat', 'a reset of every connection', ({ errors }) => errors === connections);
  const { failovers } = await daemon.until(
    'the end of all',
    ({ failovers: [failover] }) => failover?.lost === connections,
  );
  t.like(failovers, [{ recovered: 0, lost: connections }]);
  const results = await lab.interrupt(clients);
  t.deepEqual([...new Set(results.map(({ error }) => error))], ['ECONNRESET']);
  t.deepEqual([...new Set(results.map(({ wrongAt }) => wrongAt))], [-1], 'what they got until then was right');
  t.deepEqual(await daemon.stop(), []);
}
