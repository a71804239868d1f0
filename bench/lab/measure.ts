/** The parts of the benchmark, and how many rounds of what each of them is. */
import { POLICIES, measureFootprints, measureLoad } from './cost';
import { type Setting, readSetting } from './machine';
import type { Latencies, Part, Policies, Recoveries, Results, Throughputs } from './measured';
import { measureLatency, measureTransfers } from './path';
import { type Recovery, type RecoveryOptions, measureRecovery } from './recovery';
import { type Replay, measureReplay } from './replay';
import { RECOVERY_GOALS, SHADOW_RECOVERY_GOALS } from './thesis';

export interface Extent {
  /** Connections of fail-overs and of latencies. */
  readonly counts: readonly number[];
  /** Little of everything, to see that it works. */
  readonly isQuick: boolean;
}

const QUICK_ROUNDS = 3;
/** More rounds where they are short and vary more. */
const roundsOf = (connections: number, { isQuick }: Extent): number =>
  isQuick ? QUICK_ROUNDS : connections <= 200 ? 7 : connections <= 1000 ? 5 : 3;

const SLICES = 6;
const QUICK_SLICES = 2;
const TRANSFER_BYTES = 256e6;
const TRANSFER_ROUNDS = 5;
const REPLAY_ROUNDS = 7;
const LOAD_ROUNDS = 3;
const LOAD_SECONDS = 5;
const QUICK_LOAD_SECONDS = 1;

/** Characters of a failure that the results show; all of it goes to stderr. */
const REASON_MAX = 200;

/** What is measured in one part, whatever becomes of it. */
class Attempts {
  private readonly failures: string[] = [];

  constructor(private readonly setting: Setting) {}

  get told(): { setting: Setting; failures: readonly string[] } {
    return { setting: this.setting, failures: this.failures };
  }

  /** The result, or none if it came to no end. */
  async run<T>(what: string, action: () => Promise<T>): Promise<T[]> {
    process.stderr.write(`${what} ... `);
    const startMs = performance.now();
    try {
      const result = await action();
      process.stderr.write(`${((performance.now() - startMs) / 1000).toFixed(1)} s\n`);
      return [result];
    } catch (error) {
      process.stderr.write('failed\n');
      const [reason = ''] = (error as Error).message.split('\n');
      this.failures.push(`${what}: ${reason.slice(0, REASON_MAX)}`);
      process.stderr.write(`${(error as Error).message}\n`);
      return [];
    }
  }

  async repeat<T>(what: string, rounds: number, action: () => Promise<T>): Promise<T[]> {
    const results: T[] = [];
    for (let round = 1; round <= rounds; round++) {
      results.push(...(await this.run(`${what}, round ${round} of ${rounds}`, action)));
    }
    return results;
  }
}

export async function measure(parts: readonly Part[], extent: Extent): Promise<Results> {
  const setting = readSetting();
  const attempts = () => new Attempts(setting);
  return {
    ...(parts.includes('recovery') && { recovery: await measureRecoveries(attempts(), extent) }),
    ...(parts.includes('latency') && { latency: await measureLatencies(attempts(), extent) }),
    ...(parts.includes('throughput') && { throughput: await measureThroughput(attempts(), extent) }),
    ...(parts.includes('policies') && { policies: await measurePolicies(attempts(), extent) }),
  };
}

async function measureRecoveries(attempts: Attempts, extent: Extent): Promise<Recoveries> {
  const rounds: Recovery[] = [];
  const profiled: Recovery[] = [];
  for (const count of extent.counts) {
    rounds.push(...(await failOvers(attempts, count, extent, 'resume')));
    if (RECOVERY_GOALS.has(count)) profiled.push(...(await profiledFailOver(attempts, count, 'resume')));
  }
  return { ...attempts.told, rounds, profiled };
}

type Policy = NonNullable<RecoveryOptions['policy']>;

function failOvers(attempts: Attempts, count: number, extent: Extent, policy: Policy): Promise<Recovery[]> {
  const what = `fail-over of ${count} connections, ${policy}`;
  return attempts.repeat(what, roundsOf(count, extent), () => measureRecovery(count, { policy }));
}

function profiledFailOver(attempts: Attempts, count: number, policy: Policy): Promise<Recovery[]> {
  const what = `fail-over of ${count} connections, ${policy}, profiled`;
  return attempts.run(what, () => measureRecovery(count, { policy, withProfile: true }));
}

async function measureLatencies(attempts: Attempts, { counts, isQuick }: Extent): Promise<Latencies> {
  const slices = isQuick ? QUICK_SLICES : SLICES;
  const latencies: Latencies['latencies'][number][] = [];
  for (const count of counts) {
    latencies.push(...(await attempts.run(`latency of ${count} connections`, () => measureLatency(count, slices))));
  }
  return { ...attempts.told, latencies };
}

async function measureThroughput(attempts: Attempts, { isQuick }: Extent): Promise<Throughputs> {
  const rounds = isQuick ? QUICK_ROUNDS : TRANSFER_ROUNDS;
  const transfers = await attempts.run('throughput', () => measureTransfers(TRANSFER_BYTES, rounds));
  return { ...attempts.told, transfers };
}

async function measurePolicies(attempts: Attempts, extent: Extent): Promise<Policies> {
  const { isQuick } = extent;
  const rounds: Recovery[] = [];
  const profiled: Recovery[] = [];
  for (const policy of ['shadow', 'replay'] as const) {
    for (const count of SHADOW_RECOVERY_GOALS.keys()) {
      rounds.push(...(await failOvers(attempts, count, extent, policy)));
      profiled.push(...(await profiledFailOver(attempts, count, policy)));
    }
  }
  const replays: Replay[] = [];
  const profiledReplays: Replay[] = [];
  for (const [way, place] of REPLAYS) {
    const what = `replay of an ${way} from ${place}`;
    const replay = (withProfile: boolean) => measureReplay(way, place, TRANSFER_BYTES, withProfile);
    replays.push(...(await attempts.repeat(what, isQuick ? QUICK_ROUNDS : REPLAY_ROUNDS, () => replay(false))));
    profiledReplays.push(...(await attempts.run(`${what}, profiled`, () => replay(true))));
  }
  // In turns: the machine's speed drifts, and it is the differences that count.
  const loads = await attempts.repeat('load', isQuick ? 1 : LOAD_ROUNDS, async () => {
    const round = [];
    for (const policy of POLICIES) {
      round.push(...(await measureLoad(policy, isQuick ? QUICK_LOAD_SECONDS : LOAD_SECONDS)));
    }
    return round;
  });
  const footprints = await attempts.run('memory of records', measureFootprints);
  return {
    ...attempts.told,
    rounds,
    profiled,
    replays,
    profiledReplays,
    loads: loads.flat(),
    footprints: footprints.flat(),
  };
}

/** What the client sends is in the record; what it is sent is made again, so there is one place for that. */
const REPLAYS = [
  ['upload', 'memory'],
  ['upload', 'disk'],
  ['download', 'memory'],
] as const;
