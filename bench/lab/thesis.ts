/** What is asked of migware, and what is known of the MigWare thesis (Bakke and Meland, Agder 2004). */

export const COUNTS = [1, 10, 20, 50, 100, 150, 200, 1000, 4000, 10_000] as const;

/** Up to here the thesis went. */
export const THESIS_COUNT_MAX = 200;

/** ms from the verdict until every connection is on the replica, by connections. */
export const THESIS_RECOVERY: ReadonlyMap<number, string> = new Map([
  [100, '207'],
  [200, '680 at most'],
]);
/** ms. Of how many connections is not known. */
export const THESIS_DETECTION = '500 to 1000';
export const THESIS_ADDED_LATENCY = '612';

/** ms from the verdict until every connection is on the replica, by connections. */
export const RECOVERY_GOALS: ReadonlyMap<number, number> = new Map([
  [200, 10],
  [1000, 50],
  [4000, 200],
  [10_000, 500],
]);
/** ms: an active client's longest wait, with default probes. */
export const SILENCE_GOAL = 200;
/** us: median. */
export const ADDED_LATENCY_GOAL = 100;

/** ms: the same for a replica that has read along. */
export const SHADOW_RECOVERY_GOALS: ReadonlyMap<number, number> = new Map([
  [200, 5],
  [1000, 20],
]);
/** Rate of a replay beside that of the same bytes on a loopback connection. */
export const REPLAY_RATIO_GOAL = 0.6;
