/** What the host's network is: interfaces, addresses, the MAC address of a neighbour. Reads only, by `ip -json`. */
import { createSocket } from 'node:dgram';
import { SocketAddress, isIPv6 } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { EnvironmentError } from '../errors';
import { runJson } from './command';

export interface InterfaceInfo {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  /** Administratively up. */
  readonly up: boolean;
  /** Text as the kernel writes it. */
  readonly addresses: readonly string[];
}

interface AddressJson {
  readonly ifname?: string;
  readonly link_type?: string;
  readonly address?: string;
  readonly mtu?: number;
  readonly flags?: readonly string[];
  readonly addr_info?: readonly { readonly local?: string }[];
}

/** @throws EnvironmentError when there is no such interface, or it carries no Ethernet frames */
export async function readInterface(name: string): Promise<InterfaceInfo> {
  const all = await runJson<AddressJson[]>('ip', ['-json', 'address', 'show']);
  const found = all.find(({ ifname }) => ifname === name);
  if (found === undefined) {
    const others = all.map(({ ifname }) => ifname).filter((other) => other !== undefined && other !== 'lo');
    throw new EnvironmentError(
      `interface ${name}: there is none of this name; there are ${others.join(', ') || 'none'}`,
    );
  }
  const { link_type, address = '', mtu = 1500, flags = [], addr_info = [] } = found;
  if (link_type !== 'ether')
    throw new EnvironmentError(`interface ${name}: no Ethernet interface (${link_type ?? '?'})`);
  return { name, mac: address, mtu, up: flags.includes('UP'), addresses: locals(addr_info) };
}

/** Every address of this host. */
export async function readLocalAddresses(): Promise<ReadonlySet<string>> {
  const all = await runJson<AddressJson[]>('ip', ['-json', 'address', 'show']);
  return new Set(all.flatMap(({ addr_info = [] }) => locals(addr_info)));
}

function locals(info: readonly { readonly local?: string }[]): string[] {
  return info.map(({ local }) => local).filter((local) => local !== undefined);
}

/** An address in the form the kernel and `ip` write it. */
export function canonicalAddress(address: string): string {
  return new SocketAddress({ address, family: isIPv6(address) ? 'ipv6' : 'ipv4' }).address;
}

interface LinkJson {
  readonly ifname?: string;
  readonly link?: string;
  readonly master?: string;
  readonly linkinfo?: { readonly info_kind?: string };
}

/** Kinds of interface that receive what another one carries. A veth has a `link` too, but that is its other end. */
const STACKED_KINDS: readonly string[] = ['vlan', 'macvlan', 'macvtap', 'ipvlan'];

/**
 * The interface and all on top of it (VLANs, the bridge or bond it is a port of, and theirs): the names by which the
 * firewall may see a packet that came in by it.
 */
export async function readStackedInterfaces(name: string): Promise<string[]> {
  const links = await runJson<LinkJson[]>('ip', ['-json', '-details', 'link', 'show']);
  const found = new Set([name]);
  // A set visits what is added to it on the way.
  for (const lower of found) {
    for (const { ifname, link, master, linkinfo } of links) {
      if (ifname === undefined) continue;
      if (link === lower && STACKED_KINDS.includes(linkinfo?.info_kind ?? '')) found.add(ifname);
      if (ifname === lower && master !== undefined) found.add(master);
    }
  }
  return [...found];
}

interface NeighbourJson {
  readonly dev?: string;
  readonly lladdr?: string;
  readonly state?: readonly string[];
}

/** The port nobody listens on (RFC 863, discard): the datagram is only there to make the kernel ask for the MAC. */
const DISCARD_PORT = 9;
const POLL_MS = 20;

/**
 * The MAC address of another machine on the segment, as the kernel resolves it.
 * @returns `undefined` when it does not answer in time
 */
export async function resolveMac(address: string, device: string, timeoutMs: number): Promise<string | undefined> {
  const family = isIPv6(address) ? '-6' : '-4';
  const deadline = performance.now() + timeoutMs;
  await knock(address);
  for (;;) {
    const found = await runJson<NeighbourJson[]>('ip', [
      '-json',
      family,
      'neighbour',
      'show',
      'to',
      address,
      'dev',
      device,
    ]);
    const [{ lladdr, state = [] } = {}] = found;
    if (lladdr !== undefined && !state.includes('FAILED') && !state.includes('INCOMPLETE')) return lladdr;
    if (performance.now() >= deadline) return undefined;
    await sleep(POLL_MS);
  }
}

function knock(address: string): Promise<void> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  return new Promise((done) => {
    // No route or no answer: the neighbour's state will tell.
    socket.on('error', () => undefined);
    socket.send(Buffer.alloc(1), DISCARD_PORT, address, () => {
      socket.close();
      done();
    });
  });
}
