/** The tracker over captures: what is said of each connection, and that none is forgotten. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { inspectionJson, inspectionText } from '../../src/inspect/format';
import { inspectCapture } from '../../src/inspect/inspect';
import type { InspectedConnection, Inspection, Totals } from '../../src/inspect/report';
import { arpFrame, md5, mptcpCapable, mss, windowScale } from '../support/frames';
import { type Shot, fileOf, pcap } from './capture-writer';
import { Conversation, type ConversationOptions, START_MS, USUAL_OPTIONS } from './conversation';

type Whole = Inspection & { readonly connections: readonly InspectedConnection[]; readonly totals: Totals };

/** By way of the JSON, so that it is tested with everything else. */
function inspect(t: ExecutionContext, shots: readonly Shot[]): Whole {
  const inOrder = shots.toSorted((a, b) => a.atMs - b.atMs);
  const path = fileOf(t, pcap({ order: 'LE', unit: 'us' }, inOrder));
  return JSON.parse([...inspectionJson(inspectCapture(path))].join('')) as Whole;
}

function one(t: ExecutionContext, options: ConversationOptions, act: (talk: Conversation) => void) {
  const shots: Shot[] = [];
  act(new Conversation(shots, options));
  const whole = inspect(t, shots);
  t.is(whole.connections.length, 1);
  const [connection] = whole.connections;
  if (connection === undefined) throw new Error('no connection');
  return connection;
}

test('a connection from its first to its last segment', (t) => {
  const options = { clientOptions: USUAL_OPTIONS, serverOptions: [mss(1400), windowScale(9)] };
  const shots: Shot[] = [];
  new Conversation(shots, options)
    .open()
    .wait(20)
    .client('PA', { payload: 'x'.repeat(100) })
    .server('A', { payload: 'y'.repeat(1000) })
    .client('A')
    .wait(1000)
    .close();
  const { connections, totals, ...inspection } = inspect(t, shots);
  t.deepEqual(connections, [
    {
      client: '10.0.0.9:40000',
      server: '10.0.0.2:7000',
      state: 'time-wait',
      handshake: true,
      options: ['window-scale'],
      recoverable: 'recoverable',
      startMs: 0,
      endMs: 1020,
      inbound: { bytes: 100, isn: 1000, mss: 1460, windowShift: 7, fin: true },
      outbound: { bytes: 1000, isn: 5000, mss: 1400, windowShift: 9, fin: true },
    },
  ]);
  const bytes = { inboundBytes: 100, outboundBytes: 1000 };
  t.deepEqual(totals, { connections: 1, recoverable: 1, atRisk: 0, lost: 0, ...bytes, states: { 'time-wait': 1 } });
  const { file, ...rest } = inspection;
  t.regex(file, /capture$/);
  t.deepEqual(rest, {
    format: 'pcap',
    complete: true,
    warnings: [],
    frames: shots.length,
    bytes: shots.reduce((sum, { frame }) => sum + frame.length, 0),
    from: new Date(START_MS).toISOString(),
    to: new Date(START_MS + 1020).toISOString(),
    refused: {},
  });
});

test('what both ends agreed on, and nothing that only one offered', (t) => {
  const both = { clientOptions: USUAL_OPTIONS, serverOptions: USUAL_OPTIONS, synFlags: 'SEC', synAckFlags: 'SAE' };
  t.deepEqual(one(t, both, (talk) => talk.open()).options, ['window-scale', 'sack', 'timestamps', 'ecn']);
  const { options, inbound } = one(t, { clientOptions: USUAL_OPTIONS }, (talk) => talk.open());
  t.deepEqual(options, []);
  t.is(inbound.windowShift, undefined);
});

test('IPv6, VLAN and QinQ', (t) => {
  const ends = { client: 'fd77::9', server: 'fd77::2' };
  const tagged = one(t, { ...ends, tags: [{ vid: 12 }] }, (talk) => talk.open());
  t.deepEqual([tagged.client, tagged.server], ['[fd77::9]:40000', '[fd77::2]:7000']);
  t.deepEqual([tagged.vlan, tagged.innerVlan], [12, undefined]);
  const stacked = one(t, { tags: [{ vid: 100, tpid: 0x88a8 }, { vid: 7 }] }, (talk) => talk.open());
  t.deepEqual([stacked.vlan, stacked.innerVlan], [100, 7]);
});

