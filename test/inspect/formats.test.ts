/** One conversation in every form a capture can have: the tracker says the same of all of them. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import { CaptureError } from '../../src/inspect/capture-file';
import { inspectionJson } from '../../src/inspect/format';
import { inspectCapture } from '../../src/inspect/inspect';
import type { InspectedConnection, Inspection, Totals } from '../../src/inspect/report';
import { md5 } from '../support/frames';
import { Pcapng, type PcapngForm, type Shot, fileOf, pcap, pcapng, timeUnits } from './capture-writer';
import { Conversation, USUAL_OPTIONS } from './conversation';
import { LINK_FORMS, type LinkForm, relinked } from './link-frames';

type Whole = Inspection & { readonly connections: readonly InspectedConnection[]; readonly totals: Totals };

/** Eighths of a second are exact in units of every kind. */
const STEP_MS = 125;
const ENDS = {
  4: { client: '10.0.0.9', server: '10.0.0.2' },
  6: { client: 'fd77::9', server: 'fd77::2' },
} as const;

/** Connections of every verdict: whole and over, with a hole, running before the capture, signed. */
function conversation(version: 4 | 6): Shot[] {
  const shots: Shot[] = [];
  const usual = { ...ENDS[version], clientOptions: USUAL_OPTIONS, serverOptions: USUAL_OPTIONS };
  const first = new Conversation(shots, { ...usual, clientPort: 40_001 }).open();
  for (let i = 0; i < 5; i++) {
    first.wait(STEP_MS).client('PA', { payload: 'x'.repeat(100 * i + 1) });
    first.wait(STEP_MS).server('PA', { payload: 'y'.repeat(301 * i) });
  }
  first.wait(STEP_MS).close();
  const second = new Conversation(shots, { ...usual, clientPort: 40_002 }, first.nowMs + STEP_MS);
  second.open().wait(STEP_MS).clientUnseen(50).server('A').client('A');
  const third = new Conversation(shots, { ...usual, clientPort: 40_003 }, second.nowMs + STEP_MS);
  third.client('PA', { payload: 'abc' }).wait(STEP_MS).server('PA', { payload: 'de' });
  const signed = { clientOptions: [md5()], serverOptions: [md5()] };
  new Conversation(shots, { ...usual, ...signed, clientPort: 40_004 }, third.nowMs + STEP_MS).open();
  return shots;
}

function inspectBytes(t: ExecutionContext, bytes: Uint8Array): Whole {
  return JSON.parse([...inspectionJson(inspectCapture(fileOf(t, bytes)))].join('')) as Whole;
}

/** But for what differs between files by their nature. */
function report(t: ExecutionContext, bytes: Uint8Array): Whole {
  return { ...inspectBytes(t, bytes), file: '', format: 'pcap', bytes: 0 };
}

const relink = (shots: readonly Shot[], form: LinkForm): Shot[] =>
  shots.map((shot) => ({ ...shot, frame: relinked(shot.frame, form) }));

type Write = (shots: readonly Shot[], linkType: number) => Buffer;

const pcapForms: readonly (readonly [name: string, write: Write])[] = (['LE', 'BE'] as const).flatMap((order) =>
  (['us', 'ns'] as const).map(
    (unit) =>
      [
        `pcap, ${order}, ${unit}`,
        (shots: readonly Shot[], linkType: number) => pcap({ order, unit, linkType }, shots),
      ] as const,
  ),
);

const pcapngForms: readonly (readonly [name: string, write: Write])[] = (
  [
    ['LE, microseconds', { order: 'LE' }],
    ['BE, microseconds', { order: 'BE' }],
    ['LE, nanoseconds', { order: 'LE', resolution: 9 }],
    ['BE, nanoseconds and an offset', { order: 'BE', resolution: 9, offset: 1_700_000_000 }],
    ['LE, powers of two, an offset into the future', { order: 'LE', resolution: 0x80 | 20, offset: 1_700_000_000 }],
    ['BE, milliseconds and an offset before 1970', { order: 'BE', resolution: 3, offset: -3_600 }],
  ] as readonly (readonly [string, PcapngForm])[]
).map(([name, form]) => [`pcapng, ${name}`, (shots, linkType) => pcapng({ ...form, linkType }, shots)] as const);

