/** What the results show of recovery = "replay" and "shadow". */
import { type Footprint, type Load, PACE, POLICIES } from './cost';
import { figure, percent, spread, table } from './markdown';
import { type Policies, groups } from './measured';
import { ACTIVITIES } from './profile';
import type { Recovery } from './recovery';
import type { Replay } from './replay';
import { median, summarize } from './statistics';

export function policySections(policies: Policies): string[] {
  const { rounds, profiled, replays, profiledReplays, loads, footprints } = policies;
  return [
    '## Fail-over with replay and with shadow',
    failOvers(rounds, profiled),
    '## Replay of a long connection',
    longReplays(replays, profiledReplays),
    '## What recording and shadowing cost',
    costs(loads),
    footprintTable(footprints),
  ];
}

const byPolicy = <T extends { policy: string }>(of: readonly T[], policy: string): T[] =>
  of.filter((each) => each.policy === policy);

function failOvers(rounds: readonly Recovery[], profiled: readonly Recovery[]): string {
  const rows = POLICIES.flatMap((policy) =>
    groups(byPolicy(rounds, policy)).map(([connections, own]) => {
      const of = (value: (round: Recovery) => number) => summarize(own.map(value));
      const broken = own.reduce((sum, round) => sum + round.broken, 0);
      const profile = byPolicy(profiled, policy).find((round) => round.connections === connections)?.profile;
      return [
        policy,
        String(connections),
        spread(of(({ recoveryMs }) => recoveryMs)),
        figure(of(({ cpuMs }) => cpuMs).median),
        figure(of(({ cpuWaitMs }) => cpuWaitMs).median),
        percent(profile?.inject ?? NaN),
        percent(profile?.core ?? NaN),
        spread(of(({ silenceMs }) => silenceMs)),
        `${broken} of ${connections * own.length}`,
      ];
    }),
  );
  return [
    'As under Fail-over, with streams of some hundred bytes that the replica reads from their first byte; all in ms. Computing\n' +
      'and waiting for a CPU are those of the main thread of the daemon during the recovery, _inject_ and _core_ their shares\n' +
      'of one more round with the profiler (- when it was too short to be sampled).',
    table(['', 'connections', 'recovery', 'computing', 'waiting', 'inject', 'core', 'silence', 'broken'], rows),
  ].join('\n\n');
}

/** Replays of one kind. */
export function replaysOf(replays: readonly Replay[]): [string, Replay[]][] {
  const nameOf = ({ way, place }: Replay) => (way === 'upload' ? `upload, record ${PLACES[place]}` : 'download');
  const names = [...new Set(replays.map(nameOf))];
  return names.map((name) => [name, replays.filter((replay) => nameOf(replay) === name)]);
}

const PLACES: Readonly<Record<Replay['place'], string>> = { memory: 'in memory', disk: 'mostly on disk' };

function longReplays(replays: readonly Replay[], profiled: readonly Replay[]): string {
  const rows = replaysOf(replays).map(([name, rounds]) => {
    const of = (value: (round: Replay) => number) => summarize(rounds.map(value));
    return [
      name,
      figure(of(({ spilledBytes }) => spilledBytes / 1e6).median),
      spread(of(({ replayMs }) => replayMs)),
      figure(of(({ replayed }) => replayed).median),
      figure(of(({ loopback }) => loopback).median),
      of(({ ratio }) => ratio).median.toFixed(2),
      figure(of(({ cpuMs }) => cpuMs).median),
      figure(of(({ cpuWaitMs }) => cpuWaitMs).median),
    ];
  });
  const megabytes = (median(replays.map(({ bytes }) => bytes)) / 1e6).toFixed(0);
  const shares = replaysOf(profiled).map(([name, [round]]) => [
    name,
    ...ACTIVITIES.map((activity) => percent(round?.profile?.[activity] ?? NaN)),
  ]);
  return [
    `One connection that has carried ${megabytes} MB before the primary dies. The replica reads all of them again (upload), or says all of\n` +
      'them again while they are withheld (download), and only then serves the client. MB on disk; ms from the verdict to that\n' +
      'moment; the rate in Gbit/s, and that of an ordinary connection to the same program over the loopback interface of the\n' +
      'same host, which carries the same bytes before the fail-over and after it; ms of the main thread of the daemon.',
    table(['', 'on disk', 'replay', 'rate', 'loopback', 'ratio', 'computing', 'waiting'], rows),
    ...(shares.length === 0 ? [] : [table(['profiled', ...ACTIVITIES], shares)]),
  ].join('\n\n');
}

function costs(loads: readonly Load[]): string {
  const rows = (['upload', 'download'] as const).map((way) => {
    const of = (policy: string) =>
      median(byPolicy(loads, policy).flatMap((load) => (load.way === way ? [load.cpuMsPerMbit] : [])));
    const least = of('resume');
    const more = (policy: string) => {
      const cost = of(policy);
      return `${figure(cost)} (${figure(cost - least)} more)`;
    };
    return [way, figure(least), more('replay'), more('shadow')];
  });
  return [
    `One connection at ${PACE} Mbit/s to or from the primary: ms of CPU of the daemon for each Mbit, which is thousandths of a CPU\n` +
      "for each Mbit/s. With shadow that includes the replica's TCP stack, as far as it works within the daemon's system calls.",
    table(['', 'resume', 'replay', 'shadow'], rows),
  ].join('\n\n');
}

function footprintTable(footprints: readonly Footprint[]): string {
  const rows = footprints.map(({ what, connections, bytes, memoryBytes }) => [
    what,
    String(connections),
    figure(bytes / 1e6),
    figure(memoryBytes / 1e6),
    (memoryBytes / bytes).toFixed(2),
  ]);
  return [
    'Memory of records, MB: what clients have sent, what the store uses for it, and the one for each of the other. The store has\n' +
      'blocks of 2 KiB, at least one for each connection that has sent anything.',
    table(['', 'connections', 'recorded', 'in use', 'for each'], rows),
  ].join('\n\n');
}
