/** Captures made on a sending host, which show its frames before its device has finished them: as if made on the wire. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { inspectionJson } from '../../src/inspect/format';
import { inspectCapture } from '../../src/inspect/inspect';
import type { InspectedConnection, Inspection, Totals } from '../../src/inspect/report';
import { concat, pseudoHeader, slowSum } from '../support/checksum';
import { be16, ipBytes, PROTOCOL } from '../support/frames';
import { Pcapng, type Shot, fileOf, pcap, timeUnits } from './capture-writer';
import { Conversation, type ConversationOptions, USUAL_OPTIONS } from './conversation';

type Whole = Inspection & { readonly connections: readonly InspectedConnection[]; readonly totals: Totals };

const ENDS = {
  4: { client: '10.0.0.9', server: '10.0.0.2' },
  6: { client: 'fd77::9', server: 'fd77::2' },
} as const;
type Version = keyof typeof ENDS;
const VERSIONS = [4, 6] as const;

const L3 = 14;
const L4 = { 4: L3 + 20, 6: L3 + 40 } as const;
const TCP_CHECKSUM = 16;
const IPV4_CHECKSUM = 10;
/** Of IPv4 in all, of IPv6 behind its first header. */
const IP_LENGTH = { 4: L3 + 2, 6: L3 + 4 } as const;
const PORT_OFFSET = 0;
const CLIENT_PORT = 40_000;

/** Both ends say little and much, as one frame where segmentation is left to the device. */
function conversation(version: Version, options: ConversationOptions = {}): Shot[] {
  const shots: Shot[] = [];
  const usual = { clientPort: CLIENT_PORT, clientOptions: USUAL_OPTIONS, serverOptions: USUAL_OPTIONS };
  new Conversation(shots, { ...ENDS[version], ...usual, ...options })
    .open()
    .client('PA', { payload: 'x'.repeat(7001) })
    .server('PA', { payload: 'y'.repeat(9000) })
    .client('PA', { payload: 'z' })
    .server('A')
    .close();
  return shots;
}

type Change = (frame: Uint8Array, version: Version) => Uint8Array;

/** What left the capturing host, which is the client's. */
function own(shots: readonly Shot[], version: Version, ...changes: readonly Change[]): Shot[] {
  return shots.map((shot) => {
    const at = L4[version] + PORT_OFFSET;
    if ((((shot.frame[at] ?? 0) << 8) | (shot.frame[at + 1] ?? 0)) !== CLIENT_PORT) return shot;
    return { ...shot, frame: changes.reduce((frame, change) => change(frame, version), shot.frame) };
  });
}

const written = (frame: Uint8Array, at: number, value: number): Uint8Array => {
  const changed = frame.slice();
  changed.set(be16(value), at);
  return changed;
};

const noHeaderChecksum: Change = (frame, version) => (version === 4 ? written(frame, L3 + IPV4_CHECKSUM, 0) : frame);
const noChecksum: Change = (frame, version) => written(frame, L4[version] + TCP_CHECKSUM, 0);
/** @param counted whether the length is part of it */
const partial =
  (counted: boolean): Change =>
  (frame, version) => {
    const { client, server } = ENDS[version];
    const length = counted ? frame.length - L4[version] : 0;
    const sum = slowSum(pseudoHeader(ipBytes(client), ipBytes(server), PROTOCOL.tcp, length));
    return written(frame, L4[version] + TCP_CHECKSUM, sum);
  };
const noLength: Change = (frame, version) => written(frame, IP_LENGTH[version], 0);

function report(t: ExecutionContext, bytes: Uint8Array): Whole {
  const whole = JSON.parse([...inspectionJson(inspectCapture(fileOf(t, bytes)))].join('')) as Whole;
  return { ...whole, file: '', format: 'pcap' };
}

const FORM = { order: 'LE', unit: 'us' } as const;

