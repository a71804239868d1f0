/** The module, bench/native and bench/core/plain do the same: otherwise the benchmark would compare different work. */
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { PacketKind } from '../../../assembly/parser/packet-codes';
import {
  CONNECTION_BYTES,
  CONNECTION_STATE,
  COUNTER_BYTES,
  FLOW_BYTES,
  TX_DESC_LEN,
  TX_DESC_OFF,
} from '../../../assembly/abi/layout';
import { Counter, Reason } from '../../../assembly/abi/codes';
import { ACTS, type Case } from '../../../bench/core/cases';
import { NativeSubject, bytesWord, compileNative } from '../../../bench/core/native-subject';
import type { Packet } from '../../../bench/core/plain/packet';
import { NATIVE_LINK, type Stage, bytesStage } from '../../../bench/core/scenes';
import { ARENA_BYTES } from '../../../bench/core/subject';
import { GOLDEN } from '../../parser/golden';
import { type Fields, Rig } from '../../parser/rig';
import { hex, tcpFrame } from '../../support/frames';

const { program } = compileNative('agreement');

/** The C, until the test has ended, however that is. */
async function start(t: ExecutionContext, { scene }: Pick<Stage, 'scene'>): Promise<NativeSubject> {
  const native = await NativeSubject.start(program, scene, NATIVE_LINK);
  t.teardown(() => native.stop());
  return native;
}

// --- every case of the benchmark -------------------------------------------------------------------------------

/** All tables but the smallest: their cases differ in nothing else. */
const isLarge = ({ name }: Case): boolean => /\d{6} connections/.test(name);

function coreRecord({ core }: Stage, i: number): string {
  const at = (core.exports.connectionsBase() >>> 0) + i * CONNECTION_BYTES;
  return hex(core.bytes.subarray(at, at + CONNECTION_BYTES));
}

function coreCounters({ core }: Stage): number[] {
  const { exports, bytes } = core;
  const count: number = Reason.Count + Counter.Count;
  const view = new DataView(bytes.buffer, exports.countersBase() >>> 0, count * COUNTER_BYTES);
  return Array.from({ length: count }, (_, i) => Number(view.getBigUint64(i * COUNTER_BYTES, true)));
}

function coreSent({ core }: Stage): string {
  const view = new DataView(core.bytes.buffer, core.exports.txTable() >>> 0);
  const at = view.getUint32(TX_DESC_OFF, true);
  return hex(core.bytes.subarray(at, at + view.getUint32(TX_DESC_LEN, true)));
}

/** What plain TypeScript has of a record: the numbers that segments move. */
function plainNumbers({ plain }: Stage, i: number): number[] {
  const c = plain.connections[i];
  if (c === undefined) throw new Error(`no connection ${i}`);
  const flows = [c.inbound, c.outbound].map((f) => [f.end, f.acked, f.edge, f.maxWindow, f.tsval, f.tsMs, f.flags]);
  return [c.state, c.risk, c.seenMs, c.tsDelta, ...flows.flat(), c.inbound.keptBytes];
}

/** The same out of a record's bytes. */
function coreNumbers(record: string): number[] {
  const bytes = Buffer.from(record, 'hex');
  const flow = (at: number) => [
    ...[4, 8, 12, 16, 24, 28].map((offset) => bytes.readUInt32LE(at + offset)),
    bytes.readUInt8(at + 35),
  ];
  const [inbound, outbound] = [96, 96 + FLOW_BYTES];
  return [
    bytes.readUInt8(CONNECTION_STATE),
    bytes.readUInt8(CONNECTION_STATE + 2),
    bytes.readUInt32LE(60),
    bytes.readUInt32LE(96 + 2 * FLOW_BYTES + 8),
    ...flow(inbound),
    ...flow(outbound),
    bytes.readUInt32LE(inbound + 44),
  ];
}

for (const [index, act] of ACTS.entries()) {
  const { groups } = act;
  test(`all languages come to the same in act ${index}: ${groups.join(', ')}`, async (t) => {
    // The large tables take seconds and gigabytes.
    if (groups.includes('lookup') && index > 1) {
      t.pass();
      return;
    }
    const { stage, cases } = act.prepare();
    t.false(cases.some(isLarge));
    const native = await start(t, stage);
    for (const { name, step, args, unit } of cases) {
      // An odd number of rounds of a ring: what moves with each frame has moved.
      const repetitions = unit * 3;
      const before = coreCounters(stage);
      const beforeNative = await counters(native);
      const { result } = stage.core.run(step, args, repetitions);
      t.is((await native.run(step, args, repetitions)).result, result, `${name}: C`);
      if (step !== 'touch') t.is(stage.plain.run(step, args, repetitions).result, result, `${name}: plain`);
      for (const [i] of stage.scene.connections.entries()) {
        const record = coreRecord(stage, i);
        t.is(await native.ask('record', i), record, `${name}: record ${i} in C`);
        t.deepEqual(plainNumbers(stage, i), coreNumbers(record), `${name}: record ${i} in plain TypeScript`);
      }
      const moved = (after: number[], from: number[]) => after.map((n, i) => n - (from[i] ?? 0));
      t.deepEqual(moved(await counters(native), beforeNative), moved(coreCounters(stage), before), name);
      if (step !== 'translate' && !name.startsWith('translated')) continue;
      const sent = coreSent(stage);
      t.true(sent.length > 0);
      t.is(await native.ask('sent'), sent, `${name}: frame in C`);
      t.is(hex(stage.plain.sent()), sent, `${name}: frame in plain TypeScript`);
    }
  });
}

