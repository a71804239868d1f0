/** Tables of fail-overs, whatever the policy. */
import { figure, percent, spread, table } from './markdown';
import { groups } from './measured';
import { ACTIVITIES } from './profile';
import type { Recovery } from './recovery';
import { summarize } from './statistics';
import { THESIS_RECOVERY } from './thesis';

export const FAIL_OVER_TERMS = [
  '- detection: cable pulled to verdict, default probes (ICMP every 50 ms, dead after three misses)',
  '- recovery: verdict until no connection is on its way to the replica any more',
  '- address: verdict until the service address is taken, which happens after 100 ms at the latest',
  '- total: cable pulled until no connection is on its way any more, the total proxy time of the thesis',
  '- silence: the longest that any client waited for an acknowledgement, sampled every 5 ms',
  '- broken: connections, of all rounds, about which the judge of the lab has a complaint: a byte lost, doubled or',
  '  wrong, an error, a reset',
].join('\n');

export function failOverTable(recoveries: readonly Recovery[]): string {
  const rows = groups(recoveries).map(([connections, rounds]) => {
    const of = (value: (round: Recovery) => number) => spread(summarize(rounds.map(value)));
    const broken = rounds.reduce((sum, round) => sum + round.broken, 0);
    return [
      String(connections),
      figure(rounds[0]?.intervalMs ?? NaN),
      of(({ cutToVerdictMs }) => cutToVerdictMs),
      of(({ recoveryMs }) => recoveryMs),
      THESIS_RECOVERY.get(connections) ?? '-',
      of(({ addressMs }) => addressMs),
      of(({ totalMs }) => totalMs),
      of(({ silenceMs }) => silenceMs),
      `${broken} of ${connections * rounds.length}`,
    ];
  });
  return table(
    ['connections', 'interval', 'detection', 'recovery', 'thesis', 'address', 'total', 'silence', 'broken'],
    rows,
  );
}

export function timeTable(recoveries: readonly Recovery[]): string {
  const rows = groups(recoveries).map(([connections, rounds]) => {
    const middle = (value: (round: Recovery) => number) => summarize(rounds.map(value)).median;
    const of = (value: (round: Recovery) => number) => figure(middle(value));
    const perConnection = (round: Recovery) => (round.cpuMs * 1000) / connections;
    const count = (name: string) => String(middle(({ metrics }) => metrics[name] ?? 0));
    return [
      String(connections),
      of(({ recoveryMs }) => recoveryMs),
      of(({ cpuMs }) => cpuMs),
      of(({ cpuWaitMs }) => cpuWaitMs),
      of(perConnection),
      count('migware_core_events_total{event="forged-syn"}'),
      count('migware_core_events_total{event="handshake-retries"}'),
      String(middle(({ kernel }) => kernel['ListenOverflows'] ?? 0)),
    ];
  });
  const head = ['connections', 'recovery', 'computing', 'waiting for a CPU', 'us a connection', 'SYNs', 'repeated'];
  return [
    'Medians: ms of the main thread of the daemon between verdict and end of the recovery; forged SYNs, repeated steps of\n' +
      "handshakes, and overflows of the accept queue that the replica's kernel counted.",
    table([...head, 'overflows'], rows),
  ].join('\n\n');
}

/** Nothing when nothing was profiled. */
export function profileTable(profiled: readonly Recovery[]): string[] {
  if (profiled.length === 0) return [];
  const shares = profiled.map(({ connections, profile }) => [
    String(connections),
    ...ACTIVITIES.map((activity) => percent(profile?.[activity] ?? NaN)),
  ]);
  return [
    'One more round each with a sampling profiler, which slows it. _inject_ is the system call that sends a frame, and all' +
      "\nthat the kernel does before it returns: for the private link that is the replica's TCP stack up to its answer.",
    table(['connections', ...ACTIVITIES], shares),
  ];
}
