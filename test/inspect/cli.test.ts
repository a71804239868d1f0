/** `migware inspect` as people and scripts call it: what it prints where, and its exit codes. */
import { spawnSync } from 'node:child_process';
import test from 'ava';
import { type Shot, fileOf, pcap } from './capture-writer';
import { Conversation } from './conversation';

function migware(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['build/migware.js', 'inspect', ...args], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

function capture(linkType = 1): Buffer {
  const shots: Shot[] = [];
  new Conversation(shots).open();
  return pcap({ order: 'LE', unit: 'us', linkType }, shots);
}

test('a capture: text, or one JSON object', (t) => {
  const path = fileOf(t, capture());
  const text = migware(path);
  t.deepEqual([text.status, text.stderr], [0, '']);
  t.regex(text.stdout, /^CLIENT .*\n10\.0\.0\.9:40000 +10\.0\.0\.2:7000 .* established /);
  const { stdout } = migware('--json', path);
  const { connections } = JSON.parse(stdout) as { connections: { client: string }[] };
  t.deepEqual(
    connections.map(({ client }) => client),
    ['10.0.0.9:40000'],
  );
});

test('a capture that was cut: a warning on stderr, and what there is', (t) => {
  const path = fileOf(t, capture().subarray(0, -1));
  const { status, stdout, stderr } = migware(path);
  t.is(status, 0);
  t.is(stderr, `migware: ${path}: the file ends within frame 3\n`);
  t.regex(stdout, /1 connection: /);
});

test('what cannot be inspected is a failure that names the file and why', (t) => {
  const wireless = fileOf(t, capture(127));
  for (const [path, message] of [
    [wireless, /frames of link type 127, IEEE802_11_RADIOTAP cannot be read; capture on the wired side/],
    [fileOf(t, Buffer.from('#!/bin/sh\n')), /is no capture file/],
    ['/nonexistent.pcap', /cannot be read/],
  ] as const) {
    const { status, stdout, stderr } = migware(path);
    t.deepEqual([status, stdout], [1, '']);
    t.regex(stderr, message);
    t.true(stderr.startsWith(`migware: ${path}: `));
  }
  t.is(migware().status, 2);
});
