/** Which divergences are told, and that they are told once. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Core } from '../../src/core/core';
import { DivergenceLog } from '../../src/daemon/divergence-log';

type Diverged = ReturnType<Core['diverged']> extends Generator<infer R> ? R : never;

function diverged(index: number, incarnation = 1): Diverged {
  const client = { service: index % 2, client: '10.0.0.9', clientPort: 40_000 + index };
  return { index, incarnation, ...client, divergence: { offset: index, delivered: true } } as Diverged;
}

function open(t: ExecutionContext) {
  const state = { counts: [0, 0], found: [] as Diverged[], looks: 0 };
  const core = {
    divergences: (service: number) => state.counts[service] ?? 0,
    *diverged(): Generator<Diverged> {
      state.looks++;
      yield* state.found;
    },
  };
  const lines: object[] = [];
  const quiet = () => undefined;
  const log = { debug: quiet, info: quiet, error: quiet, warn: (fields: object) => void lines.push(fields) };
  const watch = new DivergenceLog(core, ['web', 'mail'], log);
  t.teardown(() => watch.close());
  return { state, lines, watch };
}

test('each connection is told once, with its service and place', (t) => {
  const { state, lines, watch } = open(t);
  watch.look();
  t.is(state.looks, 0);
  state.counts = [1, 1];
  state.found = [diverged(2), diverged(3)];
  watch.look();
  watch.look();
  t.is(state.looks, 1);
  t.deepEqual(lines, [
    { service: 'web', client: '10.0.0.9:40002', offset: 2, delivered: true },
    { service: 'mail', client: '10.0.0.9:40003', offset: 3, delivered: true },
  ]);
  // The client of the first one has opened anew; the second one is still there.
  state.counts = [2, 1];
  state.found = [diverged(2, 9), diverged(3)];
  watch.look();
  t.deepEqual(lines.slice(2), [{ service: 'web', client: '10.0.0.9:40002', offset: 2, delivered: true }]);
});

test('many are told as a number, and so are those whose records are gone', (t) => {
  const { state, lines, watch } = open(t);
  state.counts = [150, 0];
  state.found = Array.from({ length: 120 }, (_, index) => diverged(index));
  watch.look();
  t.is(lines.length, 101);
  t.deepEqual(lines.at(-1), { connections: 50 });
});

test('a last look is taken at the end', (t) => {
  const { state, lines, watch } = open(t);
  state.counts = [1, 0];
  state.found = [diverged(4)];
  watch.close();
  t.is(lines.length, 1);
});
