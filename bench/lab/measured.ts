/** Everything that a run of the benchmark has measured, part by part: a part can be measured alone. */
import type { Footprint, Load } from './cost';
import type { Setting } from './machine';
import type { Latency, Transfers } from './path';
import type { Recovery } from './recovery';
import type { Replay } from './replay';

export const PARTS = ['recovery', 'latency', 'throughput', 'policies'] as const;
export type Part = (typeof PARTS)[number];

interface Measured {
  readonly setting: Setting;
  /** Measurements that came to no end, and why. */
  readonly failures: readonly string[];
}

export interface Recoveries extends Measured {
  /** One for each round. */
  readonly rounds: readonly Recovery[];
  /** Rounds with the profiler, which slows what it watches: for shares, not for figures. */
  readonly profiled: readonly Recovery[];
}

export interface Latencies extends Measured {
  readonly latencies: readonly Latency[];
}

export interface Throughputs extends Measured {
  readonly transfers: readonly Transfers[];
}

/** Of recovery = "replay" and "shadow". */
export interface Policies extends Recoveries {
  readonly replays: readonly Replay[];
  readonly profiledReplays: readonly Replay[];
  readonly loads: readonly Load[];
  readonly footprints: readonly Footprint[];
}

export interface Results {
  readonly recovery?: Recoveries;
  readonly latency?: Latencies;
  readonly throughput?: Throughputs;
  readonly policies?: Policies;
}

export function measuredParts(results: Results): Measured[] {
  return PARTS.map((part) => results[part]).filter((measured) => measured !== undefined);
}

/** Broken connections are told, whatever the policy that broke them. */
export function allRounds({ recovery, policies }: Results): Recovery[] {
  return [...(recovery?.rounds ?? []), ...(policies?.rounds ?? [])];
}

/** Rounds by their number of connections, in the order of these. */
export function groups(recoveries: readonly Recovery[]): [number, Recovery[]][] {
  const counts = [...new Set(recoveries.map(({ connections }) => connections))].sort((a, b) => a - b);
  return counts.map((count) => [count, recoveries.filter(({ connections }) => connections === count)]);
}
