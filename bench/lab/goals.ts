/** What is asked for beside what was measured, and, where it was not reached, what the time is spent on. */
import { figure, percent, spread, table } from './markdown';
import { type Results, allRounds, groups } from './measured';
import { replaysOf } from './policy-tables';
import type { Recovery } from './recovery';
import type { Replay } from './replay';
import { median, summarize } from './statistics';
import {
  ADDED_LATENCY_GOAL,
  RECOVERY_GOALS,
  REPLAY_RATIO_GOAL,
  SHADOW_RECOVERY_GOALS,
  SILENCE_GOAL,
  THESIS_COUNT_MAX,
} from './thesis';

interface Goal {
  readonly what: string;
  readonly asked: string;
  readonly measured: string;
  readonly isReached: boolean;
  /** Said when it is not reached. */
  readonly why: string;
}

export function goals(results: Results): string {
  const { recovery, policies } = results;
  const shadows = policies?.rounds.filter(({ policy }) => policy === 'shadow') ?? [];
  const shadowsProfiled = policies?.profiled.filter(({ policy }) => policy === 'shadow') ?? [];
  const all = [
    ...recoveryGoals(RECOVERY_GOALS, 'after detection', recovery?.rounds ?? [], recovery?.profiled ?? []),
    ...silenceGoal(results),
    ...latencyGoal(results),
    ...recoveryGoals(SHADOW_RECOVERY_GOALS, 'after detection, shadow', shadows, shadowsProfiled),
    ...replayGoals(results),
    ...intactGoal(results),
  ];
  const rows = all.map(({ what, asked, measured, isReached }) => [what, asked, measured, isReached ? 'yes' : '**no**']);
  const missed = all.filter(({ isReached }) => !isReached).map(({ what, why }) => `- ${what}: ${why}`);
  return [
    'A goal is reached when the median of the rounds is within it.',
    table(['', 'asked', 'measured', 'reached'], rows),
    ...(missed.length > 0 ? ['What the time is spent on where a goal is missed:', missed.join('\n')] : []),
  ].join('\n\n');
}

function recoveryGoals(
  asked: ReadonlyMap<number, number>,
  when: string,
  recoveries: readonly Recovery[],
  profiled: readonly Recovery[],
): Goal[] {
  return groups(recoveries).flatMap(([connections, rounds]) => {
    const goal = asked.get(connections);
    if (goal === undefined) return [];
    const summary = summarize(rounds.map(({ recoveryMs }) => recoveryMs));
    return [
      {
        what: `recovery of ${connections} connections ${when}`,
        asked: `${goal} ms`,
        measured: `${spread(summary)} ms`,
        isReached: summary.median <= goal,
        why: recoverySpent(
          rounds,
          profiled.find((round) => round.connections === connections),
        ),
      },
    ];
  });
}

function recoverySpent(rounds: readonly Recovery[], profiled: Recovery | undefined): string {
  const of = (value: (round: Recovery) => number) => summarize(rounds.map(value)).median;
  const total = of(({ recoveryMs }) => recoveryMs);
  const computing = of(({ cpuMs }) => cpuMs);
  const waiting = of(({ cpuWaitMs }) => cpuWaitMs);
  const retries = of(({ metrics }) => metrics['migware_core_events_total{event="handshake-retries"}'] ?? 0);
  const overflows = of(({ kernel }) => kernel['ListenOverflows'] ?? 0);
  const profile = profiled?.profile;
  return [
    `of ${figure(total)} ms the daemon computed for ${figure(computing)}`,
    `waited ${figure(waiting)} for a CPU that others had (clients, services and kernel share the machine)`,
    `and ${figure(Math.max(0, total - computing - waiting))} for answers`,
    profile && `${percent(profile.inject)} of its time went into sending, most of it the replica's own TCP stack`,
    `${retries} steps of handshakes were repeated`,
    `the replica's accept queue overflowed ${overflows} times`,
  ]
    .filter(Boolean)
    .join('; ');
}

