/** The daemon with the real core, on a machine of memory: from start to stop, by way of a dead primary. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Config, DaemonControl, Evidence, OnVerdict, ServiceConfig } from '../../src/daemon/contract';
import { Daemon } from '../../src/daemon/daemon';
import { EnvironmentError } from '../../src/errors';
import { mss, sackPermitted, tcpFrame, windowScale } from '../support/frames';
import { parseSegment } from '../lab/host/segment';
import { MemoryMachine } from './memory-machine';

/** How long a wait may last before it is called a hang. No result depends on it. */
const HANG_MS = 20_000;
const CLIENT = '10.77.0.9';
const PRIMARY_MAC = '02:00:00:00:00:02';
const CLIENT_MAC = '02:00:00:00:00:09';

const SERVICE: ServiceConfig = {
  name: 'telemetry',
  address: '10.77.0.2',
  ports: [7000],
  replica: '10.77.0.3',
  recovery: 'resume',
  fenceTimeoutMs: 1000,
  probes: [{ kind: 'icmp', target: '10.77.0.2', intervalMs: 50, timeoutMs: 50, misses: 3 }],
};

const CONFIG: Config = {
  interface: 'eth0',
  control: '/nowhere/control.sock',
  stateDir: mkdtempSync(join(tmpdir(), 'migware-daemon-')),
  connections: 64,
  retainedBytes: 1 << 20,
  retainedPerConnectionBytes: 1 << 18,
  record: {
    memoryBytes: 1 << 20,
    diskBytes: 1 << 22,
    perConnectionBytes: 1 << 21,
    comparePerConnectionBytes: 1 << 16,
  },
  capture: { bufferBytes: 1 << 20, offload: false },
  services: [SERVICE],
};

interface Bench {
  readonly daemon: Daemon;
  readonly machine: MemoryMachine;
  /** Of the only service. */
  readonly verdict: OnVerdict;
  readonly evidence: Evidence;
  readonly log: readonly string[];
  nowMs: number;
}

/** Starts a daemon that is stopped when the test ends. */
async function startDaemon(
  t: ExecutionContext,
  config: Partial<Config> = {},
  localReplicas = ['10.77.0.3'],
): Promise<Bench> {
  const machine = new MemoryMachine(localReplicas);
  const calls = machine.calls;
  const log: string[] = [];
  const say = (_: object, message: string) => void log.push(message);
  const time = { nowMs: 1000 };
  let verdict: OnVerdict | undefined;
  let evidence: Evidence | undefined;
  const daemon = await Daemon.start(
    { ...CONFIG, ...config },
    {
      version: '1.2.3',
      machine,
      log: { debug: say, info: say, warn: say, error: say },
      clock: () => time.nowMs,
      wallClock: () => Date.UTC(2026, 0, 1),
      startMonitor: (_service, given, onVerdict) => {
        calls.push('startMonitor');
        verdict ??= onVerdict;
        evidence ??= given;
        const probes = [{ kind: 'icmp' as const, target: '10.77.0.2', misses: 0 }];
        return {
          report: () => ({ alive: true, verdict: 'alive', probes }),
          close: () => void calls.push('closeMonitor'),
        };
      },
      startControl: (path: string, _daemon: DaemonControl) => {
        calls.push(`startControl ${path}`);
        return Promise.resolve({ close: () => Promise.resolve(void calls.push('closeControl')) });
      },
    },
  );
  t.teardown(() => daemon.stop());
  if (verdict === undefined || evidence === undefined) throw new Error('no monitor was started');
  return Object.assign(time, { daemon, machine, verdict, evidence, log });
}

test.after.always(() => rmSync(CONFIG.stateDir, { recursive: true }));

