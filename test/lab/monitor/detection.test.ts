/** From the pulled cable to the verdict, with the default probe, on a network with traffic. */
import test from 'ava';
import { openLab } from '../lab';

test('a pulled cable is a dead primary, named by the probe that missed it', async (t) => {
  const lab = await openLab(t, { service: { backlog: 1024 } });
  const clients = await lab.connect({ connections: 20, interval: 10 });
  const daemon = lab.daemon();
  await daemon.start();
  await daemon.until('the primary is seen', ({ primary }) => primary.alive);
  lab.cut();
  const { failovers } = await daemon.until('it has taken over', ({ state }) => state === 'proxy');
  const [failover] = failovers;
  t.regex(failover?.reason ?? '', /^icmp: 3 probes unanswered$/);
  t.log(`detected in ${failover?.detectionMs} ms, recovered in ${failover?.recoveryMs} ms`);
  await lab.allProgress(clients);
  await lab.finish(clients);
  t.deepEqual(await daemon.stop(), []);
});

test('a primary that answers no echo but serves its clients is not dead', async (t) => {
  const lab = await openLab(t, { service: { backlog: 1024 } });
  const clients = await lab.connect({ connections: 5, interval: 5 });
  lab.primary.sysctl({ 'net.ipv4.icmp_echo_ignore_all': 0 });
  const daemon = lab.daemon();
  await daemon.start();
  await daemon.until('the primary is seen', ({ primary }) => primary.alive);
  lab.primary.sysctl({ 'net.ipv4.icmp_echo_ignore_all': 1 });
  // Ten series of three: a verdict would have come with the first.
  const { state, primary } = await daemon.until(
    '30 misses',
    ({ primary: { probes } }) => (probes[0]?.misses ?? 0) >= 30,
  );
  t.is(state, 'normal');
  t.is(primary.verdict, 'suspect');
  await lab.allProgress(clients);
  lab.primary.sysctl({ 'net.ipv4.icmp_echo_ignore_all': 0 });
  await daemon.until('it answers again', ({ primary: { verdict } }) => verdict === 'alive');
  t.deepEqual(await daemon.stop(), []);
});

test("the backup's own pulled cable is nobody's death", async (t) => {
  const lab = await openLab(t, { service: { backlog: 1024 } });
  const daemon = lab.daemon();
  await daemon.start();
  await daemon.until('the primary is seen', ({ primary }) => primary.alive);
  lab.segment.unplug(lab.backup);
  await daemon.until('it notices', ({ primary: { verdict } }) => verdict === 'suspect');
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const { state, primary } = await daemon.status();
  t.is(state, 'normal');
  t.is(primary.verdict, 'suspect');
  lab.segment.replug(lab.backup);
  await daemon.until(
    'all is well again',
    (service) => service.primary.verdict === 'alive' && service.state === 'normal',
  );
  t.deepEqual(await daemon.stop(), []);
});
