/**
 * Builds what is needed and runs the tests.
 *
 *   npm test                              everything this machine allows
 *   npm run test:unit -- [FILE|FOLDER]... [-- ava options]
 *   npm run test:lab  -- [FILE|FOLDER]... [-- ava options]
 *
 * A test file ends in .test.ts; what tests start as a process of its own ends in .program.ts, and stands at the same
 * path under build/ when they run.
 *
 * The lab needs root and network namespaces, and says so when it is skipped. With CI=true or MIGWARE_REQUIRE_LAB=1 a
 * skipped lab is a failure. The last line is "N passed, N failed, N skipped"; of a skipped lab each file counts as one.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { buildCore, buildHost, buildPortable, buildPrivate, removeStaleTests } from './build.mjs';
import { labObstacle } from './lib/environment.mjs';
import { locked } from './lib/once.mjs';
import { EXIT, ROOT, Stop, filesIn, inRoot, main, say } from './lib/project.mjs';
import { setUp } from './setup.mjs';

/** @typedef {import('./lib/ava-counts.mjs').Counts} Counts */

const LAB = 'test/lab/';
const KINDS = {
  unit: { config: 'ava.config.mjs', accept: (/** @type {string} */ path) => !path.startsWith(LAB) },
  lab: { config: 'ava.lab.config.mjs', accept: (/** @type {string} */ path) => path.startsWith(LAB) },
};

/** @param {string[]} args */
async function test(args) {
  const kind = args[0] === 'unit' || args[0] === 'lab' ? args[0] : undefined;
  const { chosen, avaOptions } = splitArguments(kind === undefined ? args : args.slice(1));
  const obstacle = kind === 'unit' ? null : labObstacle();
  if (kind === 'lab' && obstacle !== null) throw new Stop(EXIT.environment, `The lab cannot run: ${obstacle}.`);

  const withLab = kind !== 'unit' && obstacle === null;
  await setUp(withLab ? ['build', 'run', 'test', 'lab'] : ['build', 'test']);

  const files = filesIn('test', (path) => path.endsWith('.test.ts') && isChosen(path, chosen));
  const unit = kind === 'lab' ? [] : files.filter(KINDS.unit.accept);
  const lab = kind === 'unit' ? [] : files.filter(KINDS.lab.accept);
  if (unit.length + lab.length === 0) throw new Stop(EXIT.usage, `no test matches ${chosen.join(' ')}`);
  await locked(async () => {
    await build(buildCore, chosen.length > 0);
    await build(buildHost, chosen.length > 0);
    await build(buildPortable, chosen.length > 0);
    removeStaleTests();
    await buildPrivate([...unit, ...lab, ...filesIn('test', (path) => path.endsWith('.program.ts'))]);
  });

  const runs = [runAva('unit', unit, avaOptions)];
  if (withLab) runs.push(runAva('lab', lab, avaOptions));
  else if (kind === undefined) runs.push({ passed: 0, failed: 0, skipped: lab.length });
  return report(runs, { labSkipped: lab.length > 0 && (obstacle !== null || (runs[1]?.skipped ?? 0) > 0), obstacle });
}

/**
 * Whoever asks for some tests may be at work on one part while another does not compile. A failed build leaves nothing
 * behind, so that no test runs against an old one.
 * @param {() => Promise<void>} part
 * @param {boolean} tolerant
 */
async function build(part, tolerant) {
  try {
    await part();
  } catch (error) {
    if (!tolerant || !(error instanceof Stop)) throw error;
    say(`${error.message}; going on without it`);
  }
}

/** @param {string[]} args */
function splitArguments(args) {
  const dashes = args.indexOf('--');
  const chosen = dashes < 0 ? args : args.slice(0, dashes);
  return {
    chosen: chosen.map((path) => relative(ROOT, inRoot(path))),
    avaOptions: dashes < 0 ? [] : args.slice(dashes + 1),
  };
}

/**
 * @param {string} path
 * @param {readonly string[]} chosen files and folders; none stands for all
 */
function isChosen(path, chosen) {
  return chosen.length === 0 || chosen.some((choice) => path === choice || path.startsWith(`${choice}/`));
}

/**
 * @param {keyof typeof KINDS} kind
 * @param {readonly string[]} files sources
 * @param {readonly string[]} avaOptions
 * @returns {Counts}
 */
function runAva(kind, files, avaOptions) {
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const folder = mkdtempSync(join(tmpdir(), 'migware-test-'));
  const file = join(folder, 'counts.json');
  const ava = inRoot('node_modules/ava/entrypoints/cli.mjs');
  const outputs = files.map((path) => `build/${path.replace(/\.ts$/, '.js')}`);
  try {
    const { status } = spawnSync(process.execPath, [ava, '--config', KINDS[kind].config, ...avaOptions, ...outputs], {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, MIGWARE_TEST_COUNTS: file },
    });
    const counts = existsSync(file) ? readCounts(file) : { passed: 0, failed: 0, skipped: 0 };
    // Ava also fails for reasons that are no test's, such as a file without one.
    return status === 0 || counts.failed > 0 ? counts : { ...counts, failed: 1 };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * @param {string} file
 * @returns {Counts}
 */
function readCounts(file) {
  return /** @type {Counts} */ (JSON.parse(readFileSync(file, 'utf8')));
}

/**
 * @param {readonly Counts[]} runs
 * @param {{ labSkipped: boolean, obstacle: string | null }} lab
 */
function report(runs, { labSkipped, obstacle }) {
  const sum = (/** @type {keyof Counts} */ key) => runs.reduce((total, counts) => total + counts[key], 0);
  const labRequired = process.env['CI'] === 'true' || process.env['MIGWARE_REQUIRE_LAB'] === '1';
  if (labSkipped) {
    say(`${obstacle === null ? 'Part of the lab was skipped' : `The lab was skipped: ${obstacle}`}.`);
    if (labRequired) say('Here a skipped lab is a failure (CI=true or MIGWARE_REQUIRE_LAB=1).');
  }
  process.stdout.write(`${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped\n`);
  return sum('failed') > 0 || (labSkipped && labRequired) ? EXIT.failed : 0;
}

await main(import.meta.url, test);