const FORMS = [...pcapForms, ...pcapngForms];

for (const version of [4, 6] as const) {
  for (const [name, write] of FORMS) {
    test(`IPv${version} in ${name}: the same of every link type`, (t) => {
      const shots = conversation(version);
      const expected = report(t, pcap({ order: 'LE', unit: 'us' }, shots));
      t.deepEqual(
        expected.connections.map(({ state, reason }) => [state, reason]),
        [
          ['time-wait', undefined],
          ['established', 'inbound-hole'],
          ['established', 'window-scale-unknown'],
          ['established', 'md5'],
        ],
      );
      for (const form of LINK_FORMS.filter(({ only = version }) => only === version)) {
        const linked = relink(shots, form);
        const bytes = write(linked, form.linkType);
        t.deepEqual(report(t, bytes), expected, form.name);
        t.is(
          inspectBytes(t, bytes).bytes,
          linked.reduce((sum, { frame }) => sum + frame.length, 0),
        );
      }
    });
  }
}

test('VLAN tags in cooked headers', (t) => {
  const shots: Shot[] = [];
  new Conversation(shots, { tags: [{ vid: 12 }] }).open();
  const expected = report(t, pcap({ order: 'LE', unit: 'us' }, shots));
  t.is(expected.connections[0]?.vlan, 12);
  for (const form of LINK_FORMS.filter(({ hasTags }) => hasTags)) {
    const bytes = pcap({ order: 'BE', unit: 'ns', linkType: form.linkType }, relink(shots, form));
    t.deepEqual(report(t, bytes), expected);
  }
});

test('frames that were cut, of every link type', (t) => {
  const shots = conversation(4);
  const headers = 14 + 60;
  const cut = (whole: readonly Shot[], length: number): Shot[] =>
    whole.map(({ frame, atMs }) => ({ frame: frame.subarray(0, length), atMs, wireLength: frame.length }));
  const expected = report(t, pcap({ order: 'LE', unit: 'us' }, shots));
  for (const form of LINK_FORMS.filter(({ only = 4 }) => only === 4)) {
    const linked = cut(relink(shots, form), headers - 14 + form.headerBytes);
    t.deepEqual(report(t, pcap({ order: 'LE', unit: 'us', linkType: form.linkType }, linked)), expected, form.name);
  }
});

test('several interfaces and sections, each with a link type, a byte order and a clock of its own', (t) => {
  const shots = conversation(4);
  const forms = LINK_FORMS.filter(({ only = 4 }) => only === 4);
  const clocks = [
    { resolution: 9, offset: 0 },
    { resolution: 3, offset: 1_000_000_000 },
    { resolution: 0x80 | 13, offset: -7 },
  ] as const;
  const clockOf = (i: number) => clocks[i % clocks.length] ?? clocks[0];
  const half = Math.ceil(shots.length / 2);
  const sections = (
    [
      ['LE', shots.slice(0, half), forms],
      ['BE', shots.slice(half), forms.toReversed()],
    ] as const
  ).map(([order, part, interfaces]) => {
    const capture = new Pcapng(order);
    for (const [i, { linkType }] of interfaces.entries()) {
      const { resolution, offset } = clockOf(i);
      capture.interface({ linkType, options: [capture.resolution(resolution), capture.offset(BigInt(offset))] });
    }
    for (const [n, { frame, atMs }] of part.entries()) {
      const interfaceId = n % interfaces.length;
      const form = interfaces[interfaceId] ?? forms[0];
      const { resolution, offset } = clockOf(interfaceId);
      if (form === undefined) throw new Error('no interface');
      capture.enhanced(relinked(frame, form), timeUnits(atMs, resolution, offset), { interfaceId });
    }
    return capture.bytes();
  });
  t.deepEqual(report(t, Buffer.concat(sections)), report(t, pcap({ order: 'LE', unit: 'us' }, shots)));
});

