/** Frames out of capture files of every form, and what is said of files that are none. */
import test from 'ava';
import { CaptureError, CaptureFile } from '../../src/inspect/capture-file';
import { PcapFileWriter } from '../../src/sniffer/pcap-file';
import { Pcapng, type Shot, fileOf, pcap } from './capture-writer';

const START_MS = Date.parse('2024-02-29T12:00:00Z');
const SHOTS: readonly Shot[] = [
  { frame: Buffer.alloc(60, 1), atMs: START_MS },
  { frame: Buffer.alloc(61, 2), atMs: START_MS + 0.25 },
  { frame: Buffer.alloc(0), atMs: START_MS + 1500, wireLength: 1514 },
  { frame: Buffer.alloc(65_549, 3), atMs: START_MS + 86_400_000 },
];

interface Read {
  readonly format: string;
  readonly problem: string | undefined;
  readonly shots: readonly ReadShot[];
  readonly unreadable: readonly string[];
}

type ReadShot = Omit<Required<Shot>, 'atMs'> & { readonly atMs: number | undefined };

function read(path: string): Read {
  const file = CaptureFile.open(path);
  try {
    const shots = [...copies(file)];
    return { format: file.format, problem: file.problem, shots, unreadable: file.unreadable() };
  } finally {
    file.close();
  }
}

function* copies(file: CaptureFile): Generator<ReadShot> {
  for (const { bytes, timeMs, wireLength } of file.frames()) {
    yield { frame: Buffer.from(bytes), atMs: timeMs, wireLength };
  }
}

const complete = (shots: readonly Shot[]): Required<Shot>[] =>
  shots.map(({ frame, atMs, wireLength = frame.length }) => ({ frame: Buffer.from(frame), atMs, wireLength }));

for (const order of ['LE', 'BE'] as const) {
  for (const unit of ['us', 'ns'] as const) {
    test(`pcap, ${order}, ${unit}`, (t) => {
      const { format, problem, shots } = read(fileOf(t, pcap({ order, unit }, SHOTS)));
      t.deepEqual([format, problem], ['pcap', undefined]);
      t.deepEqual(shots, complete(SHOTS));
    });
  }

  // if_tsresol: the default, a power of ten, a power of two.
  for (const [name, resolution, unitsPerMs] of [
    ['microseconds unless said otherwise', undefined, 1000],
    ['nanoseconds', 9, 1_000_000],
    ['seconds', 0, 0.001],
    ['powers of two', 0x80 | 10, 1.024],
  ] as const) {
    test(`pcapng, ${order}, times in ${name}`, (t) => {
      const capture = new Pcapng(order);
      const options =
        resolution === undefined ? [] : [capture.option(2, Buffer.from('eth0')), capture.resolution(resolution)];
      capture.interface({ options });
      const units = [0n, 3n, 1_700_000_000_000n];
      for (const time of units) capture.enhanced(Buffer.alloc(61, 7), time, { wireLength: 99 });
      const { format, problem, shots } = read(fileOf(t, capture.bytes()));
      t.deepEqual([format, problem], ['pcapng', undefined]);
      t.deepEqual(
        shots,
        units.map((time) => ({ frame: Buffer.alloc(61, 7), atMs: Number(time) / unitsPerMs, wireLength: 99 })),
      );
    });
  }

  test(`pcapng, ${order}: several interfaces, simple packets, unknown blocks and options`, (t) => {
    const capture = new Pcapng(order);
    capture
      .interface({ snapLength: 50 })
      .interface({ options: [capture.resolution(3), capture.offset(1000n), capture.option(0, Buffer.alloc(0))] })
      .block(0xbad, [Buffer.alloc(400)])
      .enhanced(Buffer.of(1), 5n, { interfaceId: 1 })
      .simple(Buffer.alloc(50, 2), 70)
      .block(5, [Buffer.alloc(16)])
      .enhanced(Buffer.of(3), 8000n);
    const { problem, shots } = read(fileOf(t, capture.bytes()));
    t.is(problem, undefined);
    t.deepEqual(shots, [
      { frame: Buffer.of(1), atMs: 1_000_005, wireLength: 1 },
      { frame: Buffer.alloc(50, 2), atMs: undefined, wireLength: 70 },
      { frame: Buffer.of(3), atMs: 8, wireLength: 1 },
    ]);
  });
}

