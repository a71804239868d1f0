/** The daemon is killed without a word, and started again. */
import test from 'ava';
import { openLab } from './lab';
import type { ClientStat } from './vocabulary';

for (const family of [4, 6] as const) {
  test(`in peace: running connections are picked up and survive the crash that follows, IPv${family}`, async (t) => {
    const lab = await openLab(t, { family });
    const daemon = lab.daemon();
    await daemon.start();
    const clients = await lab.connect({ connections: 20, interval: 5 });
    await lab.allProgress(clients);
    await daemon.kill();
    await lab.allProgress(clients);
    await daemon.start();
    await daemon.until('all are picked up', ({ connections }) => connections.tracked === 20);
    lab.cut();
    await daemon.until('all have moved', ({ connections }) => connections.recovered === 20);
    await lab.allProgress(clients);
    await lab.finish(clients);
    t.deepEqual((await lab.judge()).problems, []);
    t.deepEqual(await daemon.stop(), []);
  });
}

test('exchanged while the replica serves: nobody notices, not even who came last', async (t) => {
  const lab = await openLab(t);
  const daemon = lab.daemon();
  await daemon.start();
  const moved = await lab.connect({ connections: 20, interval: 5 });
  await lab.allProgress(moved);
  lab.cut();
  await daemon.until('all have moved', ({ connections }) => connections.recovered === 20);
  const later = await lab.connect({ connections: 5, interval: 5 });
  await lab.allProgress(later);
  await daemon.leave();
  await daemon.start();
  t.is((await daemon.status()).state, 'proxy');
  await lab.allProgress(moved);
  await lab.allProgress(later);
  await Promise.all([lab.finish(moved), lab.finish(later)]);
  t.deepEqual((await lab.judge()).problems, []);
  t.deepEqual(await daemon.stop(), []);
});

test('stopped while the replica serves: clients are told at once', async (t) => {
  const lab = await openLab(t);
  const daemon = lab.daemon();
  await daemon.start();
  const clients = await lab.connect({ connections: 20, interval: 5 });
  await lab.allProgress(clients);
  lab.cut();
  await daemon.until('all have moved', ({ connections }) => connections.recovered === 20);
  await lab.allProgress(clients);
  t.deepEqual(await daemon.stop(), []);
  await clients.until<ClientStat>('stat', 'an error on every connection', ({ errors }) => errors === 20);
});

for (const remoteReplica of [false, true]) {
  test(`while the replica serves${remoteReplica ? ' from another machine' : ''}: nobody notices`, async (t) => {
    const lab = await openLab(t, { remoteReplica });
    const daemon = lab.daemon();
    await daemon.start();
    const moved = await lab.connect({ connections: 20, interval: 5 });
    await lab.allProgress(moved);
    lab.cut();
    await daemon.until('all have moved', ({ connections }) => connections.recovered === 20);
    const later = await lab.connect({ connections: 5, interval: 5 });
    await lab.allProgress(later);
    for (let round = 0; round < 2; round++) {
      // Made before the last picture of the connections that the daemon keeps, which it renews several times a second.
      await new Promise((done) => setTimeout(done, 1000));
      await daemon.kill();
      await daemon.start();
      const { state, failovers } = await daemon.status();
      t.is(state, 'proxy');
      t.like(failovers, [{ recovered: 20, lost: 0 }]);
      await lab.allProgress(moved);
      await lab.allProgress(later);
    }
    await Promise.all([lab.finish(moved), lab.finish(later)]);
    t.deepEqual((await lab.judge()).problems, []);
    t.deepEqual(await daemon.stop(), []);
  });
}
