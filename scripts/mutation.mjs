/**
 * Mutation testing: would a test notice, if this line of the core were wrong?
 *
 *   npm run mutation [-- FILE.ts...]      the translator and the tracker with the tests of the core, unless files of
 *                                         assembly/ or of test/ are named
 *
 * One build of the core holds all mutants (scripts/mutation/schemata.mjs); the tests of the core run against each of them
 * until one fails. A mutant that no test notices needs a test, or a reason in test/mutation/survivors.mjs why there can be
 * none: exit code 1 as long as one has neither. A full run writes test/mutation/RESULTS.md.
 */
import { fork } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildCore, bundle } from './build.mjs';
import { locked } from './lib/once.mjs';
import { EXIT, ROOT, Stop, filesIn, inRoot, main, must, say } from './lib/project.mjs';
import { report, unexplained } from './mutation/report.mjs';
import { switchSource, withMutants } from './mutation/schemata.mjs';
import { setUp } from './setup.mjs';

/** @typedef {import('./mutation/schemata.mjs').Mutant} Mutant */
/** @typedef {import('./mutation/judge.mjs').Baseline} Baseline */
/** @typedef {Mutant & { fate: 'killed' | 'survived' | 'not reached', by: string | null }} Verdict */

/** Of this run alone: several may go on. */
const WORK = `build/mutation/${process.pid}`;
const MUTATED = ['assembly/translator', 'assembly/tracker'];
/** The simulation plays thousands of fail-overs: of it, only what has been found once. */
const TESTS = ['test/core', 'test/sim/findings.test.ts'];
/** Tests of size and of chance take longer than all others together, and hundreds of mutants survive them as well. */
const LONG = /100,000 connections|a million|a thousand|whatever the length/;
/** A loop is endless when it passes this many times more places than the test does with no mutant. Arbitrary. */
const ENDLESS_FACTOR = 20;
const ENDLESS_LEAST = 1_000_000;
/** For the start of a judge. Arbitrary: a hundred times what it takes. */
const START_MS = 120_000;
/**
 * For a loop without a place in it, or in the test itself: so many times what the test took without a mutant, and so much on top.
 * Arbitrary; the judges and whatever else the machine does take each other's time.
 */
const STUCK_FACTOR = 20;
const STUCK_LEAST_MS = 5000;
/** All tests once; a machine with other work may need its time. Arbitrary. */
const BASELINE_MS = 600_000;

/**
 * Writes a copy of the core's sources with all mutants of these files.
 * @param {readonly string[]} files
 */
function writeSources(files) {
  cpSync(inRoot('assembly'), inRoot(`${WORK}/assembly`), { recursive: true });
  /** @type {Mutant[]} */
  const mutants = [];
  for (const file of files) {
    const pathOf = (/** @type {string} */ other) =>
      relative(dirname(file), `assembly/${other}`).replace(/^(?!\.)/, './');
    const made = withMutants(file, readFileSync(inRoot(file), 'utf8'), mutants.length + 1, pathOf);
    writeFileSync(inRoot(`${WORK}/${file}`), made.text);
    mutants.push(...made.mutants);
  }
  writeFileSync(inRoot(`${WORK}/assembly/mutants.ts`), switchSource(mutants.length));
  return mutants;
}

async function compile() {
  const probes = filesIn('assembly/testing', (path) => path.endsWith('.ts'));
  const sources = ['assembly/index.ts', 'assembly/mutants.ts', ...probes].map((path) => `${WORK}/${path}`);
  const options = ['--runtime', 'stub', '--use', 'abort=', '-O1', '--outFile', `${WORK}/core.wasm`];
  await must(process.execPath, [inRoot('node_modules/assemblyscript/bin/asc.js'), ...sources, ...options]);
}

/** @param {readonly string[]} tests */
async function bundleTests(tests) {
  await bundle({
    entryPoints: [...tests],
    outbase: '.',
    outdir: WORK,
    // One instance for all bundles: it collects their tests.
    plugins: [
      {
        name: 'stand-in',
        setup(build) {
          const path = pathToFileURL(inRoot('scripts/mutation/ava.mjs')).href;
          build.onResolve({ filter: /^ava$/ }, () => ({ path, external: true }));
        },
      },
    ],
  });
}

/** The process that runs the tests, and another one when it got stuck. */
class Judge {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child;
  #bundles;

  /** @param {readonly string[]} bundles */
  constructor(bundles) {
    this.#bundles = bundles;
  }

