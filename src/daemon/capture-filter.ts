/**
 * What the kernel lets through to the ports, in pcap-filter(7)'s language: a frame that is refused there costs nothing
 * here. Written so that the core misses nothing of a service: ARP, ICMP and TCP of its address, fragments included, and
 * for IPv6 whatever carries the address, since the language does not look past extension headers.
 */
import { isIPv6 } from 'node:net';

export interface WireFilter {
  /** Of the interface: its own frames, which are the core's injections too, are not shown. */
  readonly mac: string;
  readonly serviceAddresses: readonly string[];
  /** Of replicas on other machines of the segment. */
  readonly remoteReplicas: readonly string[];
}

/** A solicitation asks for the address in its body and is sent to a multicast address (RFC 4861 4.3). */
const NEIGHBOR_SOLICITATION = '(icmp6 and ip6[40] = 135)';

export function wireFilter({ mac, serviceAddresses, remoteReplicas }: WireFilter): string {
  const wanted = [
    ...unique(serviceAddresses).map((address) =>
      isIPv6(address) ? `ip6 host ${address}` : `(host ${address} and (arp or icmp or tcp))`,
    ),
    ...(serviceAddresses.some((address) => isIPv6(address)) ? [NEIGHBOR_SOLICITATION] : []),
    ...unique(remoteReplicas).map((address) =>
      isIPv6(address) ? `ip6 src host ${address}` : `(src host ${address} and (icmp or tcp))`,
    ),
  ].join(' or ');
  // Each `vlan` moves what follows it one tag further, so each tag needs the list once more (802.1Q, then QinQ).
  return `not ether src ${mac} and (${wanted} or (vlan and (${wanted} or (vlan and (${wanted})))))`;
}

/** What the host's stack sends on the private link, apart from its neighbour discovery and multicast reports. */
export function stackFilter(hostMac: string): string {
  return `ether src ${hostMac} and (tcp or icmp or (icmp6 and ip6[40] < 128))`;
}

/** Of a port that only sends: no frame is shorter than its header. */
export const NO_FRAME = 'less 1';

function unique(addresses: readonly string[]): string[] {
  return [...new Set(addresses)];
}
