/**
 * What keeps a host silent about an address, as tables of nftables. They are replaced as a whole, in one transaction:
 * there is no moment in which an address that is to be blocked is not.
 *
 * - Segments from and to the ports of the service are dropped on the way in, before anything that may translate or
 *   answer them, and on the way out, after anything that may have translated them: no RST, no FIN, no data, whether of
 *   this host's stack or of a container behind it. What stays on the host (`lo`) is nobody else's business.
 * - The host does not answer who asks for the address, does not name it when it asks itself, and does not learn from
 *   the one who has it now, so that its own duplicate address detection passes (RFC 4862 5.4): an address that failed
 *   it would stay unusable after fail-back.
 */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { isIPv6 } from 'node:net';
import { parseAddress } from '../core/address';
import { run } from '../takeover/command';
import type { Change } from '../takeover/change';
import type { Journal } from '../takeover/journal';

export interface GuardedService {
  readonly address: string;
  readonly ports: readonly number[];
}

/** After source NAT (100), so that the addresses are those of the wire. */
const AFTER_NAT = 300;
const NEIGHBOUR_DISCOVERY = 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }';

/** The name in both families, of this state directory's guard. */
export function silenceTable(stateDir: string): string {
  return `mwguard_${createHash('sha256').update(resolve(stateDir)).digest('hex').slice(0, 6)}`;
}

/** @param blocked services whose address this host may not speak for; none: tables without rules */
export function silenceRuleset(table: string, blocked: readonly GuardedService[]): string {
  const v4 = blocked.filter(({ address }) => !isIPv6(address));
  const v6 = blocked.filter(({ address }) => isIPv6(address));
  return [
    ...replace('inet', table, [
      ...chain('incoming', 'prerouting priority raw', [
        'iif lo accept',
        ...v4.map(({ address, ports }) => `ip daddr ${address} tcp dport ${list(ports)} drop`),
        ...v6.map(({ address, ports }) => `ip6 daddr ${address} tcp dport ${list(ports)} drop`),
        ...addresses(v6).map((address) => `${NEIGHBOUR_DISCOVERY} ${target(address)} drop`),
      ]),
      ...chain('outgoing', `postrouting priority ${AFTER_NAT}`, [
        'oif lo accept',
        ...v4.map(({ address, ports }) => `ip saddr ${address} tcp sport ${list(ports)} drop`),
        ...v6.map(({ address, ports }) => `ip6 saddr ${address} tcp sport ${list(ports)} drop`),
        ...addresses(v6).map((address) => `${NEIGHBOUR_DISCOVERY} ${target(address)} drop`),
        ...addresses(v6).map((address) => `ip6 saddr ${address} ${NEIGHBOUR_DISCOVERY} drop`),
      ]),
    ]),
    ...replace('arp', table, [
      ...chain('incoming', 'input priority filter', [
        ...addresses(v4).map((address) => `arp daddr ip ${address} drop`),
        ...addresses(v4).map((address) => `arp saddr ip ${address} drop`),
      ]),
      ...chain(
        'outgoing',
        'output priority filter',
        addresses(v4).map((address) => `arp saddr ip ${address} drop`),
      ),
    ]),
    '',
  ].join('\n');
}

/** Without the first line the second fails when there is no such table yet. */
function replace(family: string, table: string, body: readonly string[]): string[] {
  return [
    `table ${family} ${table}`,
    `delete table ${family} ${table}`,
    `table ${family} ${table} {`,
    ...body.map((line) => `  ${line}`),
    '}',
  ];
}

function chain(name: string, hook: string, rules: readonly string[]): string[] {
  return [`chain ${name} {`, `  type filter hook ${hook}; policy accept;`, ...rules.map((rule) => `  ${rule}`), '}'];
}

/** The target address of a solicitation or advertisement, behind 8 bytes of the message; older nft has no name for it. */
function target(address: string): string {
  return `@th,64,128 0x${Buffer.from(parseAddress(address) ?? []).toString('hex')}`;
}

function list(ports: readonly number[]): string {
  return `{ ${ports.join(', ')} }`;
}

/** Each once: several services may share one. */
function addresses(services: readonly GuardedService[]): string[] {
  return [...new Set(services.map(({ address }) => address))];
}

/** The tables, by way of the journal: made before the first rule, removed with the last, also after a crash. */
export class Silence {
  readonly #journal: Journal;
  readonly #table: string;
  #isWrittenDown = false;

  constructor(journal: Journal, stateDir: string) {
    this.#journal = journal;
    this.#table = silenceTable(stateDir);
  }

  /** Blocks these and no others. */
  async block(services: readonly GuardedService[]): Promise<void> {
    if (!this.#isWrittenDown) await this.#writeDown();
    await run('nft', ['-f', '-'], silenceRuleset(this.#table, services));
  }

  /** A guard that was killed has left its tables, and they go on doing their work until they are replaced. */
  async #writeDown(): Promise<void> {
    for (const family of ['inet', 'arp'] as const) {
      const change: Change = { kind: 'nftables', table: this.#table, ...(family === 'arp' ? { family } : {}) };
      const isKnown = this.#journal.changes.some((known) => JSON.stringify(known) === JSON.stringify(change));
      // The tables come with the first ruleset, both in one transaction.
      if (!isKnown) await this.#journal.make(change, () => undefined);
    }
    this.#isWrittenDown = true;
  }
}
