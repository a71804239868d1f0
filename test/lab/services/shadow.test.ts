/** What the replica does beside the primary is nobody's business but the daemon's: no client of the primary feels it. */
import test from 'ava';
import { openLab } from '../lab';
import type { Recovery } from '../daemon';
import type { CrashOptions, Step } from '../scenario';
import { crash, nothing, workAll } from '../scenario';
import type { ServiceStat } from '../vocabulary';
import { GREETING_BYTES } from '../vocabulary';
import { LONGEST_ANSWER, conversations } from './memory';
import { resetAll } from './reset';

const CONNECTIONS = 20;
const POLICIES: readonly Recovery[] = ['replay', 'shadow'];

for (const recovery of POLICIES) {
  test(`${recovery}: a replica slower than the primary catches up`, async (t) => {
    await crash(t, { ...conversations(CONNECTIONS), replica: { slow: 20 }, daemon: { recovery } });
  });

  test(`${recovery}: a replica faster than the primary waits`, async (t) => {
    await crash(t, {
      ...conversations(CONNECTIONS),
      service: { ...conversations(1).service, slow: 20 },
      replica: { slow: 0 },
      daemon: { recovery },
    });
  });

  test(`${recovery}: a replica that closes earlier than the primary, at what the client has passed: reset`, async (t) => {
    await resetAll(t, {
      ...conversations(CONNECTIONS),
      replica: { closeAfter: 3 },
      daemon: { recovery },
      before: async ({ lab, clients }) => {
        await lab.until(clients, 'more than three answers', ({ receivedMin }) => receivedMin > 3 * LONGEST_ANSWER);
      },
    });
  });

  test(`${recovery}: a replica that closes later than the primary goes on with the client's side`, async (t) => {
    await crash(t, {
      ...conversations(CONNECTIONS, { serverClosesFirst: true }),
      service: { ...conversations(1).service, closeAfter: 3 },
      replica: { closeAfter: 1_000_000 },
      daemon: { recovery },
      before: async ({ lab, clients }) => {
        await lab.until(clients, 'the end of the service', ({ ended }) => ended === CONNECTIONS);
      },
      after: nothing,
    });
  });

  test(`${recovery}: a divergence is reported where it is, and goes on when the client has those bytes`, async (t) => {
    await crash(t, {
      ...greeting(recovery),
      after: async (running) => {
        const { daemon, lab } = running;
        await workAll(running);
        const { divergences } = await daemon.status();
        t.is(divergences, CONNECTIONS);
        const offset = firstDifference(lab.greetings.get('primary') ?? '', lab.greetings.get('replica') ?? '');
        const found = (await daemon.connections()).map(({ divergence }) => divergence);
        t.deepEqual(
          found,
          Array.from({ length: CONNECTIONS }, () => ({ offset, delivered: true })),
        );
      },
    });
  });

  test(`${recovery}: a divergence that is not wanted is a reset`, async (t) => {
    const plan = greeting(recovery);
    await resetAll(t, { ...plan, daemon: { ...plan.daemon, onDivergence: 'reset' } });
  });

  test(`${recovery}: a divergence in bytes that the client has not got is a reset`, async (t) => {
    await resetAll(t, {
      ...conversations(CONNECTIONS),
      replica: { errorAfter: 0 },
      daemon: { recovery },
      before: answersHeldUp,
      cut: ({ lab }) => {
        lab.cut();
        lab.undeafen();
      },
    });
  });
}

function greeting(recovery: Recovery): CrashOptions {
  const plan = conversations(CONNECTIONS, { greeting: GREETING_BYTES });
  return { ...plan, service: { ...plan.service, greet: true }, daemon: { recovery } };
}

function firstDifference(a: string, b: string): number {
  for (let index = 0; ; index++) if (a[index] !== b[index]) return index;
}

/** Each client has asked, and an answer to each has left the primary and has not arrived. */
const answersHeldUp: Step = async (running) => {
  const { lab, clients } = running;
  await workAll(running);
  await clients.ask('pause');
  await lab.until(clients, 'silence', ({ waiting }) => waiting === 0);
  const primary = lab.service('primary');
  lab.deafen();
  await clients.ask('go');
  await primary.until<ServiceStat>('stat', 'answers under way', ({ unheard }) => unheard === CONNECTIONS);
};

for (const what of ['does not run', 'is killed'] as const) {
  test(`shadow: a replica that ${what} is not felt by the clients of the primary`, async (t) => {
    const { client, ...plan } = conversations(CONNECTIONS);
    const lab = await openLab(t, { ...plan, ...(what === 'does not run' && { replica: null }) });
    const daemon = lab.daemon({ recovery: 'shadow' });
    await daemon.start();
    const clients = await lab.connect(client);
    await lab.allProgress(clients);
    if (what === 'is killed') await lab.killReplica();
    await lab.allProgress(clients);
    await lab.allProgress(clients);
    await lab.finish(clients);
    t.deepEqual((await lab.judge('all')).problems, []);
    t.deepEqual(await daemon.stop(), []);
  });
}

for (const [when, wait] of Object.entries<Step>({ 'at once': nothing, later: workAll })) {
  test(`shadow: a replica that is started again ${when} is given the connections from their first byte`, async (t) => {
    await crash(t, {
      ...conversations(CONNECTIONS),
      daemon: { recovery: 'shadow' },
      before: async (running) => {
        const { lab } = running;
        await workAll(running);
        await lab.killReplica();
        await wait(running);
        await lab.startReplica();
        await workAll(running);
      },
    });
  });
}

test('shadow: what a daemon that was killed has left at the replica is ended by the next one', async (t) => {
  const { client, ...plan } = conversations(CONNECTIONS);
  const lab = await openLab(t, plan);
  const daemon = lab.daemon({ recovery: 'shadow' });
  await daemon.start();
  const clients = await lab.connect(client);
  await lab.allProgress(clients);
  const replica = lab.service('replica');
  await replica.until<ServiceStat>('stat', 'copies of all', ({ open }) => open === CONNECTIONS);
  await daemon.kill();
  t.is((await replica.ask<ServiceStat>('stat')).open, CONNECTIONS);
  // Connections past the service address are none of the daemon's.
  const direct = await lab.connect({ ...client, connections: 1 }, lab.replicaAddress);
  await lab.allProgress(direct);
  await daemon.start();
  await replica.until<ServiceStat>('stat', 'the end of the copies', ({ open }) => open === 1);
  await lab.allProgress(direct);
  await lab.allProgress(clients);
  await Promise.all([lab.finish(clients), lab.finish(direct)]);
  t.deepEqual(await daemon.stop(), []);
});
