/** The primary dies while clients push records. */
import test from 'ava';
import { openLab } from './lab';

test('200 pushing connections go on', async (t) => {
  const lab = await openLab(t);
  const daemon = lab.daemon();
  await daemon.start();
  const clients = await lab.connect({ connections: 200 });
  await lab.allProgress(clients);
  await daemon.until('200 connections tracked', ({ connections }) => connections.tracked === 200);
  lab.cut();
  const { failovers } = await daemon.until('proxy', ({ state }) => state === 'proxy');
  t.log(failovers);
  await lab.allProgress(clients);
  await lab.finish(clients);
  const verdict = await lab.judge();
  t.log(verdict);
  t.deepEqual(verdict.problems, []);
  t.deepEqual(await daemon.stop(), []);
});
