/**
 * What the host's network must know for the daemon's sake, as one thing that is set up and undone: the private link
 * to the local stack, the firewall, the receive offloads of the wire.
 */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { isIPv6 } from 'node:net';
import { type Change, type Family, daemonTable } from './change';
import { run, runJson } from './command';
import { type InterfaceInfo, readInterface, readStackedInterfaces } from './discover';
import { type FirewallRules, loadFirewall } from './firewall';
import type { Journal } from './journal';
import { type StackLink, makeStackLink } from './stack-link';

export interface HostNetworkPlan {
  /** Tells the daemons of a host apart. */
  readonly stateDir: string;
  readonly wire: InterfaceInfo;
  readonly serviceAddresses: readonly string[];
  /** Of replicas on this host; none: no private link. */
  readonly localReplicas: readonly string[];
  /** Leave the wire's receive offloads as they are. */
  readonly keepOffloads: boolean;
}

export interface HostNetwork {
  readonly stack: StackLink | undefined;
}

export async function setUpHostNetwork(journal: Journal, plan: HostNetworkPlan): Promise<HostNetwork> {
  const { wire } = plan;
  const names = namesFor(plan.stateDir);
  if (!plan.keepOffloads) await switchOffloadsOff(journal, wire.name);
  const families = familiesOf(plan);

  // The rules before the link: no packet of the link may be seen without its mark.
  const rules = await firewallRules(plan, names);
  await journal.make({ kind: 'nftables', table: names.nftTable }, () => loadFirewall(rules));
  if (families.length === 0) return { stack: undefined };
  return { stack: await makeStackLink(journal, { ...names, table: names.mark, families, mtu: wire.mtu }) };
}

/**
 * Goes on with what a daemon that was killed had set up, without a moment in which it is not there: while the private
 * link is missing, a replica's segments go to the clients as they are, and are answered with RST.
 * @returns `undefined` when something is missing or another plan is wanted; then it has to be undone and made anew
 */
export async function adoptHostNetwork(journal: Journal, plan: HostNetworkPlan): Promise<HostNetwork | undefined> {
  const names = namesFor(plan.stateDir);
  const families = familiesOf(plan);
  const has = (wanted: (change: Change) => boolean) => journal.changes.some(wanted);
  if (!has((change) => change.kind === 'nftables' && change.table === names.nftTable)) return undefined;
  await loadFirewall(await firewallRules(plan, names));
  const hasLink = has((change) => change.kind === 'veth');
  if (families.length === 0) return hasLink ? undefined : { stack: undefined };
  if (!families.every((family) => has((change) => change.kind === 'rule' && change.family === family)))
    return undefined;
  const host = await readInterface(names.host).catch(() => undefined);
  if (!hasLink || host?.up !== true) return undefined;
  return { stack: { ...names, table: names.mark, families, mtu: plan.wire.mtu, hostMac: host.mac } };
}

function familiesOf({ localReplicas }: HostNetworkPlan): Family[] {
  return [...new Set(localReplicas.map((address): Family => (isIPv6(address) ? 6 : 4)))];
}

async function firewallRules(plan: HostNetworkPlan, { nftTable, host, mark }: Names): Promise<FirewallRules> {
  return {
    table: nftTable,
    wireInterfaces: await readStackedInterfaces(plan.wire.name),
    serviceAddresses: plan.serviceAddresses,
    stack: plan.localReplicas.length === 0 ? undefined : { interface: host, mark },
  };
}

interface Names {
  readonly host: string;
  readonly tap: string;
  readonly gatewayMac: string;
  readonly nftTable: string;
  /** Packet mark, and number of the routing table. */
  readonly mark: number;
}

/** "mw", in the number that the other names' digits follow. */
const MARK_PREFIX = 0x6d000000;

/** Names that no other daemon of this host has: each has a state directory of its own. */
function namesFor(stateDir: string): Names {
  const digest = createHash('sha256').update(resolve(stateDir)).digest();
  const id = digest.toString('hex', 0, 3);
  return {
    host: `mw${id}0`,
    tap: `mw${id}1`,
    // Locally administered, unicast (IEEE 802 8.2).
    gatewayMac: ['02', '6d', '77', id.slice(0, 2), id.slice(2, 4), id.slice(4, 6)].join(':'),
    nftTable: daemonTable(id),
    mark: MARK_PREFIX + digest.readUIntBE(0, 3),
  };
}

interface FeatureJson {
  readonly active?: boolean;
  readonly fixed?: boolean;
}

/** Receive offloads that merge frames, by ethtool's long and short names. */
const MERGING: Readonly<Record<string, string>> = {
  'generic-receive-offload': 'gro',
  'large-receive-offload': 'lro',
  'rx-gro-hw': 'rx-gro-hw',
};

async function switchOffloadsOff(journal: Journal, device: string): Promise<void> {
  const [features = {}] = await runJson<Record<string, FeatureJson>[]>('ethtool', ['--json', '-k', device]);
  for (const [name, feature] of Object.entries(MERGING)) {
    const { active = false, fixed = false } = features[name] ?? {};
    if (!active || fixed) continue;
    await journal.make({ kind: 'offload', device, feature }, () => run('ethtool', ['-K', device, feature, 'off']));
  }
}
