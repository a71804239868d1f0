import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { execProbe } from '../../src/monitor/exec';
import { httpProbe } from '../../src/monitor/http';
import { startMonitor } from '../../src/monitor/monitor';
import { failure } from '../../src/monitor/probe';
import type { Outcome, Probe } from '../../src/monitor/probe';
import { tcpProbe } from '../../src/monitor/tcp';
import { VirtualClock } from './virtual-clock';

function ask(t: ExecutionContext, probe: Probe): Promise<Outcome> {
  t.teardown(() => probe.close());
  return new Promise((settle) => probe.begin(settle));
}

async function listening(t: ExecutionContext, server: Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

test('tcp: an accepted connection is an answer, on both families', async (t) => {
  for (const host of ['127.0.0.1', '::1']) {
    const port = await listening(
      t,
      createServer((socket) => socket.on('error', () => {}).resume()),
      host,
    );
    const probe = tcpProbe(host, port);
    t.is(probe.target, host === '::1' ? `[::1]:${port}` : `127.0.0.1:${port}`);
    t.deepEqual(await ask(t, probe), { kind: 'answer' });
  }
});

test('tcp: a refused connection is a miss', async (t) => {
  t.deepEqual(await ask(t, tcpProbe('127.0.0.1', await closedPort())), { kind: 'miss', why: 'connection refused' });
});

test('trouble of this host is told from silence of the primary', (t) => {
  t.is(failure('ENETUNREACH', 'network is unreachable').kind, 'void');
  t.is(failure('EMFILE', 'too many open files').kind, 'void');
  t.is(failure('EHOSTUNREACH', 'no route to host').kind, 'miss');
  t.is(failure('ECONNRESET', 'connection reset by peer').kind, 'miss');
  t.is(failure(undefined, 'socket hang up').kind, 'miss');
});

test('tcp: an attempt that is given up says nothing', async (t) => {
  const port = await listening(t, createServer());
  const probe = tcpProbe('127.0.0.1', port);
  probe.begin(() => t.fail())();
  probe.begin(() => t.fail());
  probe.close();
  await sleep(50);
  t.pass();
});

test('http: the status decides', async (t) => {
  const server = createHttpServer((request, response) => {
    response.statusCode = Number(request.url?.slice(1));
    response.end('body');
  });
  const port = await listening(t, server);
  const url = (status: number) => `http://127.0.0.1:${port}/${status}`;
  t.deepEqual(await ask(t, httpProbe(url(204))), { kind: 'answer' });
  t.deepEqual(await ask(t, httpProbe(url(302))), { kind: 'answer' });
  t.deepEqual(await ask(t, httpProbe(url(503))), { kind: 'miss', why: 'status 503' });
  t.deepEqual(await ask(t, httpProbe(url(204), [200])), { kind: 'miss', why: 'status 204' });
  t.deepEqual(await ask(t, httpProbe(url(401), [401])), { kind: 'answer' });
  const refused = `http://127.0.0.1:${await closedPort()}/`;
  t.deepEqual(await ask(t, httpProbe(refused)), { kind: 'miss', why: 'connection refused' });
});

test('exec: the exit code decides', async (t) => {
  t.deepEqual(await ask(t, execProbe('exit 0')), { kind: 'answer' });
  t.deepEqual(await ask(t, execProbe('exit 3')), { kind: 'miss', why: 'exit code 3' });
  t.deepEqual(await ask(t, execProbe('kill -TERM $$')), { kind: 'miss', why: 'ended by SIGTERM' });
});

test('exec: the command knows whom it is asked about', async (t) => {
  const probe = execProbe('test "$MIGWARE_SERVICE $MIGWARE_ADDRESS" = "telemetry 10.77.0.2"', {
    MIGWARE_SERVICE: 'telemetry',
    MIGWARE_ADDRESS: '10.77.0.2',
  });
  t.deepEqual(await ask(t, probe), { kind: 'answer' });
});

test('exec: a command that does not exist is our own trouble', async (t) => {
  t.deepEqual(await ask(t, execProbe('/nonexistent/command')), {
    kind: 'void',
    why: 'the shell cannot run it (exit code 127)',
  });
});

test('exec: what is given up is ended with its children', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'migware-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const fifo = join(folder, 'alive');
  const probe = execProbe(`mkfifo ${fifo}; (exec sleep 60) > ${fifo} & wait`);
  const giveUp = probe.begin(() => t.fail());
  while (!existsSync(fifo)) await sleep(10);
  // The reader sees the end of the pipe only when every writer is gone.
  const reader = ask(t, execProbe(`cat ${fifo}`));
  await sleep(50);
  giveUp();
  t.deepEqual(await reader, { kind: 'answer' });
});

test('a monitor reports its probes and tells the verdict of all of them', (t) => {
  const clock = new VirtualClock();
  const settles: ((outcome: Outcome) => void)[] = [];
  const told: string[] = [];
  let closed = 0;
  const timing = { intervalMs: 50, timeoutMs: 50, misses: 2 };
  const monitor = startMonitor(
    {
      name: 'telemetry',
      address: '10.77.0.2',
      ports: [7000],
      replica: '10.77.0.3',
      recovery: 'resume',
      fenceTimeoutMs: 1000,
      probes: [
        { kind: 'icmp', target: '10.77.0.2', ...timing },
        { kind: 'tcp', target: '10.77.0.2', port: 7000, ...timing },
      ],
    },
    { heardMs: () => undefined, unansweredMs: () => undefined, linkUp: () => true },
    (verdict, { sinceMs }) => told.push(`${verdict} since ${sinceMs}`),
    {
      clock,
      makeProbe: ({ kind }) => ({
        kind,
        target: `the ${kind} target`,
        begin(settle) {
          settles.push(settle);
          return () => {};
        },
        close: () => closed++,
      }),
    },
  );
  t.false(monitor.report().alive, 'not before it has shown itself');
  clock.run(10);
  settles.splice(0).forEach((settle) => settle({ kind: 'answer' }));
  t.true(monitor.report().alive);
  clock.run(140);
  t.deepEqual(told, ['alive since 10', 'suspect since 50', 'dead since 50']);
  t.deepEqual(monitor.report(), {
    alive: false,
    verdict: 'dead',
    reason: 'icmp: 2 probes unanswered',
    probes: [
      { kind: 'icmp', target: 'the icmp target', misses: 2, rttMs: 10 },
      { kind: 'tcp', target: 'the tcp target', misses: 2, rttMs: 10 },
    ],
  });
  monitor.close();
  t.is(closed, 2);
});

test('when one probe cannot be made, those already made are closed', (t) => {
  let closed = 0;
  const timing = { intervalMs: 50, timeoutMs: 50, misses: 2 };
  const start = () =>
    startMonitor(
      {
        name: 'telemetry',
        address: '10.77.0.2',
        ports: [7000],
        replica: '10.77.0.3',
        recovery: 'resume',
        fenceTimeoutMs: 1000,
        probes: [
          { kind: 'exec', command: 'true', ...timing },
          { kind: 'icmp', target: '10.77.0.2', ...timing },
        ],
      },
      { heardMs: () => undefined, unansweredMs: () => undefined, linkUp: () => true },
      () => t.fail(),
      {
        clock: new VirtualClock(),
        makeProbe({ kind }) {
          if (kind === 'icmp') throw new Error('no raw socket');
          return { kind, target: '', begin: () => () => {}, close: () => closed++ };
        },
      },
    );
  t.throws(start, { message: 'no raw socket' });
  t.is(closed, 1);
});
