/** An interface of the daemon's goes away under it, and comes back. */
import test from 'ava';
import { askDaemon } from '../../src/daemon/control-client';
import { type Lab, openLab } from './lab';

/** Waits until a port of the daemon is up, or down. Only how long a hang may last depends on time. */
async function port(lab: Lab, name: 'wire' | 'stack', wanted: 'up' | 'down'): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline;) {
    const { ports } = await askDaemon(`${lab.network.directory}/control.sock`, 'status', {});
    const found = ports.find((each) => each.name === name);
    if (found?.up === (wanted === 'up')) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`the port ${name} is not ${wanted}`);
}

test('the wire goes down and comes up again: the daemon says so, and takes over afterwards', async (t) => {
  const lab = await openLab(t);
  const daemon = lab.daemon();
  await daemon.start();
  const clients = await lab.connect({ connections: 10, interval: 5 });
  await lab.allProgress(clients);
  lab.backup.ip('link set eth0 down');
  await port(lab, 'wire', 'down');
  // It hears nothing from the primary now, which says nothing about the primary.
  await lab.allProgress(clients);
  t.is((await daemon.status()).state, 'normal');
  lab.backup.ip('link set eth0 up');
  await port(lab, 'wire', 'up');
  await lab.allProgress(clients);
  await daemon.until('the primary is alive again', ({ primary }) => primary.verdict === 'alive');
  lab.cut();
  await daemon.until('all have moved', ({ state, connections }) => state === 'proxy' && connections.recovered === 10);
  await lab.allProgress(clients);
  await lab.finish(clients);
  t.deepEqual((await lab.judge()).problems, []);
  const left = await daemon.stop();
  // An interface that goes down loses its IPv6 addresses by itself.
  t.deepEqual(
    left.filter((line) => !line.includes('eth0')),
    [],
  );
});

test('the private link is deleted by somebody: it is made anew, and nothing of it is left in the end', async (t) => {
  const lab = await openLab(t);
  const daemon = lab.daemon();
  await daemon.start();
  const link = /(mw[0-9a-f]{6}0)@/.exec(lab.backup.run('ip', '-o', 'link'))?.[1] ?? '';
  const clients = await lab.connect({ connections: 10, interval: 5 });
  await lab.allProgress(clients);
  lab.backup.ip(`link delete ${link}`);
  await port(lab, 'stack', 'down');
  await port(lab, 'stack', 'up');
  lab.cut();
  await daemon.until('all have moved', ({ state, connections }) => state === 'proxy' && connections.recovered === 10);
  await lab.allProgress(clients);
  await lab.finish(clients);
  t.deepEqual((await lab.judge()).problems, []);
  t.deepEqual(await daemon.stop(), []);
});
