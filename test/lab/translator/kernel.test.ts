/**
 * The translation beside the kernel's, frame by frame, byte for byte but for the link header, the hop limit and its checksum:
 * Linux routes, the core does not.
 *
 *   SYN proxy   Linux answers the client with numbers of its own and joins it to a server with others: as a connection that
 *               has moved, D1 = 0 and D2 as may be, SACK blocks and clocks included
 *   NAT         another address of the server, no change of numbers: as a new connection through the proxy
 */
import test, { type ExecutionContext } from 'ava';
import { Port, ServiceState } from '../../../assembly/abi/codes';
import { pseudoHeader, slowChecksum } from '../../support/checksum';
import { PROTOCOL, hex } from '../../support/frames';
import type { Segment } from '../../support/sent';
import { World } from '../../support/world';
import { type Recording, type Seen, SERVICE_PORT, record } from './kernel';

const FAMILIES = {
  4: { client: '10.0.1.9', server: '10.0.2.2', other: '10.0.3.3' },
  6: { client: 'fd01::9', server: 'fd02::2', other: 'fd03::3' },
} as const;

/** A frame that went into the kernel, and what came out of it. */
interface Pair {
  readonly atMs: number;
  readonly port: Port;
  readonly into: Segment;
  readonly out: Segment;
}

/**
 * What the kernel does not change, and nobody else sends: identification, payload, flags, window, the client's numbers, and
 * how far its SACK blocks are from what it acknowledges. Frames that are alike may overtake each other in the kernel.
 */
function mark({ bytes, payload, flags, window, seq, ack, timestamps, sack }: Segment, inbound: boolean): string {
  const packet = bytes.subarray(14);
  const id = isIpv6(packet) ? '' : hex(packet.subarray(4, 6));
  const ours = inbound ? seq : ack;
  const clock = inbound ? timestamps?.[0] : timestamps?.[1];
  const blocks = sack.map(([left, right]) => `${(left - ack) | 0}+${(right - left) | 0}`).join();
  return `${id} ${flags} ${window} ${ours} ${clock ?? '-'} ${blocks} ${hex(payload)}`;
}

/**
 * Each frame of the one side with its translation on the other. What the kernel sent by itself has none, nor has the
 * handshake, whose steps look the same on both sides and are not passed on by a SYN proxy.
 */
function pairs({ atClient, atServer }: Recording, client: string): Pair[] {
  const third = atClient.find(({ segment }) => segment.src === client && segment.flags === 'A');
  const of = (list: readonly Seen[], inbound: boolean): Seen[] =>
    list.filter((seen) => {
      const { src, flags } = seen.segment;
      return (src === client) === inbound && !flags.includes('S') && seen !== third;
    });
  const match = (from: readonly Seen[], to: readonly Seen[], port: Port): Pair[] => {
    const left = [...to];
    const inbound = port === Port.Wire;
    return from.flatMap(({ atMs, segment }): Pair[] => {
      const wanted = mark(segment, inbound);
      const i = left.findIndex((other) => mark(other.segment, inbound) === wanted);
      const [out] = i < 0 ? [] : left.splice(i, 1);
      return out === undefined ? [] : [{ atMs, port, into: segment, out: out.segment }];
    });
  };
  return [
    ...match(of(atClient, true), of(atServer, true), Port.Wire),
    ...match(of(atServer, false), of(atClient, false), Port.Stack),
  ].sort((a, b) => a.atMs - b.atMs);
}

/** A frame as hex without its link header, its hop limit and the checksum over that. */
function comparable(frame: Uint8Array): string {
  const packet = frame.slice(14);
  const v6 = isIpv6(packet);
  packet[v6 ? 7 : 8] = 0;
  if (!v6) packet.set([0, 0], 10);
  return hex(packet);
}

function isIpv6(packet: Uint8Array): boolean {
  return (packet[0] ?? 0) >> 4 === 6;
}

function segmentOf(list: readonly Seen[], src: string, flags: string): Segment {
  const found = list.find(({ segment }) => segment.src === src && segment.flags === flags);
  if (found === undefined) throw new Error(`no ${flags} of ${src}`);
  return found.segment;
}

/** NOP, NOP, timestamps: the only place where Linux puts them but in a SYN. */
const ALIGNED_TIMESTAMPS = 0x0101080a;

/** The frame with another time of the server's clock: the kernel and the core let it begin anywhere. */
function withClock(bytes: Uint8Array, field: 'tsval' | 'tsecr', by: number): Uint8Array {
  if (by === 0) return bytes;
  const frame = bytes.slice();
  const packet = frame.subarray(14);
  const v6 = isIpv6(packet);
  const addresses = v6 ? packet.subarray(8, 40) : packet.subarray(12, 20);
  const tcp = packet.subarray(v6 ? 40 : ((packet[0] ?? 0) & 15) * 4);
  const view = new DataView(tcp.buffer, tcp.byteOffset, tcp.length);
  if (tcp.length < 32 || view.getUint32(20) !== ALIGNED_TIMESTAMPS) return bytes;
  const at = field === 'tsval' ? 24 : 28;
  view.setUint32(at, view.getUint32(at) + by);
  view.setUint16(16, 0);
  view.setUint16(16, slowChecksum(pseudoHeader(addresses, new Uint8Array(0), PROTOCOL.tcp, tcp.length), tcp));
  return frame;
}

