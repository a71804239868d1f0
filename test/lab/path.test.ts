/** What lies between the client and the others: faults, tags, options, routers, switches, other address families. */
import test from 'ava';
import { Lab } from './lab';
import type { CrashOptions } from './scenario';
import { answersUnderWay, crash, uploads } from './scenario';

const FAULTS = {
  '1 % loss': ['--loss', '1', '--delay', '1'],
  '5 % loss': ['--loss', '5', '--delay', '1'],
  reordering: ['--reorder', '5', '--reorder-delay', '3', '--delay', '1'],
  'loss, reordering and duplication': ['--loss', '2', '--reorder', '5', '--duplicate', '2', '--delay', '1'],
} as const;

for (const [name, clientCable] of Object.entries(FAULTS)) {
  test(`${name}: pushing connections go on`, async (t) => {
    await crash(t, { clientCable, client: { connections: 50 } });
  });
  test(`${name}: uploads go on`, async (t) => {
    await crash(t, { clientCable, ...uploads(2 << 20) });
  });
  test(`${name}: answers under way arrive`, async (t) => {
    await crash(t, { clientCable, ...answersUnderWay(8192) });
  });
}

/** The primary talks untagged with the backup itself, so that it can be probed: the backup has no interface in the VLAN. */
function tagged(tag: string): CrashOptions {
  return { clientCable: ['--tag', tag], primaryCable: ['--tag', tag, '--untagged', Lab.mac(3)] };
}

const PATHS: Readonly<Record<string, CrashOptions>> = {
  IPv6: { family: 6 },
  'a VLAN': tagged('100'),
  // Frames with two tags still have to fit the links between.
  QinQ: { ...tagged('200,100'), mtu: { client: 1492, primary: 1492 } },
  'a VLAN with IPv6': { ...tagged('100'), family: 6 },
  'a client behind a router': { router: true },
  'a client behind a router, IPv6': { router: true, family: 6 },
  'a switch with a mirror port': { segment: 'switch' },
  'a switch with a mirror port, IPv6': { segment: 'switch', family: 6 },
  'offloads on': { offloads: true },
  'a replica on another machine': { remoteReplica: true },
  'a replica on another machine, IPv6': { remoteReplica: true, family: 6 },
  'a replica on another machine, client behind a router': { remoteReplica: true, router: true },
  'a replica on another machine, at a switch': { remoteReplica: true, segment: 'switch' },
};

for (const [name, path] of Object.entries(PATHS)) {
  test(`${name}: pushing connections go on`, async (t) => {
    await crash(t, { ...path, client: { connections: 50 } });
  });
  test(`${name}: uploads go on`, async (t) => {
    await crash(t, { ...uploads(8 << 20), ...path });
  });
  test(`${name}: answers under way arrive`, async (t) => {
    await crash(t, { ...answersUnderWay(8192), ...path });
  });
}

test('IP options on every packet: pushing connections go on', async (t) => {
  await crash(t, { client: { recordRoute: true } });
});

test('IP options on every packet: answers under way arrive', async (t) => {
  const { client, ...rest } = answersUnderWay(8192);
  await crash(t, { ...rest, client: { ...client, recordRoute: true } });
});
