/** The machinery of mutation testing, over one small file of the core: a mutant dies, another lives, the core itself passes. */
import { spawnSync } from 'node:child_process';
import test from 'ava';
import { withMutants } from '../../scripts/mutation/schemata.mjs';

const SOURCE = `
const LIMIT: u32 = 7;

export function isLate(a: u32, b: u32): bool {
  if (seqLt(a, b) && a != LIMIT) return true;
  note(a + 1);
  return load<u32>(a, 4) == 0;
}
`;

test('each place holds its mutants, and offsets that the compiler has to know stay', (t) => {
  const { text, mutants } = withMutants('assembly/x/late.ts', SOURCE, 10, (file) => `../${file}`);
  t.deepEqual(
    mutants.map(({ id, line, name }) => `${id} ${line} ${name.replace('assembly/x/late.ts isLate: ', '')}`),
    [
      '10 5 `seqLt(a, b) && a != LIMIT` -> `seqLt(a, b) || a != LIMIT`',
      '11 5 `seqLt(a, b)` -> `seqLe(a, b)`',
      '12 5 `seqLt(a, b)` -> `seqGe(a, b)`',
      '13 5 `a != LIMIT` -> `a == LIMIT`',
      '14 5 `LIMIT` -> `LIMIT + 1`',
      '15 5 `true` -> `false`',
      '16 6 `note(a + 1);` -> removed',
      '17 6 `a + 1` -> `a - 1`',
      '18 6 `1` -> `1 + 1`',
      '19 7 `load<u32>(a, 4) == 0` -> `load<u32>(a, 4) != 0`',
      '20 7 `0` -> `0 + 1`',
    ],
  );
  t.true(text.includes("import { seqLe as mutated_seqLe, seqGe as mutated_seqGe } from '../parser/seq';"));
  t.true(text.includes('mutated(11) ? (mutated_seqLe(a, b)) : mutated(12) ? (mutated_seqGe(a, b)) : (seqLt(a, b))'));
  t.true(text.includes('{ if (mutated(16)) {  } else { note('));
  t.true(text.includes('const LIMIT: u32 = 7;'));
});

test('the core passes its tests with no mutant on, and those notice one that is', (t) => {
  t.timeout(300_000);
  const args = ['scripts/mutation.mjs', 'assembly/tracker/window.ts', 'test/core/window.test.ts'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const [, killed, all] = /(\d+) of (\d+) mutants killed/.exec(stdout) ?? [];
  t.not(all, undefined, stderr);
  t.true(Number(killed) > 0 && Number(killed) < Number(all), stdout);
  t.false(stdout.includes('`seqGt(p.seq, sender.edge)` -> `seqGe(p.seq, sender.edge)`'), 'a known one was killed');
});
