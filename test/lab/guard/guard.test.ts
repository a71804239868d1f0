/** `migware guard` on a primary with a real stack: what leaves it in the name of the service address, and what does not. */
import { existsSync } from 'node:fs';
import test from 'ava';
import type { Host } from '../../../src/demo/network';
import type { Message } from '../../../src/demo/program';
import { crash, workAll } from '../scenario';
import { PORT, SERVICE, openStage } from './primary';

const ANSWERS = ['ARP', 'IPv4 RST', 'IPv6 RST', 'advertisement'];

function rules(host: Host): string {
  // Not by name: npm's PATH has another program of it.
  return host.run('/usr/sbin/nft', 'list', 'ruleset');
}

test('a primary that boots while the backup has its address says nothing until it is given back', async (t) => {
  const stage = await openStage(t);
  const { primary, backup, stateDir } = stage;
  stage.take(primary);
  const loud = new Set(await stage.provoke());
  t.true(
    ANSWERS.every((answer) => loud.has(answer)),
    `without a guard: ${[...loud].join()}`,
  );
  stage.give(primary);
  stage.take(backup);

  // As at boot: the guard first, then the address, whose duplicate address detection must not fail.
  const guard = await stage.guard();
  primary.sysctl({ 'net.ipv6.conf.all.accept_dad': 1, 'net.ipv6.conf.eth0.accept_dad': 1 });
  await stage.spoken();
  primary.ip(`address add ${SERVICE[4]}/24 dev eth0`, `address add ${SERVICE[6]}/64 dev eth0`);
  await guard.hears(/"10\.77\.0\.2".*another host holds the address/);
  await guard.hears(/"fd77::2".*another host holds the address/);
  await untilSettled(primary);
  t.deepEqual(await stage.provoke(), []);
  t.notRegex(primary.run('ip', '-6', 'address', 'show', 'dev', 'eth0'), /dadfailed/);

  stage.give(backup);
  await guard.hears(/"10\.77\.0\.2".*has given the address up/);
  await guard.hears(/"fd77::2".*has given the address up/);
  const again = new Set(await stage.provoke());
  t.true(
    ANSWERS.every((answer) => again.has(answer)),
    `given back: ${[...again].join()}`,
  );

  guard.kill();
  t.is(await guard.ended, 0);
  t.is(rules(primary), '');
  t.false(existsSync(`${stateDir}/guard/host-changes.jsonl`));
});

/** Waits until duplicate address detection is through, whatever came of it. */
async function untilSettled(host: Host): Promise<void> {
  const isTentative = () => {
    const shown = host.run('ip', '-6', 'address', 'show', 'tentative', 'dev', 'eth0');
    return shown.includes(SERVICE[6]) && !shown.includes('dadfailed');
  };
  while (isTentative()) await new Promise((resolve) => setTimeout(resolve, 50));
}

test('when it gets its address, the segment is told', async (t) => {
  const stage = await openStage(t);
  stage.take(stage.backup);
  const guard = await stage.guard();
  await guard.hears(/"10\.77\.0\.2".*another host holds the address/);
  await guard.hears(/"fd77::2".*another host holds the address/);
  stage.take(stage.primary);
  for (const family of [4, 6] as const) stage.client.run('ping', '-c', '1', SERVICE[family]);
  t.deepEqual(neighbour(stage.client), [stage.backup.mac(), stage.backup.mac()]);
  stage.give(stage.backup);
  await guard.hears(/"10\.77\.0\.2".*has given the address up/);
  await guard.hears(/"fd77::2".*has given the address up/);
  // The client's table follows the announcement; it has no reason of its own to ask.
  while (neighbour(stage.client).join() !== [stage.primary.mac(), stage.primary.mac()].join()) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.pass();
});

function neighbour(host: Host): (string | undefined)[] {
  return ([4, 6] as const).map((family) => {
    const [entry] = JSON.parse(host.run('ip', '-json', `-${family}`, 'neigh', 'show', 'to', SERVICE[family])) as {
      lladdr?: string;
    }[];
    return entry?.lladdr;
  });
}

