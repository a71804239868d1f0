/** Ports that need no network, and those that wrap another. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { FaultInjectorPort, type FaultOptions } from '../../src/sniffer/fault-injector';
import { MemoryPort } from '../../src/sniffer/memory-port';
import { PcapFileWriter } from '../../src/sniffer/pcap-file';
import type { PacketPort } from '../../src/sniffer/port';
import { RecorderPort } from '../../src/sniffer/recorder';
import { SplitPort } from '../../src/sniffer/split-port';
import { parseCapture } from '../lab/pcap';
import { tcpFrame } from '../support/frames';

/** Collects what a port shows, as first bytes. */
function listen(port: PacketPort, size = 64): number[] {
  const seen: number[] = [];
  const buffer = Buffer.alloc(size);
  port.start({ buffer, frame: () => seen.push(buffer.readUInt8(0)), failed: () => seen.push(-1) });
  return seen;
}

function frames(count: number): Buffer[] {
  return Array.from({ length: count }, (_, i) => Buffer.alloc(20, i));
}

test('a memory port shows frames in the buffer of the receiver, cut to its size', (t) => {
  const port = new MemoryPort();
  const buffer = Buffer.alloc(10);
  const shown: [number, number][] = [];
  port.start({ buffer, frame: (length, wireLength) => shown.push([length, wireLength]), failed: () => t.fail() });
  port.deliver(Uint8Array.of(1, 2, 3));
  port.deliver(new Uint8Array(12).fill(7));
  t.deepEqual(shown, [
    [3, 3],
    [10, 12],
  ]);
  t.deepEqual([...buffer], new Array(10).fill(7));
  port.close();
  port.deliver(Uint8Array.of(1));
  t.is(shown.length, 2);
  t.deepEqual(port.stats(), { received: 2, dropped: 1, sent: 0, sendFailed: 0 });
});

test('a memory port keeps copies of what is sent and counts what it could not take', (t) => {
  const port = new MemoryPort();
  const frame = Buffer.of(1, 2);
  t.true(port.send(frame));
  frame.fill(0);
  t.deepEqual(port.sent, [Uint8Array.of(1, 2)]);
  port.full = true;
  t.false(port.send(frame));
  t.is(port.stats().sendFailed, 1);
});

test('of a split port, what one end captures is shown, and what is sent leaves by the other', (t) => {
  const capturer = new MemoryPort();
  const sender = new MemoryPort();
  const port = new SplitPort(capturer, sender);
  const shown = listen(port);
  capturer.deliver(Uint8Array.of(1));
  sender.deliver(Uint8Array.of(2));
  t.deepEqual(shown, [1]);
  t.true(port.send(Buffer.of(3)));
  sender.full = true;
  t.false(port.send(Buffer.of(4)));
  t.deepEqual(sender.sent, [Uint8Array.of(3)]);
  t.deepEqual(capturer.sent, []);
  t.deepEqual(port.stats(), { received: 1, dropped: 0, sent: 1, sendFailed: 1 });
  port.close();
  capturer.deliver(Uint8Array.of(5));
  t.deepEqual(shown, [1]);
});

/** What comes out when 200 numbered frames go in, by both ways. */
function pass(options: FaultOptions): { received: number[]; sent: number[] } {
  const inner = new MemoryPort();
  const port = new FaultInjectorPort(inner, options);
  const received = listen(port);
  for (const frame of frames(200)) {
    inner.deliver(frame);
    port.send(frame);
  }
  return { received, sent: inner.sent.map((frame) => frame[0] ?? -1) };
}

const numbers = Array.from({ length: 200 }, (_, i) => i);
const ascending = (list: readonly number[]) => [...list].sort((a, b) => a - b);

test('without faults every frame passes, in order', (t) => {
  t.deepEqual(pass({ seed: 1 }), { received: numbers, sent: numbers });
});

test('faults repeat with the seed, and differ between seeds and directions', (t) => {
  const faults = { loss: 0.1, duplicate: 0.1, reorder: 0.1 };
  const once = pass({ seed: 7, receive: faults, send: faults });
  t.deepEqual(pass({ seed: 7, receive: faults, send: faults }), once);
  t.notDeepEqual(pass({ seed: 8, receive: faults, send: faults }), once);
  t.notDeepEqual(once.received, once.sent);
});

test('loss takes frames away and changes no other', (t) => {
  const { received } = pass({ seed: 3, receive: { loss: 0.2 } });
  t.true(received.length > 120 && received.length < 190);
  t.deepEqual(ascending(received), received);
  t.is(new Set(received).size, received.length);
});

test('duplicates follow their original', (t) => {
  const { sent } = pass({ seed: 3, send: { duplicate: 0.2 } });
  t.deepEqual([...new Set(sent)], numbers);
  t.deepEqual(ascending(sent), sent);
  t.true(sent.length > 210);
});

test('a frame that is overtaken comes right after the next one', (t) => {
  const { sent } = pass({ seed: 3, send: { reorder: 0.2 } });
  t.deepEqual(ascending(sent), numbers.slice(0, sent.length));
  t.true(sent.some((number, i) => number > (sent[i + 1] ?? number)));
  t.true(sent.every((number, i) => Math.abs(number - i) <= 1));
});

test('a failure of the port inside is that of the port', (t) => {
  const inner = new MemoryPort();
  t.deepEqual(listen(new FaultInjectorPort(inner, { seed: 1 })), []);
  const port = new FaultInjectorPort(inner, { seed: 1 });
  const seen = listen(port);
  inner.fail('gone');
  t.deepEqual(seen, [-1]);
});

test('a recorder writes both directions into a file that tcpdump would read', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'migware-recorder-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'frames.pcap');
  const file = new PcapFileWriter(path);
  const inner = new MemoryPort();
  let timeMs = 1_700_000_000_123.456;
  const port = new RecorderPort(inner, file, () => timeMs++);
  const seen = listen(port, 60);
  const [inbound, outbound] = [
    tcpFrame({ flags: 'S', seq: 5 }),
    tcpFrame({ flags: 'SA', seq: 9, payload: 'x'.repeat(40) }),
  ];
  inner.deliver(inbound);
  port.send(Buffer.from(outbound));
  inner.deliver(outbound);
  port.close();
  file.close();
  t.is(seen.length, 2);
  t.is(inner.sent.length, 1);

  const recorded = parseCapture(readFileSync(path));
  t.deepEqual(
    recorded.map(({ atMs, bytes, tcp }) => [Math.round(atMs * 1000), bytes.length, tcp?.seq]),
    [
      [1_700_000_000_123_456, inbound.length, 5],
      [1_700_000_000_124_456, outbound.length, 9],
      [1_700_000_000_125_456, 60, 9],
    ],
  );
  // Bytes on the wire of the one that was cut.
  t.is(readFileSync(path).readUInt32LE(24 + 2 * 16 + inbound.length + outbound.length + 12), outbound.length);
});