async function counters(native: NativeSubject): Promise<number[]> {
  return (await native.ask('counters')).trim().split(' ').map(Number);
}

// --- the parser, over more than what is measured ------------------------------------------------------------------

/** In the order of bench/native's `packet`; the first group without addresses in the frame. */
const NUMBERS = [
  ...['kind', 'tagCount', 'outerTag', 'innerTag', 'vlan', 'etherType', 'wireLength', 'l3', 'ipVersion', 'protocol'],
  ...['ipHeaderLength', 'l4', 'l4Wire', 'l4Length', 'fragmentHasPorts', 'srcPort', 'dstPort', 'seq', 'ack', 'window'],
  ...['urgent', 'flags', 'headerLength', 'payload', 'payloadLength', 'payloadWire', 'segmentLength', 'options', 'mss'],
  ...['windowShift', 'tsval', 'tsecr', 'ts', 'sack', 'sackCount'],
];
const ADDRESSES = new Set(['l3', 'l4', 'payload', 'ts', 'sack']);
const CORE_NAMES: Readonly<Record<string, string>> = { ts: 'tsPtr', sack: 'sackPtr' };

function coreAnswer(rig: Rig, frame: Uint8Array): number[] {
  const { reason, fields, offset } = rig.parse(frame);
  const numbers = NUMBERS.map((name) => {
    const value = fields[(CORE_NAMES[name] ?? name) as keyof Fields];
    return ADDRESSES.has(name) ? (value === 0 ? -1 : offset(value)) : value;
  });
  return [reason, ...numbers];
}

function plainAnswer(p: Packet): number[] {
  return [p.reason, ...NUMBERS.map((name) => Number(p[name as keyof Packet])).map((n, i) => unsignedAt(i, n))];
}

/** Bit operations of numbers are signed; addresses may be -1. */
function unsignedAt(i: number, value: number): number {
  return ADDRESSES.has(NUMBERS[i] ?? '') ? value : value >>> 0;
}

/** What bench/native and plain TypeScript do not know: other protocols than TCP that the core acts on. */
function isMeasured(rig: Rig, frame: Uint8Array): boolean {
  const { fields } = rig.parse(frame);
  if (fields.etherType === 0x0806) return false;
  return fields.protocol !== (fields.ipVersion === 4 ? 1 : 58);
}

test('all parsers say the same of the golden frames and of damaged ones', async (t) => {
  const rig = new Rig('test');
  const stage = bytesStage(new Uint8Array(0));
  const { plain } = stage;
  const native = await start(t, stage);
  const compare = async (frame: Uint8Array): Promise<void> => {
    if (!isMeasured(rig, frame)) return;
    const expected = coreAnswer(rig, frame);
    const at = ARENA_BYTES - frame.length;
    plain.bytes.set(frame, at);
    const answer = plain.parse(at, frame.length, frame.length);
    const relative = plainAnswer(answer).map((n, i) => (ADDRESSES.has(NUMBERS[i - 1] ?? '') && n >= 0 ? n - at : n));
    t.deepEqual(relative, expected, `plain: ${hex(frame)}`);
    await native.ask('write', 0, bytesWord(frame));
    const line = (await native.ask('packet', 0, frame.length, frame.length)).split(' ');
    t.deepEqual(line.slice(0, -1).map(Number), expected, `C: ${hex(frame)}`);
  };
  const frames = GOLDEN.map(({ recipe }) => recipe());
  t.true(frames.length > 0 && frames.some((frame) => rig.parse(frame).kind === PacketKind.Tcp));
  for (const frame of frames) await compare(frame);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...frames),
      fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 3 }),
      fc.nat(120),
      async (frame, damages, cut) => {
        const damaged = Uint8Array.from(frame);
        for (const [at, value] of damages) damaged[at % damaged.length] = value;
        await compare(cut < damaged.length ? damaged.subarray(0, damaged.length - (cut % 8)) : damaged);
      },
    ),
    { numRuns: 500 },
  );
});

test('a frame that is not part of the benchmark ends bench/native with a message', async (t) => {
  const native = await start(t, bytesStage(new Uint8Array(0)));
  const arp = tcpFrame({});
  arp.set([0x08, 0x06], 12);
  await native.ask('write', 0, bytesWord(arp));
  await t.throwsAsync(native.ask('packet', 0, arp.length, arp.length), {
    message: /ARP is not part of this benchmark/,
  });
});