const inbound = {
  src: CLIENT,
  dst: '10.77.0.2',
  srcPort: 40000,
  dstPort: 7000,
  srcMac: CLIENT_MAC,
  dstMac: PRIMARY_MAC,
};
const outbound = {
  src: '10.77.0.2',
  dst: CLIENT,
  srcPort: 7000,
  dstPort: 40000,
  srcMac: PRIMARY_MAC,
  dstMac: CLIENT_MAC,
};
const SYN_OPTIONS = [mss(1460), sackPermitted(), windowScale(7)];

/** A connection of the client to the primary, seen from its SYN on, with 5 bytes that the primary did not acknowledge. */
function connect({ machine }: Bench): void {
  const { wire } = machine;
  wire.deliver(tcpFrame({ ...inbound, seq: 1000, flags: 'S', options: SYN_OPTIONS }));
  wire.deliver(tcpFrame({ ...outbound, seq: 5000, ack: 1001, flags: 'SA', options: SYN_OPTIONS }));
  wire.deliver(tcpFrame({ ...inbound, seq: 1001, ack: 5001, flags: 'A' }));
  wire.deliver(tcpFrame({ ...inbound, seq: 1001, ack: 5001, flags: 'PA', payload: 'hello' }));
}

/** A replica that takes every connection and reads what it gets: its side of the private link. */
function answer({ machine }: Bench): string[] {
  const read: string[] = [];
  machine.onStackFrame = (frame) => {
    const segment = parseSegment('stack', Buffer.from(frame).toString('hex'));
    if (segment === undefined) return;
    const { source, destination, sourcePort, destinationPort, seq, length, flags } = segment;
    const back = { src: destination, dst: source, srcPort: destinationPort, dstPort: sourcePort };
    if (length > 0) read.push(Buffer.from(frame).subarray(-length).toString());
    const reply =
      flags === 'S'
        ? tcpFrame({ ...back, seq: 90_000, ack: seq + 1, flags: 'SA', options: SYN_OPTIONS })
        : length > 0
          ? tcpFrame({ ...back, seq: 90_001, ack: seq + length, flags: 'A' })
          : undefined;
    // Not from within the send: a stack answers when it has its turn.
    if (reply !== undefined) setImmediate(() => machine.stack.deliver(reply));
  };
  return read;
}

const segmentsOf = (frames: readonly Uint8Array[]) =>
  frames
    .map((frame) => parseSegment('', Buffer.from(frame).toString('hex')))
    .filter((segment) => segment !== undefined);
const isArp = (frame: Uint8Array) => frame[12] === 0x08 && frame[13] === 0x06;

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const deadline = Date.now() + HANG_MS; Date.now() < deadline;) {
    if (isSo()) return;
    await new Promise((done) => setImmediate(done));
  }
  throw new Error(`${what}: not reached`);
}

test('start and stop happen in order, the one the other backwards', async (t) => {
  const { daemon, machine } = await startDaemon(t);
  t.deepEqual(machine.calls.splice(0), [
    'setUp',
    'openWire',
    'openStack',
    'backlog',
    'startMonitor',
    'startControl /nowhere/control.sock',
  ]);
  await Promise.all([daemon.stop(), daemon.stop()]);
  await daemon.stopped;
  t.deepEqual(machine.calls, ['closeMonitor', 'closeControl', 'tearDown']);
  t.false(machine.wire.open);
  t.false(machine.stack.open);
});

for (const [call, undone] of [
  ['setUp', ['setUp', 'tearDown']],
  ['openWire', ['setUp', 'openWire', 'tearDown']],
  ['openStack', ['setUp', 'openWire', 'openStack', 'tearDown']],
] as const) {
  test(`a start that fails in ${call} is undone`, async (t) => {
    const machine = new MemoryMachine(['10.77.0.3']);
    machine.broken.set(call, `no ${call}`);
    const quiet = () => undefined;
    const start = Daemon.start(CONFIG, {
      version: '1.2.3',
      machine,
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      startMonitor: () => t.fail(),
      startControl: () => t.fail(),
    });
    await t.throwsAsync(start, { message: `no ${call}` });
    t.deepEqual(machine.calls, undone);
    t.true(machine.wires.every(({ open }) => !open));
  });
}

