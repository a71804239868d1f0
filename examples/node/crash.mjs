/**
 * The shortest host there is: a client opens a connection and says something, the server dies, and the core opens the
 * connection to a replica in the client's name.
 *
 *   node examples/node/crash.mjs FILE.pcap ADDRESS
 *
 * Reads the frames of a capture (classic pcap), declares the server ADDRESS dead at its end, and prints what became of each
 * connection, and what the core would send.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Core, FrameExchange, Port, Risk, ServiceState, formatEndpoint, parseAddress, riskName } from 'migware/core';

const [path = '', address = ''] = process.argv.slice(2);
const server = parseAddress(address);
const replica = parseAddress(address.includes(':') ? '2001:db8::77' : '203.0.113.77');
if (server === undefined || replica === undefined) {
  console.error('usage: node examples/node/crash.mjs FILE.pcap ADDRESS');
  process.exit(2);
}

const module = readFileSync(fileURLToPath(import.meta.resolve('migware/core.wasm')));
const capacity = { connections: 4096, retainedBytes: 16 << 20, retainedPerConnectionBytes: 1 << 20 };
const core = Core.load(module, capacity, crypto.getRandomValues(new Uint32Array(4)));
core.setPort(Port.Wire, 1500, Uint8Array.of(2, 0, 0, 0, 0, 1));
core.setPort(Port.Stack, 65535, Uint8Array.of(2, 0, 0, 0, 0, 2), Uint8Array.of(2, 0, 0, 0, 0, 3));
const frames = [...framesOf(path)];
const ports = portsOf(frames);
core.addService({
  address: server,
  replica,
  ports,
  handshakeWindow: 512,
  echo: false,
  vlan: 0,
  mapFirst: 0,
  mapLast: 0,
});

const exchange = new FrameExchange(core);
let nowMs = 0;
for (const { bytes, wireLength, timeMs } of frames) {
  nowMs = timeMs;
  exchange.receive(Port.Wire, bytes, nowMs, wireLength);
}
for (const { client, clientPort, serverPort, risk } of core.connections()) {
  console.log(
    `${formatEndpoint(client, clientPort)} -> port ${serverPort}: ${risk === Risk.None ? 'recoverable' : riskName(risk)}`,
  );
}
const sent = exchange.setServiceState(0, ServiceState.Recovery, nowMs);
console.log(`the server dies: ${core.recovering(0)} connections to move, ${sent.length} frames to send`);

/** @param {string} file little-endian pcap in microseconds, as tcpdump writes it */
function* framesOf(file) {
  const capture = readFileSync(file);
  for (let at = 24; at + 16 <= capture.length;) {
    const length = capture.readUInt32LE(at + 8);
    const timeMs = capture.readUInt32LE(at) * 1000 + Math.floor(capture.readUInt32LE(at + 4) / 1000);
    yield { bytes: capture.subarray(at + 16, at + 16 + length), wireLength: capture.readUInt32LE(at + 12), timeMs };
    at += 16 + length;
  }
}

/**
 * The server's ports, as a core that tracks everything sees them.
 * @param {readonly { bytes: Uint8Array, wireLength: number, timeMs: number }[]} all
 */
function portsOf(all) {
  const scout = Core.load(module, capacity, new Uint32Array(4));
  scout.trackAll(true);
  const tracker = new FrameExchange(scout);
  for (const { bytes, wireLength, timeMs } of all) tracker.receive(Port.Wire, bytes, timeMs, wireLength);
  const found = [...scout.connections()].filter((connection) => connection.server === address);
  return [...new Set(found.map(({ serverPort }) => serverPort))].slice(0, 64);
}
