/**
 * A stream that outgrows the core's memory, with the real core and a real file: what the replica reads at recovery is
 * every byte that the client has sent.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseAddress } from '../../src/core/address';
import type { Core } from '../../src/core/core';
import { Counter, Phase, Port, RecordState, ServiceState } from '../../src/core/names';
import { loadNodeCore } from '../../src/core/node-core';
import { ExtentFile } from '../../src/daemon/extent-file';
import { PacketLoop } from '../../src/daemon/packet-loop';
import { RecordSpill } from '../../src/daemon/record-spill';
import { MemoryPort } from '../../src/sniffer/memory-port';
import { parseSegment } from '../lab/host/segment';
import { mss, tcpFrame, windowScale } from '../support/frames';
import { GATEWAY_MAC, HOST_MAC, WIRE_MAC } from './memory-machine';

const MIB = 1 << 20;
const SEGMENT_BYTES = 1400;
const INBOUND = { src: '10.0.0.9', dst: '10.0.0.2', srcPort: 40000, dstPort: 7000 };
const OUTBOUND = { src: '10.0.0.2', dst: '10.0.0.9', srcPort: 7000, dstPort: 40000 };
const REPLICA = { ...OUTBOUND, src: '10.0.0.3' };
const OPTIONS = [mss(1460), windowScale(7)];
const ISN = 0xffff_ff00;
const seqAt = (offset: number) => (ISN + 1 + offset) >>> 0;

function open(t: ExecutionContext, diskBytes: number) {
  const folder = mkdtempSync(join(tmpdir(), 'migware-replay-'));
  const core = loadNodeCore(
    {
      connections: 64,
      retainedBytes: MIB,
      retainedPerConnectionBytes: MIB,
      record: { memoryBytes: MIB, perConnectionBytes: 16 * MIB, comparePerConnectionBytes: 65_536 },
    },
    Uint32Array.of(1, 2, 3, 4),
  );
  core.setPort(Port.Wire, 1500, WIRE_MAC);
  core.setPort(Port.Stack, 65535, GATEWAY_MAC, HOST_MAC);
  const address = parseAddress('10.0.0.2') ?? new Uint8Array(16);
  const replica = parseAddress('10.0.0.3') ?? new Uint8Array(16);
  const more = { ports: [7000], handshakeWindow: 64, echo: true, vlan: 0, mapFirst: 1024, mapLast: 65535 };
  const service = core.addService({ address, replica, ...more, recovery: 'replay' });
  const quiet = () => undefined;
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  const spill = new RecordSpill(core.exchange, new ExtentFile(join(folder, 'f'), diskBytes), log, 1000);
  const time = { nowMs: 1000 };
  const loop = new PacketLoop(core, () => time.nowMs, { onProgress: quiet, onFailure: () => t.fail() }, spill);
  t.teardown(() => {
    loop.close();
    spill.close();
    rmSync(folder, { recursive: true });
  });
  const [wire, stack] = [new MemoryPort({ device: 'wire' }), new MemoryPort({ device: 'stack' })];
  loop.attach(Port.Wire, wire);
  loop.attach(Port.Stack, stack);
  return Object.assign(time, { core, loop, spill, wire, stack, service });
}

type Bench = ReturnType<typeof open>;

/** The client sends, and the primary reads, all of it. */
function upload(bench: Bench, stream: Buffer): void {
  const { wire } = bench;
  wire.deliver(tcpFrame({ ...INBOUND, seq: ISN, flags: 'S', options: OPTIONS }));
  wire.deliver(tcpFrame({ ...OUTBOUND, seq: 5000, ack: seqAt(0), flags: 'SA', options: OPTIONS }));
  for (let at = 0; at < stream.length; at += SEGMENT_BYTES) {
    bench.nowMs++;
    const payload = stream.subarray(at, at + SEGMENT_BYTES);
    wire.deliver(tcpFrame({ ...INBOUND, seq: seqAt(at), ack: 5001, flags: 'PA', payload }));
    wire.deliver(tcpFrame({ ...OUTBOUND, seq: 5001, ack: seqAt(at + payload.length), flags: 'A', window: 60_000 }));
  }
}

/** The replica takes the connection and acknowledges what comes in order. @returns what it has read */
function replay(bench: Bench, whole: number): Buffer {
  const { core, loop, stack } = bench;
  const read: Buffer[] = [];
  let next = 0;
  for (let turn = 0; turn < 20_000 && next < whole; turn++) {
    for (const frame of stack.sent.splice(0)) {
      const segment = parseSegment('', Buffer.from(frame).toString('hex'));
      if (segment === undefined) continue;
      if (segment.flags === 'S') {
        stack.deliver(tcpFrame({ ...REPLICA, seq: 90_000, ack: seqAt(0), flags: 'SA', options: OPTIONS }));
      }
      if (segment.length === 0) continue;
      if (segment.seq === seqAt(next)) {
        read.push(Buffer.from(frame).subarray(-segment.length));
        next += segment.length;
      }
      stack.deliver(tcpFrame({ ...REPLICA, seq: 90_001, ack: seqAt(next), flags: 'A', window: 60_000 }));
    }
    bench.nowMs += 5;
    loop.tick();
  }
  assertLive(core);
  return Buffer.concat(read);
}

function assertLive(core: Core): void {
  const [connection] = core.connections();
  if (connection?.phase !== Phase.Live) throw new Error(`the connection is in phase ${connection?.phase ?? -1}`);
}

const streamOf = (length: number) => Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7) & 255));

test('a stream of many times the memory is read by the replica from its first byte to its last', (t) => {
  const bench = open(t, 64 * MIB);
  const { core, spill } = bench;
  const stream = streamOf(5 * MIB + 123);
  upload(bench, stream);
  const [before] = core.connections();
  t.is(before?.record, RecordState.Complete);
  t.is((before?.recordedBytes ?? 0) + spill.bytesOf(0, before?.incarnation ?? -1), stream.length);
  t.true(spill.usedBytes > 3 * MIB);
  t.true(core.recordedBytes() <= MIB);

  core.setServiceState(bench.service, ServiceState.Recovery, bench.nowMs);
  bench.loop.pump();
  t.true(replay(bench, stream.length).equals(stream));
  t.true(core.counter(Counter.SuppliedBytes) >= 3n * BigInt(MIB));
  // What has served its purpose makes room.
  bench.nowMs += 1000;
  bench.loop.tick();
  t.is(spill.usedBytes, 0);
});

test('a stream that outgrows the disk too puts its connection at risk, and says why', (t) => {
  const bench = open(t, MIB);
  upload(bench, streamOf(4 * MIB));
  const [connection] = bench.core.connections();
  t.is(connection?.record, RecordState.Lost);
  bench.nowMs += 1000;
  bench.loop.tick();
  t.is(bench.spill.usedBytes, 0);
});