test('a connection of the primary is seen, and reported with what both ends agreed on', async (t) => {
  const bench = await startDaemon(t);
  const { daemon } = bench;
  t.is(bench.evidence.heardMs(), undefined);
  connect(bench);
  bench.nowMs += 20;
  t.is(bench.evidence.heardMs(), 1000);
  t.like(daemon.status(), {
    version: '1.2.3',
    uptimeMs: 20,
    services: [
      {
        name: 'telemetry',
        state: 'normal',
        connections: { tracked: 1, recoverable: 1, atRisk: 0, recovered: 0, proxied: 0, lost: 0, halfOpen: 0 },
        handshakeWindow: 255,
        failovers: [],
      },
    ],
    capture: { received: 4, dropped: 0 },
  });
  t.is(daemon.status().services[0]?.primary.heardAgoMs, 20);
  t.like(
    [...daemon.connections()],
    [
      {
        service: 'telemetry',
        client: '10.77.0.9:40000',
        server: '10.77.0.2:7000',
        state: 'established',
        phase: 'direct',
        recoverable: 'recoverable',
        options: ['window-scale', 'sack'],
        idleMs: 20,
        inbound: { isn: 1000, end: 1006, acked: 1001, mss: 1460, windowShift: 7, retainedBytes: 5 },
        outbound: { isn: 5000, end: 5001 },
      },
    ],
  );
  t.is(daemon.counters().find(({ name }) => name === 'frames-wire')?.value, 4n);
});

test('a connection picked up while running is at risk, and says why', async (t) => {
  const bench = await startDaemon(t);
  bench.machine.wire.deliver(tcpFrame({ ...outbound, seq: 5001, ack: 1001, flags: 'PA', payload: 'tick' }));
  bench.machine.wire.deliver(tcpFrame({ ...inbound, seq: 1001, ack: 5005, flags: 'PA', payload: 'tock' }));
  t.like([...bench.daemon.connections()], [{ recoverable: 'at-risk', reason: 'window-scale-unknown', options: [] }]);
  t.like(bench.daemon.status().services[0]?.connections, { recoverable: 0, atRisk: 1 });
});

test('when the primary dies its connection goes on with the replica, and the address is taken', async (t) => {
  const bench = await startDaemon(t);
  const { daemon, machine, verdict } = bench;
  connect(bench);
  const read = answer(bench);
  verdict('suspect', { reason: 'icmp: 1 probe unanswered', sinceMs: bench.nowMs });
  bench.nowMs += 150;
  verdict('dead', { reason: 'icmp: 3 probes unanswered', sinceMs: bench.nowMs - 150 });
  t.is(daemon.status().services[0]?.state, 'recovery');
  await until('the replica serves', () => daemon.status().services[0]?.state === 'proxy');

  t.deepEqual(read, ['hello']);
  const [syn] = segmentsOf(machine.stack.sent);
  t.like(syn, { source: CLIENT, destination: '10.77.0.3', sourcePort: 40000, seq: 1000, flags: 'S' });
  const announcements = machine.wire.sent.filter(isArp);
  t.true(announcements.length > 0);
  t.true(announcements.every((frame) => Buffer.from(frame).toString('hex', 6, 12) === '020000000003'));
  await until('the client is told that its bytes have arrived', () =>
    segmentsOf(machine.wire.sent).some(({ destination, ack }) => destination === CLIENT && ack === 1006),
  );
  t.like(daemon.status().services[0], {
    connections: { tracked: 1, recovered: 1, lost: 0 },
    failovers: [{ reason: 'icmp: 3 probes unanswered', detectionMs: 150, recoveryMs: 0, recovered: 1, lost: 0 }],
  });
});

