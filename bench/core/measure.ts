/**
 * Times one case in every language, in turns: what disturbs the machine disturbs all of them, and their ratio less than any
 * of them. Samples and their median are tinybench's, each of many repetitions inside the language that is measured.
 */
import { Bench } from 'tinybench';
import type { Step, Subject } from './subject';

export interface Effort {
  /** Turns of each language. */
  readonly rounds: number;
  /** Samples in a turn, and how long one takes. */
  readonly samples: number;
  readonly sampleMs: number;
  /** Before the first turn: until V8 has compiled for speed what it began with in haste. */
  readonly warmUpMs: number;
}

export const FULL: Effort = { rounds: 9, samples: 9, sampleMs: 2, warmUpMs: 150 };
export const QUICK: Effort = { rounds: 3, samples: 3, sampleMs: 1, warmUpMs: 60 };

/** One round, ns for each operation; by the name of the language, or of what else does the step. */
export type Round = Readonly<Partial<Record<Contender, number>>>;
export type Contender = Subject['name'] | 'pcap';

const NS_PER_MS = 1e6;
const FIRST_REPETITIONS = 64;

/** @returns the time of one sample, ns, and how often it repeats */
type Sample = () => Promise<{ ns: number; repetitions: number }>;

/** What runs for about `sampleMs`, once it is warm. @param unit repetitions come in multiples of it */
export async function prepare(
  run: (repetitions: number) => { ns: number } | Promise<{ ns: number }>,
  unit: number,
  { sampleMs, warmUpMs }: Effort,
): Promise<Sample> {
  let repetitions = Math.ceil(FIRST_REPETITIONS / unit) * unit;
  let spentNs = 0;
  while (spentNs < warmUpMs * NS_PER_MS) {
    const { ns } = await run(repetitions);
    spentNs += ns;
    const wanted = (repetitions * sampleMs * NS_PER_MS) / Math.max(ns, 1);
    // A first run of cold code says little: no more than eightfold at a time.
    repetitions = Math.max(1, Math.round(Math.min(wanted, repetitions * 8) / unit)) * unit;
  }
  return async () => ({ ns: (await run(repetitions)).ns, repetitions });
}

/** The median of one turn, ns for each operation. */
async function takeTurn(name: string, sample: Sample, { samples }: Effort, operations: number): Promise<number> {
  const bench = new Bench({ name, iterations: samples, time: 0, warmup: false });
  bench.add(
    name,
    async () => {
      const { ns, repetitions } = await sample();
      return { overriddenDuration: ns / NS_PER_MS / (repetitions * operations) };
    },
    { async: true },
  );
  await bench.run();
  const result = bench.tasks[0]?.result;
  if (result?.state !== 'completed') throw new Error(`${name}: ${result?.state ?? 'nothing was measured'}`);
  return result.latency.p50 * NS_PER_MS;
}

/** @param operations in one repetition */
export async function measureInTurns(
  samples: ReadonlyMap<Contender, Sample>,
  effort: Effort,
  operations: number,
): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let round = 0; round < effort.rounds; round++) {
    const turns = [...samples];
    // Nobody always comes after the same one.
    turns.push(...turns.splice(0, round % turns.length));
    const figures: Partial<Record<Contender, number>> = {};
    for (const [name, sample] of turns) figures[name] = await takeTurn(name, sample, effort, operations);
    rounds.push(figures);
  }
  return rounds;
}

/** As `Subject.run`, for a step with its arguments. */
export function stepOf(subject: Subject, step: Step, args: readonly number[]) {
  return (repetitions: number) => subject.run(step, args, repetitions);
}
