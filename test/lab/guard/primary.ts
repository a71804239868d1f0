/**
 * A primary, a backup and a client on a hub. The backup is played by a kernel that has the service address, the client
 * by frames that are forged, so that every answer has its known cause.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type Host, Network, type Segment } from '../../../src/demo/network';
import type { Message, Program } from '../../../src/demo/program';
import { bundle } from '../../support/bundle';
import { pcap } from '../../inspect/capture-writer';
import { tcpFrame } from '../../support/frames';
import { type Frame, parseCapture } from '../pcap';

const MIGWARE = resolve('build/migware.js');

export const PORT = 7000;
export const SERVICE: Readonly<Record<4 | 6, string>> = { 4: '10.77.0.2', 6: 'fd77::2' };
/** The primary's own addresses, which stay its own. */
const OWN: Readonly<Record<4 | 6, string>> = { 4: '10.77.0.12', 6: 'fd77::12' };
const CLIENT: Readonly<Record<4 | 6, string>> = { 4: '10.77.0.9', 6: 'fd77::9' };
const FAMILIES = [4, 6] as const;

interface FramesMessage extends Message {
  readonly frames: readonly { readonly hex: string }[];
}

export async function openStage(t: ExecutionContext): Promise<Stage> {
  const agentProgram = await bundle('test/lab/host/agent.ts');
  const network = new Network();
  t.teardown(network.close);
  const segment = network.hub();
  const [primary, backup, client] = [network.host('primary'), network.host('backup'), network.host('client')];
  segment.plug(primary, [`${OWN[4]}/24`, `${OWN[6]}/64`]);
  segment.plug(backup, ['10.77.0.3/24', 'fd77::3/64']);
  segment.plug(client, [`${CLIENT[4]}/24`, `${CLIENT[6]}/64`]);
  const agent = client.start('agent', process.execPath, agentProgram);
  await agent.next('ready');
  await agent.ask(`capture eth0 ether_src_${primary.mac()}`);
  return new Stage(network, segment, primary, backup, client, agent, agentProgram);
}

export class Stage {
  readonly stateDir: string;
  readonly #config: string;
  #pings = 0;
  #shown = 0;
  #port = 40000;

