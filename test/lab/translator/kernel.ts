/**
 * Two hosts with Linux between them that translates: what went in and what came out, frame by frame. Nothing is lost on
 * either wire; the client itself refuses some segments, so that there is something to repeat and to acknowledge selectively.
 */
import type { ExecutionContext } from 'ava';
import { type Host, Network } from '../../../src/demo/network';
import { type Segment, readSent } from '../../support/sent';
import { Port } from '../../../assembly/abi/codes';
import { Capture } from '../capture';

export const SERVICE_PORT = 7000;
const BYTES = 300_000;
/** One in so many of the server's full segments is refused by the client. */
const REFUSED = 10;

export interface Site {
  readonly client: string;
  readonly server: string;
  /** Rules of the host between, each of nft, behind "table inet t". */
  readonly rules: readonly string[];
  /** Where the client connects to. */
  readonly service: string;
  readonly timestamps: boolean;
}

/** A frame as one of the two hosts saw it. */
export interface Seen {
  readonly atMs: number;
  readonly segment: Segment;
}

export interface Recording {
  readonly atClient: readonly Seen[];
  readonly atServer: readonly Seen[];
}

const SERVER = `
  const { createServer } = require('node:net');
  createServer((socket) => {
    socket.on('error', () => {});
    let read = 0;
    socket.on('data', (data) => { read += data.length; if (read === ${BYTES}) socket.end(Buffer.alloc(${BYTES}, 'x')); });
  }).listen(${SERVICE_PORT}, '::', () => console.log('listening'));`;

const CLIENT = `
  const { connect } = require('node:net');
  let read = 0;
  const socket = connect(${SERVICE_PORT}, process.argv[1], () => socket.write(Buffer.alloc(${BYTES}, 'y')));
  socket.on('data', (data) => { read += data.length; });
  socket.on('end', () => socket.end());
  socket.on('close', () => console.log('closed after ' + read));
  socket.on('error', ({ code }) => console.log(code));`;

export async function record(t: ExecutionContext, site: Site): Promise<Recording> {
  const network = new Network();
  t.teardown(network.close);
  const [client, between, server] = ['client', 'between', 'server'].map((name) => network.host(name)) as [
    Host,
    Host,
    Host,
  ];
  network.link(client, 'eth0', between, 'eth0');
  network.link(between, 'eth1', server, 'eth0');
  const v6 = site.client.includes(':');
  const [left, right] = v6 ? ['fd01::1', 'fd02::1'] : ['10.0.1.1', '10.0.2.1'];
  const prefix = v6 ? 64 : 24;
  client.address('eth0', `${site.client}/${prefix}`);
  server.address('eth0', `${site.server}/${prefix}`);
  // The sentinels of captures are IPv4, whatever else is.
  if (v6) for (const host of [client, server]) host.address('eth0', '192.0.2.1/32');
  between.address('eth0', `${left}/${prefix}`);
  between.address('eth1', `${right}/${prefix}`);
  const everything = v6 ? '::/0' : 'default';
  client.ip(`route add ${everything} via ${left}`);
  server.ip(`route add ${everything} via ${right}`);
  // Frames are to be on the wire what they are in the stacks: none merged, no checksum left to a device.
  for (const [host, device] of [
    [client, 'eth0'],
    [between, 'eth0'],
    [between, 'eth1'],
    [server, 'eth0'],
  ] as const) {
    host.run('ethtool', '-K', device, 'tx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off');
  }
  between.sysctl({
    'net.ipv4.ip_forward': 1,
    'net.ipv6.conf.all.forwarding': 1,
    'net.ipv4.tcp_syncookies': 1,
    'net.ipv4.tcp_timestamps': site.timestamps ? 1 : 0,
  });
  for (const host of [client, server]) {
    // The window scale that the rules speak of.
    host.sysctl({ 'net.ipv4.tcp_rmem': '4096 131072 6291456', 'net.ipv4.tcp_timestamps': site.timestamps ? 1 : 0 });
  }
  nft(between, site.rules);
  // A segment of a connection whose SYN was not tracked is the SYN proxy's.
  between.sysctl({ 'net.netfilter.nf_conntrack_tcp_loose': 0 });
  nft(client, [
    'add chain inet t i { type filter hook input priority 0; }',
    `add rule inet t i tcp sport ${SERVICE_PORT} meta length > 1000 numgen random mod ${REFUSED} 0 drop`,
  ]);
  const listener = server.start('server', process.execPath, '-e', SERVER);
  await listener.hears(/listening/);
  const more = ['-s', '0'];
  const filter = 'tcp or ip6 proto 6 or udp port 9';
  const captures = [
    await Capture.start(client, `${network.directory}/client.pcap`, filter, 'eth0', more),
    await Capture.start(server, `${network.directory}/server.pcap`, filter, 'eth0', more),
  ];
  const program = client.start('client', process.execPath, '-e', CLIENT, site.service);
  await program.hears(new RegExp(`closed after ${BYTES}`));
  const [atClient = [], atServer = []] = await Promise.all(captures.map(segments));
  return { atClient, atServer };
}

function nft(host: Host, rules: readonly string[]): void {
  for (const rule of ['add table inet t', ...rules]) host.run('nft', ...rule.split(' '));
}

async function segments(capture: Capture): Promise<Seen[]> {
  return (await capture.frames()).flatMap(({ atMs, bytes, tcp }) => {
    if (tcp === undefined) return [];
    const segment = readSent(Port.Wire, 0, new Uint8Array(bytes));
    return segment.kind === 'tcp' ? [{ atMs, segment }] : [];
  });
}
