/** `migware demo` as far as it goes without privileges: its arguments, and its result in words. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { demoText } from '../../src/cli/demo-table';
import type { DemoResult } from '../../src/demo/demo';

/** Tests are bundled into build/test/cli. */
const PROGRAM = fileURLToPath(new URL('../../migware.js', import.meta.url));

for (const [args, expected] of [
  [['--connections', '0'], /from 1 to 2000/],
  [['--connections', '2001'], /from 1 to 2000/],
  [['--connections', '1e2'], /from 1 to 2000/],
  [['--recovery', 'nonsense'], /Allowed choices are resume, replay, shadow/],
] as const) {
  test(`${args.join(' ')} is a usage error that says what was expected`, (t) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, 'demo', ...args], { encoding: 'utf8' });
    t.is(status, 2);
    t.is(stdout, '');
    t.regex(stderr, expected);
  });
}

const WELL: DemoResult = {
  ok: true,
  recovery: 'resume',
  connections: 2000,
  kept: 2000,
  detectionMs: 152.3,
  recoveryMs: 40.2,
  longestSilenceBeforeMs: 0.4,
  longestSilenceMs: 231.7,
  roundTripMs: 0.34,
  bytes: { written: 12_345, primary: 5000, replica: 7345, lost: 0, doubled: 0, wrong: 0, unacknowledged: 0 },
  resets: 0,
  problems: [],
};

test('a demo in which nothing broke is told beside the figures of 2004', (t) => {
  const text = demoText(WELL);
  t.regex(text, /connections kept +│ 2,000 of 2,000 +│ –/);
  t.regex(text, /detection +│ 152 ms +│ 500 to 1000 ms/);
  t.regex(text, /recovery +│ 40 ms +│ 207 ms for 100, up to 680 ms for 200/);
  t.regex(text, /longest silence +│ 232 ms \(under 1 ms before the crash\) +│ –/);
  t.regex(text, /bytes lost, doubled, wrong +│ 0, 0, 0 +│ –/);
  t.regex(text, /All 2,000 connections went on: 12,345 bytes were pushed, and each was read once and in order\.\n$/);
  t.regex(demoText({ ...WELL, recovery: 'replay' }), /, and the replica has read each once and in order\.\n$/);
});

test('a demo in which something broke says what, and not without end', (t) => {
  const problems = Array.from({ length: 12 }, (_, index) => `problem ${index}`);
  const bytes = { ...WELL.bytes, lost: 3 };
  const text = demoText({ ...WELL, ok: false, kept: 1988, detectionMs: undefined, bytes, problems });
  t.regex(text, /detection +│ – /);
  t.regex(text, /bytes lost, doubled, wrong +│ 3, 0, 0 /);
  t.regex(text, /Something broke \(12 of 2,000 connections\):\n {2}problem 0\n/);
  t.regex(text, /problem 9\n {2}and 2 more\n$/);
});