test('a hole is named by its place and length', (t) => {
  const talk = one(t, { clientIsn: 0xfffffff0 }, (c) => c.open().clientUnseen(50).server('A').client('A'));
  t.is(talk.recoverable, 'at-risk');
  t.is(talk.reason, 'inbound-hole');
  t.deepEqual(talk.hole, { seq: 0xfffffff1, bytes: 50 });
  // What was missed was sent all the same.
  t.is(talk.inbound.bytes, 50);
});

test('a connection that was running before the capture', (t) => {
  const talk = one(t, {}, (c) =>
    c.client('PA', { payload: 'abc' }).server('PA', { payload: 'de' }).client('A').close(),
  );
  t.is(talk.client, '10.0.0.9:40000');
  t.false(talk.handshake);
  t.is(talk.reason, 'window-scale-unknown');
  t.deepEqual(talk.inbound, { bytes: 3, fin: true });
  t.deepEqual(talk.outbound, { bytes: 2, fin: true });
});

test('connections that nobody can continue, and those that only may', (t) => {
  const signed = one(t, { clientOptions: [md5()], serverOptions: [md5()] }, (c) => c.open());
  t.deepEqual([signed.recoverable, signed.reason], ['lost', 'md5']);
  const multipath = { clientOptions: [mptcpCapable()], serverOptions: [mptcpCapable()] };
  const talk = one(t, multipath, (c) => c.open());
  t.deepEqual([talk.recoverable, talk.reason, talk.options], ['at-risk', 'mptcp', ['mptcp']]);
});

test('bytes are counted beyond the number space', (t) => {
  const shots: Shot[] = [];
  const talk = new Conversation(shots, { clientOptions: [windowScale(14)], serverOptions: [windowScale(14)] }).open();
  talk.server('A');
  const step = 0x3f000000;
  for (let i = 0; i < 10; i++)
    talk
      .clientUnseen(step - 1)
      .client('A', { payload: 'x' })
      .server('A')
      .client('A');
  t.is(inspect(t, shots).totals.inboundBytes, 10 * step);
});

test('a connection is reported after the core has dropped its record', (t) => {
  const shots: Shot[] = [];
  new Conversation(shots, { clientPort: 1111 }).open().client('PA', { payload: 'early' }).close();
  new Conversation(shots, { clientPort: 2222 }, START_MS + 40_000).open();
  new Conversation(shots, { clientPort: 3333 }, START_MS + 3_600_000).syn();
  new Conversation(shots, { clientPort: 4444 }, START_MS + 86_400_000 * 30).open();
  const { connections } = inspect(t, shots);
  t.deepEqual(
    connections.map(({ client, state, inbound }) => [client, state, inbound.bytes]),
    [
      ['10.0.0.9:1111', 'time-wait', 5],
      ['10.0.0.9:2222', 'established', 0],
      ['10.0.0.9:3333', 'syn-sent', 0],
      ['10.0.0.9:4444', 'established', 0],
    ],
  );
});

test('a tuple that is used again is another connection, however soon', (t) => {
  const shots: Shot[] = [];
  new Conversation(shots).open().client('PA', { payload: 'one' }).close();
  new Conversation(shots, { clientIsn: 70_000, serverIsn: 90_000 }).open().client('PA', { payload: 'three' });
  new Conversation(shots, { clientPort: 5, clientIsn: 1 }).syn().server('RA', { seq: 0 });
  new Conversation(shots, { clientPort: 5, clientIsn: 1 }).syn().server('RA', { seq: 0 });
  const { connections } = inspect(t, shots);
  t.deepEqual(
    connections.map(({ state, inbound }) => [state, inbound.bytes]),
    [
      ['time-wait', 3],
      ['established', 5],
      ['closed', 0],
      ['closed', 0],
    ],
  );
});

const STATES = ['syn-sent', 'time-wait', 'established'];

test('thousands of connections, open and ended and given up for new ones', (t) => {
  const count = 5000;
  const shots: Shot[] = [];
  for (let i = 0; i < count; i++) {
    const talk = new Conversation(shots, { clientPort: 1 + i, clientIsn: i * 7919 }, START_MS + i * 50);
    if (i % 3 === 0) talk.syn();
    else talk.open().client('PA', { payload: 'x'.repeat(i % 100) });
    if (i % 3 === 1) talk.wait(10).close();
  }
  const { connections, totals } = inspect(t, shots);
  t.is(totals.connections, count);
  const found = new Map(connections.map((connection) => [connection.client, connection]));
  t.is(found.size, count);
  for (let i = 0; i < count; i++) {
    const connection = found.get(`10.0.0.9:${i + 1}`);
    t.is(connection?.state, STATES[i % 3]);
    t.is(connection?.inbound.bytes, i % 3 === 0 ? 0 : i % 100);
  }
});

