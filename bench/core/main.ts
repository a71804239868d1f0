/**
 * What the core's steps cost, beside the same algorithm in C and in plain TypeScript.
 *
 *   npm run bench:core -- [--quick] [--only GROUP] [--json] [--out FILE]
 *
 * Figures, not tests: nothing passes or fails by how long it took.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readSetting } from '../lab/machine';
import { boundaryRuns } from './boundary';
import { ACTS, type Act, type Case } from './cases';
import type { Stage } from './scenes';
import { type Contender, type Effort, FULL, QUICK, measureInTurns, prepare, stepOf } from './measure';
import { type Measured, type Results, figures } from './measured';
import { type Compiled, NativeSubject, NoCompiler, compileNative } from './native-subject';
import { decoderRun } from './pcap-decoder';
import { resultsDocument } from './results';
import { NATIVE_LINK } from './scenes';

const USAGE = `npm run bench:core -- [options]

  --quick       short and few rounds; prints the results, bench/RESULTS-core.md stays as it is
  --only GROUP  one group of figures: parse, lookup, track, translate, checksum patch, checksum, pipeline, boundary
  --json        prints an array of { "name", "nsPerOp", "nativeNsPerOp", "plainNsPerOp" }, the last two where they exist,
                and writes no file
  --out FILE    where to write the results; default bench/RESULTS-core.md, with --quick or --only nowhere
  --help
`;
const FILE = 'bench/RESULTS-core.md';
const EXIT_USAGE = 2;
const EXIT_ENVIRONMENT = 3;

class UsageError extends Error {}

function readOptions(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        json: { type: 'boolean', default: false },
        out: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function measureCase(one: Case, stage: Stage, native: NativeSubject, effort: Effort): Promise<Measured> {
  const { group, name, step, args, operations, unit, frame } = one;
  process.stderr.write(`${group}: ${name}\n`);
  const samples = new Map<Contender, Awaited<ReturnType<typeof prepare>>>();
  for (const subject of [stage.core, native, stage.plain]) {
    if (step === 'touch' && subject === stage.plain) continue;
    samples.set(subject.name, await prepare(stepOf(subject, step, args), unit, effort));
  }
  if (frame !== undefined) samples.set('pcap', await prepare(decoderRun(frame), unit, effort));
  return { group, name, rounds: await measureInTurns(samples, effort, operations) };
}

async function measureAct(act: Act, compiled: Compiled, effort: Effort, isWanted: (group: string) => boolean) {
  const { stage, cases } = act.prepare();
  const wanted = cases.filter(({ group }) => isWanted(group));
  if (wanted.length === 0) return [];
  const native = await NativeSubject.start(compiled.program, stage.scene, NATIVE_LINK);
  const measured: Measured[] = [];
  for (const one of wanted) measured.push(await measureCase(one, stage, native, effort));
  await native.stop();
  return measured;
}

async function measureBoundary(effort: Effort): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const [name, run] of boundaryRuns()) {
    process.stderr.write(`boundary: ${name}\n`);
    const samples = new Map([['core' as const, await prepare(run, 1, effort)]]);
    measured.push({ group: 'boundary', name, rounds: await measureInTurns(samples, effort, 1) });
  }
  return measured;
}

async function measure(effort: Effort, only: string | undefined): Promise<Results> {
  const setting = readSetting();
  const compiled = compileNative();
  const isWanted = (group: string) => only === undefined || group === only || group.startsWith(`${only} by`);
  const measured: Measured[] = [];
  for (const act of ACTS) {
    if (act.groups.some(isWanted)) measured.push(...(await measureAct(act, compiled, effort, isWanted)));
  }
  if (isWanted('boundary')) measured.push(...(await measureBoundary(effort)));
  if (measured.length === 0) throw new UsageError(`--only ${only ?? ''}: there is no such group`);
  return { setting, compiler: compiled.compiler, measured };
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

async function main(args: string[]): Promise<void> {
  const { quick, only, json, out, help } = readOptions(args);
  if (help) {
    process.stdout.write(USAGE);
    return;
  }
  const results = await measure(quick ? QUICK : FULL, only);
  if (json) {
    process.stdout.write(`${JSON.stringify(figures(results), null, 2)}\n`);
    if (out === undefined) return;
  }
  const file = out ?? (quick || only !== undefined ? undefined : FILE);
  const text = resultsDocument(results, readIfThere(file ?? FILE));
  if (file === undefined) process.stdout.write(text);
  else writeFileSync(file, text);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const code = error instanceof UsageError ? EXIT_USAGE : error instanceof NoCompiler ? EXIT_ENVIRONMENT : undefined;
  if (code === undefined) throw error;
  process.stderr.write(`${(error as Error).message}\n${code === EXIT_USAGE ? `\n${USAGE}` : ''}`);
  process.exitCode = code;
}