  /**
   * @param {import('./mutation/judge.mjs').Question} question
   * @param {number} patienceMs for the answer, or for the first of the tests
   * @param {(test: number) => number} [patienceFor] ms for each test that has begun
   * @returns {Promise<unknown>} 'stuck' when there is no answer
   */
  async ask(question, patienceMs, patienceFor) {
    if (this.#child === undefined) {
      const files = [`${WORK}/core.wasm`, 'scripts/mutation/ava.mjs'].map(inRoot);
      const args = [...files, LONG.source, ...this.#bundles.map(inRoot)];
      this.#child = fork(inRoot('scripts/mutation/judge.mjs'), args, { cwd: ROOT });
      await this.#answer(this.#child, START_MS);
    }
    this.#child.send(question);
    const answer = await this.#answer(this.#child, patienceMs, patienceFor);
    if (answer === 'stuck') this.close();
    return answer;
  }

  close() {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  /**
   * @param {import('node:child_process').ChildProcess} child
   * @param {number} patienceMs
   * @param {(test: number) => number} [patienceFor]
   */
  #answer(child, patienceMs, patienceFor = () => patienceMs) {
    return new Promise((done) => {
      const settle = (/** @type {unknown} */ answer) => {
        clearTimeout(timer);
        child.off('message', onMessage);
        child.off('exit', onExit);
        done(answer);
      };
      const onExit = () => settle('stuck');
      const onMessage = (/** @type {unknown} */ message) => {
        if (typeof message !== 'object' || message === null || !('began' in message)) return settle(message);
        clearTimeout(timer);
        timer = setTimeout(onExit, patienceFor(Number(message.began)));
      };
      let timer = setTimeout(onExit, patienceMs);
      child.on('message', onMessage);
      child.on('exit', onExit);
    });
  }
}

/**
 * Runs the tests against each mutant.
 * @param {readonly Mutant[]} mutants
 * @param {readonly string[]} tests
 * @returns {Promise<{ verdicts: Verdict[], baseline: Baseline[] }>}
 */
async function judgeAll(mutants, tests) {
  const bundles = tests.map((path) => `${WORK}/${path.replace(/\.ts$/, '.js')}`);
  const judges = Array.from({ length: availableParallelism() }, () => new Judge(bundles));
  try {
    const baseline = await judges[0]?.ask({ baseline: true, mutants: mutants.length }, BASELINE_MS);
    if (!Array.isArray(baseline)) throw new Stop(EXIT.failed, 'the tests do not run without a mutant');
    const measured = /** @type {Baseline[]} */ (baseline);
    const failed = measured.find(({ failure }) => failure !== null);
    if (failed !== undefined) {
      throw new Stop(EXIT.failed, `without a mutant "${failed.title}" fails:\n${failed.failure ?? ''}`);
    }
    /** @type {Verdict[]} */
    const verdicts = [];
    const left = mutants.entries();
    await Promise.all(
      judges.map(async (judge) => {
        for (const [i, mutant] of left) {
          verdicts[i] = await verdictOf(judge, mutant, measured);
          if ((i + 1) % 100 === 0) say(`${i + 1} of ${mutants.length} mutants`);
        }
      }),
    );
    return { verdicts, baseline: measured };
  } finally {
    for (const judge of judges) judge.close();
  }
}

/**
 * @param {Judge} judge
 * @param {Mutant} mutant
 * @param {readonly Baseline[]} baseline
 * @returns {Promise<Verdict>}
 */
async function verdictOf(judge, mutant, baseline) {
  const reaching = [...baseline.keys()].filter((i) => baseline[i]?.reached.includes(mutant.id) === true);
  if (reaching.length === 0) return { ...mutant, fate: 'not reached', by: null };
  // Quick ones first: most mutants do not live long.
  reaching.sort((a, b) => (baseline[a]?.ms ?? 0) - (baseline[b]?.ms ?? 0));
  const limits = reaching.map((i) =>
    Math.min((baseline[i]?.passed ?? 0) * ENDLESS_FACTOR + ENDLESS_LEAST, 0xffff_ffff),
  );
  const patienceFor = (/** @type {number} */ test) => STUCK_LEAST_MS + STUCK_FACTOR * (baseline[test]?.ms ?? 0);
  const answer = await judge.ask({ mutant: mutant.id, tests: reaching, limits }, START_MS, patienceFor);
  if (answer === 'stuck') return { ...mutant, fate: 'killed', by: 'a loop without end' };
  if (answer === null) return { ...mutant, fate: 'survived', by: null };
  return { ...mutant, fate: 'killed', by: baseline[Number(answer)]?.title ?? '' };
}

/**
 * @param {readonly string[]} chosen
 * @param {string} folder
 * @param {() => readonly string[]} otherwise
 */
function chosenIn(chosen, folder, otherwise) {
  const named = chosen.filter((path) => path.startsWith(folder));
  return named.length > 0 ? named : otherwise();
}

/** @param {string[]} args */
async function mutate(args) {
  await setUp(['build']);
  const chosen = args.map((path) => relative(ROOT, inRoot(path)));
  const files = chosenIn(chosen, 'assembly/', () =>
    MUTATED.flatMap((folder) => filesIn(folder, (path) => path.endsWith('.ts'))),
  );
  const tests = chosenIn(chosen, 'test/', () =>
    filesIn('test', (path) => path.endsWith('.test.ts') && TESTS.some((part) => path.startsWith(part))),
  );
  try {
    const mutants = await locked(async () => {
      await buildCore(); // the tests read it, though they are given another
      const made = writeSources(files);
      await compile();
      await bundleTests(tests);
      return made;
    });
    say(`${mutants.length} mutants, tests of ${tests.length} files`);
    const { verdicts, baseline } = await judgeAll(mutants, tests);
    if (chosen.length === 0) writeFileSync(inRoot('test/mutation/RESULTS.md'), report(verdicts, baseline.length));
    return tell(verdicts);
  } finally {
    rmSync(inRoot(WORK), { recursive: true, force: true });
  }
}

/** @param {readonly Verdict[]} verdicts */
function tell(verdicts) {
  const open = unexplained(verdicts);
  const killed = verdicts.filter(({ fate }) => fate === 'killed').length;
  for (const { file, line, name } of open) process.stdout.write(`${file}:${line}: ${name.replace(`${file} `, '')}\n`);
  process.stdout.write(`${killed} of ${verdicts.length} mutants killed, ${open.length} alive without a reason\n`);
  return open.length === 0 ? 0 : EXIT.failed;
}

await main(import.meta.url, mutate);
