/** The result of the demo for people, beside the figures of the thesis that began it. Its JSON form is the result itself. */
import Table from 'cli-table3';
import type { DemoResult } from '../demo/demo';
import { count, duration, plural } from '../report/text';

/** More would push the table off the screen. */
const PROBLEMS_SHOWN = 10;

const NONE = '–';

export function demoText(result: DemoResult): string {
  const { kept, connections, detectionMs, recoveryMs, roundTripMs, bytes } = result;
  const table = new Table({ head: ['', 'migware', 'MigWare, 2004'], style: { head: [], border: [] } });
  table.push(
    ['connections kept', `${count(kept)} of ${count(connections)}`, NONE],
    ['detection', optional(detectionMs), '500 to 1000 ms'],
    ['recovery', optional(recoveryMs), '207 ms for 100, up to 680 ms for 200'],
    ["client's longest silence", silence(result), NONE],
    ['bytes lost, doubled, wrong', [bytes.lost, bytes.doubled, bytes.wrong].map(count).join(', '), NONE],
    ['resets', count(result.resets), NONE],
    ['round trip through the proxy', optional(roundTripMs), '612 ms more than without'],
  );
  return `${table.toString()}\n${conclusion(result)}\n`;
}

function optional(ms: number | undefined): string {
  return ms === undefined ? NONE : duration(ms);
}

function silence({ longestSilenceMs, longestSilenceBeforeMs }: DemoResult): string {
  // The observer is woken once for what happens within a fraction of a millisecond.
  const before = longestSilenceBeforeMs < 1 ? 'under 1 ms' : duration(longestSilenceBeforeMs);
  return `${duration(longestSilenceMs)} (${before} before the crash)`;
}

function conclusion({ ok, recovery, connections, kept, bytes, problems }: DemoResult): string {
  if (ok) {
    const went = connections === 1 ? 'The connection' : `All ${count(connections)} connections`;
    const read = recovery === 'resume' ? 'each was read once' : 'the replica has read each once';
    return `${went} went on: ${count(bytes.written)} bytes were pushed, and ${read} and in order.`;
  }
  const rest = problems.length - PROBLEMS_SHOWN;
  const broken = kept === connections ? '' : ` (${count(connections - kept)} of ${plural(connections, 'connection')})`;
  return [
    `Something broke${broken}:`,
    ...problems.slice(0, PROBLEMS_SHOWN).map((problem) => `  ${problem}`),
    ...(rest > 0 ? [`  and ${count(rest)} more`] : []),
  ].join('\n');
}
