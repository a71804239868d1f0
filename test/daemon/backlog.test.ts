/** The pace of handshakes, from what `ss -ltnH` says. */
import test from 'ava';
import { backlogFor, handshakeWindow, parseListeners } from '../../src/daemon/backlog';

const OUTPUT = `LISTEN 0      128          0.0.0.0:22         0.0.0.0:*
LISTEN 3      511                *:7000             *:*
LISTEN 0      4096      10.77.0.3:7001       0.0.0.0:*
LISTEN 0      16       127.0.0.53%lo:53      0.0.0.0:*
LISTEN 0      100             [::]:7002          [::]:*
LISTEN 0      64          [fd77::3]:7003         [::]:*
LISTEN 0      5      [fe80::1]%eth0:7004         [::]:*
LISTEN 0      1024         0.0.0.0:7005         0.0.0.0:*    users:(("sink",pid=7,fd=3))
`;
const LISTENERS = parseListeners(OUTPUT);

test('every form of address is understood', (t) => {
  t.deepEqual(
    LISTENERS.map(({ address, port, backlog }) => `${address} ${port} ${backlog}`),
    [
      '0.0.0.0 22 128',
      '* 7000 511',
      '10.77.0.3 7001 4096',
      '127.0.0.53 53 16',
      ':: 7002 100',
      'fd77::3 7003 64',
      'fe80::1 7004 5',
      '0.0.0.0 7005 1024',
    ],
  );
  t.deepEqual(parseListeners(''), []);
  t.deepEqual(parseListeners('State Recv-Q Send-Q Local Peer\n'), []);
});

for (const { name, address, ports, expected } of [
  { name: 'one port', address: '10.77.0.3', ports: [7001], expected: { backlog: 4096, silent: [] } },
  {
    name: 'the smallest of several',
    address: '10.77.0.3',
    ports: [7001, 7000],
    expected: { backlog: 511, silent: [] },
  },
  {
    name: 'an address of its own is not that of another',
    address: '10.77.0.4',
    ports: [7001],
    expected: { backlog: undefined, silent: [7001] },
  },
  {
    name: 'any address of both families takes either',
    address: 'fd77::3',
    ports: [7000],
    expected: { backlog: 511, silent: [] },
  },
  {
    name: 'any IPv6 address alone takes no IPv4',
    address: '10.77.0.3',
    ports: [7002],
    expected: { backlog: undefined, silent: [7002] },
  },
  {
    name: 'any IPv4 address takes no IPv6',
    address: 'fd77::3',
    ports: [7005],
    expected: { backlog: undefined, silent: [7005] },
  },
  { name: 'an IPv6 address', address: 'fd77::3', ports: [7003], expected: { backlog: 64, silent: [] } },
  {
    name: 'a port nobody listens on',
    address: '10.77.0.3',
    ports: [7000, 7009],
    expected: { backlog: 511, silent: [7009] },
  },
]) {
  test(`backlog: ${name}`, (t) => t.deepEqual(backlogFor(LISTENERS, address, ports), expected));
}

test('the window is half the backlog and never nothing', (t) => {
  t.deepEqual([0, 1, 2, 3, 128, 4096].map(handshakeWindow), [1, 1, 1, 1, 64, 2048]);
});
