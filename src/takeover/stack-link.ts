/**
 * The private link between the daemon and this host's own TCP stack: a veth pair. Frames injected on the `tap` end
 * arrive on the `host` end as if from a network, with the client's own address as source; the answers of exactly
 * these connections leave by the host end again, whoever the client is. Connections made to the replica past the
 * service address are not touched: their packets have no mark.
 *
 *     core -> inject on tap -> host -> nftables sets mark M -> socket, which keeps M (tcp_fwmark_accept)
 *     core <- capture on host <- table T: default via the gateway <- rule "fwmark M lookup T" <- socket
 *
 * Answers are captured where the stack sends them, not where they arrive: in between each waits in a queue of the CPU that
 * sent it, and those of two CPUs, the service's and the one that hands the stack an acknowledgement, overtake each other.
 * To a sender that looks like loss [a replica that says 256 MB again: 7.6 s so, 34 timeouts of 200 ms among them; 0.36 s].
 *
 * Each part and what fails without it (test/lab/host/private-link.test.ts proves them):
 * - `tcp_fwmark_accept`: the SYN-ACK and the accepted socket, to its last FIN and in TIME_WAIT, take the mark of the
 *   SYN. Without it the SYN-ACK would leave by the host's ordinary route to the client.
 * - `fwmark_reflect` (IPv4 and IPv6): so does what no socket sends, the RST of a closed port.
 * - `src_valid_mark` on the host end: the reverse path filter looks the client's address up with the mark, finds the
 *   host end, and passes at any value of rp_filter.
 * - a gateway that does not exist, with a permanent neighbour: no ARP or ND is needed. Its MAC address is not the tap
 *   end's, so that this host's own stack ignores what comes out there.
 * - no address on either end, and no IPv6 at all on the tap end: nothing of the host's own uses the link. So what arrives
 *   on the tap end is nobody's, and dropped there.
 * - MTU 65535 on both ends and that of the wire in the route: frames that receive offload has merged can be injected
 *   whole, and the segments that the replica's frames are made of still fit the wire.
 * - `gso_max_size`: the stack leaves the cutting of what it sends to the link, and its checksums too. A frame costs the
 *   daemon about the same whatever its length, and the core cuts it to the client's MSS or, withheld, takes it whole
 *   [a replica that says 256 MB again: 555-750 ms of CPU in frames of the MTU, 200-470 ms so]. Not larger: each slot of the
 *   capture's ring has room for the largest frame [60 KiB: 205 ms instead of 360 ms, for a quarter of the slots].
 */
import { EnvironmentError } from '../errors';
import { type Change, type Family, readSysctl, ruleArguments, writeSysctl } from './change';
import { run } from './command';
import { readInterface } from './discover';
import type { Journal } from './journal';

export interface StackLinkPlan {
  /** Names of both ends, 15 characters at most. */
  readonly host: string;
  readonly tap: string;
  readonly families: readonly Family[];
  /** Mark and routing table of the link, which nothing else on the host uses. */
  readonly mark: number;
  readonly table: number;
  /** Of the wire. */
  readonly mtu: number;
  /** MAC address from which the core answers. */
  readonly gatewayMac: string;
}

export interface StackLink extends StackLinkPlan {
  /** MAC address of the host end: where frames for the stack are sent to. */
  readonly hostMac: string;
}

const LINK_MTU = 65535;
/** Of a frame that the stack sends, unless the MTU of the wire is larger. */
export const STACK_FRAME_BYTES = 16384;
/** Link-local (RFC 3927, RFC 4291 2.5.6) and onlink: need not be in any network of the host. */
const GATEWAYS: Readonly<Record<Family, string>> = { 4: '169.254.77.2', 6: 'fe80::77:2' };
/** Of the IP and TCP headers: the largest MSS is the MTU less this (RFC 9293 3.7.1, RFC 8200 8.3). */
const HEADER_BYTES: Readonly<Record<Family, number>> = { 4: 40, 6: 60 };
/** Before any rule of the host's own; only packets with the mark care. 0 is the kernel's, for local addresses. */
const RULE_PRIORITY = 77;

