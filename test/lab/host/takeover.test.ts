/** What the daemon changes on its host is undone: in order, after a crash, and whatever state the crash left. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import type { Host } from '../../../src/demo/network';
import type { Message } from '../../../src/demo/program';
import { ADDRESSES, type SetupMessage, openSite } from './site';

interface OpenMessage extends Message {
  readonly left: readonly { readonly kind: string }[];
  readonly failures: readonly string[];
}

/** Counters and clocks that move by themselves. */
const VOLATILE = /nf_conntrack_count|\.(gc_|base_reachable|retrans_time)|expires \d+sec/;

function networkState(host: Host): string[] {
  const commands: [string, ...string[]][] = [
    ['ip', 'rule'],
    ['ip', '-6', 'rule'],
    ['ip', 'route', 'show', 'table', 'all'],
    ['ip', '-6', 'route', 'show', 'table', 'all'],
    ['ip', '-o', 'link'],
    ['ip', '-o', 'address'],
    ['ip', 'neighbour', 'show', 'nud', 'permanent'],
    // Not by name: npm's PATH has another program of it.
    ['/usr/sbin/nft', 'list', 'ruleset'],
    ['sysctl', '-a', '--pattern', '^net\\.'],
    ['ethtool', '-k', 'eth0'],
  ];
  return commands.flatMap(([command, ...args]) =>
    host
      .run(command, ...args)
      .split('\n')
      .filter((line) => !VOLATILE.test(line)),
  );
}

const ALL = ['offload', 'nftables', 'sysctl', 'sysctl', 'sysctl', 'veth', 'rule', 'rule'];

test('set-up changes the host, and undoing leaves nothing', async (t) => {
  const { network, backup, startAgent } = await openSite(t);
  backup.run('ethtool', '-K', 'eth0', 'gro', 'on');
  const before = networkState(backup);
  const agent = await startAgent();
  const stateDir = `${network.directory}/state`;
  await agent.ask(`open ${stateDir}`);
  const stack = await agent.setUp(stateDir, 'off');
  t.regex(stack.host, /^mw[0-9a-f]{6}0$/);
  const during = networkState(backup);
  t.true(during.some((line) => line.startsWith('table inet migware_')));
  t.true(during.includes('generic-receive-offload: off'));

  t.deepEqual((await agent.ask<OpenMessage>('undo')).failures, []);
  t.deepEqual(networkState(backup), before);
  t.throws(() => readFileSync(`${stateDir}/host-changes.jsonl`), { code: 'ENOENT' });
});

test('what a killed process changed is undone by the next one, which can then make it anew', async (t) => {
  const { network, backup, startAgent } = await openSite(t);
  backup.run('ethtool', '-K', 'eth0', 'gro', 'on');
  const before = networkState(backup);
  const stateDir = `${network.directory}/state`;
  const first = await startAgent();
  await first.ask(`open ${stateDir}`);
  await first.setUp(stateDir, 'off');
  first.program.kill('SIGKILL');
  await first.program.ended;

  const second = await startAgent();
  const { left, failures } = await second.ask<OpenMessage>(`open ${stateDir}`);
  t.deepEqual(
    left.map(({ kind }) => kind),
    ALL,
  );
  t.deepEqual(failures, []);
  t.deepEqual(networkState(backup), before);

  await second.setUp(stateDir, 'off');
  await second.ask('undo');
  t.deepEqual(networkState(backup), before);
});

for (const when of ['before', 'after']) {
  test(`a crash ${when} any of the changes leaves nothing that the next start does not undo`, async (t) => {
    const { network, backup, startAgent } = await openSite(t);
    const stateDir = `${network.directory}/state`;
    backup.run('ethtool', '-K', 'eth0', 'gro', 'on');
    const before = networkState(backup);
    for (let number = 1; number <= ALL.length; number++) {
      const victim = await startAgent();
      await victim.ask(`open ${stateDir}`);
      await victim.ask(`crash ${number} ${when}`);
      await t.throwsAsync(victim.setUp(stateDir, 'off'));
      t.is(await victim.program.ended, 'SIGKILL');
      // A crash of the machine may cut the line that was being written.
      appendFileSync(`${stateDir}/host-changes.jsonl`, '{"id":99,"cha');

      const survivor = await startAgent();
      const { left, failures } = await survivor.ask<OpenMessage>(`open ${stateDir}`);
      t.is(left.length, number);
      t.deepEqual(failures, []);
      t.deepEqual(networkState(backup), before);
      survivor.program.kill();
      await survivor.program.ended;
    }
  });
}

