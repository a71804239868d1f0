/**
 * What the daemon changes on its host, each change as data that can be kept in a file, with its undo.
 *
 * An undo may be called when the change was never made, was made in part, or was undone before: it looks at what is
 * there and leaves alone what is not the change's own. What lives on an interface of ours (its addresses, routes,
 * neighbours, settings) needs no entry: it is gone with the interface.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { codeOf } from '../reason';
import { run, runJson } from './command';

export type Family = 4 | 6;

export type Change =
  /** A veth pair; deleting one end deletes both. */
  | { readonly kind: 'veth'; readonly name: string; readonly peer: string }
  /** A setting under /proc/sys; `key` is the path below it. */
  | { readonly kind: 'sysctl'; readonly key: string; readonly before: string; readonly after: string }
  /** Packets with `mark` are routed by `table`. */
  | {
      readonly kind: 'rule';
      readonly family: Family;
      readonly priority: number;
      readonly mark: number;
      readonly table: number;
    }
  /** A table of nftables, in the inet family unless said otherwise. */
  | { readonly kind: 'nftables'; readonly table: string; readonly family?: 'inet' | 'arp' }
  /** A feature of an interface, by ethtool's short name, that was on and is now off. */
  | { readonly kind: 'offload'; readonly device: string; readonly feature: string };

/** @returns the present value of a setting, `undefined` when this kernel does not have it */
export function readSysctl(key: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${key}`, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function writeSysctl(key: string, value: string): void {
  writeFileSync(`/proc/sys/${key}`, value);
}

export function ruleArguments(
  { family, priority, mark, table }: Extract<Change, { kind: 'rule' }>,
  action: 'add' | 'del',
) {
  return [`-${family}`, 'rule', action, 'priority', `${priority}`, 'fwmark', hex(mark), 'lookup', `${table}`];
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Safe to repeat; rejects only when the change is there and cannot be undone. */
export async function undo(change: Change): Promise<void> {
  switch (change.kind) {
    case 'veth':
      return undoUnlessGone(['ip', 'link', 'delete', change.name], () => linkExists(change.name));
    case 'sysctl':
      // Somebody has set another value since: theirs to keep. Another daemon needs the same one: no harm in leaving it.
      if (readSysctl(change.key) === change.after && !(await otherDaemonRuns())) writeSysctl(change.key, change.before);
      return;
    case 'rule':
      return undoUnlessGone(['ip', ...ruleArguments(change, 'del')], () => ruleExists(change));
    case 'nftables':
      return undoTable(change);
    case 'offload':
      return undoUnlessGone(['ethtool', '-K', change.device, change.feature, 'on'], () => linkExists(change.device));
  }
}

function undoTable({ family = 'inet', table }: Extract<Change, { kind: 'nftables' }>): Promise<void> {
  const exists = async () => (await readTables(family)).includes(table);
  return undoUnlessGone(['nft', 'delete', 'table', family, table], exists);
}

async function undoUnlessGone(command: readonly string[], exists: () => boolean | Promise<boolean>): Promise<void> {
  const [program = '', ...args] = command;
  try {
    await run(program, args);
  } catch (error) {
    if (await exists()) throw error;
  }
}

async function linkExists(name: string): Promise<boolean> {
  // Not /sys/class/net: that shows the interfaces of the namespace it was mounted in.
  const links = await runJson<{ ifname?: string }[]>('ip', ['-json', 'link', 'show']);
  return links.some(({ ifname }) => ifname === name);
}

interface RuleJson {
  readonly priority?: number;
  readonly fwmark?: string;
}

async function ruleExists({ family, priority, mark }: Extract<Change, { kind: 'rule' }>): Promise<boolean> {
  const rules = await runJson<RuleJson[]>('ip', ['-json', `-${family}`, 'rule', 'show']);
  return rules.some((rule) => rule.priority === priority && Number(rule.fwmark) === mark);
}

/** Of all daemons of this host, see `daemonTable`. */
const DAEMON_TABLE = 'migware_';

/** Name of a daemon's table of nftables: the first thing it makes, the last it removes. */
export function daemonTable(id: string): string {
  return DAEMON_TABLE + id;
}

async function otherDaemonRuns(): Promise<boolean> {
  return (await readTables('inet')).filter((table) => table.startsWith(DAEMON_TABLE)).length > 1;
}

async function readTables(family: string): Promise<string[]> {
  const output = await run('nft', ['list', 'tables', family]);
  return output.split('\n').map((line) => line.replace(`table ${family} `, ''));
}
