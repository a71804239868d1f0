/** Connections that are idle, half-closed or just closing when the primary dies. */
import test from 'ava';
import { openLab } from './lab';
import { crash, endsAroundTheCut, fallSilent, goOn, nothing } from './scenario';
import type { ServiceStat } from './vocabulary';

const CONNECTIONS = 20;

test('idle connections notice nothing', async (t) => {
  await crash(t, { before: fallSilentAfterWork, after: goOn });
});

test('idle connections without a byte sent notice nothing', async (t) => {
  await crash(t, {
    // The first records of the connections are spread over the interval.
    client: { connections: CONNECTIONS, interval: 3_600_000 },
    before: async ({ clients }) => {
      await clients.ask('pause');
    },
    after: nothing,
  });
});

test('the service has closed its side and reads on', async (t) => {
  await crash(t, {
    service: { closeFirst: true },
    client: { connections: CONNECTIONS, serverClosesFirst: true },
    before: async ({ lab, clients }) => {
      await lab.until(clients, 'the end of the service', ({ ended }) => ended === CONNECTIONS);
      await lab.allProgress(clients);
    },
  });
});

test('the client has closed its side and waits for an answer', async (t) => {
  const goodbye = 5000;
  let finished: Promise<void> | undefined;
  await crash(t, {
    service: { goodbye, holdGoodbye: true },
    replica: { holdGoodbye: false },
    client: { connections: CONNECTIONS, goodbye },
    before: async (running) => {
      const { lab } = running;
      await fallSilentAfterWork(running);
      finished = lab.finish(running.clients);
      const primary = lab.service('primary');
      await primary.until<ServiceStat>('stat', 'the end of every upload', ({ ended }) => ended === CONNECTIONS);
    },
    after: nothing,
    finish: async () => finished,
  });
});

test('clients close before, while and after the primary dies', async (t) => {
  await crash(t, { client: { connections: 200, interval: 10 }, ...endsAroundTheCut() });
});

test('clients that die while nobody serves are ended at the replica', async (t) => {
  const lab = await openLab(t);
  const daemon = lab.daemon();
  await daemon.start();
  const clients = await lab.connect({ connections: CONNECTIONS });
  await lab.allProgress(clients);
  await daemon.until('all connections tracked', ({ connections }) => connections.tracked === CONNECTIONS);
  lab.cut();
  clients.kill('SIGKILL');
  await clients.ended;
  const { failovers } = await daemon.until('the replica has taken over', ({ state }) => state === 'proxy');
  t.like(failovers, [{ lost: 0, recovered: CONNECTIONS }]);
  const replica = lab.service('replica');
  await replica.until<ServiceStat>(
    'stat',
    'the end of all',
    ({ accepted, open }) => accepted === CONNECTIONS && open === 0,
  );
  t.deepEqual(await daemon.stop(), []);
});

async function fallSilentAfterWork(running: Parameters<typeof goOn>[0]): Promise<void> {
  await running.lab.allProgress(running.clients);
  await fallSilent(running);
}