function compareAll(t: ExecutionContext, world: World, list: readonly Pair[], clockShift = 0): void {
  const wrong: string[] = [];
  for (const { port, into, out } of list) {
    const inbound = port === Port.Wire;
    // A client of the core's echoes the core's clock.
    const frame = inbound ? withClock(into.bytes, 'tsecr', clockShift) : into.bytes;
    const sent = world.receive(port, frame).filter(({ kind }) => kind === 'tcp');
    const expected = comparable(out.bytes);
    const found = sent.map(({ bytes }) => comparable(inbound ? bytes : withClock(bytes, 'tsval', -clockShift)));
    if (!found.includes(expected)) wrong.push(`${port}: kernel ${expected}\n   core ${found.join(' ')}`);
  }
  t.deepEqual(wrong.slice(0, 3), [], `${wrong.length} of ${list.length} frames`);
}

for (const family of [4, 6] as const) {
  const { client, server, other } = FAMILIES[family];

  // Over IPv6 the SYN proxy of the kernel this was written on (6.18) leaves every SYN without an answer.
  for (const timestamps of family === 4 ? [false, true] : []) {
    test(`IPv${family}: a SYN proxy, ${timestamps ? 'with' : 'without'} timestamps`, async (t) => {
      const recording = await record(t, {
        client,
        server,
        service: server,
        timestamps,
        rules: [
          'add chain inet t p { type filter hook prerouting priority raw; }',
          `add rule inet t p tcp dport ${SERVICE_PORT} tcp flags syn notrack`,
          'add chain inet t f { type filter hook forward priority 0; }',
          `add rule inet t f tcp dport ${SERVICE_PORT} ct state invalid,untracked synproxy mss 1460 wscale 7 ${timestamps ? 'timestamp ' : ''}sack-perm`,
          'add rule inet t f ct state invalid drop',
        ],
      });
      const { atClient, atServer } = recording;
      const world = new World('release', { services: [{ address: server, replica: server, ports: [SERVICE_PORT] }] });
      // What the client was told at first is the primary's; the server's own answer is the replica's.
      world.receive(Port.Wire, segmentOf(atClient, client, 'S').bytes);
      const promised = segmentOf(atClient, server, 'SA');
      world.receive(Port.Wire, promised.bytes);
      world.receive(Port.Wire, segmentOf(atClient, client, 'A').bytes);
      world.setState(ServiceState.Recovery);
      const real = segmentOf(atServer, server, 'SA');
      world.receive(Port.Stack, real.bytes);
      const list = pairs(recording, client);
      const first = list.find(({ port }) => port === Port.Stack);
      // The first word of the server confirms the connection, and so is not passed on.
      if (first !== undefined) world.receive(Port.Stack, first.into.bytes);
      const rest = list.filter((pair) => pair !== first);
      compareAll(t, world, rest, timestamps ? clockOf(world, rest) : 0);
      t.true(rest.length > 200);
      t.not(real.seq, promised.seq);
      // The proxy keeps what the client offered in the timestamp it gives it; without one it offers nothing.
      t.is(
        rest.some(({ into }) => into.sack.length > 0),
        timestamps,
        'selective acknowledgements',
      );
      t.log(`${rest.length} frames, ${rest.filter(({ into }) => into.sack.length > 0).length} with SACK`);
    });
  }

  test(`IPv${family}: NAT`, async (t) => {
    const recording = await record(t, {
      client,
      server,
      service: other,
      timestamps: true,
      rules: [
        'add chain inet t n { type nat hook prerouting priority -100; }',
        `add rule inet t n ip${family === 6 ? '6' : ''} daddr ${other} tcp dport ${SERVICE_PORT} dnat to ${server}`,
      ],
    });
    const world = new World('release', { services: [{ address: other, replica: server, ports: [SERVICE_PORT] }] });
    world.setState(ServiceState.Recovery);
    world.setState(ServiceState.Proxy);
    world.receive(Port.Wire, segmentOf(recording.atClient, client, 'S').bytes);
    world.receive(Port.Stack, segmentOf(recording.atServer, server, 'SA').bytes);
    const list = pairs(recording, client);
    compareAll(t, world, list);
    t.true(list.length > 200);
    t.true(
      list.some(({ into }) => into.sack.length > 0),
      'selective acknowledgements',
    );
    t.log(`${list.length} frames`);
  });
}

/** By how much the core's server clock, as the client hears it, is ahead of the kernel's. */
function clockOf(world: World, list: readonly Pair[]): number {
  const pair = list.find(({ port, into }) => port === Port.Stack && into.timestamps !== undefined);
  if (pair === undefined) return 0;
  const [sent] = world.receive(Port.Stack, pair.into.bytes).flatMap((frame) => (frame.kind === 'tcp' ? [frame] : []));
  return ((sent?.timestamps?.[0] ?? 0) - (pair.out.timestamps?.[0] ?? 0)) | 0;
}
