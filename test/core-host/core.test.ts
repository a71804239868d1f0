/** The host's side of the core: loading, views, records, names. */
import test from 'ava';
import { parseAddress, parseMac } from '../../src/core/address';
import { Core } from '../../src/core/core';
import { FrameViews } from '../../src/core/frame-views';
import { coreModule } from '../../src/core/module';
import {
  Counter,
  Dir,
  Loss,
  Port,
  Reason,
  RecordState,
  ServiceState,
  TcpState,
  lossName,
  reasonName,
  riskName,
  statusName,
} from '../../src/core/names';
import {
  CONNECTION_BYTES,
  CONNECTION_DIVERGED_FIRST,
  CONNECTION_DIVERGED_LAST,
  CONNECTION_FLOWS,
  CONNECTION_GENERATION,
  CONNECTION_STATE,
  FLOW_BYTES,
  FLOW_ISN,
  FLOW_PASSED,
  SERVICE_FLAG_DIVERGED_CONTINUE,
  SERVICE_FLAG_DIVERGED_RESET,
  SERVICE_FLAG_ECHO,
  SERVICE_FLAG_FALLBACK_RESUME,
  SERVICE_FLAG_REMOTE,
  SERVICE_FLAG_REPLAY,
  SERVICE_FLAG_SHADOW,
  SERVICE_FLAGS,
  SERVICE_PORTS,
  SERVICE_REPLICA_MAC,
} from '../../assembly/abi/layout';
import { NO_CONNECTION } from '../../src/core/record-exchange';
import { readConnection, writeService } from '../../src/core/records';
import { tcpFrame } from '../support/frames';

const CAPACITY = { connections: 64, retainedBytes: 1 << 20, retainedPerConnectionBytes: 1 << 18 };
const KEY = Uint32Array.of(1, 2, 3, 4);
const SETTINGS = {
  address: parseAddress('10.0.0.2') ?? new Uint8Array(16),
  replica: parseAddress('10.0.0.3') ?? new Uint8Array(16),
  ports: [7000, 65535],
  handshakeWindow: 64,
  echo: true,
  vlan: 7,
  mapFirst: 1024,
  mapLast: 65535,
};

function start(): Core {
  const core = Core.load(coreModule, CAPACITY, KEY);
  core.setPort(Port.Wire, 1500, parseMac('02:00:00:00:00:03') ?? new Uint8Array(6));
  return core;
}

test('what a correct host never asks for is refused with its name', (t) => {
  t.throws(() => Core.load(coreModule, { ...CAPACITY, connections: 0 }, KEY), {
    code: 'MIGWARE_CORE',
    message: 'init: bad-argument',
  });
  const core = start();
  t.throws(() => core.setServiceState(0, ServiceState.Proxy, 0), { message: 'setServiceState: bad-argument' });
  t.throws(() => core.announce(3), { message: 'announce: bad-argument' });
});

test('memory is as large as its capacities need, and never grows again', (t) => {
  const core = start();
  core.addService(SETTINGS);
  const { buffer } = core.rx;
  for (let i = 0; i < 1000; i++) {
    const frame = tcpFrame({ src: `10.1.${i >> 8}.${i & 255}`, dst: '10.0.0.2', flags: 'S' });
    core.rx.set(frame);
    core.receive(Port.Wire, frame.length, frame.length, i);
  }
  t.is(core.rx.buffer, buffer);
  t.is(core.rx.length > 0, true);
  t.true(core.connectionsUsed() <= CAPACITY.connections);
});

test('the settings of a service are where the core reads them', (t) => {
  const bytes = new Uint8Array(400).fill(0xa5);
  const view = new DataView(bytes.buffer);
  writeService(view, 8, { ...SETTINGS, replicaMac: Uint8Array.of(2, 0, 0, 0, 0, 4) });
  t.is(view.getUint32(8 + SERVICE_FLAGS, true), SERVICE_FLAG_REMOTE | SERVICE_FLAG_ECHO);
  t.deepEqual([...bytes.subarray(8 + SERVICE_REPLICA_MAC, 8 + SERVICE_REPLICA_MAC + 6)], [2, 0, 0, 0, 0, 4]);
  t.is(view.getUint16(8 + SERVICE_PORTS + 2, true), 65535);
  t.deepEqual([...bytes.subarray(0, 8)], new Array(8).fill(0xa5));
  t.throws(() => writeService(view, 8, { ...SETTINGS, ports: [] }), { instanceOf: RangeError });
  t.throws(() => writeService(view, 8, { ...SETTINGS, ports: new Array<number>(65).fill(1) }), {
    instanceOf: RangeError,
  });
});