test('frames out of order and with wrong times turn no clock back', (t) => {
  const shots: Shot[] = [];
  new Conversation(shots).open().client('PA', { payload: 'x' });
  const path = fileOf(
    t,
    pcap(
      { order: 'LE', unit: 'us' },
      shots.map((shot, i) => ({ ...shot, atMs: START_MS - i * 1e6 })),
    ),
  );
  const capture = inspectCapture(path);
  t.is(capture.inspection.from, capture.inspection.to);
  t.deepEqual(
    [...capture.connections()].map(({ state, endMs }) => [state, endMs]),
    [['established', 0]],
  );
});

test('frames that move no connection are counted by reason', (t) => {
  const shots: Shot[] = [{ frame: arpFrame(), atMs: START_MS }];
  new Conversation(shots).open().client('PA', { payload: 'x', checksum: 1 });
  const { refused, connections } = inspect(t, shots);
  t.deepEqual(refused, { 'arp-not-ours': 1, 'bad-tcp-checksum': 1 });
  t.is(connections[0]?.inbound.bytes, 0);
});

test('frames that the capture has cut are tracked by their headers', (t) => {
  const shots: Shot[] = [];
  new Conversation(shots)
    .open()
    .client('PA', { payload: 'x'.repeat(900) })
    .server('A');
  const cut = shots.map(({ frame, atMs }) => ({ frame: frame.subarray(0, 60), atMs, wireLength: frame.length }));
  const { connections } = inspect(t, cut);
  t.deepEqual(
    connections.map(({ recoverable, inbound }) => [recoverable, inbound.bytes]),
    [['recoverable', 900]],
  );
});

test('a file that ends early: what came before, and a warning', (t) => {
  const shots: Shot[] = [];
  new Conversation(shots).open().client('PA', { payload: 'x' });
  const bytes = pcap({ order: 'LE', unit: 'us' }, shots);
  const capture = inspectCapture(fileOf(t, bytes.subarray(0, -1)));
  t.false(capture.inspection.complete);
  t.deepEqual(capture.inspection.warnings, ['the file ends within frame 4']);
  t.is([...capture.connections()].length, 1);
});

test('a capture without a frame, or without a connection', (t) => {
  const empty = inspect(t, []);
  t.deepEqual(empty.connections, []);
  t.deepEqual([empty.frames, empty.from, empty.totals.connections], [0, undefined, 0]);
  const arp = inspectCapture(fileOf(t, pcap({ order: 'LE', unit: 'us' }, [{ frame: arpFrame(), atMs: START_MS }])));
  t.is(
    [...inspectionText(arp)].join(''),
    '0 connections: 0 recoverable, 0 at risk, 0 lost\n' +
      '1 frame, 42 B in 0 ms, from 2024-02-29T12:00:00.000Z\n' +
      'frames that moved no connection:\n          1  arp-not-ours\n',
  );
});

test('for people: a line for each connection, then sums', (t) => {
  const shots: Shot[] = [];
  const usual = { clientOptions: USUAL_OPTIONS, serverOptions: USUAL_OPTIONS };
  new Conversation(shots, usual).open().client('PA', { payload: 'x'.repeat(2048) });
  new Conversation(shots, { clientPort: 40001, tags: [{ vid: 3 }] })
    .open()
    .clientUnseen(9)
    .server('A')
    .wait(5)
    .client('A');
  const inOrder = shots.toSorted((a, b) => a.atMs - b.atMs);
  const path = fileOf(t, pcap({ order: 'LE', unit: 'us' }, inOrder));
  t.deepEqual([...inspectionText(inspectCapture(path))].join('').split('\n'), [
    'CLIENT                 SERVER                 VLAN  STATE         SENT       RECEIVED   MSS        WSCALE  OPTIONS           RECOVERABLE',
    '10.0.0.9:40000         10.0.0.2:7000          -     established   2 KiB      0 B        1460/1460  7/7     sack ts           recoverable',
    '10.0.0.9:40001         10.0.0.2:7000          3     established   9 B        0 B        -          -       -                 at-risk (inbound-hole, 9 bytes at 1001)',
    '',
    '2 connections: 1 recoverable, 1 at risk, 0 lost',
    '2 established; 2 KiB sent by clients, 0 B received',
    '9 frames, 2.5 KiB in 5 ms, from 2024-02-29T12:00:00.000Z',
    '',
  ]);
});
