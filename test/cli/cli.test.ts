/** The built program, run as its users do: arguments in, output and exit code out. Needs no privileges. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { exitCodeFor, findingText } from '../../src/cli/check';
import { fail, failElsewhere, ok, warn } from '../../src/cli/checks/finding';
import { endingOf } from '../../src/cli/exit';
import { ConfigError } from '../../src/daemon/config';
import type { DaemonControl } from '../../src/daemon/contract';
import { startControl } from '../../src/daemon/control';
import { ControlError, DaemonRefusal } from '../../src/daemon/control-protocol';
import { EnvironmentError } from '../../src/errors';
import { PortError } from '../../src/sniffer/port';
import { connectionReport, failoverReport, statusReport } from '../support/reports';

/** Tests are bundled into build/test/cli. */
const PROGRAM = fileURLToPath(new URL('../../migware.js', import.meta.url));

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function migware(...args: string[]): Promise<Result> {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((done) => child.on('close', (code) => done({ code, stdout, stderr })));
}

interface Place {
  readonly folder: string;
  readonly config: string;
  readonly control: string;
}

/** A folder with a configuration whose control socket lies in it. */
function place(t: ExecutionContext, iface = 'no-such-if0'): Place {
  const folder = mkdtempSync(join(tmpdir(), 'migware-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const config = join(folder, 'migware.toml');
  const control = join(folder, 'control.sock');
  writeFileSync(
    config,
    `interface = "${iface}"
control = "${control}"
state_dir = "${folder}"
[[service]]
name = "telemetry"
address = "198.51.100.2"
ports = [7000]
replica = "198.51.100.3"
`,
  );
  return { folder, config, control };
}

async function daemonAt(t: ExecutionContext, parts: Partial<DaemonControl> = {}): Promise<Place> {
  const here = place(t);
  const server = await startControl(here.control, {
    status: () => statusReport(),
    connections: () => [],
    counters: () => [],
    failover: () => Promise.resolve(failoverReport()),
    stop: () => Promise.resolve(),
    ...parts,
  });
  t.teardown(() => server.close());
  return here;
}

const COMMANDS = ['run', 'check', 'status', 'connections', 'failover'];

/** All commands there are, in the words of the program. */
async function listedCommands(): Promise<string[]> {
  const { stdout } = await migware('--help');
  const [, list = ''] = stdout.split('Commands:');
  return [...list.matchAll(/^ {2}([a-z]+)\b/gm)].flatMap(([, name]) =>
    name === undefined || name === 'help' ? [] : [name],
  );
}

test.serial('--help lists the commands and the exit codes', async (t) => {
  const { code, stdout } = await migware('--help');
  t.is(code, 0);
  for (const command of COMMANDS) t.regex(stdout, new RegExp(`^  ${command}\\b`, 'm'));
  t.regex(stdout, /Exit codes: 0 done, 1 failed, 2 usage or configuration error, 3 the environment lacks something\./);
});

test.serial('every command has --help, and an unknown option is a usage error', async (t) => {
  for (const command of await listedCommands()) {
    const [help, wrong] = await Promise.all([migware(command, '--help'), migware(command, '--no-such-option')]);
    t.is(help.code, 0);
    t.regex(help.stdout, new RegExp(`^Usage: migware ${command} `));
    t.is(wrong.code, 2);
    t.regex(wrong.stderr, /unknown option '--no-such-option'|required option '-c/);
    t.is(wrong.stdout, '');
  }
});

test.serial('--version is the version of the package', async (t) => {
  const { code, stdout } = await migware('--version');
  t.is(code, 0);
  t.regex(stdout, /^\d+\.\d+\.\d+\n$/);
});

test.serial('no command and an unknown command are usage errors, with a hint', async (t) => {
  t.is((await migware()).code, 2);
  const { code, stderr } = await migware('stauts');
  t.is(code, 2);
  t.regex(stderr, /unknown command 'stauts'\n\(Did you mean status\?\)/);
});

test.serial('what a command needs is asked for', async (t) => {
  for (const command of ['run', 'check']) {
    const { code, stderr } = await migware(command);
    t.is(code, 2);
    t.regex(stderr, /required option '-c, --config <file>' not specified/);
  }
  const { code, stderr } = await migware('failover');
  t.is(code, 2);
  t.regex(stderr, /missing required argument 'service'/);
});

test.serial('mistakes in the configuration are told line by line, by every command that reads it', async (t) => {
  const { folder } = place(t);
  const file = join(folder, 'bad.toml');
  writeFileSync(file, 'interface = 7\nservice = []\n');
  for (const args of [['run'], ['check'], ['status'], ['connections'], ['failover', 'a']]) {
    const { code, stdout, stderr } = await migware(...args, '-c', file);
    t.is(code, 2, args.join(' '));
    t.is(stdout, '');
    t.deepEqual(stderr.split('\n'), [
      `migware: ${file}:1: interface: 7 found, expected the name of a network interface`,
      `migware: ${file}:2: service: an empty array found, expected at least one of [[service]] tables`,
      '',
    ]);
  }
});

test.serial('without a daemon the remedy is told', async (t) => {
  const { config, control } = place(t);
  for (const args of [['status'], ['status', '--json'], ['connections'], ['failover', 'telemetry']]) {
    const { code, stdout, stderr } = await migware(...args, '-c', config);
    t.is(code, 1);
    t.is(stdout, '');
    t.is(
      stderr,
      `migware: no daemon answers at ${control}: start it with "migware run -c FILE", or name its configuration with -c\n`,
    );
  }
});

test.serial('status, for people and for programs', async (t) => {
  const { config } = await daemonAt(t);
  const text = await migware('status', '-c', config);
  t.is(text.code, 0);
  t.regex(text.stdout, /^telemetry {2}normal {2}10\.77\.0\.2 alive /m);
  const json = await migware('status', '-c', config, '--json');
  t.is(json.code, 0);
  t.deepEqual(JSON.parse(json.stdout), statusReport());
});

test.serial('connections, for people and for programs, none and many', async (t) => {
  const none = await daemonAt(t);
  t.deepEqual(JSON.parse((await migware('connections', '-c', none.config, '--json')).stdout), []);
  t.regex((await migware('connections', '-c', none.config)).stdout, /\nno connections\n$/);
  const all = Array.from({ length: 20_000 }, (_, index) => connectionReport({ client: `10.77.1.1:${index}` }));
  const many = await daemonAt(t, { connections: () => all });
  const json = await migware('connections', '-c', many.config, '--json');
  t.is(json.code, 0);
  t.deepEqual(JSON.parse(json.stdout), all);
  const text = await migware('connections', '-c', many.config);
  t.is(text.stdout.split('\n').length, 20_002);
});

test.serial('a reader that has seen enough is no error', async (t) => {
  const all = Array.from({ length: 20_000 }, () => connectionReport());
  const { config } = await daemonAt(t, { connections: () => all });
  const child = spawn(process.execPath, [PROGRAM, 'connections', '-c', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdout.once('data', () => child.stdout.destroy());
  const code = await new Promise((done) => child.on('close', done));
  t.is(code, 0);
  t.is(stderr, '');
});

test.serial('failover by hand, and what the daemon refuses', async (t) => {
  const { config } = await daemonAt(t, {
    failover: (service) =>
      service === 'telemetry'
        ? Promise.resolve(failoverReport())
        : Promise.reject(new EnvironmentError(`there is no ${service}`)),
  });
  const done = await migware('failover', 'telemetry', '-c', config);
  t.is(done.code, 0);
  t.is(done.stdout, 'telemetry: 100 connections continued on the replica, 2 lost, in 85 ms\n');
  const json = await migware('failover', 'telemetry', '-c', config, '--json');
  t.deepEqual(JSON.parse(json.stdout), failoverReport());
  const refused = await migware('failover', 'other', '-c', config);
  t.is(refused.code, 3);
  t.is(refused.stderr, 'migware: there is no other\n');
});

test.serial('run: what is missing is logged as a JSON line and ends it with 3', async (t) => {
  const { config } = place(t);
  const { code, stdout, stderr } = await migware('run', '-c', config);
  t.is(code, 3);
  t.is(stdout, '');
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: string; code?: string; msg: string });
  const error = lines.find(({ level }) => level === 'error');
  t.is(error?.code, 'MIGWARE_ENVIRONMENT');
  t.regex(error?.msg ?? '', /^(interface no-such-if0: there is none of this name|run as root: )/);
});

test.serial('check: a finding a line, and 3 when something is missing', async (t) => {
  const { config } = place(t);
  const { code, stdout } = await migware('check', '-c', config);
  t.is(code, 3);
  for (const line of stdout.trim().split('\n')) t.regex(line, /^(ok {2}|warn|fail) {2}[^:]+: .+/);
  t.regex(stdout, /^ok {4}configuration: .* is valid$/m);
  t.regex(
    stdout,
    /^fail {2}interface no-such-if0: there is none of this name.*; correct interface in the configuration$/m,
  );
  const json = await migware('check', '-c', config, '--json');
  t.is(json.code, 3);
  const findings = JSON.parse(json.stdout) as { level: string; remedy?: string }[];
  t.true(findings.every(({ level, remedy }) => (level === 'ok') === (remedy === undefined)));
});

test.serial('the exit code of check tells this machine from the rest of the world', (t) => {
  t.is(exitCodeFor([ok('a', ''), warn('b', '', 'c')]), 0);
  t.is(exitCodeFor([ok('a', ''), failElsewhere('b', '', 'c')]), 1);
  t.is(exitCodeFor([failElsewhere('b', '', 'c'), fail('d', '', 'e')]), 3);
  t.is(findingText(warn('tap', 'nothing seen', 'mirror the port')), 'warn  tap: nothing seen; mirror the port\n');
});

test.serial('errors end in the exit code of their kind', (t) => {
  const codes = [
    new ConfigError('x'),
    new EnvironmentError('x'),
    new PortError('eth0', 'x'),
    new ControlError('x'),
    new DaemonRefusal('MIGWARE_ENVIRONMENT', 'x'),
    new DaemonRefusal('MIGWARE_FAILOVER', 'x'),
    new TypeError('x'),
  ].map((error) => endingOf(error).exitCode);
  t.deepEqual(codes, [2, 3, 3, 1, 3, 1, 1]);
  t.regex(endingOf(new TypeError('oops')).message, /^This is a bug in migware:\nTypeError: oops\n/);
});
