/**
 * A program for a host of the lab: does with the host's network what the daemon does, one command a line, and runs the
 * service that is the replica. Answers are JSON, one line each, with the command as `event`.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Socket, createServer } from 'node:net';
import { PcapPort } from '../../../src/sniffer/pcap-port';
import type { PacketPort } from '../../../src/sniffer/port';
import { readInterface, resolveMac } from '../../../src/takeover/discover';
import { type HostNetwork, setUpHostNetwork } from '../../../src/takeover/host-network';
import { Journal } from '../../../src/takeover/journal';

const ports = new Map<string, PacketPort>();
const frames: { device: string; wireLength: number; hex: string }[] = [];
/** Frames counted by device, those of `quiet` ones only counted. */
const received = new Map<string, number>();
const quiet = new Set<string>();
const closeOnFrame = new Set<string>();
const failures: string[] = [];
const sockets = new Map<string, Socket>();
const heard: Record<string, string> = {};
let journal: Journal | undefined;

/** A session that is only there to send. */
const QUIET = { filter: 'less 1', bufferBytes: 1 << 20, snapLength: 100, promiscuous: false };

/** Frames that have come to the interface, shown by a port or not. */
function arrived(device: string): number {
  return Number(readFileSync(`/sys/class/net/${device}/statistics/rx_packets`, 'utf8'));
}

function say(event: string, fields: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

const commands: Readonly<Record<string, (...args: string[]) => object | Promise<object>>> = {
  /** Takes the directory and undoes what a dead process left. */
  async open(stateDir = '') {
    journal = await Journal.open(stateDir);
    const left = journal.changes;
    const failed = await journal.undo();
    return { left, failures: failed.map(({ error }) => String(error)) };
  },

  async setup(stateDir = '', services = '', replicas = '', offloads = 'keep') {
    if (journal === undefined) throw new Error('not open');
    const split = (list: string) => list.split(',').filter((item) => item !== '' && item !== '-');
    const network: HostNetwork = await setUpHostNetwork(journal, {
      stateDir,
      wire: await readInterface('eth0'),
      serviceAddresses: split(services),
      localReplicas: split(replicas),
      keepOffloads: offloads === 'keep',
    });
    return { stack: network.stack, changes: journal.changes };
  },

  /** The process is to be killed at the change numbered so, before or after it is made. */
  crash(number = '1', when = 'before') {
    const victim = journal;
    if (victim === undefined) throw new Error('not open');
    const make = victim.make.bind(victim);
    const die = () => process.kill(process.pid, 'SIGKILL');
    let left = Number(number);
    victim.make = (change, action) => {
      if (--left !== 0) return make(change, action);
      return make(change, async () => {
        if (when === 'after') await action();
        die();
        await new Promise(() => undefined);
      });
    };
    return {};
  },

  async undo() {
    const failed = (await journal?.undo()) ?? [];
    return { failures: failed.map(({ error }) => String(error)) };
  },

  async capture(device = '', filter = '', snapLength = '65600') {
    const { mac, mtu } = await readInterface(device);
    const port = new PcapPort(device, {
      filter: filter.replaceAll('_', ' '),
      bufferBytes: 8 << 20,
      snapLength: Number(snapLength),
      promiscuous: true,
      mtu,
      mac: Buffer.from(mac.replaceAll(':', ''), 'hex'),
    });
    const buffer = Buffer.alloc(Number(snapLength));
    port.start({
      buffer,
      frame: (length, wireLength) => {
        received.set(device, (received.get(device) ?? 0) + 1);
        if (closeOnFrame.has(device)) port.close();
        if (quiet.has(device)) return;
        frames.push({ device, wireLength, hex: buffer.toString('hex', 0, length) });
      },
      failed: (error) => failures.push(error.message),
    });
    ports.set(device, port);
    return { mac };
  },

  /** What the ports have shown, from the frame numbered so on. */
  frames(from = '0') {
    return { frames: frames.slice(Number(from)), failures };
  },

  inject(device = '', hex = '') {
    return { sent: ports.get(device)?.send(Buffer.from(hex, 'hex')) ?? false };
  },

  /** Sends it by another session than the one that captures there. */
  async injectByOther(device = '', hex = '') {
    const { mac, mtu } = await readInterface(device);
    const other = new PcapPort(device, { ...QUIET, mtu, mac: Buffer.from(mac.replaceAll(':', ''), 'hex') });
    const sent = other.send(Buffer.from(hex, 'hex'));
    other.close();
    return { sent };
  },

  /** Takes what a port has now, before the event loop comes to it. */
  poll(device = '') {
    ports.get(device)?.poll();
    return {};
  },

  /** Blocks the event loop until a port has shown that many frames, taken by polling. */
  pollUntil(device = '', count = '') {
    while ((received.get(device) ?? 0) < Number(count)) ports.get(device)?.poll();
    return {};
  },

  arrived(device = '') {
    return { arrived: arrived(device) };
  },

  /** Takes the interface down when so many frames have come in all, before the event loop comes to either. */
  downAfter(device = '', count = '') {
    while (arrived(device) < Number(count));
    execFileSync('ip', ['link', 'set', device, 'down']);
    return {};
  },

  /** Sends that many frames of that many bytes, as fast as it goes. */
  flood(device = '', count = '', bytes = '') {
    const port = ports.get(device);
    const frame = Buffer.alloc(Number(bytes), 0x77);
    let sent = 0;
    for (let i = 0; i < Number(count); i++) sent += port?.send(frame) === true ? 1 : 0;
    return { sent };
  },

  /** From now on frames of the device are counted only. */
  quiet(device = '') {
    quiet.add(device);
    return {};
  },

  count(device = '') {
    return { count: received.get(device) ?? 0, failures };
  },

  /** The port is closed by who receives its next frame. */
  closeOnFrame(device = '') {
    closeOnFrame.add(device);
    return {};
  },

  stats(device = '') {
    return { ...ports.get(device)?.stats() };
  },

  close(device = '') {
    ports.get(device)?.close();
    return {};
  },

  async mac(address = '', device = '', timeoutMs = '1000') {
    return { mac: await resolveMac(address, device, Number(timeoutMs)) };
  },

  listen(port = '') {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const id = `${socket.remoteAddress?.replace('::ffff:', '') ?? ''}/${socket.remotePort}`;
      sockets.set(id, socket);
      socket.on('error', () => undefined);
      heard[id] = '';
      socket.on('data', (data) => (heard[id] = (heard[id] ?? '') + data.toString('latin1')));
    });
    return new Promise((done) => server.listen(Number(port), '::', () => done({})));
  },

  /** The service's connections and what it has read from each. */
  heard() {
    return { heard };
  },

  write(id = '', bytes = '') {
    sockets.get(id)?.write('x'.repeat(Number(bytes)));
    return {};
  },

  end(id = '') {
    sockets.get(id)?.end();
    return {};
  },

  destroy(id = '') {
    sockets.get(id)?.destroy();
    return {};
  },

  reset(id = '') {
    sockets.get(id)?.resetAndDestroy();
    return {};
  },

  /** The event loop ends if nothing holds it. */
  finish() {
    input.close();
    process.stdin.unref();
    return {};
  },
};

const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  const [command = '', ...args] = line.split(' ');
  void (async () => {
    try {
      say(command, await commands[command]?.(...args));
    } catch (error) {
      say(command, { error: String(error) });
    }
  })();
});
say('ready');