function silenceGoal({ recovery }: Results): Goal[] {
  const within = groups(recovery?.rounds ?? []).filter(([connections]) => connections <= THESIS_COUNT_MAX);
  const worst = within
    .map(([connections, rounds]) => ({ connections, rounds, silence: summarize(rounds.map((r) => r.silenceMs)) }))
    .sort((a, b) => b.silence.median - a.silence.median)[0];
  if (worst === undefined) return [];
  const { connections, rounds, silence } = worst;
  const detection = summarize(rounds.map(({ cutToVerdictMs }) => cutToVerdictMs)).median;
  const recovered = summarize(rounds.map(({ recoveryMs }) => recoveryMs)).median;
  return [
    {
      what: `longest silence of an active client, up to ${THESIS_COUNT_MAX} connections`,
      asked: `${SILENCE_GOAL} ms`,
      measured: `${spread(silence)} ms with ${connections}`,
      isReached: silence.median <= SILENCE_GOAL,
      why:
        `${figure(detection)} ms until the verdict (up to 50 until the first probe that nobody answers, then three times ` +
        `50) and ${figure(recovered)} for the recovery; the rest is the sampling, and waiting for a CPU`,
    },
  ];
}

function latencyGoal({ latency }: Results): Goal[] {
  const worst = [...(latency?.latencies ?? [])].sort((a, b) => b.added.p50 - a.added.p50)[0];
  if (worst === undefined) return [];
  const { connections, added, direct, proxied } = worst;
  return [
    {
      what: 'latency added in proxy, median, the worst of all numbers of connections',
      asked: `below ${ADDED_LATENCY_GOAL} us`,
      measured: `${figure(added.p50)} us with ${connections}`,
      isReached: added.p50 < ADDED_LATENCY_GOAL,
      why:
        `${figure(proxied.p50)} us instead of ${figure(direct.p50)}: four more passes of a frame through a virtual link, ` +
        'two wake-ups of the daemon, which on this machine shares its CPU with both ends',
    },
  ];
}

/** Only what the client has sent is replayed; what it was sent costs the service its work, and that is not ours to promise. */
function replayGoals({ policies }: Results): Goal[] {
  const uploads = policies?.replays.filter(({ way }) => way === 'upload') ?? [];
  return replaysOf(uploads).map(([name, rounds]) => {
    const ratio = summarize(rounds.map((round) => round.ratio));
    const profiled = policies?.profiledReplays.find(({ way, place }) => way === 'upload' && place === rounds[0]?.place);
    return {
      what: `rate of a replay beside loopback: ${name}`,
      asked: percent(REPLAY_RATIO_GOAL),
      measured: `${percent(ratio.median)} (${percent(ratio.min)} to ${percent(ratio.max)})`,
      isReached: ratio.median >= REPLAY_RATIO_GOAL,
      why: replaySpent(rounds, profiled),
    };
  });
}

function replaySpent(rounds: readonly Replay[], profiled: Replay | undefined): string {
  const of = (value: (round: Replay) => number) => median(rounds.map(value));
  const profile = profiled?.profile;
  return [
    `of ${figure(of(({ replayMs }) => replayMs))} ms the daemon's one thread computed for ${figure(of(({ cpuMs }) => cpuMs))}`,
    `and waited ${figure(of(({ cpuWaitMs }) => cpuWaitMs))} for a CPU`,
    profile &&
      `${percent(profile.inject)} of its time went into sending, which copies and sums each frame and runs the replica's TCP stack, ` +
        `${percent(profile.core)} into the core, which copies and sums it too`,
  ]
    .filter(Boolean)
    .join('; ');
}

function intactGoal(results: Results): Goal[] {
  const recoveries = allRounds(results);
  if (recoveries.length === 0) return [];
  const all = recoveries.reduce((sum, { connections }) => sum + connections, 0);
  const broken = recoveries.reduce((sum, round) => sum + round.broken, 0);
  const problems = [...new Set(recoveries.flatMap((round) => round.problems))];
  return [
    {
      what: 'broken connections',
      asked: '0',
      measured: `${broken} of ${all}`,
      isReached: broken === 0 && problems.length === 0,
      why: problems.slice(0, 10).join('; '),
    },
  ];
}
