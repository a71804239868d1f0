/** The host in C: it keeps to the vectors, and prints of a capture what `migware inspect --json` prints. */
import { spawnSync } from 'node:child_process';
import test from 'ava';
import { fileOf } from '../inspect/capture-writer';
import { captures } from './captures';

const PROGRAM = 'build/c/migware-c';

function run(program: string, ...args: readonly string[]) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  return { status, stdout, stderr: error?.message ?? stderr };
}

test.before('the module becomes a C program', (t) => {
  const { status, stdout, stderr } = run('make', '-C', 'examples/c');
  t.is(status, 0, `${stdout}${stderr}`);
});

test('it keeps to every vector', (t) => {
  const { status, stdout } = run(PROGRAM, 'vectors', 'examples/vectors.json');
  t.is(status, 0, stdout);
  t.regex(stdout, /^\d+ vectors, \d+ calls: 0 failed\n$/);
});

test('what is not as the vectors say is a failure that shows both', (t) => {
  const text = run('cat', 'examples/vectors.json').stdout;
  const changed = text.replace('"reason":"bad-tcp-checksum"', '"reason":"none"');
  t.not(changed, text);
  const { status, stdout } = run(PROGRAM, 'vectors', fileOf(t, Buffer.from(changed)));
  t.is(status, 1);
  t.regex(stdout, /: receive\n {2}expected "none"\n {2}got {6}"bad-tcp-checksum"\n/);
});

for (const [name, bytes] of Object.entries(captures())) {
  test(`it prints what migware inspect prints: ${name}`, (t) => {
    const path = fileOf(t, bytes);
    const expected = run(process.execPath, 'build/migware.js', 'inspect', '--json', path);
    const { status, stdout, stderr } = run(PROGRAM, 'inspect', path);
    t.is(stdout, expected.stdout);
    t.is(stderr, expected.stderr.replaceAll('migware: ', 'migware-c: '));
    t.is(status, 0);
    t.is(expected.status, 0);
  });
}

test('what is no such capture is a failure that names it', (t) => {
  for (const [path, message] of [
    [fileOf(t, Buffer.from('#!/bin/sh\n')), /is no capture file, expected pcap\n$/],
    ['/nonexistent.pcap', /cannot be read/],
  ] as const) {
    const { status, stdout, stderr } = run(PROGRAM, 'inspect', path);
    t.deepEqual([status, stdout], [1, '']);
    t.true(stderr.startsWith(`migware-c: ${path}: `));
    t.regex(stderr, message);
  }
  t.is(run(PROGRAM).status, 2);
});