test('a daemon that was killed while the replica served goes on where it was', async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'migware-daemon-'));
  t.teardown(() => rmSync(stateDir, { recursive: true }));
  const file = join(stateDir, 'taken-over.state');
  const first = await startDaemon(t, { stateDir });
  connect(first);
  answer(first);
  const { reason } = await first.daemon.failover('telemetry');
  // What is on paper from before then has no connection.
  await until('the connection has moved', () => first.daemon.status().services[0]?.connections.recovered === 1);
  rmSync(file, { force: true });
  await until('it is on paper', () => existsSync(file));
  // A stop would give everything back; a kill leaves the file as it is.
  copyFileSync(file, `${file}.kept`);
  await first.daemon.stop();
  t.false(existsSync(file));
  copyFileSync(`${file}.kept`, file);

  const second = await startDaemon(t, { stateDir });
  const { daemon, machine } = second;
  t.is(machine.calls[0], 'setUp, going on');
  t.like(daemon.status().services[0], { state: 'proxy', connections: { tracked: 1 }, failovers: [{ reason }] });
  t.true(machine.wire.sent.some(isArp));
  machine.wire.deliver(tcpFrame({ ...inbound, seq: 1006, ack: 5001, flags: 'PA', payload: 'again' }));
  t.like(segmentsOf(machine.stack.sent)[0], {
    source: CLIENT,
    destination: '10.77.0.3',
    seq: 1006,
    ack: 90_001,
    length: 5,
  });
  machine.stack.deliver(
    tcpFrame({
      src: '10.77.0.3',
      dst: CLIENT,
      srcPort: 7000,
      dstPort: 40000,
      seq: 90_001,
      ack: 1011,
      flags: 'PA',
      payload: 'welcome',
    }),
  );
  t.like(segmentsOf(machine.wire.sent).at(-1), {
    source: '10.77.0.2',
    destination: CLIENT,
    seq: 5001,
    ack: 1011,
    length: 7,
  });

  // And it is kept for the next one.
  rmSync(file);
  await until('it is on paper again', () => existsSync(file));
});

test('by hand, and by name', async (t) => {
  const { daemon } = await startDaemon(t);
  await t.throwsAsync(daemon.failover('web'), {
    code: 'MIGWARE_FAILOVER',
    message: /no service web; there are telemetry/,
  });
  t.like(await daemon.failover('telemetry'), { reason: 'by hand', recovered: 0 });
  t.is(daemon.status().services[0]?.state, 'proxy');
});

test('a port that fails is told, is opened again, and what it had counted stays', async (t) => {
  const bench = await startDaemon(t);
  const { daemon, machine, evidence } = bench;
  connect(bench);
  t.true(evidence.linkUp());
  machine.broken.set('openWire', 'not there');
  machine.wire.fail('the interface went down');
  t.false(machine.wire.open);
  t.false(evidence.linkUp());
  t.like(daemon.status().ports, [
    { name: 'wire', device: 'eth0', up: false, error: 'eth0: the interface went down', received: 4 },
    { up: true },
  ]);
  while (daemon.status().ports[0]?.error !== 'not there') await new Promise((done) => setTimeout(done, 5));
  machine.broken.clear();
  while (machine.wires.length < 2) await new Promise((done) => setTimeout(done, 5));
  await until('it is open', () => daemon.status().ports[0]?.up === true);
  machine.wire.deliver(tcpFrame({ ...inbound, seq: 1006, ack: 5001, flags: 'PA', payload: 'again' }));
  t.like(daemon.status().ports[0], { received: 5, error: undefined });
  t.is([...daemon.connections()][0]?.inbound.end, 1011);
});

test('room for records is taken when a service needs it, and a connection tells what it has of it', async (t) => {
  const without = await startDaemon(t);
  connect(without);
  const nothing = { memoryBytes: 0, memoryLimit: 0, diskBytes: 0, diskLimit: 0, dropped: 0 };
  t.deepEqual(without.daemon.status().record, nothing);
  t.like([...without.daemon.connections()], [{ recordedBytes: 0, shadow: null, divergence: null }]);

  const bench = await startDaemon(t, { services: [{ ...SERVICE, recovery: 'replay' }] });
  connect(bench);
  const { record, services } = bench.daemon.status();
  t.like(record, { memoryLimit: 1 << 20, diskBytes: 0, diskLimit: 1 << 22, dropped: 0 });
  t.true(record.memoryBytes > 0);
  t.like(services, [{ recovery: 'replay', divergences: 0 }]);
  t.like([...bench.daemon.connections()], [{ recordedBytes: 5, shadow: null, divergence: null }]);
});

