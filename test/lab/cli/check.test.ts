/** `migware check` and the warnings of `migware run` on networks that are right, and wrong in one way each. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Lab, LabOptions } from '../lab';
import { PORT, openLab, reached } from '../lab';

const MIGWARE = resolve('build/migware.js');

interface Config {
  readonly interface?: string;
  readonly address?: string;
  readonly replica?: string;
  readonly service?: string;
}

interface Outcome {
  readonly code: number | null;
  readonly lines: readonly string[];
  /** Lines that are not `ok`. */
  readonly notOk: readonly string[];
}

function writeConfig(lab: Lab, choices: Config = {}): string {
  const { directory } = lab.network;
  mkdirSync(`${directory}/state`, { recursive: true });
  const file = `${directory}/check.toml`;
  writeFileSync(
    file,
    [
      `interface = "${choices.interface ?? 'eth0'}"`,
      `control = "${directory}/control.sock"`,
      `state_dir = "${directory}/state"`,
      '[[service]]',
      'name = "lab"',
      `address = "${choices.address ?? lab.address()}"`,
      `ports = [${PORT}]`,
      `replica = "${choices.replica ?? lab.replicaAddress}"`,
      choices.service ?? '',
    ].join('\n'),
  );
  return file;
}

function check(lab: Lab, choices: Config = {}): Outcome {
  const args = ['netns', 'exec', lab.backup.netns, process.execPath, MIGWARE, 'check', '-c', writeConfig(lab, choices)];
  const { status, stdout } = spawnSync('ip', args, { encoding: 'utf8' });
  const lines = stdout.trim().split('\n');
  return { code: status, lines, notOk: lines.filter((line) => !line.startsWith('ok ')) };
}

/** A lab with clients at work. */
async function busyLab(t: ExecutionContext, choices: LabOptions = {}): Promise<Lab> {
  const lab = await openLab(t, { service: { backlog: 1024 }, ...choices });
  await lab.connect({ connections: 5, interval: 20 });
  return lab;
}

for (const family of [4, 6] as const) {
  test(`all is well, IPv${family}`, async (t) => {
    const { code, lines, notOk } = check(await busyLab(t, { family }));
    t.deepEqual(notOk, []);
    t.is(code, 0);
    const said = (pattern: RegExp) =>
      t.true(
        lines.some((line) => pattern.test(line)),
        String(pattern),
      );
    said(/^ok {4}address of lab: \S+2 is on the network of eth0 \(\S+3\/(24|64)\)$/);
    said(/^ok {4}replica of lab: listens on \S+3, backlog 1024$/);
    said(/^ok {4}primary of lab: icmp \S+2: answered in /);
    said(/^ok {4}tap of lab: \d+ frames from and \d+ to \S+2 seen on eth0 in 2 s$/);
  });
}

test('a remote replica', async (t) => {
  const { code, notOk } = check(await busyLab(t, { remoteReplica: true }));
  t.deepEqual(notOk, []);
  t.is(code, 0);
});

test('records have room, and a replica on another machine cannot shadow', async (t) => {
  const replaying = check(await busyLab(t, { remoteReplica: true }), { service: 'recovery = "replay"' });
  t.is(replaying.lines.filter((line) => / record\.(memory|disk): /.test(line)).length, 2);
  const shadowing = check(await busyLab(t), { service: 'recovery = "shadow"' });
  t.false(shadowing.lines.some((line) => line.startsWith('fail')));
  const { code, lines } = check(await busyLab(t, { remoteReplica: true }), { service: 'recovery = "shadow"' });
  const failed = lines.filter((line) => line.startsWith('fail'));
  t.is(failed.length, 1);
  t.regex(failed[0] ?? '', /^fail {2}replica of lab: 10\.77\.0\.4 is not an address of this host, .*; use recovery = /);
  t.is(code, 3);
});

test('nothing listens where the replica should be', async (t) => {
  const remedy = 'start the service there: without it every connection is lost with the primary';
  const local = check(await busyLab(t, { replica: null }));
  t.deepEqual(local.notOk, [`fail  replica of lab: nothing listens on 10.77.0.3 port ${PORT}; ${remedy}`]);
  t.is(local.code, 3);
  const remote = check(await busyLab(t, { remoteReplica: true, replica: null }));
  t.deepEqual(remote.notOk, [`fail  replica of lab: 10.77.0.4 port ${PORT}: connection refused; ${remedy}`]);
  t.is(remote.code, 3);
});