const SETTINGS: Readonly<Record<Family, readonly string[]>> = {
  4: ['net/ipv4/tcp_fwmark_accept', 'net/ipv4/fwmark_reflect'],
  // tcp_fwmark_accept is for both families in spite of its name.
  6: ['net/ipv4/tcp_fwmark_accept', 'net/ipv6/fwmark_reflect'],
};

/** Makes the link. Its parts are undone through the journal, in reverse. */
export async function makeStackLink(journal: Journal, plan: StackLinkPlan): Promise<StackLink> {
  const { families } = plan;
  for (const key of new Set(families.flatMap((family) => SETTINGS[family]))) await switchOn(journal, key);
  await journal.make({ kind: 'veth', name: plan.host, peer: plan.tap }, () => makePair(plan));
  for (const family of families) {
    const rule: Change = { kind: 'rule', family, priority: RULE_PRIORITY, mark: plan.mark, table: plan.table };
    await journal.make(rule, () => run('ip', ruleArguments(rule, 'add')));
  }
  const { mac: hostMac } = await readInterface(plan.host);
  return { ...plan, hostMac };
}

/**
 * Ends the stack's connections of the link that nobody answers for: those of a daemon that was killed, which would stay at the
 * replica for as long as neither side speaks, and may be all that a service takes. A kernel without INET_DIAG_DESTROY
 * leaves them to their first segment, which is answered with RST.
 */
export async function endOrphans({ mark }: StackLink): Promise<void> {
  await run('ss', ['-K', '-tnH', 'fwmark', '=', `${mark}`]);
}

async function switchOn(journal: Journal, key: string): Promise<void> {
  const before = readSysctl(key);
  if (before === undefined)
    throw new EnvironmentError(`this kernel has no setting ${key}, so no local replica is possible`);
  if (before === '1') return;
  await journal.make({ kind: 'sysctl', key, before, after: '1' }, () => writeSysctl(key, '1'));
}

/** Everything that goes with the pair when it is deleted. */
async function makePair(plan: StackLinkPlan): Promise<void> {
  const { host, tap, families } = plan;
  await run('ip', ['link', 'add', host, 'type', 'veth', 'peer', 'name', tap]);
  for (const end of [host, tap]) {
    await run('ip', ['link', 'set', end, 'mtu', `${LINK_MTU}`]);
    if (hasIpv6()) await run('ip', ['link', 'set', end, 'addrgenmode', 'none']);
  }
  disableIpv6(tap);
  if (families.includes(6)) {
    writeSysctl(`net/ipv6/conf/${host}/disable_ipv6`, '0');
    writeSysctl(`net/ipv6/conf/${host}/accept_ra`, '0');
  } else {
    disableIpv6(host);
  }
  writeSysctl(`net/ipv4/conf/${host}/src_valid_mark`, '1');
  await run('ip', ['link', 'set', host, 'gso_max_size', `${STACK_FRAME_BYTES}`]);
  for (const end of [tap, host]) await run('ip', ['link', 'set', end, 'up']);
  for (const family of families) await routeBack(family, plan);
}

/** A kernel may be without. */
function hasIpv6(): boolean {
  return readSysctl('net/ipv6/conf/all/disable_ipv6') !== undefined;
}

function disableIpv6(device: string): void {
  if (hasIpv6()) writeSysctl(`net/ipv6/conf/${device}/disable_ipv6`, '1');
}

async function routeBack(family: Family, { host, table, mtu, gatewayMac }: StackLinkPlan): Promise<void> {
  const ip = `-${family}`;
  const gateway = GATEWAYS[family];
  const sizes = ['mtu', `${mtu}`, 'advmss', `${mtu - HEADER_BYTES[family]}`];
  await run('ip', [ip, 'neighbour', 'add', gateway, 'lladdr', gatewayMac, 'dev', host, 'nud', 'permanent']);
  await run('ip', [
    ip,
    'route',
    'add',
    'default',
    'via',
    gateway,
    'dev',
    host,
    'onlink',
    'table',
    `${table}`,
    ...sizes,
  ]);
}
