/** The daemon's table of nftables. That a kernel takes it, and what it does there, is tested in the lab. */
import test from 'ava';
import { firewallRuleset } from '../../src/takeover/firewall';

test('with a private link: its packets are marked, and nobody tracks them or their answers', (t) => {
  const ruleset = firewallRuleset({
    table: 'migware_abcdef',
    wireInterfaces: ['eth0', 'eth0.7'],
    serviceAddresses: ['10.77.0.2', 'fd77::2', '10.77.1.2'],
    stack: { interface: 'mwabcdef0', mark: 0x6dabcdef },
  });
  t.is(
    ruleset,
    `table inet migware_abcdef {}
flush table inet migware_abcdef
table inet migware_abcdef {
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    iifname "mwabcdef0" meta mark set 0x6dabcdef notrack
    iifname { "eth0", "eth0.7" } ip daddr { 10.77.0.2, 10.77.1.2 } drop
    iifname { "eth0", "eth0.7" } ip6 daddr { fd77::2 } drop
  }
  chain output {
    type filter hook output priority raw; policy accept;
    meta mark 0x6dabcdef notrack
  }
}
`,
  );
});

test('without one: the service addresses are kept from the host, and that is all', (t) => {
  const ruleset = firewallRuleset({ table: 'migware_1', wireInterfaces: ['eth0'], serviceAddresses: ['fd77::2'] });
  t.false(ruleset.includes('mark'));
  t.false(ruleset.includes('output'));
  t.false(ruleset.includes('ip daddr'));
  t.regex(ruleset, /ip6 daddr \{ fd77::2 \} drop/);
});
