/** Golden translations: recipe, bytes in, counters and bytes out agree with golden.json. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { Counter, Port } from '../../assembly/abi/codes';
import { asCode, counterName, reasonName } from '../../src/core/names';
import { hex } from '../support/frames';
import { type Build } from '../support/wasm';
import type { World } from '../support/world';
import { RECIPES, type Recipe } from './golden';

const BUILDS = ['debug', 'release'] as const;
const FILE = 'test/core/golden.json';
/** Longer frames are kept as their beginning, length and SHA-256. */
const WHOLE_BYTES = 400;
const BEGINNING_BYTES = 80;

interface Golden {
  readonly name: string;
  readonly input: string;
  /** Counters that moved, and by how much. */
  readonly verdict: Readonly<Record<string, number>>;
  /** 'wire' or 'stack', then the frame. */
  readonly output: readonly string[];
}

function written(frame: Uint8Array): string {
  if (frame.length <= WHOLE_BYTES) return hex(frame);
  const digest = createHash('sha256').update(frame).digest('hex');
  return `${hex(frame.subarray(0, BEGINNING_BYTES))}... ${frame.length} bytes ${digest}`;
}

function counters(world: World): Map<string, number> {
  const others: number = Counter.Count;
  return new Map([
    ...world.refusals().map((n, i): [string, number] => [`refused ${reasonName(i)}`, n]),
    ...Array.from({ length: others }, (_, i): [string, number] => [counterName(i), world.counted(asCode<Counter>(i))]),
  ]);
}

function translate(build: Build, { name, flow: prepare, frame, port }: Recipe): Golden {
  const flow = prepare(build);
  const input = frame(flow);
  const before = counters(flow.world);
  const sent = flow.world.receive(port, input);
  const verdict = [...counters(flow.world)].flatMap(([counter, n]): [string, number][] => {
    const moved = n - (before.get(counter) ?? 0);
    return moved === 0 ? [] : [[counter, moved]];
  });
  const output = sent.map((out) => `${out.port === Port.Wire ? 'wire' : 'stack'} ${written(out.bytes)}`);
  return { name, input: written(input), verdict: Object.fromEntries(verdict), output };
}

if (process.env['MIGWARE_GOLDEN'] === 'write') {
  const all = RECIPES.map((recipe) => translate('release', recipe));
  writeFileSync(FILE, `${JSON.stringify(all, null, 2)}\n`);
}

const GOLDEN = JSON.parse(readFileSync(FILE, 'utf8')) as Golden[];

test('every recipe has its golden translation, and the other way round', (t) => {
  t.deepEqual(
    GOLDEN.map(({ name }) => name),
    RECIPES.map(({ name }) => name),
  );
});

for (const build of BUILDS) {
  for (const [i, recipe] of RECIPES.entries()) {
    test(`${build}: ${recipe.name}`, (t) => {
      t.deepEqual(translate(build, recipe), GOLDEN[i]);
    });
  }
}
