/**
 * The vector file: what the core does with each scenario is what examples/vectors.json says. `npm run test:unit --
 * test/vectors` with MIGWARE_VECTORS=write makes the file anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { ABI_VERSION } from '../../assembly/abi/layout';
import { type Load, type VectorFile as Runnable, runVectors } from '../../examples/vectors.mjs';
import { loadNodeCore } from '../../src/core/node-core';
import type { Build } from '../support/wasm';
import { World } from '../support/world';
import { Recording, type Vector } from './recording';
import { SCENARIOS, type Scenario } from './scenarios';

const FILE = 'examples/vectors.json';
/** Raised when the form of the file changes. */
const VERSION = 1;

interface VectorFile {
  readonly format: 'migware-vectors';
  readonly version: number;
  readonly abiVersion: number;
  readonly vectors: readonly Vector[];
}

function record(build: Build, { name, options, play }: Scenario): Vector {
  const recording = new Recording();
  const world = new World(build, { ...options, through: recording.through });
  world.checksums = false;
  play(world);
  // By way of JSON: what is undefined is absent.
  return JSON.parse(JSON.stringify(recording.vector(name))) as Vector;
}

/** Each step, record and service on a line of its own, so that a change of one shows as one. */
function written(vectors: readonly Vector[]): string {
  const lines = (list: readonly unknown[]): string =>
    list.length === 0 ? '[]' : `[\n${list.map((item) => JSON.stringify(item)).join(',\n')}\n]`;
  const whole = vectors.map(
    ({ name, steps, connections, services, counters }) =>
      `{"name":${JSON.stringify(name)},"steps":${lines(steps)},"connections":${lines(connections)},` +
      `"services":${lines(services)},"counters":${JSON.stringify(counters)}}`,
  );
  const head = { format: 'migware-vectors', version: VERSION, abiVersion: ABI_VERSION };
  return `${JSON.stringify(head).slice(0, -1)},"vectors":[\n${whole.join(',\n')}\n]}\n`;
}

if (process.env['MIGWARE_VECTORS'] === 'write') {
  writeFileSync(FILE, written(SCENARIOS.map((scenario) => record('release', scenario))));
}

const text = readFileSync(FILE, 'utf8');
const file = JSON.parse(text) as VectorFile;

test('the file is of this version, of this core, and written as this suite writes it', (t) => {
  t.like(file, { format: 'migware-vectors', version: VERSION, abiVersion: ABI_VERSION });
  t.deepEqual(
    file.vectors.map(({ name }) => name),
    SCENARIOS.map(({ name }) => name),
  );
  t.true(text === written(file.vectors));
});

for (const build of ['debug', 'release'] as const) {
  for (const [i, scenario] of SCENARIOS.entries()) {
    test(`${build}: ${scenario.name}`, (t) => {
      t.deepEqual(record(build, scenario), file.vectors[i]);
    });
  }
}

test('the core as the daemon has it keeps to every vector', (t) => {
  // The same class by another name: that of the package.
  const { failures, vectors } = runVectors(loadNodeCore as unknown as Load, file as unknown as Runnable);
  t.deepEqual(failures, []);
  t.is(vectors, SCENARIOS.length);
});
