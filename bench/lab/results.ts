/** The results as bench/RESULTS.md shows them: everything is made from what was measured, but for the notes. */
import { ACTIVITIES } from './profile';
import type { Setting } from './machine';
import { figure, percent, spread, table } from './markdown';
import { type Results, groups } from './measured';
import type { Latency, Transfers } from './path';
import { ECHO_BYTES } from './path';
import type { Recovery } from './recovery';
import { BACKLOG } from './recovery';
import { goals } from './goals';
import { summarize } from './statistics';
import { THESIS_ADDED_LATENCY, THESIS_DETECTION, THESIS_RECOVERY } from './thesis';

const NOTES_BEGIN = '<!-- notes: what stands from here to the end mark is kept when the file is written anew -->';
const NOTES_END = '<!-- end of the notes -->';

/** @param previous the file as it was; its notes are kept */
export function resultsDocument(results: Results, previous: string): string {
  const parts = [
    '# Results of the lab benchmark',
    'Written by `npm run bench:lab`. Cells with a range are `median (least to most)` of several rounds.',
    settingTable(results.setting),
    '## Goals',
    goals(results),
    '## Fail-over',
    failOver(results.recoveries),
    '## Latency',
    latency(results.latencies),
    '## Throughput',
    throughput(results.transfers),
    '## Where the time of a recovery goes',
    timeSpent(results),
    ...(results.failures.length > 0 ? ['## What failed', results.failures.map((text) => `- ${text}`).join('\n')] : []),
    '## Notes',
    NOTES_BEGIN,
    notesOf(previous),
    NOTES_END,
  ];
  return `${parts.filter(Boolean).join('\n\n')}\n`;
}

function notesOf(previous: string): string {
  const begin = previous.indexOf(NOTES_BEGIN);
  const end = previous.indexOf(NOTES_END, begin);
  return begin < 0 || end < 0 ? '' : previous.slice(begin + NOTES_BEGIN.length, end).trim();
}

function settingTable({ date, commit, cpu, cores, memoryBytes, kernel, node, loadBefore }: Setting): string {
  return table(
    ['Measured', ''],
    [
      ['commit', commit],
      ['date', date],
      ['CPU', `${cpu}, ${cores} cores; all hosts of the lab share them`],
      ['memory', `${(memoryBytes / 2 ** 30).toFixed(1)} GiB`],
      ['kernel', kernel],
      ['Node', node],
      ['load average before', loadBefore.toFixed(2)],
    ],
  );
}

function failOver(recoveries: readonly Recovery[]): string {
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
  return [
    'Clients push records of 16 bytes, each its own every _interval_; the cable of the primary is pulled. All in ms:',
    [
      '- detection: cable pulled to verdict, default probes (ICMP every 50 ms, dead after three misses)',
      '- recovery: verdict until no connection is on its way to the replica any more',
      '- address: verdict until the service address is taken, which happens after 100 ms at the latest',
      '- total: cable pulled until no connection is on its way any more, the total proxy time of the thesis',
      '- silence: the longest that any client waited for an acknowledgement, sampled every 5 ms',
      '- broken: connections, of all rounds, about which the judge of the lab has a complaint: a byte lost, doubled or',
      '  wrong, an error, a reset',
    ].join('\n'),
    table(
      ['connections', 'interval', 'detection', 'recovery', 'thesis', 'address', 'total', 'silence', 'broken'],
      rows,
    ),
    `The thesis detected in ${THESIS_DETECTION} ms; of its other figures nothing is known to us. The replica's backlog ` +
      `is ${BACKLOG}.`,
  ].join('\n\n');
}

function latency(latencies: readonly Latency[]): string {
  const rows = latencies.map(({ connections, primary, direct, proxied, added }) => [
    String(connections),
    ...[primary, direct, proxied, added].map(({ p50, p99 }) => `${figure(p50)} / ${figure(p99)}`),
    '-',
  ]);
  return [
    `Round trips of ${ECHO_BYTES} bytes one after the other on all connections in turn, us, median / 99th percentile:`,
    [
      '- TCP latency: to the primary, in normal state, while the daemon listens',
      "- direct: to the replica's own address, past the daemon, after the fail-over",
      '- proxied: to the service address, on the moved connections',
      '- added: the proxy latency, proxied less direct, of slices measured in turns',
    ].join('\n'),
    table(['connections', 'TCP latency', 'direct', 'proxied', 'added', 'thesis'], rows),
    `The thesis names ${THESIS_ADDED_LATENCY} ms of added latency in proxy; for how many connections is not known to us.`,
  ].join('\n\n');
}

function throughput(transfers: Transfers | undefined): string {
  if (transfers === undefined) return 'Not measured.';
  const { bytes, upload, download } = transfers;
  const row = (name: string, { direct, proxied, ratio }: Transfers['upload']) => {
    return [name, figure(direct), figure(proxied), ratio.toFixed(2)];
  };
  return [
    `One connection, ${(bytes / 1e6).toFixed(0)} MB each way, frames of a wire (MTU 1500, no offloads), Gbit/s:`,
    table(['', 'direct', 'proxied', 'ratio'], [row('upload', upload), row('download', download)]),
  ].join('\n\n');
}

function timeSpent({ recoveries, profiled }: Results): string {
  const rows = groups(recoveries).map(([connections, rounds]) => {
    const middle = (value: (round: Recovery) => number) => summarize(rounds.map(value)).median;
    const of = (value: (round: Recovery) => number) => figure(middle(value));
    const perConnection = (round: Recovery) => (round.cpuMs * 1000) / connections;
    const count = (name: string) => String(middle(({ metrics }) => metrics.get(name) ?? 0));
    return [
      String(connections),
      of(({ recoveryMs }) => recoveryMs),
      of(({ cpuMs }) => cpuMs),
      of(({ cpuWaitMs }) => cpuWaitMs),
      of(perConnection),
      count('migware_core_events_total{event="forged-syn"}'),
      count('migware_core_events_total{event="handshake-retries"}'),
      String(middle(({ kernel }) => kernel.get('ListenOverflows') ?? 0)),
    ];
  });
  const head = ['connections', 'recovery', 'computing', 'waiting for a CPU', 'us a connection', 'SYNs', 'repeated'];
  const shares = profiled.map(({ connections, profile }) => [
    String(connections),
    ...ACTIVITIES.map((activity) => percent(profile?.[activity] ?? NaN)),
  ]);
  return [
    'Medians: ms of the main thread of the daemon between verdict and end of the recovery; forged SYNs, repeated steps of\n' +
      "handshakes, and overflows of the accept queue that the replica's kernel counted.",
    table([...head, 'overflows'], rows),
    ...(shares.length === 0
      ? []
      : [
          'One more round each with a sampling profiler, which slows it. _inject_ is the system call that sends a frame, and all' +
            "\nthat the kernel does before it returns: for the private link that is the replica's TCP stack up to its answer.",
          table(['connections', ...ACTIVITIES], shares),
        ]),
  ].join('\n\n');
}
