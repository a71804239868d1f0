/**
 * The daemon's own nftables table, in the inet family (IPv4 and IPv6).
 *
 * - What comes in by the private link is marked, and by the mark the replica's answers find their way back
 *   (stack-link.ts). Neither it nor the answers are tracked: a connection that begins in its middle is INVALID to a
 *   stateful firewall, and a translated one would fill its table twice.
 * - What comes in by the wire for a service address is the core's, which has seen it on the tap before. The host's
 *   own stack would forward it, redirect it, or answer "unreachable", so it never gets there.
 */
import type { Family } from './change';
import { hex } from './change';
import { run } from './command';
import { isIPv6 } from 'node:net';

export interface FirewallRules {
  readonly table: string;
  /** Names by which a packet from the segment may be known, see `readStackedInterfaces`. */
  readonly wireInterfaces: readonly string[];
  readonly serviceAddresses: readonly string[];
  /** Present when there is a private link to the local stack. */
  readonly stack?: { readonly interface: string; readonly mark: number } | undefined;
}

/** Before connection tracking (-200): nftables' own name for the priority is `raw`, -300. */
export function firewallRuleset({ table, wireInterfaces, serviceAddresses, stack }: FirewallRules): string {
  const wire = quoted(wireInterfaces);
  const drops = ([4, 6] as const)
    .map((family) => ({ family, addresses: serviceAddresses.filter((address) => familyOf(address) === family) }))
    .filter(({ addresses }) => addresses.length > 0)
    .map(
      ({ family, addresses }) =>
        `iifname ${wire} ${family === 4 ? 'ip' : 'ip6'} daddr { ${addresses.join(', ')} } drop`,
    );
  const marks = stack === undefined ? [] : [`iifname "${stack.interface}" meta mark set ${hex(stack.mark)} notrack`];
  const lines = [
    // Emptied first, if it exists: so that it can be loaded again, and no packet sees it half loaded.
    `table inet ${table} {}`,
    `flush table inet ${table}`,
    `table inet ${table} {`,
    '  chain prerouting {',
    '    type filter hook prerouting priority raw; policy accept;',
    ...[...marks, ...drops].map((rule) => `    ${rule}`),
    '  }',
  ];
  if (stack !== undefined) {
    lines.push(
      '  chain output {',
      '    type filter hook output priority raw; policy accept;',
      `    meta mark ${hex(stack.mark)} notrack`,
      '  }',
    );
  }
  return [...lines, '}', ''].join('\n');
}

/** All of it or, when nft refuses a line, nothing. */
export async function loadFirewall(rules: FirewallRules): Promise<void> {
  await run('nft', ['-f', '-'], firewallRuleset(rules));
}

function familyOf(address: string): Family {
  return isIPv6(address) ? 6 : 4;
}

function quoted(names: readonly string[]): string {
  return `{ ${names.map((name) => `"${name}"`).join(', ')} }`;
}
