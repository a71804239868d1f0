/**
 * The tap misses frames. What the primary acknowledged is no longer needed, and what it has not the clients repeat: pushing and
 * uploading connections go on. What was acknowledged out of the tap's sight the replica reads again: nobody else knows of it. Of a
 * download, bytes that only the dead primary had are gone: then the client is told.
 */
import test from 'ava';
import { openLab } from './lab';
import { answersUnderWay, crash, uploads, workAll } from './scenario';
import type { ClientStat } from './vocabulary';

test('2 % of the segments: pushing connections go on', async (t) => {
  await crash(t, {
    judgeByTap: true,
    client: { connections: 100 },
    before: async (running) => {
      running.lab.loseOnTap(2);
      await workAll(running);
      await workAll(running);
    },
    cut: ({ lab }) => {
      lab.cut();
      lab.loseNothingOnTap();
    },
  });
});

test('2 % of the segments: uploads go on', async (t) => {
  const plan = uploads(8 << 20);
  await crash(t, {
    ...plan,
    judgeByTap: true,
    before: async (running) => {
      running.lab.loseOnTap(2);
      await plan.before?.(running);
    },
    cut: ({ lab }) => {
      lab.cut();
      lab.loseNothingOnTap();
    },
  });
});

test('all segments for a while, many windows long: uploads go on', async (t) => {
  const plan = uploads(16 << 20);
  await crash(t, {
    ...plan,
    judgeByTap: true,
    before: async (running) => {
      await plan.before?.(running);
      running.lab.loseOnTap(100);
      await plan.after?.(running);
      running.lab.loseNothingOnTap();
      await workAll(running);
    },
  });
});

test('answers that the tap has missed: their clients are reset, the others go on', async (t) => {
  const connections = 40;
  const { service, client, before, cut } = answersUnderWay(8192, connections);
  const lab = await openLab(t, { ...(service && { service }) });
  const daemon = lab.daemon();
  await daemon.start();
  const clients = await lab.connect({ ...client, connections });
  const running = { lab, daemon, clients };
  lab.loseOnTap(5);
  await before?.(running);
  await cut?.(running);
  lab.loseNothingOnTap();
  const { failovers } = await daemon.until('the replica has taken over', ({ state }) => state === 'proxy');
  const [{ recovered, lost } = { recovered: 0, lost: 0 }] = failovers;
  t.log(`${recovered} recovered, ${lost} lost`);
  t.is(recovered + lost, connections);
  t.true(lost > 0, 'the tap has missed something');

  const stat = await clients.ask<ClientStat>('stat');
  await clients.until<ClientStat>('stat', 'answers to all that were recovered', ({ errors, received }) => {
    return errors === lost && received > stat.received + recovered * 8192;
  });
  await lab.finish(clients);
  const verdict = await lab.judge();
  t.is(verdict.kept, recovered);
  t.deepEqual(await daemon.stop(), []);
});
