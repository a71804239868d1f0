/** The results as bench/RESULTS.md shows them: everything is made from what was measured, but for the notes. */
import { goals } from './goals';
import { figure, table } from './markdown';
import { type Latencies, PARTS, type Recoveries, type Results, type Throughputs, measuredParts } from './measured';
import { notesSection } from './notes';
import { ECHO_BYTES, type Transfers } from './path';
import { policySections } from './policy-tables';
import { FAIL_OVER_TERMS, failOverTable, profileTable, timeTable } from './recovery-tables';
import { BACKLOG, type Recovery } from './recovery';
import { THESIS_ADDED_LATENCY, THESIS_DETECTION } from './thesis';

/** @param previous the file as it was; its notes are kept */
export function resultsDocument(results: Results, previous: string): string {
  const { recovery, latency, throughput, policies } = results;
  const failures = measuredParts(results).flatMap((part) => part.failures);
  const parts = [
    '# Results of the lab benchmark',
    'Written by `npm run bench:lab`. Cells with a range are `median (least to most)` of several rounds.',
    settingTable(results),
    '## Goals',
    goals(results),
    ...(recovery === undefined ? [] : ['## Fail-over', failOver(recovery.rounds)]),
    ...(latency === undefined ? [] : ['## Latency', latencySection(latency)]),
    ...(throughput === undefined ? [] : ['## Throughput', throughputSection(throughput)]),
    ...(recovery === undefined ? [] : ['## Where the time of a recovery goes', timeSpent(recovery)]),
    ...(policies === undefined ? [] : policySections(policies)),
    ...(failures.length > 0 ? ['## What failed', failures.map((text) => `- ${text}`).join('\n')] : []),
    ...notesSection(previous),
  ];
  return `${parts.filter(Boolean).join('\n\n')}\n`;
}

/** One line for each run that has measured some of the parts. */
function settingTable(results: Results): string {
  const settings = measuredParts(results).map(({ setting }) => setting);
  const [first] = settings;
  if (first === undefined) return 'Nothing is measured.';
  const runs = [...new Set(settings.map(({ date }) => date))].map((date) => {
    const parts = PARTS.filter((part) => results[part]?.setting.date === date);
    const { commit, loadBefore } = settings.find((setting) => setting.date === date) ?? first;
    return [parts.join(', '), `${commit}, ${date}, load average before ${loadBefore.toFixed(2)}`];
  });
  return table(
    ['Measured', ''],
    [
      ...runs,
      ['CPU', `${first.cpu}, ${first.cores} cores; all hosts of the lab share them`],
      ['memory', `${(first.memoryBytes / 2 ** 30).toFixed(1)} GiB`],
      ['kernel', first.kernel],
      ['Node', first.node],
    ],
  );
}

function failOver(rounds: readonly Recovery[]): string {
  return [
    'Clients push records of 16 bytes, each its own every _interval_; the cable of the primary is pulled. All in ms:',
    FAIL_OVER_TERMS,
    failOverTable(rounds),
    `The thesis detected in ${THESIS_DETECTION} ms; of its other figures nothing is known to us. The replica's backlog ` +
      `is ${BACKLOG}.`,
  ].join('\n\n');
}

function latencySection({ latencies }: Latencies): string {
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

function throughputSection({ transfers: [transfers] }: Throughputs): string {
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

function timeSpent({ rounds, profiled }: Recoveries): string {
  return [timeTable(rounds), ...profileTable(profiled)].join('\n\n');
}