test('pcapng: a section of the other byte order with interfaces of its own', (t) => {
  const first = new Pcapng('LE').interface().enhanced(Buffer.of(1), 1000n);
  const second = new Pcapng('BE').interface().enhanced(Buffer.of(2), 2000n);
  const { problem, shots } = read(fileOf(t, Buffer.concat([first.bytes(), second.bytes()])));
  t.is(problem, undefined);
  t.deepEqual(
    shots.map(({ atMs, frame }) => [atMs, frame[0]]),
    [
      [1, 1],
      [2, 2],
    ],
  );
});

test('what the recorder writes', (t) => {
  const path = fileOf(t, Buffer.alloc(0));
  const writer = new PcapFileWriter(path);
  for (const { frame, atMs, wireLength } of SHOTS) writer.write(frame, atMs, wireLength);
  writer.close();
  t.deepEqual(read(path).shots, complete(SHOTS));
});

test('more frames than one piece of the file, none of them cut by its end', (t) => {
  const shots = Array.from({ length: 3000 }, (_, i) => ({ frame: Buffer.alloc(1514, i), atMs: START_MS + i }));
  t.deepEqual(read(fileOf(t, pcap({ order: 'LE', unit: 'us' }, shots))).shots, complete(shots));
});

test('a file that was cut gives the frames before the cut, wherever it is', (t) => {
  const shots = SHOTS.slice(0, 2);
  const classic = pcap({ order: 'LE', unit: 'us' }, shots);
  const ng = new Pcapng('BE').interface();
  for (const { frame } of shots) ng.enhanced(frame, 0n);
  for (const [whole, header] of [
    [classic, 24],
    [ng.bytes(), 28 + 20],
  ] as const) {
    const ends = new Set(header === 24 ? [24, 24 + 76] : [28, 48, 48 + 92]);
    for (let length = header; length < whole.length; length++) {
      const { problem, shots: found } = read(fileOf(t, whole.subarray(0, length)));
      t.is(found.length, length < whole.length - (header === 24 ? 77 : 96) ? 0 : 1, `${length} bytes`);
      if (ends.has(length)) t.is(problem, undefined);
      else t.regex(problem ?? '', /^the file ends within/);
    }
  }
});

test('a file that is damaged gives the frames before the damage', (t) => {
  const damage = (bytes: Buffer, at: number, value: number): Buffer => {
    bytes.writeUInt32LE(value, at);
    return bytes;
  };
  const classic = () => pcap({ order: 'LE', unit: 'us' }, SHOTS.slice(0, 2));
  const ng = () => new Pcapng('LE').interface().enhanced(Buffer.alloc(60), 0n).enhanced(Buffer.alloc(60), 0n).bytes();
  const second = 28 + 20 + 92;
  for (const [bytes, problem] of [
    [damage(classic(), 24 + 76 + 8, 0x7fffffff), 'frame 2 is said to have 2147483647 bytes: the file is damaged there'],
    [damage(ng(), second + 4, 7), 'block 4 is said to have 7 bytes: the file is damaged there'],
    [damage(ng(), second + 4, 0), 'block 4 is said to have 0 bytes: the file is damaged there'],
    [damage(ng(), second + 4, 0x40000000), 'block 4 is said to have 1073741824 bytes: the file is damaged there'],
    [damage(ng(), second + 88, 96), 'block 4 has two different lengths: the file is damaged there'],
    [damage(ng(), second + 8, 1), 'block 4 is of interface 1, which was not described: the file is damaged there'],
    [damage(ng(), second + 20, 61), 'block 4 has a frame of 61 bytes: the file is damaged there'],
    [damage(ng(), second, 0x0a0d0d0a), 'block 4 has no byte order: the file is damaged there'],
  ] as const) {
    const found = read(fileOf(t, bytes));
    t.is(found.problem, problem);
    t.is(found.shots.length, 1);
  }
});

