/** The packet loop with the real core: who is called when, if the event loop does not turn. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseAddress } from '../../src/core/address';
import { Port, ServiceState } from '../../src/core/names';
import { loadNodeCore } from '../../src/core/node-core';
import { PacketLoop } from '../../src/daemon/packet-loop';
import type { RecordKeeper } from '../../src/daemon/packet-loop';
import { MemoryPort } from '../../src/sniffer/memory-port';
import { tcpFrame } from '../support/frames';
import { GATEWAY_MAC, HOST_MAC, WIRE_MAC } from './memory-machine';

class CountingPort extends MemoryPort {
  polls = 0;

  override poll(): void {
    this.polls++;
  }
}

function open(t: ExecutionContext, records?: RecordKeeper) {
  const core = loadNodeCore(
    { connections: 64, retainedBytes: 1 << 20, retainedPerConnectionBytes: 1 << 18 },
    Uint32Array.of(1, 2, 3, 4),
  );
  core.setPort(Port.Wire, 1500, WIRE_MAC);
  core.setPort(Port.Stack, 65535, GATEWAY_MAC, HOST_MAC);
  const address = parseAddress('10.0.0.2') ?? new Uint8Array(16);
  const replica = parseAddress('10.0.0.3') ?? new Uint8Array(16);
  const more = { ports: [7000], handshakeWindow: 64, echo: true, vlan: 0, mapFirst: 1024, mapLast: 65535 };
  const service = core.addService({ address, replica, ...more });
  const time = { nowMs: 1000 };
  const events: string[] = [];
  const loop = new PacketLoop(
    core,
    () => time.nowMs,
    {
      onProgress: () => events.push('progress'),
      onFailure: (which, error) => events.push(`port ${which}: ${error.message}`),
    },
    records,
  );
  t.teardown(() => loop.close());
  const [wire, stack] = [new CountingPort({ device: 'wire' }), new CountingPort({ device: 'stack' })];
  loop.attach(Port.Wire, wire);
  loop.attach(Port.Stack, stack);
  return Object.assign(time, { core, loop, wire, stack, service, events });
}

const SEGMENT = tcpFrame({ src: '10.0.0.9', dst: '10.0.0.2', flags: 'A' });
const STRAY = tcpFrame({ src: '10.0.0.8', dst: '10.0.0.7', flags: 'A' });
const OUTBOUND = { src: '10.0.0.2', dst: '10.0.0.9', srcPort: 7000, dstPort: 40000 };
const SYN = tcpFrame({ src: '10.0.0.9', dst: '10.0.0.2', flags: 'S' });

test('the wire under load leaves the stack its turn; the stack falls silent by itself', (t) => {
  const { wire, stack } = open(t);
  for (let i = 0; i < 160; i++) wire.deliver(SEGMENT);
  t.deepEqual([wire.polls, stack.polls], [0, 10]);
  for (let i = 0; i < 160; i++) stack.deliver(SEGMENT);
  t.deepEqual([wire.polls, stack.polls], [0, 10]);
});

test('under load the core’s timers run from the frames', (t) => {
  const bench = open(t);
  const { core, loop, wire, stack, service } = bench;
  wire.deliver(SYN);
  wire.deliver(tcpFrame({ ...OUTBOUND, seq: 5000, ack: 1001, flags: 'SA' }));
  wire.deliver(tcpFrame({ src: '10.0.0.9', dst: '10.0.0.2', seq: 1001, ack: 5001 }));
  core.setServiceState(service, ServiceState.Recovery, bench.nowMs);
  loop.pump();
  t.is(core.working(), 1);
  t.is(stack.sent.length, 1);
  // No answer, and no turn of the event loop: the handshake is tried again all the same.
  for (let ms = 0; ms < 3000; ms++) {
    bench.nowMs++;
    wire.deliver(STRAY);
  }
  t.true(stack.sent.length > 1);
});

test('progress is told only to those who watch', (t) => {
  const { wire, loop, events } = open(t);
  wire.deliver(SEGMENT);
  loop.tick();
  t.deepEqual(events, []);
  loop.watch(true);
  wire.deliver(SEGMENT);
  loop.tick();
  loop.watch(false);
  wire.deliver(SEGMENT);
  t.deepEqual(events, ['progress', 'progress']);
});

test('a port that fails is closed and its frames are lost, the other one goes on', (t) => {
  const { core, wire, stack, loop, events } = open(t);
  stack.fail('gone');
  t.deepEqual(events, [`port ${Port.Stack}: stack: gone`]);
  t.false(stack.open);
  t.is(loop.port(Port.Stack), undefined);
  wire.deliver(SYN);
  t.is(core.connectionsUsed(), 1);
});

test('recorded bytes are asked for at each tick, and given back between frames while the core works', (t) => {
  const calls: string[] = [];
  let wanted = 0;
  const bench = open(t, {
    spill: () => void calls.push('spill'),
    supply: () => {
      calls.push('supply');
      return --wanted < 0 ? -1 : 0;
    },
  });
  const { loop, wire, core, service } = bench;
  loop.tick();
  wire.deliver(SYN);
  wire.deliver(tcpFrame({ ...OUTBOUND, seq: 5000, ack: 1001, flags: 'SA' }));
  wire.deliver(tcpFrame({ src: '10.0.0.9', dst: '10.0.0.2', seq: 1001, ack: 5001 }));
  t.deepEqual(calls.splice(0), ['spill']);
  core.setServiceState(service, ServiceState.Recovery, bench.nowMs);
  loop.pump();
  wanted = 2;
  wire.deliver(STRAY);
  t.deepEqual(calls.splice(0), ['supply', 'supply', 'supply']);
  // A few at a time, however many there are.
  wanted = 1000;
  wire.deliver(STRAY);
  t.is(calls.splice(0).length, 4);
  loop.tick();
  t.deepEqual(calls.slice(0, 2), ['spill', 'supply']);
});

test('announcements go to the wire', (t) => {
  const { wire, loop, service } = open(t);
  loop.announce(service);
  t.true(wire.sent.length >= 2);
});