for (const version of VERSIONS) {
  for (const [title, ...changes] of [
    ['header checksums of 0', noHeaderChecksum],
    ['partial checksums, as Linux leaves them', partial(true)],
    ['partial checksums without the length', noHeaderChecksum, partial(false)],
    ['no checksum at all', noHeaderChecksum, noChecksum],
    ['no length', noLength, noHeaderChecksum, partial(false)],
  ] as const) {
    test(`IPv${version}, ${title}: the same as from the wire`, (t) => {
      const shots = conversation(version);
      const expected = report(t, pcap(FORM, shots));
      t.deepEqual(expected.refused, {});
      t.like(expected.totals, { recoverable: 1, inboundBytes: 7002, outboundBytes: 9000 });
      t.deepEqual(report(t, pcap(FORM, own(shots, version, ...changes))), expected);
    });

    test(`IPv${version}, ${title}, of frames that the capture has cut`, (t) => {
      const cut = (shots: readonly Shot[]): Shot[] =>
        shots.map(({ frame, atMs }) => ({ frame: frame.subarray(0, 96), atMs, wireLength: frame.length }));
      const shots = conversation(version);
      t.deepEqual(report(t, pcap(FORM, cut(own(shots, version, ...changes)))), report(t, pcap(FORM, shots)));
    });
  }

  test(`IPv${version}: padding and a frame check sequence are no payload`, (t) => {
    const fcs = Uint8Array.of(0xde, 0xad, 0xbe, 0xef);
    const shots = conversation(version);
    const expected = report(t, pcap(FORM, shots));
    const onWire = shots.map(({ frame, atMs }) => {
      const padded = concat(frame, new Uint8Array(Math.max(0, 60 - frame.length)));
      return { frame: concat(padded, fcs), atMs };
    });
    t.deepEqual({ ...report(t, pcap(FORM, onWire)), bytes: expected.bytes }, expected);
  });

  test(`IPv${version}: where the file tells of frame check sequences, no length is needed to tell them from payload`, (t) => {
    const fcs = Uint8Array.of(0xde, 0xad, 0xbe, 0xef);
    const shots = own(conversation(version), version, noLength, noHeaderChecksum, partial(false));
    const expected = report(t, pcap(FORM, shots));
    const ended = shots.map(({ frame, atMs }) => ({ frame: concat(frame, fcs), atMs }));
    t.deepEqual(report(t, pcap({ ...FORM, fcsBytes: fcs.length }, ended)), expected);
    // In bits, and as some write it, in octets.
    for (const length of [8 * fcs.length, fcs.length]) {
      const capture = new Pcapng('BE');
      capture.interface({ options: [capture.option(13, Uint8Array.of(length))] });
      for (const { frame, atMs } of ended) capture.enhanced(frame, timeUnits(atMs));
      t.deepEqual(report(t, capture.bytes()), expected);
    }
    const simple = new Pcapng('LE');
    simple.interface({ options: [simple.option(13, Uint8Array.of(32))] });
    for (const { frame } of ended) simple.simple(frame);
    t.deepEqual(report(t, simple.bytes()).totals, expected.totals);
  });
}

test('of a frame that was cut the frame check sequence is what is missing first', (t) => {
  const shots = conversation(4);
  const fcsBytes = 4;
  for (const kept of [0, 1, 4]) {
    const cut = shots.map(({ frame, atMs }) => ({
      frame: concat(frame, new Uint8Array(kept)),
      atMs,
      wireLength: frame.length + fcsBytes,
    }));
    t.deepEqual(report(t, pcap({ ...FORM, fcsBytes }, cut)), report(t, pcap(FORM, shots)));
  }
  const none = [{ frame: new Uint8Array(2), atMs: 0 }];
  t.like(report(t, pcap({ ...FORM, fcsBytes }, none)), { frames: 1, bytes: 0, refused: { 'truncated-ethernet': 1 } });
});

test('what is neither right nor left to a device is refused', (t) => {
  const damaged = own(conversation(4), 4, (frame) => written(frame, L3 + IPV4_CHECKSUM, 1));
  t.is(report(t, pcap(FORM, damaged)).refused['bad-ip-checksum'], 6);
});