test('a file without times tells everything but times', (t) => {
  const shots = conversation(4);
  const capture = new Pcapng('LE').interface();
  for (const { frame } of shots) capture.simple(frame);
  const { from, to, connections } = report(t, capture.bytes());
  t.deepEqual([from, to], [undefined, undefined]);
  const expected = report(t, pcap({ order: 'LE', unit: 'us' }, shots)).connections;
  t.deepEqual(
    connections,
    expected.map((connection) => ({ ...connection, startMs: 0, endMs: 0 })),
  );
});

test('times that no calendar has are told as the nearest that one has', (t) => {
  const capture = new Pcapng('LE');
  const clock = (seconds: bigint): Buffer[] => [capture.offset(seconds)];
  capture.interface({ options: clock(-(2n ** 62n)) }).interface({ options: clock(2n ** 62n) });
  capture.enhanced(Buffer.alloc(60), 0n).enhanced(Buffer.alloc(60), 0n, { interfaceId: 1 });
  const { from, to } = report(t, capture.bytes());
  t.deepEqual([from, to], ['-271821-04-20T00:00:00.000Z', '+275760-09-13T00:00:00.000Z']);
});

// --- files that were cut or damaged -----------------------------------------------------------------------------

interface Cuttable {
  readonly name: string;
  readonly bytes: Buffer;
  /** Where the file may end with nothing missing, and how many frames it then has. */
  readonly ends: ReadonlyMap<number, number>;
  /** What is shorter is no capture file. */
  readonly least: number;
}

function cuttable(name: string, write: (shots: readonly Shot[]) => Buffer, least: number): Cuttable {
  const shots = conversation(4);
  const ends = new Map(shots.map((_, i) => [write(shots.slice(0, i)).length, i]));
  const bytes = write(shots);
  return { name, bytes, ends: ends.set(bytes.length, shots.length), least };
}

const SECTION_BYTES = 28;
const CUTTABLES = LINK_FORMS.filter(({ only = 4 }) => only === 4).flatMap((form) =>
  FORMS.map(([name, write]) => {
    const made = cuttable(`${name}, ${form.name}`, (shots) => write(relink(shots, form), form.linkType), 24);
    if (name.startsWith('pcap,')) return made;
    return { ...made, least: 12, ends: new Map([[SECTION_BYTES, 0], ...made.ends]) };
  }),
);

test('a file that was cut anywhere: what its whole frames say, and a warning unless nothing is missing', (t) => {
  const cases = fc
    .constantFrom(...CUTTABLES)
    .chain((file) => fc.tuple(fc.constant(file), fc.integer({ min: 0, max: file.bytes.length })));
  fc.assert(
    fc.property(cases, ([{ name, bytes, ends, least }, length]) => {
      const file = fileOf(t, bytes.subarray(0, length));
      if (length < least) {
        t.throws(() => inspectCapture(file), { instanceOf: CaptureError, message: /is no capture file/ }, name);
        return;
      }
      const [whole = 0] = [...ends.keys()].filter((end) => end <= length).slice(-1);
      const found = report(t, bytes.subarray(0, length));
      const { complete, warnings, frames } = found;
      t.is(complete, ends.has(length), `${name}, ${length} bytes`);
      t.is(frames, ends.get(whole) ?? 0);
      if (complete) t.deepEqual(warnings, []);
      else t.regex(warnings.join(), /^the file ends within (the header of )?(frame|block) \d+$/);
      if (whole >= least) t.deepEqual(found, { ...report(t, bytes.subarray(0, whole)), complete, warnings });
    }),
  );
});

test('a file that is damaged anywhere is inspected up to there, or refused as a capture', (t) => {
  const cases = fc.constantFrom(...CUTTABLES).chain((file) =>
    fc.tuple(
      fc.constant(file),
      fc.array(fc.tuple(fc.integer({ min: 0, max: file.bytes.length - 1 }), fc.integer({ min: 0, max: 255 })), {
        minLength: 1,
        maxLength: 20,
      }),
    ),
  );
  fc.assert(
    fc.property(cases, ([{ bytes }, damages]) => {
      const damaged = Buffer.from(bytes);
      for (const [at, value] of damages) damaged[at] = value;
      try {
        report(t, damaged);
      } catch (error) {
        if (!(error instanceof CaptureError)) throw error;
      }
    }),
  );
  t.pass();
});
