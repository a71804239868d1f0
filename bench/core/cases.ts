/** What is measured, in the order of the report. */
import {
  FULL_PAYLOAD,
  FULL_TCP,
  PLAIN_TCP,
  type Stage,
  TABLE_PORT,
  TABLE_SERVER,
  bytesStage,
  layOut,
  liveStage,
  parserFrames,
  proxyStage,
  sackBlocks,
  tableStage,
  tapStage,
  trackStage,
} from './scenes';
import type { Step } from './subject';

export type Group =
  'parse' | 'lookup' | 'track' | 'translate' | 'checksum patch' | 'checksum' | 'pipeline by batch' | 'pipeline';

export interface Case {
  readonly group: Group;
  /** What tells it from others of its group. */
  readonly name: string;
  readonly step: Step;
  readonly args: readonly number[];
  /** Packets, or whatever the figure is of, in one repetition. */
  readonly operations: number;
  /** Repetitions come in multiples of it. */
  readonly unit: number;
  /** A frame that the pcap package's decoder can be given as well. */
  readonly frame?: Uint8Array;
}

/** Cases that share a state. */
export interface Act {
  readonly groups: readonly Group[];
  readonly prepare: () => { readonly stage: Stage; readonly cases: readonly Case[] };
}

const LENGTHS = [20, 64, 536, 1460, 8960, 64000];
const ALIGNMENTS = [0, 1, 2, 4];
const TABLES = [1000, 100_000, 1_000_000];
/** Of a larger table those that are looked up again and again: as many as the smallest has, so that caches hold as much. */
export const BUSY = 1000;
/** About the golden section of the table, and no common divisor with its size: consecutive lookups are far apart. */
const STEPS: Readonly<Record<number, number>> = { 1000: 617, 100_000: 61_803, 1_000_000: 618_033 };
/** Clients that are in no table. */
const STRANGERS = 1 << 23;
const BATCHES = [1, 8, 64, 512];

const one = { operations: 1, unit: 1 };

function parsing(): Act {
  return {
    groups: ['parse'],
    prepare: () => {
      const frames = [...parserFrames()];
      const { arena, at } = layOut(frames.map(([, frame]) => frame));
      const cases = frames.map(([name, frame], i): Case => ({
        group: 'parse',
        name,
        step: 'parse',
        args: [at[i] ?? 0, frame.length],
        frame,
        ...one,
      }));
      return { stage: bytesStage(arena), cases };
    },
  };
}

function lookups(count: number): Act {
  const step = STEPS[count] ?? 1;
  const find = (name: string, first: number, among = count): Case => ({
    group: 'lookup',
    name: `${name}, ${count} connections`,
    step: 'find',
    args: [TABLE_SERVER, TABLE_PORT, first, among, STEPS[among] ?? 1],
    ...one,
  });
  const busy = count > BUSY ? [find(`hit of ${BUSY} busy ones`, 0, BUSY)] : [];
  const touch: Case = {
    group: 'lookup',
    name: `memory of a hit alone, ${count} connections`,
    step: 'touch',
    args: [count, step],
    ...one,
  };
  return {
    groups: ['lookup'],
    prepare: () => ({ stage: tableStage(count), cases: [find('hit', 0), ...busy, find('miss', STRANGERS), touch] }),
  };
}

function tracking(name: string, payload: number): Act {
  return {
    groups: ['track'],
    prepare: () => {
      const { args, ...stage } = trackStage(payload);
      return { stage, cases: [{ group: 'track', name, step: 'track', args, operations: 2, unit: 1 }] };
    },
  };
}

function translating(name: string, prepare: () => Stage): Act {
  return {
    groups: ['translate'],
    prepare: () => {
      const stage = prepare();
      const { length } = stage.scene.arena;
      return { stage, cases: [{ group: 'translate', name, step: 'translate', args: [0, 0, length], ...one }] };
    },
  };
}

function patching(): Act {
  const patch = (name: string, field: number): Case => ({
    group: 'checksum patch',
    name,
    step: 'patch',
    args: [0, field],
    ...one,
  });
  return {
    groups: ['checksum patch'],
    prepare: () => ({
      stage: bytesStage(new Uint8Array(64).fill(7)),
      cases: [patch('32-bit field', 4), patch('32-bit field at an odd offset', 25)],
    }),
  };
}

function summing(): Act {
  return {
    groups: ['checksum'],
    prepare: () => ({
      stage: bytesStage(Uint8Array.from({ length: 65536 }, (_, i) => (i * 151 + 77) & 255)),
      cases: LENGTHS.flatMap((length) =>
        ALIGNMENTS.map((alignment): Case => ({
          group: 'checksum',
          name: `${length} bytes at ${alignment}`,
          step: 'checksum',
          args: [alignment, length],
          ...one,
        })),
      ),
    }),
  };
}

function receiving(group: Group, prepare: () => Stage & { ring: number }, named: ReadonlyMap<string, number>): Act {
  return {
    groups: [group],
    prepare: () => {
      const { ring, ...stage } = prepare();
      const cases = [...named].map(([name, batch]): Case => ({
        group,
        name,
        step: 'receive',
        args: [0, ring, batch],
        operations: 1,
        unit: batch,
      }));
      return { stage, cases };
    },
  };
}

export const ACTS: readonly Act[] = [
  parsing(),
  ...TABLES.map(lookups),
  tracking('full segment in order and its acknowledgement', FULL_PAYLOAD),
  tracking('64 bytes in order and their acknowledgement', 64),
  translating('plain', () => liveStage(PLAIN_TCP, () => ({ payload: new Uint8Array(1460).fill(7) }))),
  translating('with timestamps', () => liveStage(FULL_TCP, () => ({ payload: new Uint8Array(FULL_PAYLOAD).fill(7) }))),
  translating('with timestamps and three SACK blocks', () =>
    liveStage(FULL_TCP, (flow) => ({ options: sackBlocks(flow, 3) })),
  ),
  patching(),
  summing(),
  receiving(
    'pipeline by batch',
    () => proxyStage(FULL_PAYLOAD),
    new Map(BATCHES.map((batch) => [`translated full segment, ${batch} a call`, batch])),
  ),
  receiving('pipeline', () => proxyStage(0), new Map([['translated acknowledgement', 64]])),
  receiving('pipeline', () => tapStage(FULL_PAYLOAD), new Map([['observed full segment and acknowledgement', 64]])),
  receiving('pipeline', () => tapStage(64), new Map([['observed 64 bytes and acknowledgement', 64]])),
];
