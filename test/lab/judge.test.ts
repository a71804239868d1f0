/** The judge finds each thing that can be wrong with a connection, in made-up evidence. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ClientConnection, ClientPlan, Evidence, ServiceConnection, Verdict } from './judge';
import { judge } from './judge';
import { pattern } from './pattern';
import type { Frame } from './pcap';
import { ACK, FIN, RST, SYN } from './pcap';

const directory = mkdtempSync(join(tmpdir(), 'migware-judge-'));
test.after.always(() => {
  rmSync(directory, { recursive: true });
});

const PLAN: ClientPlan = { mode: 'push', record: 16, total: 0, goodbye: 0 };
const LOCAL = '10.77.0.10:40000';
const SENT = 1000;

const CLIENT: ClientConnection = {
  stream: 7,
  local: LOCAL,
  sent: SENT,
  acknowledged: SENT,
  asked: 0,
  received: 0,
  goodbye: 0,
  wrongAt: -1,
  ended: true,
  silenceMs: 12.5,
  silenceAt: 0,
  error: '',
  errorAt: 0,
};

let files = 0;

function read(bytes: Uint8Array, peer = LOCAL): ServiceConnection {
  const file = join(directory, String(files++));
  writeFileSync(file, bytes);
  return { peer, file, read: bytes.length, written: 0, ended: true, open: false, error: '' };
}

function frame(flags: number, toClient = false, ack = 2): Frame {
  const [client, service] = ['10.77.0.10', '10.77.0.2'];
  const ip = { source: toClient ? service : client, destination: toClient ? client : service, protocol: 6 };
  const ports = toClient ? { source: 7000, destination: 40000 } : { source: 40000, destination: 7000 };
  const link = { atMs: 0, bytes: Buffer.alloc(0), source: '', destination: '', vlans: [], etherType: 0x0800 };
  return { ...link, ip, ports, tcp: { flags, seq: 1, ack } };
}

interface Made {
  readonly client?: Partial<ClientConnection>;
  readonly plan?: Partial<ClientPlan>;
  readonly primary?: ServiceConnection[];
  readonly replica?: ServiceConnection[];
  readonly frames?: Evidence['frames'];
  readonly fromPrimary?: Evidence['frames'];
  readonly replicaReads?: 'rest' | 'all';
}

const part = (from: number, to: number, peer?: string) => [read(pattern(7, from, to), peer)];

function judgeOf({
  client,
  plan,
  primary = part(0, 400),
  replica = part(400, SENT),
  frames = [frame(SYN)],
  fromPrimary,
  replicaReads = 'rest',
}: Made): Verdict {
  return judge({
    clients: [{ plan: { ...PLAN, ...plan }, connections: [{ ...CLIENT, ...client }] }],
    services: [
      { name: 'primary', connections: primary },
      { name: 'replica', connections: replica },
    ],
    frames,
    replicaReads,
    ...(fromPrimary && { fromPrimary }),
  });
}

test('a prefix and the rest of it are right', (t) => {
  const { problems, kept, lostBytes, doubledBytes, longestSilenceMs } = judgeOf({});
  t.deepEqual(problems, []);
  t.deepEqual(
    { kept, lostBytes, doubledBytes, longestSilenceMs },
    { kept: 1, lostBytes: 0, doubledBytes: 0, longestSilenceMs: 12.5 },
  );
});

test('so are all bytes at the primary, and all at the replica', (t) => {
  t.deepEqual(judgeOf({ primary: part(0, SENT), replica: [] }).problems, []);
  t.deepEqual(judgeOf({ primary: part(0, SENT), replica: part(SENT, SENT) }).problems, []);
  t.deepEqual(judgeOf({ primary: [], replica: part(0, SENT) }).problems, []);
});

test('a replica that sees another peer is matched by what is missing', (t) => {
  t.deepEqual(judgeOf({ replica: part(400, SENT, '10.77.0.2:20000') }).problems, []);
});

test('a replica that is given everything has to read everything, and the primary the beginning of it', (t) => {
  const replicaReads = 'all';
  t.deepEqual(judgeOf({ replicaReads, replica: part(0, SENT) }).problems, []);
  t.deepEqual(judgeOf({ replicaReads, replica: part(0, SENT, '10.77.0.2:20000') }).problems, []);
  t.deepEqual(judgeOf({ replicaReads, primary: part(0, SENT), replica: [] }).problems, []);
  t.like(judgeOf({ replicaReads, replica: part(0, 990) }), { kept: 0, lostBytes: 10 });
  t.like(judgeOf({ replicaReads, replica: part(400, SENT) }), { kept: 0 });
  t.like(judgeOf({ replicaReads, primary: part(10, 400), replica: part(0, SENT) }), { kept: 0 });
});

test('lost and doubled bytes are counted', (t) => {
  t.like(judgeOf({ replica: part(410, SENT) }), { kept: 0, lostBytes: 10, doubledBytes: 0 });
  t.like(judgeOf({ replica: part(390, SENT) }), { kept: 0, lostBytes: 0, doubledBytes: 10 });
  t.like(judgeOf({ replica: part(400, 990) }), { kept: 0, lostBytes: 10, doubledBytes: 0 });
  t.like(judgeOf({ replica: [] }), { kept: 0, lostBytes: 600, doubledBytes: 0 });
});

test('one wrong byte is found, on either side', (t) => {
  const wrong = Buffer.from(pattern(7, 400, SENT));
  wrong.writeUInt8(wrong.readUInt8(300) ^ 1, 300);
  t.is(judgeOf({ replica: [read(wrong)] }).kept, 0);
  t.is(judgeOf({ client: { wrongAt: 3 } }).kept, 0);
});

test('bytes beyond what was written, and connections of nobody, are found', (t) => {
  t.is(judgeOf({ replica: part(400, SENT + 4) }).kept, 0);
  t.is(judgeOf({ replica: [...part(400, SENT), ...part(0, 10, '10.77.0.99:1')] }).problems.length, 1);
});

test('errors, missing answers and missing ends at the client are found', (t) => {
  t.is(judgeOf({ client: { error: 'ECONNRESET' } }).kept, 0);
  t.is(judgeOf({ client: { ended: false } }).kept, 0);
  t.is(judgeOf({ client: { asked: 10, received: 9 } }).kept, 0);
  t.is(judgeOf({ plan: { goodbye: 10 } }).kept, 0);
});

test('an RST in the capture is found, and so is a capture that saw nothing', (t) => {
  t.like(judgeOf({ frames: [frame(SYN), frame(RST)] }), { resets: 1 });
  t.is(judgeOf({ frames: [frame(SYN), frame(RST)] }).problems.length, 1);
  t.is(judgeOf({ frames: [] }).problems.length, 1);
});

test('an RST after both ends have closed is ordinary TCP, before that it is none', (t) => {
  t.is(judgeOf({ frames: [frame(SYN), frame(FIN), frame(FIN, true), frame(RST, true)] }).resets, 0);
  t.is(judgeOf({ frames: [frame(SYN), frame(FIN), frame(RST, true), frame(FIN, true)] }).resets, 1);
  t.is(judgeOf({ frames: [frame(FIN), frame(FIN, true), frame(SYN), frame(RST, true)] }).resets, 1);
});

test("the primary's part is what it acknowledged, across the wrap of the numbers", (t) => {
  const first = 0xffff_ff00;
  const fromPrimary = [
    frame(SYN | ACK, true, first),
    frame(ACK, true, (first + 400) >>> 0),
    frame(ACK, true, first + 100),
  ];
  t.like(judgeOf({ primary: part(0, 450), fromPrimary }), { kept: 1, unacknowledgedBytes: 50 });
  t.like(judgeOf({ primary: part(0, 450), replica: part(450, SENT), fromPrimary }), { kept: 0, lostBytes: 50 });
  // Acknowledged and not read: nobody can have these bytes.
  t.like(judgeOf({ primary: part(0, 390), fromPrimary }), { kept: 0, lostBytes: 10 });
});

test('requests are rebuilt from the plan', (t) => {
  const text = Buffer.from('GET 7 0 100\nGET 7 100 50\n');
  const client = { sent: text.length, asked: 150, received: 150 };
  const plan = { mode: 'get', record: 100, total: 150 } as const;
  t.deepEqual(
    judgeOf({ client, plan, primary: [read(text.subarray(0, 12))], replica: [read(text.subarray(12))] }).problems,
    [],
  );
});