test('a replica that shadows reads along, and a stop ends its copies, not the clients', async (t) => {
  const bench = await startDaemon(t, { services: [{ ...SERVICE, recovery: 'shadow' }] });
  const { daemon, machine } = bench;
  const read = answer(bench);
  connect(bench);
  const shadow = () => [...daemon.connections()][0]?.shadow;
  t.is(shadow(), 'opening');
  await until('the replica reads along', () => read.length > 0 && shadow() === 'reading');
  t.deepEqual(read, ['hello']);
  t.is(daemon.status().services[0]?.state, 'normal');
  const before = machine.stack.sent.length;
  await daemon.stop();
  t.true(segmentsOf(machine.stack.sent.slice(before)).some(({ flags }) => flags.includes('R')));
  t.deepEqual(machine.wire.sent, []);
});

test('a replica that says something else than the primary is counted, told and put into the log', async (t) => {
  const bench = await startDaemon(t, { services: [{ ...SERVICE, recovery: 'shadow' }] });
  const { daemon, machine, log } = bench;
  const read = answer(bench);
  connect(bench);
  await until('the replica reads along', () => read.length > 0 && [...daemon.connections()][0]?.shadow === 'reading');
  machine.wire.deliver(tcpFrame({ ...outbound, seq: 5001, ack: 1006, flags: 'PA', payload: 'Hello' }));
  machine.wire.deliver(tcpFrame({ ...inbound, seq: 1006, ack: 5006, flags: 'A' }));
  const replica = { src: '10.77.0.3', dst: CLIENT, srcPort: 7000, dstPort: 40000 };
  machine.stack.deliver(tcpFrame({ ...replica, seq: 90_001, ack: 1006, flags: 'PA', payload: 'HellO' }));
  t.like([...daemon.connections()], [{ recoverable: 'recoverable', divergence: { offset: 4, delivered: true } }]);
  t.is(daemon.status().services[0]?.divergences, 1);
  const line = 'the replica says something else than the primary';
  await until('it is in the log', () => log.includes(line));
  t.is(log.filter((each) => each === line).length, 1);
  t.deepEqual(machine.wire.sent, []);
});

test('a replica on another machine cannot shadow, and the start says so', async (t) => {
  const start = startDaemon(t, { services: [{ ...SERVICE, recovery: 'shadow' }] }, []);
  await t.throwsAsync(start, {
    instanceOf: EnvironmentError,
    message: /^service telemetry: 10\.77\.0\.3 is not an address of this host, .*"replay" or "resume"/,
  });
});

test('without a carrier there is no evidence against the primary', async (t) => {
  const { machine, evidence } = await startDaemon(t);
  machine.isLinkUp = false;
  t.false(evidence.linkUp());
});

test('a replica on another machine needs no private link', async (t) => {
  const bench = await startDaemon(t, {}, []);
  const { daemon, machine, verdict } = bench;
  t.deepEqual(machine.calls.slice(0, 4), ['setUp', 'replicaMac', 'openWire', 'replicaMac']);
  t.is(machine.stacks.length, 0);
  connect(bench);
  verdict('dead', { reason: 'icmp: 3 probes unanswered', sinceMs: bench.nowMs });
  const [syn] = segmentsOf(machine.wire.sent);
  t.like(syn, {
    source: '10.77.0.2',
    destination: '10.77.0.3',
    destinationPort: 7000,
    flags: 'S',
    destinationMac: '02:00:00:00:00:04',
  });
  t.is(daemon.status().services[0]?.handshakeWindow, 64);
});
