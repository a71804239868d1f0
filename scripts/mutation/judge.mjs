/**
 * A process that runs the core's tests against mutants, as its parent asks. Test files are loaded once; each instance of
 * the core they start is one of the build with all mutants, told which of them is on.
 *
 *   node judge.mjs CORE.wasm STAND-IN PATTERN BUNDLE...       PATTERN: titles to leave out
 *
 * asked { mutant, tests }: says { began } before each of the tests, which may have no end, and answers with the index of the
 *   first that fails, or null when none does.
 * asked { baseline: true }: answers { tests } with the time of each and the mutants whose places it reaches.
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';

/**
 * @typedef {object} Baseline
 * @property {string} title
 * @property {number} ms
 * @property {number} passed most places that an instance passed
 * @property {number[]} reached
 * @property {string | null} failure
 */
/** @typedef {{ chooseMutant(id: number, most: number): void, placesPassed(): number, placesReached(): number, memory: WebAssembly.Memory }} Switch */
/** @typedef {{ baseline: true, mutants: number } | { mutant: number, tests: number[], limits: number[] }} Question */

const [wasm = '', standIn = '', pattern = '', ...bundles] = process.argv.slice(2);
const LONG = new RegExp(pattern);

/** Properties draw the same cases for every mutant. */
const SEED = 42;
fc.configureGlobal({ seed: SEED });

const { Module, Instance } = WebAssembly;
const core = new Module(readFileSync(wasm));
let mutant = 0;
let limit = 0xffff_ffff;
/** @type {Switch[]} */
let started = [];

// Whichever build a test asks for, it gets this one.
WebAssembly.Module = /** @type {typeof Module} */ (
  /** @type {unknown} */ (
    function () {
      return core;
    }
  )
);
WebAssembly.Instance = /** @type {typeof Instance} */ (
  /** @type {unknown} */ (
    function () {
      const instance = new Instance(core, {});
      const exports = /** @type {Switch} */ (/** @type {unknown} */ (instance.exports));
      exports.chooseMutant(mutant, limit);
      started.push(exports);
      return instance;
    }
  )
);

const { tests: all, assertions } = /** @type {typeof import('./ava.mjs')} */ (
  await import(pathToFileURL(standIn).href)
);
for (const bundle of bundles) await import(pathToFileURL(bundle).href);
// What runs on several builds would run on the same one several times.
const tests = all.filter(({ title }) => !title.startsWith('debug') && !LONG.test(title));

/**
 * @param {number} index
 * @returns {Promise<string | null>} what failed
 */
async function run(index) {
  started = [];
  try {
    await tests[index]?.body(assertions);
    return null;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/**
 * @param {number} mutants
 * @returns {Promise<Baseline[]>}
 */
async function measure(mutants) {
  /** @type {Baseline[]} */
  const found = [];
  for (const [i, { title }] of tests.entries()) {
    const fromMs = performance.now();
    const failure = await run(i);
    const ms = performance.now() - fromMs;
    const reached = new Set(started.flatMap((instance) => reachedIn(instance, mutants)));
    const passed = Math.max(0, ...started.map((instance) => instance.placesPassed() >>> 0));
    found.push({ title, ms, passed, reached: [...reached], failure });
  }
  return found;
}

/**
 * @param {Switch} instance
 * @param {number} mutants
 */
function reachedIn(instance, mutants) {
  const at = instance.placesReached() >>> 0;
  const marks = new Uint8Array(instance.memory.buffer, at, mutants + 1);
  return [...marks.keys()].filter((id) => id > 0 && marks[id] === 1);
}

/** @param {Extract<Question, { mutant: number }>} question */
async function judge({ mutant: id, tests: candidates, limits }) {
  mutant = id;
  for (const [i, index] of candidates.entries()) {
    limit = limits[i] ?? 0;
    process.send?.({ began: index });
    if ((await run(index)) !== null) return index;
  }
  return null;
}

process.on('message', (/** @type {Question} */ question) => {
  const answer = 'baseline' in question ? measure(question.mutants) : judge(question);
  void answer.then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