  constructor(
    readonly network: Network,
    readonly segment: Segment,
    readonly primary: Host,
    readonly backup: Host,
    readonly client: Host,
    private readonly agent: Program,
    private readonly agentProgram: string,
  ) {
    this.stateDir = `${network.directory}/state`;
    this.#config = `${network.directory}/migware.toml`;
    const service = (family: 4 | 6) => [
      '[[service]]',
      `name = "v${family}"`,
      `address = "${SERVICE[family]}"`,
      `ports = [${PORT}]`,
      `replica = "${family === 4 ? '10.77.0.3' : 'fd77::3'}"`,
    ];
    const lines = ['interface = "eth0"', `state_dir = "${this.stateDir}"`, ...service(4), ...service(6)];
    writeFileSync(this.#config, lines.join('\n'));
  }

  /** Starts the guard and waits until the host is silent. */
  async guard(...options: readonly string[]): Promise<Program> {
    const guard = this.primary.start('guard', process.execPath, MIGWARE, 'guard', '-c', this.#config, ...options);
    await guard.hears(/"guarding"/);
    return guard;
  }

  /** A service on the primary that can be told what to send. */
  async service(): Promise<Program> {
    const service = this.primary.start('service', process.execPath, this.agentProgram);
    await service.next('ready');
    await service.ask(`listen ${PORT}`);
    return service;
  }

  take(host: Host): void {
    host.address('eth0', `${SERVICE[4]}/24`, `${SERVICE[6]}/64`);
  }

  give(host: Host): void {
    host.ip(`address del ${SERVICE[4]}/24 dev eth0`, `address del ${SERVICE[6]}/64 dev eth0`);
  }

  /**
   * Makes the primary's stack speak in the name of the service address, if it may: by segments of connections that it
   * does not know, by the question who has the address, by something to send from it.
   * @returns frames of the primary in that name, seen since the last call
   */
  async provoke(): Promise<string[]> {
    for (const family of FAMILIES) {
      for (const flags of ['S', 'A', 'PA', 'FA']) await this.#inject(family, flags);
    }
    this.client.run('ip', 'neigh', 'flush', 'dev', 'eth0');
    for (const family of FAMILIES) {
      // Whether somebody answers is for the frames to tell.
      this.client.run('bash', '-c', `ping -c 1 -W 1 ${SERVICE[family]} || true`);
      const stranger = family === 4 ? '10.77.0.77' : 'fd77::77';
      this.primary.run('bash', '-c', `ping -c 1 -W 1 -I ${SERVICE[family]} ${stranger} || true`);
    }
    return this.spoken();
  }

  /** Frames of the primary in the name of the service address, seen since the last call. */
  async spoken(): Promise<string[]> {
    let frames: readonly Frame[] = [];
    // A host handles in order what it is sent, and answers in order: behind the last answer there is none.
    for (const family of FAMILIES) this.client.run('ping', '-c', '1', OWN[family]);
    this.#pings += FAMILIES.length;
    const isPong = ({ icmp }: Frame) => icmp?.type === 0 || icmp?.type === 129;
    await this.agent.until<FramesMessage>('frames', 'the answers of the primary', (answer) => {
      frames = parseFrames(answer.frames.map(({ hex }) => hex));
      return frames.filter((frame) => isPong(frame) && isOwn(frame)).length >= this.#pings;
    });
    const fresh = frames.slice(this.#shown);
    this.#shown = frames.length;
    return fresh.map(inTheName).filter((text) => text !== undefined);
  }

  /** What was seen until now is nobody's concern: the neighbours that `provoke` made it look for are asked for once more. */
  async forget(): Promise<void> {
    const { frames } = await this.agent.ask<FramesMessage>('frames');
    this.#shown = parseFrames(frames.map(({ hex }) => hex)).length;
  }

  async #inject(family: 4 | 6, flags: string): Promise<void> {
    const frame = tcpFrame({
      srcMac: this.client.mac(),
      dstMac: this.primary.mac(),
      src: CLIENT[family],
      srcPort: this.#port++,
      dst: SERVICE[family],
      dstPort: PORT,
      flags,
      ack: flags === 'S' ? 0 : 12345,
      payload: flags === 'PA' ? 'data' : '',
    });
    await this.agent.ask(`inject eth0 ${Buffer.from(frame).toString('hex')}`);
  }
}

function parseFrames(frames: readonly string[]): Frame[] {
  const shots = frames.map((hex) => ({ frame: Buffer.from(hex, 'hex'), atMs: 0 }));
  return parseCapture(pcap({ order: 'LE', unit: 'us' }, shots));
}

function isOwn({ ip }: Frame): boolean {
  return ip?.source === OWN[4] || ip?.source === OWN[6];
}

/** What a frame says in the name of the service address. */
function inTheName({ arp, ip, tcp, icmp, bytes }: Frame): string | undefined {
  if (arp !== undefined) return arp.sender === SERVICE[4] ? 'ARP' : undefined;
  if (icmp?.type === 136 && bytes.subarray(62, 78).equals(SERVICE_6)) return 'advertisement';
  if (ip?.source !== SERVICE[4] && ip?.source !== SERVICE[6]) return undefined;
  if (icmp?.type === 135) return 'solicitation';
  if (tcp === undefined) return undefined;
  return `${ip.source === SERVICE[4] ? 'IPv4' : 'IPv6'} ${(tcp.flags & 4) !== 0 ? 'RST' : 'segment'}`;
}

const SERVICE_6 = Buffer.from('fd770000000000000000000000000002', 'hex');