test('settings that somebody else has changed since are left alone', async (t) => {
  const { network, backup, startAgent } = await openSite(t);
  const stateDir = `${network.directory}/state`;
  const agent = await startAgent();
  await agent.ask(`open ${stateDir}`);
  backup.sysctl({ 'net.ipv4.fwmark_reflect': 1 });
  await agent.setUp(stateDir);
  backup.sysctl({ 'net.ipv6.fwmark_reflect': 0 });
  backup.run('/usr/sbin/nft', 'flush', 'ruleset');
  const { failures } = await agent.ask<OpenMessage>('undo');
  t.deepEqual(failures, []);
  t.is(backup.run('sysctl', '-n', 'net.ipv4.fwmark_reflect').trim(), '1');
  t.is(backup.run('sysctl', '-n', 'net.ipv4.tcp_fwmark_accept').trim(), '0');
});

test('a journal of an earlier boot or of another namespace is not acted upon', async (t) => {
  const { network, backup, startAgent } = await openSite(t);
  const stateDir = `${network.directory}/state`;
  const first = await startAgent();
  await first.ask(`open ${stateDir}`);
  await first.setUp(stateDir);
  first.program.kill('SIGKILL');
  await first.program.ended;
  const path = `${stateDir}/host-changes.jsonl`;
  writeFileSync(path, readFileSync(path, 'utf8').replace(/"boot":"[^"]*"/, '"boot":"earlier"'));
  const during = networkState(backup);
  const second = await startAgent();
  t.deepEqual((await second.ask<OpenMessage>(`open ${stateDir}`)).left, []);
  t.deepEqual(networkState(backup), during);
});

test('two daemons cannot share a state directory, and can share a host', async (t) => {
  const { network, backup, startAgent } = await openSite(t);
  const before = networkState(backup);
  const [one, two] = [await startAgent(), await startAgent()];
  await one.ask(`open ${network.directory}/one`);
  await t.throwsAsync(two.ask(`open ${network.directory}/one`), { message: /in use by another migware process/ });
  await two.ask(`open ${network.directory}/two`);
  const a = await one.setUp(`${network.directory}/one`);
  const b = await two.setUp(`${network.directory}/two`);
  t.not(a.host, b.host);
  t.not(a.mark, b.mark);
  await one.ask('undo');
  t.is(backup.run('sysctl', '-n', 'net.ipv4.tcp_fwmark_accept').trim(), '1');
  await two.ask('undo');
  // Daemon two found the setting on: it is not its own to switch off.
  backup.sysctl({ 'net.ipv4.tcp_fwmark_accept': 0, 'net.ipv4.fwmark_reflect': 0, 'net.ipv6.fwmark_reflect': 0 });
  t.deepEqual(networkState(backup), before);
});

test('a remote replica needs no private link, and its MAC address is found', async (t) => {
  const { network, client, startAgent } = await openSite(t);
  const agent = await startAgent();
  await agent.ask(`open ${network.directory}/state`);
  const { stack, changes } = await agent.ask<SetupMessage>(
    `setup ${network.directory}/state ${ADDRESSES[4].service} -`,
  );
  t.is(stack, undefined);
  t.deepEqual(
    changes.map(({ kind }) => kind),
    ['nftables'],
  );
  for (const family of [4, 6] as const) {
    const { mac } = await agent.ask<Message & { mac?: string }>(`mac ${ADDRESSES[family].client} eth0`);
    t.is(mac, client.mac());
  }
  const { mac } = await agent.ask<Message & { mac?: string }>('mac 10.77.0.99 eth0 50');
  t.is(mac, undefined);
});

test('a wire that is a port of a bridge is guarded under the names of both', async (t) => {
  const { network, backup, startAgent } = await openSite(t);
  backup.ip('link add name br0 type bridge', 'link set br0 up', 'link set eth0 master br0');
  backup.ip('link add link br0 name mv0 type macvlan', 'link add other0 type veth peer name other1');
  const agent = await startAgent();
  await agent.ask(`open ${network.directory}/state`);
  await agent.ask(`setup ${network.directory}/state ${ADDRESSES[4].service} -`);
  const ruleset = backup.run('/usr/sbin/nft', 'list', 'ruleset');
  const [, names = ''] = /iifname \{ (.*) \} ip daddr 10\.77\.0\.2 drop/.exec(ruleset) ?? [];
  t.deepEqual(names.split(', ').sort(), ['"br0"', '"eth0"', '"mv0"']);
});
