/** Each topology of the lab carries traffic: a fail-over that fails there is not the lab's fault. */
import test from 'ava';
import type { LabOptions } from './lab';
import { openLab } from './lab';
import type { ClientOptions } from './vocabulary';

const TOPOLOGIES: Readonly<Record<string, LabOptions & { client?: ClientOptions }>> = {
  'a switch with a mirror port': { segment: 'switch' },
  IPv6: { family: 6 },
  'a router before the clients': { router: true },
  'a router before the clients, IPv6': { router: true, family: 6 },
  'two client hosts': { clientHosts: 2 },
  '5 % loss': { clientCable: ['--loss', '5', '--delay', '1'] },
  'reordering and duplication': { clientCable: ['--reorder', '5', '--duplicate', '2', '--delay', '1'] },
  'a VLAN': { clientCable: ['--tag', '100'], primaryCable: ['--tag', '100'] },
  'two VLAN tags': {
    clientCable: ['--tag', '200,100'],
    primaryCable: ['--tag', '200,100'],
    mtu: { client: 1492, primary: 1492 },
  },
  'sequence numbers that wrap, chosen by firewalls': {
    clientCable: ['--isn', '4294967000', '--isn-step', '100'],
    primaryCable: ['--isn', '4294967200', '--isn-step', '100'],
  },
  'IP options on every packet': { client: { recordRoute: true } },
  'offloads on': { offloads: true },
};

for (const [name, { client, ...choices }] of Object.entries(TOPOLOGIES)) {
  test(name, async (t) => {
    const lab = await openLab(t, { ...choices, service: { mode: 'echo' } });
    for (const host of lab.clientHosts) {
      const clients = await lab.connect(
        { mode: 'echo', connections: 20, interval: 5, total: 500, record: 50, ...client },
        lab.address(),
        host,
      );
      await lab.until(clients, 'every echo', ({ receivedMin }) => receivedMin === 500);
      await lab.finish(clients);
    }
    t.deepEqual((await lab.judge()).problems, []);
  });
}

test('10,000 connections', async (t) => {
  const lab = await openLab(t, { service: { backlog: 1024 } });
  const clients = await lab.connect({ connections: 10_000, interval: 500 });
  await lab.allProgress(clients);
  await lab.finish(clients);
  t.deepEqual((await lab.judge()).problems, []);
});
