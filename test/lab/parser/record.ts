/**
 * A capture of what kernels send to each other: a client, a router that loses, refuses and is too narrow, a server. Every
 * family of options, headers and messages that Linux makes by itself comes about by something that causes it. Tags do not:
 * not every kernel has VLAN interfaces.
 */
import type { ExecutionContext } from 'ava';
import { type Host, Network } from '../../../src/demo/network';
import { Capture } from '../capture';

/** Too few bytes for what the server sends at once. */
const NARROW_MTU = 1300;
const [OPEN, REFUSED, CLOSED] = [7000, 7001, 7002] as const;
const BYTES = 400_000;
/** One in so many segments of the server is lost, for selective acknowledgements. */
const LOSS = 12;

const SERVER = `
  const { createServer } = require('node:net');
  createServer((socket) => { socket.on('error', () => {}); socket.end(Buffer.alloc(${BYTES}, 'x')); })
    .listen(${OPEN}, '::', () => console.log('listening'));`;

const CLIENT = `
  const { connect } = require('node:net');
  const [host, port] = process.argv.slice(1);
  let read = 0;
  const socket = connect(Number(port), host, () => socket.write('hello'));
  socket.on('data', (data) => { read += data.length; });
  socket.on('error', ({ code }) => console.log('ended ' + code));
  socket.on('end', () => { socket.end(); console.log('ended ' + read); });`;

export async function recordKernels(t: ExecutionContext): Promise<Uint8Array[]> {
  const network = new Network();
  t.teardown(network.close);
  const [client, router, server] = ['client', 'router', 'server'].map((name) => network.host(name)) as [
    Host,
    Host,
    Host,
  ];
  network.link(client, 'eth0', router, 'eth0');
  network.link(router, 'eth1', server, 'eth0');
  client.address('eth0', '10.0.1.9/24', 'fd01::9/64');
  router.address('eth0', '10.0.1.1/24', 'fd01::1/64');
  router.address('eth1', '10.0.2.1/24', 'fd02::1/64');
  server.address('eth0', '10.0.2.2/24', 'fd02::2/64');
  router.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 });
  // With IPv4 the router may cut what is too big, with IPv6 it has to say so.
  server.sysctl({ 'net.ipv4.ip_no_pmtu_disc': 1 });
  client.sysctl({ 'net.ipv4.tcp_ecn': 1, 'net.ipv4.tcp_fastopen': 3 });
  client.ip('route add default via 10.0.1.1', 'route add ::/0 via fd01::1');
  server.ip('route add default via 10.0.2.1', 'route add ::/0 via fd02::1');
  // What the router does to passing segments: lose some, refuse a port, be too narrow for the way to the client.
  const rules = [
    'add table inet r',
    'add chain inet r f { type filter hook forward priority 0; }',
    `add rule inet r f tcp dport ${REFUSED} reject with icmpx type admin-prohibited`,
    `add rule inet r f tcp sport ${OPEN} meta length > 200 numgen random mod ${LOSS} 0 drop`,
  ];
  for (const rule of rules) router.run('nft', ...rule.split(' '));
  router.ip(`link set dev eth0 mtu ${NARROW_MTU}`);

  const program = server.start('server', process.execPath, '-e', SERVER);
  await program.hears(/listening/);
  // The router also sees what it is too narrow for.
  const more = ['-s', '0'];
  const captures = [
    await Capture.start(client, `${network.directory}/client.pcap`, '', 'eth0', more),
    await Capture.start(router, `${network.directory}/router.pcap`, '', 'eth1', more),
  ];
  const run = async (host: string, port: number): Promise<void> => {
    const started = client.start(`client of ${host} ${port}`, process.execPath, '-e', CLIENT, host, String(port));
    await started.hears(/ended/);
  };
  for (const host of ['10.0.2.2', 'fd02::2']) {
    await run(host, OPEN);
    await run(host, REFUSED);
    await run(host, CLOSED);
  }
  const frames: Uint8Array[] = [];
  for (const capture of captures) frames.push(...(await capture.frames()).map(({ bytes }) => bytes));
  return frames;
}
