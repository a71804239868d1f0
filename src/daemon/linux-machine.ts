/** The machine the daemon runs on: Linux, with its interfaces, routes, firewall and sockets. */
import { readFileSync } from 'node:fs';
import { RX_FRAME_BYTES } from '../core/core';
import { parseMac } from '../core/address';
import { EnvironmentError } from '../errors';
import { codeOf } from '../reason';
import { PcapPort } from '../sniffer/pcap-port';
import { SplitPort } from '../sniffer/split-port';
import { run } from '../takeover/command';
import { canonicalAddress, readInterface, readLocalAddresses, resolveMac } from '../takeover/discover';
import { type HostNetwork, type HostNetworkPlan, adoptHostNetwork, setUpHostNetwork } from '../takeover/host-network';
import { Journal, type UndoFailure } from '../takeover/journal';
import { STACK_FRAME_BYTES, type StackLink, endOrphans } from '../takeover/stack-link';
import { backlogFor, parseListeners } from './backlog';
import { NO_FRAME, stackFilter, wireFilter } from './capture-filter';
import type { Config, Logger } from './contract';
import type { Machine, OpenPort } from './machine';

/** Of the private link. Arbitrary: room for 4,000 frames, of which the stack sends one or two for each that it is sent. */
const STACK_BUFFER_BYTES = 64 * 1024 * 1024;
/** Of a port that only sends. libpcap wants room for a frame. */
const UNUSED_BUFFER_BYTES = 1024 * 1024;
/** Of an IP packet, on the private link: what its ends are made for. */
const STACK_MTU = 65535;
/** Ethernet header and two tags, rounded up. */
const LINK_HEADER_BYTES = 64;
const RESOLVE_MS = 1000;

/** capabilities(7): bits of CapEff. */
const CAPABILITIES: readonly (readonly [bit: bigint, name: string])[] = [
  [12n, 'CAP_NET_ADMIN'],
  [13n, 'CAP_NET_RAW'],
];

export class LinuxMachine implements Machine {
  #journal: Journal | undefined;
  #network: HostNetwork | undefined;
  #localAddresses: ReadonlySet<string> = new Set();

  constructor(
    private readonly config: Config,
    private readonly log: Logger,
  ) {}