test('the recovery of a service is a set of flags', (t) => {
  const view = new DataView(new ArrayBuffer(400));
  const flags = (choices: Partial<Parameters<typeof writeService>[2]>) => {
    writeService(view, 0, { ...SETTINGS, echo: false, ...choices });
    return view.getUint32(SERVICE_FLAGS, true);
  };
  t.is(flags({ recovery: 'resume' }), 0);
  t.is(flags({ recovery: 'replay', fallback: 'reset' }), SERVICE_FLAG_REPLAY);
  t.is(flags({ recovery: 'shadow', fallback: 'resume' }), SERVICE_FLAG_SHADOW | SERVICE_FLAG_FALLBACK_RESUME);
  t.is(flags({ recovery: 'replay', onDivergence: 'continue' }), SERVICE_FLAG_REPLAY | SERVICE_FLAG_DIVERGED_CONTINUE);
  t.is(flags({ recovery: 'shadow', onDivergence: 'reset' }), SERVICE_FLAG_SHADOW | SERVICE_FLAG_DIVERGED_RESET);
});

const RECORD = { memoryBytes: 1 << 20, perConnectionBytes: 1 << 20, comparePerConnectionBytes: 1 << 16 };

test('what is recorded is told apart from what is retained', (t) => {
  const core = Core.load(coreModule, { ...CAPACITY, record: RECORD }, KEY);
  core.setPort(Port.Wire, 1500, parseMac('02:00:00:00:00:03') ?? new Uint8Array(6));
  core.addService({ ...SETTINGS, vlan: 0, recovery: 'replay' });
  const inbound = { src: '10.0.0.9', dst: '10.0.0.2', srcPort: 40000, dstPort: 7000 };
  const outbound = { src: '10.0.0.2', dst: '10.0.0.9', srcPort: 7000, dstPort: 40000 };
  for (const frame of [
    tcpFrame({ ...inbound, seq: 1000, flags: 'S' }),
    tcpFrame({ ...outbound, seq: 5000, ack: 1001, flags: 'SA' }),
    tcpFrame({ ...inbound, seq: 1001, ack: 5001, flags: 'A' }),
    tcpFrame({ ...inbound, seq: 1001, ack: 5001, payload: 'hello' }),
    tcpFrame({ ...outbound, seq: 5001, ack: 1006, payload: 'hi' }),
  ]) {
    core.rx.set(frame);
    core.receive(Port.Wire, frame.length, frame.length, 0);
  }
  const [connection] = core.connections();
  t.like(connection, { record: RecordState.Complete, recordedBytes: 5, divergence: undefined });
  t.deepEqual([connection?.inbound.retainedBytes, connection?.outbound.retainedBytes], [0, 2]);
  t.true(core.recordedBytes() >= 5 && core.retainedBytes() >= 2);
  t.deepEqual([...core.diverged()], []);
  t.is(core.counter(Counter.RecordsLost), 0n);
  // Nothing is tight, so nothing is handed out, and nothing is wanted back.
  t.is(core.exchange.spill(), 0);
  t.is(core.exchange.wanted(), NO_CONNECTION);
  t.true(core.exchange.needs(0, connection?.incarnation ?? -1));
  core.exchange.fail(0);
  t.like(core.connection(0), { record: RecordState.Lost, recordedBytes: 0 });
  t.is(riskName(core.connection(0)?.risk ?? 0), 'record-budget');
  t.is(core.counter(Counter.RecordsLost), 1n);
  t.false(core.exchange.needs(0, connection?.incarnation ?? -1));
});

