/** The demo as it is shipped: it starts, nothing breaks, and nothing is left. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { RECOVERIES } from '../../src/demo/demo';
import type { DemoResult } from '../../src/demo/demo';
import { LINE_BYTES } from '../../src/demo/numbers';

const MIGWARE = resolve('build/migware.js');

/** Starts the demo with a folder of its own for its temporary files. */
function startDemo(t: ExecutionContext, ...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'migware-demo-test-'));
  const env = { ...process.env, TMPDIR: folder };
  const demo = spawn(process.execPath, [MIGWARE, 'demo', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => {
    demo.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });
  const isOfDemo = (name: string) => name.startsWith(`migware-${demo.pid ?? 0}-`);
  const ended = once(demo, 'close') as Promise<[code: number | null, signal: NodeJS.Signals | null]>;
  return { demo, ended, left: () => [...readdirSync(folder), ...readdirSync('/run/netns').filter(isOfDemo)] };
}

for (const recovery of RECOVERIES) {
  test(`20 connections go on with ${recovery}, and the result says so`, async (t) => {
    const connections = 20;
    const { demo, ended, left } = startDemo(t, '--connections', '20', '--recovery', recovery, '--json');
    const [stdout, stderr, [code]] = await Promise.all([text(demo.stdout), text(demo.stderr), ended]);
    t.is(code, 0, stdout + stderr);
    const result = JSON.parse(stdout) as DemoResult;
    t.like(result, { ok: true, recovery, connections, kept: connections, resets: 0, problems: [] });
    t.like(result.bytes, { lost: 0, doubled: 0, wrong: 0 });
    const { written, primary, replica } = result.bytes;
    t.is(recovery === 'resume' ? primary + replica : replica, written);
    t.true(primary >= connections * LINE_BYTES);
    t.true(replica >= connections * LINE_BYTES);
    for (const key of ['detectionMs', 'recoveryMs', 'longestSilenceMs'] as const) t.true((result[key] ?? 0) > 0, key);
    t.regex(stderr, /^recovered: 20 of 20$/m);
    t.deepEqual(left(), []);
  });
}

test('a demo that is interrupted leaves nothing', async (t) => {
  const { demo, ended, left } = startDemo(t, '--connections', '20');
  demo.stderr.on('data', (progress: Buffer) => {
    if (progress.includes("pulling the primary's cable")) demo.kill('SIGINT');
  });
  const [stdout, [, signal]] = await Promise.all([text(demo.stdout), ended]);
  t.is(signal, 'SIGINT');
  t.is(stdout, '');
  t.deepEqual(left(), []);
});