test('a short backlog, and TCP options that are off', async (t) => {
  const lab = await busyLab(t, { replica: { backlog: 16 }, sysctl: { replica: { 'net.ipv4.tcp_timestamps': 0 } } });
  const { code, notOk } = check(lab);
  t.is(notOk.length, 2);
  t.regex(
    notOk[0] ?? '',
    /^warn {2}TCP options: net\.ipv4\.tcp_timestamps = 0: .*sysctl -w net\.ipv4\.tcp_timestamps=1$/,
  );
  t.regex(
    notOk[1] ?? '',
    /^warn {2}replica of lab: listens on 10\.77\.0\.3, backlog 16: 8 connections at a time; raise /,
  );
  t.is(code, 0);
});

test('a switch that mirrors nothing, or one direction', async (t) => {
  const lab = await busyLab(t, { segment: 'switch' });
  const port = lab.segment.port(lab.primary);
  lab.segment.machine.run('tc', 'filter', 'del', 'dev', port, 'egress');
  const half = check(lab);
  t.is(half.notOk.length, 1);
  t.regex(
    half.notOk[0] ?? '',
    /^warn {2}tap of lab: in 2 s, only frames from 10\.77\.0\.2 were seen on eth0; mirror both /,
  );
  lab.segment.machine.run('tc', 'filter', 'del', 'dev', port, 'ingress');
  const none = check(lab);
  t.is(none.notOk.length, 1);
  t.regex(none.notOk[0] ?? '', /^warn {2}tap of lab: no traffic between 10\.77\.0\.2 and its clients was seen on eth0/);
  t.is(none.code, 0);
});

test('a primary that does not answer', async (t) => {
  const lab = await openLab(t, { service: { backlog: 1024 } });
  lab.cut();
  const { code, notOk } = check(lab, { service: '[[service.probe]]\nkind = "icmp"\n[[service.probe]]\nkind = "tcp"' });
  t.is(notOk.length, 3);
  t.regex(notOk[0] ?? '', /^fail {2}primary of lab: icmp 10\.77\.0\.2: .*; start the primary, or correct the probe/);
  t.regex(
    notOk[1] ?? '',
    /^fail {2}primary of lab: tcp 10\.77\.0\.2:7000: .*; start the primary, or correct the probe/,
  );
  t.regex(notOk[2] ?? '', /^warn {2}tap of lab: /);
  t.is(code, 1);
});

test('an interface that is down, or is not there', async (t) => {
  const lab = await openLab(t);
  t.true(
    check(lab, { interface: 'eth7' }).notOk.some((line) => line.startsWith('fail  interface eth7: there is none')),
  );
  lab.segment.unplug(lab.backup);
  const unplugged = check(lab);
  t.true(unplugged.notOk.some((line) => line.startsWith('fail  interface eth0: has no carrier; ')));
  lab.backup.ip('link set dev eth0 down');
  const down = check(lab);
  t.true(down.notOk.some((line) => line === 'fail  interface eth0: is down; ip link set eth0 up'));
  t.is(down.code, 3);
});

test('an address of another network, and one of this host', async (t) => {
  const lab = await openLab(t);
  const elsewhere = check(lab, { address: '10.99.0.2', replica: '10.77.0.3' });
  t.true(elsewhere.notOk.some((line) => /^fail {2}address of lab: 10\.99\.0\.2 is on no network of eth0/.test(line)));
  t.is(elsewhere.code, 3);
  lab.backup.address('eth0', '10.77.0.33/24');
  const own = check(lab, { address: '10.77.0.33' });
  t.true(own.notOk.some((line) => /^fail {2}address of lab: 10\.77\.0\.33 is an address of this host/.test(line)));
});

test('a daemon that runs, and one that was killed', async (t) => {
  const lab = await openLab(t, { service: { backlog: 1024 } });
  const daemon = lab.daemon();
  await daemon.start();
  t.true(check(lab).notOk.some((line) => /^warn {2}control: a daemon answers at /.test(line)));
  await daemon.kill();
  const killed = check(lab);
  t.true(
    killed.notOk.some((line) => /^warn {2}last daemon: ended without undoing \d+ changes to this host; /.test(line)),
  );
  t.is(killed.code, 0);
});

test('run says again and again what is wrong', async (t) => {
  const lab = await openLab(t, { segment: 'switch', replica: null });
  lab.segment.machine.run('tc', 'qdisc', 'del', 'dev', lab.segment.port(lab.primary), 'clsact');
  const daemon = lab.daemon();
  await daemon.start();
  await reached('a warning of the tap', () =>
    daemon.log.includes('no connection to the primary 10.77.0.2 has been seen'),
  );
  await reached('a warning of the replica', () => daemon.log.includes(`nothing listens on 10.77.0.3 port ${PORT}`));
  t.true(daemon.log.includes('mirror both directions of its switch port to the port of eth0'));
  t.deepEqual(await daemon.stop(), []);
});
