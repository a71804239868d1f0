/** The results as bench/RESULTS-core.md shows them: everything is made from what was measured, but for the notes. */
import { figure, spread, table } from '../lab/markdown';
import { notesSection } from '../lab/notes';
import type { Summary } from '../lab/statistics';
import { BUSY } from './cases';
import { type Measured, type Results, ratioOf, timeOf } from './measured';

const NS_PER_S = 1e9;

/** At most so many times the C's time; at least so many times faster than plain TypeScript; 1 M against 1 k connections. */
const PIPELINE_GOAL = 1.3;
const CHECKSUM_GOAL = 1.5;
const PLAIN_GOAL = 5;
const FLAT_GOAL = 2;
/** A full segment without options. */
const CHECKSUM_BYTES = 1460;

/** @param previous the file as it was; its notes are kept */
export function resultsDocument(results: Results, previous: string): string {
  const { measured } = results;
  const groups = [...new Set(measured.map(({ group }) => group))];
  const parts = [
    '# Results of the core benchmark',
    'Written by `npm run bench:core`. Ratios are what counts, with the range of the rounds: `median (least to most)`. Each\n' +
      'round measures the module, the same algorithm in C (`bench/native`, gcc -O3) and in plain TypeScript\n' +
      '(`bench/core/plain`) in turns; all three give the same results (`test/bench/core`).',
    settingTable(results),
    '## Goals',
    goals(measured),
    ...groups.flatMap((group) => [`## ${capital(group)}`, groupTable(measured.filter((one) => one.group === group))]),
    ...notesSection(previous),
  ];
  return `${parts.filter(Boolean).join('\n\n')}\n`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function settingTable({ setting, compiler }: Results): string {
  const { date, commit, cpu, cores, kernel, node, loadBefore } = setting;
  return table(
    ['Measured', ''],
    [
      ['commit', commit],
      ['date', date],
      ['CPU', `${cpu}, ${cores} cores`],
      ['kernel', kernel],
      ['Node', node],
      ['C compiler', compiler],
      ['load average before', loadBefore.toFixed(2)],
    ],
  );
}

function groupTable(measured: readonly Measured[]): string {
  const hasPcap = measured.some((one) => timeOf(one, 'pcap') !== undefined);
  const rows = measured.map((one) => {
    const core = timeOf(one, 'core');
    return [
      one.name,
      figure(core ?? NaN),
      figure(NS_PER_S / (core ?? NaN) / 1e6),
      figure(timeOf(one, 'native') ?? NaN),
      ratio(ratioOf(one, 'core', 'native')),
      figure(timeOf(one, 'plain') ?? NaN),
      ratio(ratioOf(one, 'plain', 'core')),
      ...(hasPcap ? [ratio(ratioOf(one, 'pcap', 'core'))] : []),
    ];
  });
  const head = ['', 'ns', 'millions a second', 'C, ns', 'core / C', 'plain, ns', 'plain / core'];
  return table([...head, ...(hasPcap ? ['pcap package / core'] : [])], rows);
}

function ratio(summary: Summary | undefined): string {
  return summary === undefined ? '-' : spread(summary);
}

interface Goal {
  readonly what: string;
  readonly asked: string;
  readonly measured: string;
  readonly isReached: boolean;
}

function goals(measured: readonly Measured[]): string {
  const all = [
    ...measured.filter(({ group }) => group.startsWith('pipeline')).flatMap(pipelineGoals),
    ...checksumGoal(measured),
    ...flatGoals(measured),
  ];
  return [
    'A goal is reached when the median of the rounds is within it.',
    table(
      ['', 'asked', 'measured', 'reached'],
      all.map((goal) => [goal.what, goal.asked, goal.measured, goal.isReached ? 'yes' : '**no**']),
    ),
  ].join('\n\n');
}

function pipelineGoals(one: Measured): Goal[] {
  const native = ratioOf(one, 'core', 'native');
  const plain = ratioOf(one, 'plain', 'core');
  return [
    ...(native === undefined ? [] : [atMost(`${one.name}, against C`, PIPELINE_GOAL, native)]),
    ...(plain === undefined ? [] : [atLeast(`${one.name}, against plain TypeScript`, PLAIN_GOAL, plain)]),
  ];
}

function checksumGoal(measured: readonly Measured[]): Goal[] {
  const all = measured.filter(({ group, name }) => group === 'checksum' && name.startsWith(`${CHECKSUM_BYTES} `));
  return all.flatMap((one) => {
    const native = ratioOf(one, 'core', 'native');
    return native === undefined ? [] : [atMost(`checksum of ${one.name}, against C`, CHECKSUM_GOAL, native)];
  });
}

function atMost(what: string, asked: number, measured: Summary): Goal {
  return { what, asked: `at most ${asked}`, measured: spread(measured), isReached: measured.median <= asked };
}

function atLeast(what: string, asked: number, measured: Summary): Goal {
  return { what, asked: `at least ${asked}`, measured: spread(measured), isReached: measured.median >= asked };
}

/**
 * A hit in the largest table against one in the smallest, of as many connections each: what a lookup does. What it waits for,
 * where all of the table are looked up in turn, is the memory's.
 */
function flatGoals(measured: readonly Measured[]): Goal[] {
  const lookups = measured.filter(({ group }) => group === 'lookup');
  const busy = lookups.filter(({ name }) => name.startsWith('hit of ')).at(-1);
  const small = lookups.find(({ name }) => name === `hit, ${BUSY} connections`);
  const [among, alone] = [busy, small].map((one) => one && timeOf(one, 'core'));
  if (busy === undefined || among === undefined || alone === undefined) return [];
  return [
    {
      what: `${busy.name}, against ${BUSY} alone`,
      asked: `at most ${FLAT_GOAL}`,
      measured: `${figure(among / alone)} (${figure(among)} ns, ${figure(alone)} ns)`,
      isReached: among <= FLAT_GOAL * alone,
    },
  ];
}
