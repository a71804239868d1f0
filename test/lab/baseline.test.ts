/** The lab itself: without a cut nothing is found wrong, and a cut that nobody takes care of is. */
import test from 'ava';
import { openLab } from './lab';
import type { ClientStat } from './vocabulary';

test('pushing connections that nothing happens to pass the judge', async (t) => {
  const lab = await openLab(t);
  const clients = await lab.connect({ connections: 50 });
  await lab.allProgress(clients);
  await lab.finish(clients);
  const verdict = await lab.judge();
  t.deepEqual(verdict.problems, []);
  t.is(verdict.kept, 50);
});

test('a bulk upload and a download that nothing happens to pass the judge', async (t) => {
  const lab = await openLab(t, { service: { mode: 'get' } });
  const clients = await lab.connect({ mode: 'get', record: 65536, total: 4 << 20, interval: 0, connections: 2 });
  await lab.until(clients, 'the whole download', ({ receivedMin }) => receivedMin === 4 << 20);
  await lab.finish(clients);
  t.deepEqual((await lab.judge()).problems, []);
});

test('connections of a dead primary that nobody takes over do not pass', async (t) => {
  const lab = await openLab(t);
  const clients = await lab.connect({ connections: 5 });
  await lab.allProgress(clients);
  lab.cut();
  const stat = await clients.ask<ClientStat>('stat');
  await lab.until(clients, 'unacknowledged data', ({ sent }) => sent > stat.sent + 500);
  await lab.interrupt(clients);
  const verdict = await lab.judge();
  t.is(verdict.kept, 0);
  t.true(verdict.lostBytes > 0);
});