test('a divergence is delivered when the client has acknowledged the last byte of it', (t) => {
  const view = new DataView(new ArrayBuffer(CONNECTION_BYTES));
  view.setUint8(CONNECTION_STATE, TcpState.Established);
  const passed = CONNECTION_FLOWS + Dir.Outbound * FLOW_BYTES + FLOW_PASSED;
  t.is(readConnection(view, 0, 0)?.divergence, undefined);
  const first = 2n ** 33n;
  view.setBigUint64(CONNECTION_DIVERGED_FIRST, first, true);
  view.setBigUint64(CONNECTION_DIVERGED_LAST, first + 10n, true);
  for (const [acknowledged, delivered] of [
    [0n, false],
    [first, false],
    [first + 10n, false],
    // One more for the SYN.
    [first + 11n, true],
  ] as const) {
    view.setBigUint64(passed, acknowledged, true);
    t.deepEqual(readConnection(view, 0, 0)?.divergence, { offset: 2 ** 33, delivered }, `${acknowledged}`);
  }
});

test('connections that use one record after the other are told apart, also on the same ports', (t) => {
  const view = new DataView(new ArrayBuffer(CONNECTION_BYTES));
  view.setUint8(CONNECTION_STATE, TcpState.Established);
  const isn = CONNECTION_FLOWS + Dir.Inbound * FLOW_BYTES + FLOW_ISN;
  const seen = new Set<number | undefined>();
  for (const generation of [0, 1, 65535]) {
    for (const number of [0, 1, 0xffff_ffff]) {
      view.setUint16(CONNECTION_GENERATION, generation, true);
      view.setUint32(isn, number, true);
      seen.add(readConnection(view, 0, 0)?.incarnation);
    }
  }
  t.is(seen.size, 9);
});

test('counters have the names of what they count', (t) => {
  const core = start();
  core.addService(SETTINGS);
  core.rx.fill(0);
  core.receive(Port.Wire, 10, 10, 0);
  const counted = core.counters().filter(({ value }) => value > 0n);
  t.deepEqual(
    counted.map(({ kind, name, value }) => [kind, name, value]),
    [
      ['refused', 'truncated-ethernet', 1n],
      ['event', 'frames-wire', 1n],
      ['event', 'bytes-wire', 10n],
    ],
  );
  const names = core.counters().map(({ kind, name }) => `${kind} ${name}`);
  t.is(new Set(names).size, names.length);
});

test('a code without a name shows as its number', (t) => {
  t.is(reasonName(Reason.NotOurs), 'not-ours');
  t.is(lossName(Loss.Md5), 'md5');
  t.is(statusName(-1), 'bad-argument');
  t.deepEqual([reasonName(9999), riskName(99), statusName(-99)], ['9999', '99', '-99']);
});

test('a survey counts live connections by their risk', (t) => {
  const core = start();
  core.addService(SETTINGS);
  t.deepEqual(core.survey(1), [{ recoverable: 0, atRisk: 0 }]);
  const frame = tcpFrame({
    src: '10.0.0.2',
    dst: '10.0.0.9',
    srcPort: 7000,
    dstPort: 40000,
    seq: 5,
    ack: 9,
    payload: 'x',
  });
  core.rx.set(frame);
  core.receive(Port.Wire, frame.length, frame.length, 0);
  t.deepEqual(core.survey(1), [{ recoverable: 0, atRisk: 1 }]);
});

test('a view of a frame is made once, and again when another frame has taken its place', (t) => {
  const memory = new ArrayBuffer(1 << 20);
  new Uint8Array(memory).forEach((_, i, bytes) => (bytes[i] = i & 255));
  const views = new FrameViews(memory, (whole, offset, length) => new Uint8Array(whole, offset, length));
  const first = views.get(1000, 60);
  t.is(views.get(1000, 60), first);
  t.deepEqual([first.byteOffset, first.length, first[0]], [1000, 60, 1000 & 255]);
  t.not(views.get(1000, 61), first);
  t.not(views.get(1008, 60), first);
  // Any number of frames, and each view is of its own frame.
  for (let i = 0; i < 50_000; i++) {
    const offset = (i * 8) % ((1 << 20) - 1600);
    const length = 60 + (i % 1500);
    const view = views.get(offset, length);
    if (view.byteOffset !== offset || view.length !== length) t.fail(`${offset} ${length}`);
  }
  const again = views.get(1000, 60);
  t.deepEqual([again.byteOffset, again.length], [1000, 60]);
});
