/**
 * Whether this build of the core keeps to the vectors, on Node:
 *
 *   node examples/node/vectors.mjs [examples/vectors.json]
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Core } from 'migware/core';
import { runVectors } from '../vectors.mjs';

const [file = fileURLToPath(new URL('../vectors.json', import.meta.url))] = process.argv.slice(2);
const module = readFileSync(fileURLToPath(import.meta.resolve('migware/core.wasm')));

/** @type {unknown} */
const vectors = JSON.parse(readFileSync(file, 'utf8'));
const result = runVectors(
  (capacity, hashKey) => Core.load(module, capacity, hashKey),
  /** @type {import('../vectors.mjs').VectorFile} */ (vectors),
);
for (const { vector, at, expected, got } of result.failures) {
  console.log(`${vector}: ${at}\n  expected ${expected}\n  got      ${got}`);
}
console.log(`${result.vectors} vectors, ${result.calls} calls: ${result.failures.length} failed`);
process.exitCode = result.failures.length === 0 ? 0 : 1;
