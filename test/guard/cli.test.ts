/** `migware guard` as far as it needs no privileges: its arguments. The rest is in the lab. */
import { spawnSync } from 'node:child_process';
import test from 'ava';

function guard(...args: readonly string[]) {
  return spawnSync(process.execPath, ['build/migware.js', 'guard', ...args], { encoding: 'utf8' });
}

test('without a configuration, or with one that cannot be read: a usage error', (t) => {
  const missing = guard();
  t.is(missing.status, 2);
  t.regex(missing.stderr, /required option '-c, --config <file>'/);
  const unreadable = guard('-c', '/nonexistent.toml');
  t.is(unreadable.status, 2);
  t.regex(unreadable.stderr, /^migware: \/nonexistent\.toml: cannot be read/);
});

test('the help names every option', (t) => {
  const { status, stdout } = guard('--help');
  t.is(status, 0);
  for (const option of ['--config', '--interface', '--serving', '--log-level']) t.true(stdout.includes(option), option);
});
