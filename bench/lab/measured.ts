/** Everything that a run of the benchmark has measured. */
import type { Setting } from './machine';
import type { Latency, Transfers } from './path';
import type { Recovery } from './recovery';

export interface Results {
  readonly setting: Setting;
  /** One for each round. */
  readonly recoveries: readonly Recovery[];
  /** Rounds with the profiler, which slows what it watches: for shares, not for figures. */
  readonly profiled: readonly Recovery[];
  readonly latencies: readonly Latency[];
  readonly transfers: Transfers | undefined;
  /** Measurements that came to no end, and why. */
  readonly failures: readonly string[];
}

/** Rounds by their number of connections, in the order of these. */
export function groups(recoveries: readonly Recovery[]): [number, Recovery[]][] {
  const counts = [...new Set(recoveries.map(({ connections }) => connections))].sort((a, b) => a - b);
  return counts.map((count) => [count, recoveries.filter(({ connections }) => connections === count)]);
}