test('other link types are refused by name, with what to do', (t) => {
  const expected = { instanceOf: CaptureError, code: 'MIGWARE_CAPTURE' };
  for (const [linkType, message] of [
    [105, /frames of link type 105, IEEE802_11 cannot be read; capture on the wired side/],
    [119, /frames of link type 119, IEEE802_11_PRISM cannot be read; capture on the wired side/],
    [127, /frames of link type 127, IEEE802_11_RADIOTAP cannot be read; capture on the wired side/],
    [147, /frames of link type 147 cannot be read; capture on an Ethernet interface: tcpdump -y EN10MB/],
  ] as const) {
    const classic = fileOf(t, pcap({ order: 'LE', unit: 'us', linkType }, SHOTS));
    t.throws(() => read(classic), { ...expected, message });
    const newer = new Pcapng('LE')
      .interface()
      .interface({ linkType })
      .enhanced(Buffer.alloc(9), 0n, { interfaceId: 1 });
    t.throws(() => read(fileOf(t, newer.bytes())), { ...expected, message });
  }
});

test('frames that cannot be read among others that can are passed over and told', (t) => {
  const capture = new Pcapng('LE')
    .interface({ linkType: 127 })
    .interface({ linkType: 1 })
    .interface({ linkType: 249 })
    .enhanced(Buffer.alloc(9), 0n)
    .enhanced(Buffer.alloc(60), 0n, { interfaceId: 1 })
    .enhanced(Buffer.alloc(9), 0n)
    .enhanced(Buffer.alloc(9), 0n, { interfaceId: 2 });
  const { problem, shots, unreadable } = read(fileOf(t, capture.bytes()));
  t.is(problem, undefined);
  t.is(shots.length, 4);
  t.is(unreadable.length, 2);
  t.regex(unreadable[0] ?? '', /^2 of its frames have link type 127, IEEE802_11_RADIOTAP; capture on the wired side/);
  t.regex(unreadable[1] ?? '', /^1 of its frames have link type 249, USBPCAP; /);
});

test('the packet block of older writers', (t) => {
  for (const order of ['LE', 'BE'] as const) {
    const capture = new Pcapng(order).interface().interface().obsolete(Buffer.of(7), 3000n, { interfaceId: 1 });
    t.deepEqual(read(fileOf(t, capture.bytes())).shots, [{ frame: Buffer.of(7), atMs: 3, wireLength: 1 }]);
  }
});

test('what a disk cannot read any more ends the frames, not the report', (t) => {
  const bytes = pcap({ order: 'LE', unit: 'us' }, SHOTS.slice(0, 2));
  let at = 0;
  const file = CaptureFile.from('failing', {
    size: 2 * bytes.length,
    close() {},
    read(into) {
      if (at > 0) throw Object.assign(new Error('EIO'), { errno: -5, syscall: 'read' });
      at = bytes.copy(into);
      return at;
    },
  });
  t.is([...file.frames()].length, 2);
  t.is(file.problem, 'the rest of the file cannot be read (i/o error)');
});

test('the length of a frame check sequence beside the link type is no other link type', (t) => {
  const bytes = pcap({ order: 'BE', unit: 'us', linkType: 0x24000001 }, SHOTS);
  t.is(read(fileOf(t, bytes)).shots.length, SHOTS.length);
});

test('what is no capture is refused', (t) => {
  for (const [bytes, message] of [
    [Buffer.alloc(0), /is no capture file, it is empty$/],
    [Buffer.from('interface = "eth0"\n'.repeat(9)), /is no capture file, expected pcap or pcapng; editcap /],
    [Buffer.of(0x1f, 0x8b, 8, 0), /is no capture file but compressed by gzip/],
    [pcap({ order: 'LE', unit: 'us' }, []).subarray(0, 23), /is no capture file/],
    [new Pcapng('LE').bytes().subarray(0, 11), /is no capture file/],
  ] as const) {
    t.throws(() => read(fileOf(t, bytes)), { instanceOf: CaptureError, message });
  }
  t.throws(() => read('/nonexistent'), {
    instanceOf: CaptureError,
    message: /^\/nonexistent: cannot be read \(no such file/,
  });
  t.throws(() => read('/'), { instanceOf: CaptureError, message: /cannot be read \(illegal operation on a directory/ });
});
