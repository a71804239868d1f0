/** `migware inspect` over what tcpdump saw of connections between two kernels: their options are what was set. */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { InspectedConnection } from '../../../src/inspect/report';
import { Capture } from '../capture';
import { type LabOptions, PORT, openLab } from '../lab';

interface Inspected {
  readonly complete: boolean;
  readonly connections: readonly InspectedConnection[];
  readonly refused: Readonly<Record<string, number>>;
}

const CONNECTIONS = 5;
const RECORD = 100;
/** What Linux offers and accepts by default. */
const KERNEL_DEFAULTS = ['window-scale', 'sack', 'timestamps'];

/** An interface, and options of tcpdump. */
type Tap = readonly [device: string, ...options: string[]];

/** Opens connections, lets each send some records, and closes them; then one that stays. */
async function capture(t: ExecutionContext, choices: LabOptions): Promise<Inspected> {
  const [inspected] = await captures(t, choices, [['eth0']]);
  if (inspected === undefined) throw new Error('no capture');
  return inspected;
}

/** The same, by several taps at a time. */
async function captures(t: ExecutionContext, choices: LabOptions, taps: readonly Tap[]): Promise<Inspected[]> {
  const lab = await openLab(t, { ...choices, service: { mode: 'echo' } });
  const fileOf = (i: number): string => `${lab.network.directory}/inspected-${i}.pcap`;
  const running: Capture[] = [];
  for (const [i, [device, ...options]] of taps.entries()) {
    running.push(await Capture.start(lab.backup, fileOf(i), 'tcp or ip6 proto 6 or udp port 9', device, options));
  }
  const talk = { mode: 'echo', record: RECORD, interval: 5 } as const;
  const ending = await lab.connect({ ...talk, connections: CONNECTIONS - 1 });
  await lab.allProgress(ending);
  await lab.finish(ending);
  const staying = await lab.connect(talk);
  await lab.allProgress(staying);
  // One tap is closed after the other: nothing may pass in between.
  await staying.ask('pause');
  await lab.until(staying, 'silence', ({ waiting }) => waiting === 0);
  for (const tcpdump of running) await tcpdump.settled();
  return taps.map((_, i) => {
    const output = execFileSync(process.execPath, [resolve('build/migware.js'), 'inspect', '--json', fileOf(i)]);
    return JSON.parse(output.toString()) as Inspected;
  });
}

interface Case {
  readonly name: string;
  readonly lab: LabOptions;
  readonly options: readonly string[];
  readonly mss: readonly [client: number, server: number];
}

const CASES: readonly Case[] = [
  { name: 'as the kernel has them', lab: {}, options: KERNEL_DEFAULTS, mss: [1460, 1460] },
  {
    name: 'IPv6, the client on a smaller link',
    lab: { family: 6, mtu: { client: 1400 } },
    options: KERNEL_DEFAULTS,
    mss: [1340, 1440],
  },
  {
    name: 'no timestamps at the server, explicit congestion notification',
    lab: {
      sysctl: { primary: { 'net.ipv4.tcp_timestamps': 0, 'net.ipv4.tcp_ecn': 1 }, client: { 'net.ipv4.tcp_ecn': 1 } },
    },
    options: ['window-scale', 'sack', 'ecn'],
    mss: [1460, 1460],
  },
  {
    name: 'none but the MSS',
    lab: {
      sysctl: {
        client: { 'net.ipv4.tcp_sack': 0, 'net.ipv4.tcp_timestamps': 0, 'net.ipv4.tcp_window_scaling': 0 },
      },
    },
    options: [],
    mss: [1460, 1460],
  },
  // Frames up to 64 KiB with checksums that nobody has filled in, as they are on the host that sends them.
  { name: 'offloads on', lab: { offloads: true }, options: KERNEL_DEFAULTS, mss: [1460, 1460] },
];

for (const { name, lab, options, mss } of CASES) {
  test(`a capture of real kernels: ${name}`, async (t) => {
    const { complete, connections, refused } = await capture(t, lab);
    t.true(complete);
    t.deepEqual(refused['bad-tcp-checksum'], undefined);
    const ours = connections.filter(({ server }) => server.endsWith(`:${PORT}`));
    t.is(ours.length, CONNECTIONS);
    t.is(ours.filter(({ state }) => state === 'established').length, 1);
    for (const { handshake, options: agreed, recoverable, state, inbound, outbound } of ours) {
      t.true(handshake);
      t.deepEqual(agreed, options);
      t.is(recoverable, 'recoverable');
      t.deepEqual([inbound.mss, outbound.mss], mss);
      t.is(inbound.windowShift === undefined, !options.includes('window-scale'));
      if (state === 'established') continue;
      t.regex(state, /^(time-wait|closed)$/);
      t.true(inbound.bytes > 0 && inbound.bytes % RECORD === 0);
      t.is(outbound.bytes, inbound.bytes);
    }
  });
}

for (const family of [4, 6] as const) {
  test(`IPv${family}: a capture on all interfaces tells the same as one on Ethernet`, async (t) => {
    const [ethernet, ...cooked] = await captures(t, { family }, [
      ['eth0'],
      ['any', '-y', 'LINUX_SLL'],
      ['any', '-y', 'LINUX_SLL2', '--time-stamp-precision=nano'],
    ]);
    const expected = ours(ethernet);
    t.is(expected.length, CONNECTIONS);
    t.deepEqual(
      expected.filter(({ recoverable }) => recoverable !== 'recoverable'),
      [],
    );
    for (const inspected of cooked) {
      t.true(inspected.complete);
      t.deepEqual(ours(inspected), expected);
    }
  });
}

/** In the order of their ports; each tap has its own clock. */
function ours(inspected: Inspected | undefined): Partial<InspectedConnection>[] {
  return (inspected?.connections ?? [])
    .filter(({ server }) => server.endsWith(`:${PORT}`))
    .map((connection) => ({ ...connection, startMs: 0, endMs: 0 }))
    .toSorted((a, b) => a.client.localeCompare(b.client));
}
