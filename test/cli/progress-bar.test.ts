/** The bar as a terminal shows it, on a clock of the test. */
import test from 'ava';
import { ProgressBar } from '../../src/cli/progress-bar';

const MIB = 1 << 20;

/** What the terminal was told, and the line that it shows after that. */
function bar(columns: number) {
  let nowMs = 0;
  const written: string[] = [];
  const terminal = {
    columns,
    write(text: string): boolean {
      written.push(text);
      return true;
    },
  };
  const line = (): string => (written.at(-1) ?? '').replace(/^\r/, '').replace(/\u001b\[K$/, '');
  const shown = new ProgressBar(terminal, () => nowMs);
  const at = (ms: number, done: number, total: number): void => {
    nowMs = ms;
    shown.update(done, total);
  };
  return { shown, written, line, at };
}

test('how much of the file, how fast, how long still', (t) => {
  const { line, at } = bar(100);
  at(1000, 256 * MIB, 1024 * MIB);
  t.is(line(), '[########                      ] 25 % of 1 GiB, 256 MiB/s, 3 s left');
  at(4000, 1024 * MIB, 1024 * MIB);
  t.is(line(), '[##############################] 100 % of 1 GiB, 256 MiB/s, 1 s left');
});

test('a file that has grown since it was opened is at its end, not beyond it', (t) => {
  const { line, at } = bar(100);
  at(1000, 3 * MIB, 2 * MIB);
  t.regex(line(), /^\[#{30}\] 100 % of 2 MiB, 3 MiB\/s, 1 s left$/);
});

test('nothing is written of what is quickly done', (t) => {
  const { shown, written, at } = bar(100);
  at(499, 1, 2);
  shown.end();
  t.deepEqual(written, []);
});

test('it is drawn again at most every tenth of a second, and leaves nothing behind', (t) => {
  const { shown, written, line, at } = bar(100);
  for (let ms = 0; ms <= 1000; ms++) at(ms, ms * 1000, 2_000_000);
  t.is(written.length, 6);
  for (const text of written) t.true(text.startsWith('\r') && !text.includes('\n'));
  shown.end();
  t.is(line(), '');
});

test('a pipe has no length', (t) => {
  const { line, at } = bar(100);
  at(2000, 64 * MIB, 0);
  t.is(line(), '64 MiB, 32 MiB/s');
});

test('no line is wrapped, however narrow the terminal', (t) => {
  for (let columns = 1; columns < 120; columns++) {
    const { line, at } = bar(columns);
    at(1000, 256 * MIB, 1024 * MIB);
    t.true(line().length < columns, `${columns}`);
  }
  const { line, at } = bar(0);
  at(1000, 256 * MIB, 1024 * MIB);
  t.regex(line(), /^\[#+ +\] 25 %/);
});
