/** The tables that silence a host. What a kernel makes of them is tested in the lab. */
import test from 'ava';
import { silenceRuleset, silenceTable } from '../../src/guard/silence';

const SERVICES = [
  { address: '10.77.0.2', ports: [7000, 7001] },
  { address: '10.77.0.2', ports: [80] },
  { address: 'fd77::2', ports: [7000] },
];

/** The rules of a ruleset, without the chains and tables around them. */
function rules(ruleset: string): string[] {
  return ruleset
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.endsWith(' drop') || line.endsWith(' accept'));
}

test('ports of each service, each address once', (t) => {
  const nd = 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }';
  const target = '@th,64,128 0xfd770000000000000000000000000002';
  t.deepEqual(rules(silenceRuleset('t', SERVICES)), [
    'iif lo accept',
    'ip daddr 10.77.0.2 tcp dport { 7000, 7001 } drop',
    'ip daddr 10.77.0.2 tcp dport { 80 } drop',
    'ip6 daddr fd77::2 tcp dport { 7000 } drop',
    `${nd} ${target} drop`,
    'oif lo accept',
    'ip saddr 10.77.0.2 tcp sport { 7000, 7001 } drop',
    'ip saddr 10.77.0.2 tcp sport { 80 } drop',
    'ip6 saddr fd77::2 tcp sport { 7000 } drop',
    `${nd} ${target} drop`,
    `ip6 saddr fd77::2 ${nd} drop`,
    'arp daddr ip 10.77.0.2 drop',
    'arp saddr ip 10.77.0.2 drop',
    'arp saddr ip 10.77.0.2 drop',
  ]);
});

test('nothing blocked: nothing dropped', (t) => {
  t.deepEqual(rules(silenceRuleset('t', [])), ['iif lo accept', 'oif lo accept']);
});

test('each state directory has a table of its own, which is not taken for a daemon', (t) => {
  const table = silenceTable('/var/lib/migware/guard');
  t.regex(table, /^mwguard_[0-9a-f]{6}$/);
  t.not(table, silenceTable('/srv/guard'));
});
