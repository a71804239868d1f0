/** Addresses between text and the core's 16 bytes. */
import { SocketAddress, isIP } from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import { formatAddress, formatEndpoint, formatMac, parseAddress, parseMac } from '../../src/core/address';

const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');

test('IPv4 is kept as IPv4-mapped IPv6', (t) => {
  t.is(hex(parseAddress('10.77.0.2')), '00000000000000000000ffff0a4d0002');
  t.is(hex(parseAddress('::ffff:10.77.0.2')), hex(parseAddress('10.77.0.2')));
  t.is(formatAddress(Uint8Array.from(Buffer.from('00000000000000000000ffff0a4d0002', 'hex'))), '10.77.0.2');
});

for (const [text, canonical] of [
  ['::', '::'],
  ['::1', '::1'],
  ['FD77::2', 'fd77::2'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['1::', '1::'],
  ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
] as const) {
  test(`${text} is written as RFC 5952 wants it`, (t) => {
    const bytes = parseAddress(text);
    t.is(bytes?.length, 16);
    t.is(formatAddress(bytes ?? new Uint8Array(16)), canonical);
  });
}

for (const text of ['', '10.77.0', '10.77.0.256', '1::2::3', 'fe80::1%eth0', 'eth0', '1:2:3:4:5:6:7:8:9']) {
  test(`"${text}" is no address`, (t) => t.is(parseAddress(text), undefined));
}

test('any bytes are read back from their text, which is the system’s own', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 }),
      (groups) => {
        const bytes = Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 0xff]));
        const text = formatAddress(bytes);
        t.is(hex(parseAddress(text)), hex(bytes));
        // inet_ntop writes ::0.0.1.2 for IPv4-compatible addresses, which RFC 4291 has retired.
        if (text.includes(':') && groups.slice(0, 6).some((group) => group !== 0)) {
          t.is(text, new SocketAddress({ address: text, family: 'ipv6' }).address);
        }
      },
    ),
  );
});

test('what is an address and what is not, the system says too', (t) => {
  const piece = fc.constantFrom(
    '0',
    '1',
    '00',
    '12',
    '255',
    '256',
    'ff',
    'FFFF',
    '1ffff',
    '.',
    '.',
    ':',
    ':',
    '::',
    'g',
    '%1',
    '',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 18 }), (pieces) => {
      const text = pieces.join('');
      t.is(parseAddress(text) !== undefined, isIP(text) !== 0 && !text.includes('%'), text);
    }),
    { numRuns: 20_000 },
  );
});

test('an address is read at its place', (t) => {
  const bytes = new Uint8Array(20);
  bytes.set(parseAddress('fd77::2') ?? [], 4);
  t.is(formatAddress(bytes, 4), 'fd77::2');
  t.is(formatMac(Uint8Array.of(9, 2, 0, 0, 0, 0, 0xff), 1), '02:00:00:00:00:ff');
});

test('an endpoint of IPv6 has brackets', (t) => {
  t.is(formatEndpoint('10.77.0.2', 7000), '10.77.0.2:7000');
  t.is(formatEndpoint('fd77::2', 7000), '[fd77::2]:7000');
});

test('MAC addresses', (t) => {
  t.deepEqual([...(parseMac('02:6D:77:00:0a:ff') ?? [])], [2, 0x6d, 0x77, 0, 10, 255]);
  for (const text of ['', '02:6d:77:00:0a', '02-6d-77-00-0a-ff', '02:6d:77:00:0a:fg', '2:6d:77:0:a:f']) {
    t.is(parseMac(text), undefined);
  }
});