test('a guard that was killed leaves a silent host, and the next one goes on without a gap', async (t) => {
  const stage = await openStage(t);
  const { primary, backup, stateDir } = stage;
  stage.take(backup);
  const first = await stage.guard();
  stage.take(primary);
  await first.hears(/"fd77::2".*another host holds the address/);
  await stage.spoken();
  first.kill('SIGKILL');
  await first.ended;
  t.deepEqual(await stage.provoke(), []);

  const second = await stage.guard();
  t.deepEqual(await stage.provoke(), []);
  second.kill();
  t.is(await second.ended, 0);
  t.is(rules(primary), '');
  t.false(existsSync(`${stateDir}/guard/host-changes.jsonl`));
});

test('a primary whose cable was out keeps what it has to say of its old connections to itself', async (t) => {
  const stage = await openStage(t);
  const { primary, backup, client, segment } = stage;
  stage.take(primary);
  const service = await stage.service();
  const talkers = ([4, 6] as const).map((family) =>
    client.start('talker', 'bash', '-c', `exec 3<>/dev/tcp/${SERVICE[family]}/${PORT}; read -r line; sleep infinity`),
  );
  const { heard } = await service.until<Message & { heard: Record<string, string> }>(
    'heard',
    'both connections',
    (answer) => Object.keys(answer.heard).length === talkers.length,
  );
  const guard = await stage.guard('--serving');
  t.true((await stage.provoke()).length > 0, 'a serving host speaks');

  segment.unplug(primary);
  await guard.hears(/"10\.77\.0\.2".*may have taken the address unheard/);
  await guard.hears(/"fd77::2".*may have taken the address unheard/);
  await stage.forget();
  stage.take(backup);
  segment.replug(primary);
  await guard.hears(/"10\.77\.0\.2".*another host holds the address/);
  await guard.hears(/"fd77::2".*another host holds the address/);
  for (const id of Object.keys(heard)) await service.ask(`write ${id} 100`);
  t.deepEqual(await stage.provoke(), []);
  for (const id of Object.keys(heard)) await service.ask(`reset ${id}`);
  t.deepEqual(await stage.provoke(), []);
});

test('an interface that does not exist yet', async (t) => {
  const stage = await openStage(t);
  stage.take(stage.backup);
  const guard = await stage.guard('--interface', 'late0');
  await guard.hears(/late0: there is none of this name/);
  stage.primary.ip('link set eth0 down', 'link set eth0 name late0', 'link set late0 up');
  await guard.hears(/"10\.77\.0\.2".*another host holds the address/);
  guard.kill();
  t.is(await guard.ended, 0);
});

test('what cannot be: no configuration, two guards', async (t) => {
  const stage = await openStage(t);
  const first = await stage.guard();
  await t.throwsAsync(stage.guard(), { message: /in use by another migware process/ });
  first.kill();
  t.is(await first.ended, 0);
});

test('connections that have moved go on when the cable of their primary is put back', async (t) => {
  await crash(t, {
    client: { connections: 50 },
    after: async (running) => {
      const { lab } = running;
      await workAll(running);
      const config = `${lab.network.directory}/migware.toml`;
      const guard = lab.primary.start('guard', process.execPath, 'build/migware.js', 'guard', '-c', config);
      await guard.hears(/"guarding"/);
      lab.segment.replug(lab.primary);
      await guard.hears(/another host holds the address/);
      const client = lab.clientHosts[0] ?? lab.backup;
      const said = await lab.capture(client, `ether src ${lab.primary.mac()} or udp port 9`);
      // It has no other address, so it would ask for a neighbour in the name of this one.
      lab.primary.run('bash', '-c', `ping -c 1 -W 1 ${lab.address(77)} || true`);
      const inTheName = (await said.frames()).filter(({ arp, tcp }) => arp?.sender === lab.address() || tcp);
      t.deepEqual(inTheName, []);
      await workAll(running);
    },
  });
});
