/** Captures for the hosts in examples/: what each of them has to read alike. */
import { type Shot, pcap } from '../inspect/capture-writer';
import { Conversation, START_MS, USUAL_OPTIONS } from '../inspect/conversation';
import { arpFrame, fragmentHeader, md5, mptcpCapable, mss, tcpFrame, windowScale } from '../support/frames';

const USUAL = { clientOptions: USUAL_OPTIONS, serverOptions: USUAL_OPTIONS };

/** One connection of every kind, among frames that are none. */
export function everyKind(): Shot[] {
  const shots: Shot[] = [{ frame: arpFrame(), atMs: START_MS }];
  new Conversation(shots, USUAL)
    .open()
    .client('PA', { payload: 'x'.repeat(100) })
    .server('PA', { payload: 'y'.repeat(1000) })
    .wait(20)
    .close();
  new Conversation(shots, { ...USUAL, client: 'fd77::9', server: 'fd77::2', tags: [{ vid: 12 }] }, START_MS + 3).open();
  new Conversation(shots, { client: '::1:0:0:2', server: 'fd77:0:1::' }, START_MS + 4).open().client('R');
  new Conversation(shots, { tags: [{ vid: 100, tpid: 0x88a8 }, { vid: 7 }], clientIsn: 0xfffffff0 }, START_MS + 5)
    .open()
    .clientUnseen(50)
    .server('A')
    .client('A');
  new Conversation(shots, { clientPort: 40001 }, START_MS + 6)
    .client('PA', { payload: 'abc' })
    .server('PA', { payload: 'de' })
    .client('A');
  const signed = { clientOptions: [md5()], serverOptions: [md5()] };
  new Conversation(shots, { ...signed, clientPort: 40002 }, START_MS + 7).open();
  const multipath = { clientOptions: [mptcpCapable()], serverOptions: [mptcpCapable()] };
  new Conversation(shots, { ...multipath, clientPort: 40003 }, START_MS + 8).open();
  const scaled = { clientOptions: [mss(1400), windowScale(3)], serverOptions: [windowScale(9)] };
  new Conversation(shots, { ...scaled, clientPort: 40004, synFlags: 'SEC', synAckFlags: 'SAE' }, START_MS + 9).open();
  shots.push({ frame: tcpFrame({ checksum: 1 }), atMs: START_MS + 10 });
  shots.push({
    frame: tcpFrame({ src: 'fd77::9', dst: 'fd77::2', extensions: [fragmentHeader(0, true)] }),
    atMs: START_MS + 11.25,
  });
  return inOrder(shots);
}

/** Many, open and ended and given up for new ones, some with the ports of an earlier one, over half an hour. */
export function many(count = 3000): Shot[] {
  const shots: Shot[] = [];
  for (let i = 0; i < count; i++) {
    const ports = { clientPort: 1 + (i % 2000), clientIsn: (i * 7919) >>> 0 };
    const talk = new Conversation(shots, ports, START_MS + i * 600);
    if (i % 3 === 0) talk.syn();
    else talk.open().client('PA', { payload: 'x'.repeat(i % 100) });
    if (i % 3 === 1) talk.wait(10).close();
  }
  return inOrder(shots);
}

function inOrder(shots: readonly Shot[]): Shot[] {
  return shots.toSorted((a, b) => a.atMs - b.atMs);
}

const cut = (shots: readonly Shot[], bytes: number): Shot[] =>
  shots.map(({ frame, ...rest }) => ({ ...rest, frame: frame.subarray(0, bytes), wireLength: frame.length }));

/** By what is special about each. */
export function captures(): Readonly<Record<string, Buffer>> {
  const kinds = everyKind();
  const file = pcap({ order: 'LE', unit: 'us' }, kinds);
  return {
    'connections of every kind': file,
    'of the other byte order, in nanoseconds': pcap({ order: 'BE', unit: 'ns' }, kinds),
    'thousands of connections over half an hour': pcap({ order: 'LE', unit: 'us' }, many()),
    'frames cut after 60 bytes': pcap({ order: 'LE', unit: 'us' }, cut(kinds, 60)),
    'cut within a frame': file.subarray(0, -1),
    'cut within the header of a frame': file.subarray(0, file.length - (kinds.at(-1)?.frame.length ?? 0) - 5),
    'damaged: a frame of four gigabytes': damaged(file),
    'without a frame': pcap({ order: 'LE', unit: 'us' }, []),
  };
}

/** The second frame's captured length. */
function damaged(file: Buffer): Buffer {
  const bytes = Buffer.from(file);
  const first = bytes.readUInt32LE(24 + 8);
  bytes.writeUInt32LE(0xffffffff, 24 + 16 + first + 8);
  return bytes;
}