  async setUp(goOn: boolean): Promise<void> {
    checkPrivileges();
    this.#localAddresses = await readLocalAddresses();
    this.#checkAddresses();
    const wire = await readInterface(this.config.interface);
    if (!wire.up) throw new EnvironmentError(`interface ${wire.name} is down: ip link set ${wire.name} up`);

    this.#journal = await Journal.open(this.config.stateDir);
    if (goOn) this.#network = await adoptHostNetwork(this.#journal, await this.#plan());
    if (this.#network !== undefined) return;
    const left = this.#journal.changes.length;
    if (left > 0) {
      this.log.warn({ changes: left }, 'undoing what an earlier daemon left behind');
      this.#tell(await this.#journal.undo());
    }
    this.#network = await setUpHostNetwork(this.#journal, await this.#plan());
    if (!goOn && this.#network.stack !== undefined) await this.#endOrphans(this.#network.stack);
  }

  isLocal({ replica }: Config['services'][number]): boolean {
    return this.#localAddresses.has(canonicalAddress(replica));
  }

  async openWire(): Promise<OpenPort> {
    const { name, mac, mtu } = await readInterface(this.config.interface);
    const services = this.config.services;
    const filter = wireFilter({
      mac,
      serviceAddresses: services.map(({ address }) => address),
      remoteReplicas: services.filter((service) => !this.isLocal(service)).map(({ replica }) => replica),
    });
    const { bufferBytes } = this.config.capture;
    const macBytes = bytesOf(mac);
    const options = { filter, bufferBytes, snapLength: RX_FRAME_BYTES, promiscuous: true, mtu, mac: macBytes };
    return { port: new PcapPort(name, options), mtu, mac: macBytes };
  }

  async openStack(): Promise<OpenPort> {
    const { host, tap, hostMac, gatewayMac, mtu } = await this.#stackLink();
    const mac = bytesOf(gatewayMac);
    const snapLength = Math.max(mtu, STACK_FRAME_BYTES) + LINK_HEADER_BYTES;
    const common = { snapLength, promiscuous: false, mtu: STACK_MTU, mac };
    // Not on the tap end, where frames arrive out of order: see stack-link.ts.
    const sender = new PcapPort(tap, { ...common, filter: NO_FRAME, bufferBytes: UNUSED_BUFFER_BYTES });
    let port: SplitPort;
    try {
      const filter = stackFilter(hostMac);
      port = new SplitPort(new PcapPort(host, { ...common, filter, bufferBytes: STACK_BUFFER_BYTES }), sender);
    } catch (error) {
      sender.close();
      throw error;
    }
    return { port, mtu: STACK_MTU, mac, peerMac: bytesOf(hostMac) };
  }

  linkUp(): boolean {
    try {
      return readFileSync(`/sys/class/net/${this.config.interface}/carrier`, 'utf8').trim() === '1';
    } catch (error) {
      // EINVAL: administratively down. ENOENT: /sys shows another namespace's interfaces, and nothing is known.
      return codeOf(error) === 'ENOENT';
    }
  }

  async replicaMac(address: string): Promise<Uint8Array | undefined> {
    const mac = await resolveMac(address, this.config.interface, RESOLVE_MS);
    return mac === undefined ? undefined : bytesOf(mac);
  }

  async backlog(address: string, ports: readonly number[]): Promise<{ backlog: number | undefined; silent: number[] }> {
    return backlogFor(parseListeners(await run('ss', ['-ltnH'])), canonicalAddress(address), ports);
  }

  async tearDown(): Promise<void> {
    if (this.#journal === undefined) return;
    this.#tell(await this.#journal.undo());
    await this.#journal.close();
    this.#journal = undefined;
  }

  async leave(): Promise<void> {
    await this.#journal?.close();
    this.#journal = undefined;
  }

  /** The address would be answered for by this host's own stack, in every state. */
  #checkAddresses(): void {
    for (const { name, address } of this.config.services) {
      if (!this.#localAddresses.has(canonicalAddress(address))) continue;
      throw new EnvironmentError(`service ${name}: ${address} is an address of this host; it has to be the primary's`);
    }
  }

  async #plan(): Promise<HostNetworkPlan> {
    const { services, stateDir, capture } = this.config;
    return {
      stateDir,
      wire: await readInterface(this.config.interface),
      serviceAddresses: services.map(({ address }) => address),
      localReplicas: services.filter((service) => this.isLocal(service)).map(({ replica }) => replica),
      keepOffloads: capture.offload,
    };
  }

  /** The private link as it is, or made anew with everything around it. */
  async #stackLink(): Promise<StackLink> {
    const known = this.#network?.stack;
    if (known === undefined) throw new Error('no service has a replica on this host');
    const now = await readInterface(known.host).catch(() => undefined);
    if (now?.mac === known.hostMac && now.up) return known;
    this.log.warn({ device: known.host }, 'the private link is gone; making it anew');
    if (this.#journal === undefined) throw new Error('not set up');
    this.#tell(await this.#journal.undo());
    this.#network = await setUpHostNetwork(this.#journal, await this.#plan());
    return this.#network.stack ?? known;
  }

  /** No reason not to start: what stays is answered with RST at its first segment. */
  async #endOrphans(stack: StackLink): Promise<void> {
    await endOrphans(stack).catch((error: unknown) => {
      this.log.warn(
        { reason: String(error) },
        'what an earlier daemon may have left at the replica could not be ended',
      );
    });
  }

  #tell(failures: readonly UndoFailure[]): void {
    for (const { change, error } of failures) {
      this.log.error({ change, reason: String(error) }, 'a change of this host could not be undone');
    }
  }
}

function checkPrivileges(): void {
  const missing = missingCapabilities();
  if (missing.length > 0) throw new EnvironmentError(`run as root: this process lacks ${missing.join(' and ')}`);
}

/** What this process may not do and would have to. */
export function missingCapabilities(): string[] {
  const [, effective = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return CAPABILITIES.filter(([bit]) => ((BigInt(`0x${effective}`) >> bit) & 1n) === 0n).map(([, name]) => name);
}

function bytesOf(mac: string): Uint8Array {
  const bytes = parseMac(mac);
  if (bytes === undefined) throw new EnvironmentError(`${mac} is no MAC address`);
  return bytes;
}
