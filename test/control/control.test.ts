import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { askDaemon } from '../../src/daemon/control-client';
import { ControlError, DaemonRefusal, LineSplitter } from '../../src/daemon/control-protocol';
import { startControl } from '../../src/daemon/control';
import type { DaemonControl } from '../../src/daemon/contract';
import { EnvironmentError } from '../../src/errors';
import { connectionReport, failoverReport, statusReport } from '../support/reports';

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'migware-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

function daemonWith(parts: Partial<DaemonControl> = {}): DaemonControl {
  return {
    status: () => statusReport(),
    connections: () => [],
    counters: () => [],
    failover: () => Promise.resolve(failoverReport()),
    stop: () => Promise.resolve(),
    ...parts,
  };
}

async function serve(t: ExecutionContext, daemon = daemonWith()): Promise<string> {
  const path = join(folder(t), 'run', 'control.sock');
  const server = await startControl(path, daemon);
  t.teardown(() => server.close());
  return path;
}

test('status and failover pass as they are', async (t) => {
  const asked: string[] = [];
  const path = await serve(
    t,
    daemonWith({
      failover(service) {
        asked.push(service);
        return Promise.resolve(failoverReport());
      },
    }),
  );
  t.deepEqual(await askDaemon(path, 'status', {}), statusReport());
  t.deepEqual(await askDaemon(path, 'failover', { service: 'telemetry' }), failoverReport());
  t.deepEqual(asked, ['telemetry']);
});

test('100,000 connections come in parts, to a reader that takes its time', async (t) => {
  const all = Array.from({ length: 100_000 }, (_, index) => connectionReport({ client: `10.0.0.1:${index}` }));
  const path = await serve(t, daemonWith({ connections: () => all }));
  let next = 0;
  let parts = 0;
  const count = await askDaemon(path, 'connections', {}, async (part) => {
    if (parts++ % 100 === 0) await new Promise((soon) => setTimeout(soon, 5));
    for (const { client } of part) if (client !== `10.0.0.1:${next++}`) t.fail(`${client} is out of order`);
  });
  t.is(count, 100_000);
  t.is(next, 100_000);
  t.true(parts > 100);
});

test('a refusal keeps its code and its text', async (t) => {
  const path = await serve(
    t,
    daemonWith({ failover: (name) => Promise.reject(new EnvironmentError(`no route to the replica of ${name}`)) }),
  );
  const error = await t.throwsAsync(askDaemon(path, 'failover', { service: 'a' }), { instanceOf: DaemonRefusal });
  t.is(error.code, 'MIGWARE_ENVIRONMENT');
  t.is(error.message, 'no route to the replica of a');
});

test('stop is answered before it is obeyed', async (t) => {
  const events: string[] = [];
  const stopped = new Promise<void>((done) => {
    void serve(
      t,
      daemonWith({
        stop() {
          events.push('stopped');
          done();
          return Promise.resolve();
        },
      }),
    ).then(async (path) => {
      t.true(await askDaemon(path, 'stop', {}));
    });
  });
  await stopped;
  t.deepEqual(events, ['stopped']);
});

test('what is no request is refused, and the daemon lives on', async (t) => {
  const path = await serve(t);
  const socket = connect(path);
  socket.write('nonsense\n{"command":"dance"}\n{"command":"failover"}\nnull\n{"command":"stat');
  socket.write('us"}\n');
  const splitter = new LineSplitter();
  const lines: string[] = [];
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    lines.push(...splitter.push(chunk));
    if (lines.length === 5) break;
  }
  t.deepEqual(
    lines.map((line) => (JSON.parse(line) as { error?: { message: string } }).error?.message),
    [
      'the request is not JSON',
      'unknown command, expected "status", "connections", "failover" or "stop"',
      'failover needs the name of a service',
      'unknown command, expected "status", "connections", "failover" or "stop"',
      undefined,
    ],
  );
});

test('a request without end is cut off', async (t) => {
  const path = await serve(t);
  const socket = connect(path);
  socket.on('error', () => {});
  socket.resume().write('x'.repeat(10_000));
  await once(socket, 'close');
  t.deepEqual(await askDaemon(path, 'status', {}), statusReport());
});

test('the socket is its owner’s alone, and gone when the daemon is', async (t) => {
  const path = join(folder(t), 'control.sock');
  const umask = process.umask(0o022);
  const server = await startControl(path, daemonWith());
  t.is(process.umask(umask), 0o022);
  t.is(statSync(path).mode & 0o777, 0o600);
  await server.close();
  t.false(existsSync(path));
});

test('an open connection does not keep the daemon from stopping', async (t) => {
  const path = join(folder(t), 'control.sock');
  const server = await startControl(path, daemonWith());
  const idle = connect(path);
  idle.on('error', () => {});
  await once(idle, 'connect');
  await server.close();
  t.pass();
});

test('the socket of a killed daemon is taken over', async (t) => {
  const path = join(folder(t), 'control.sock');
  const listener = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('ready'))`;
  const killed = spawn(process.execPath, ['-e', listener], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(killed.stdout, 'data');
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  t.true(existsSync(path));
  const server = await startControl(path, daemonWith());
  t.deepEqual(await askDaemon(path, 'status', {}), statusReport());
  await server.close();
});

test('a living daemon’s socket is not', async (t) => {
  const path = await serve(t);
  const error = await t.throwsAsync(startControl(path, daemonWith()), { instanceOf: ControlError });
  t.is(error.message, `control socket ${path}: another daemon answers there; stop it, or set another control`);
  t.deepEqual(await askDaemon(path, 'status', {}), statusReport());
});

test('nor is a file that is no socket', async (t) => {
  const path = join(folder(t), 'precious');
  writeFileSync(path, 'data');
  await t.throwsAsync(startControl(path, daemonWith()), { instanceOf: EnvironmentError });
  t.true(existsSync(path));
});

test('a directory that cannot be made is named', async (t) => {
  const file = join(folder(t), 'file');
  writeFileSync(file, '');
  const error = await t.throwsAsync(startControl(join(file, 'control.sock'), daemonWith()));
  t.regex(
    error.message,
    /^control socket .*\/file\/control\.sock cannot be made: (not a directory|file already exists)$/,
  );
});

test('without a daemon the remedy is told', async (t) => {
  const path = join(folder(t), 'control.sock');
  const error = await t.throwsAsync(askDaemon(path, 'status', {}), { instanceOf: ControlError });
  t.is(
    error.message,
    `no daemon answers at ${path}: start it with "migware run -c FILE", or name its configuration with -c`,
  );
});

test('a daemon that dies on the question is told from one that is not there', async (t) => {
  const path = join(folder(t), 'control.sock');
  const server = createServer((socket) => socket.end());
  server.listen(path);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const error = await t.throwsAsync(askDaemon(path, 'status', {}), { instanceOf: ControlError });
  t.regex(error.message, /the daemon ended before it had answered|broken pipe|connection reset/);
});

test('characters that arrive in halves are put together', (t) => {
  const bytes = Buffer.from('"é"\n"ü"\n');
  const splitter = new LineSplitter();
  t.deepEqual(
    [...bytes].flatMap((byte) => splitter.push(Uint8Array.of(byte))),
    ['"é"', '"ü"'],
  );
});
