/**
 * The long run, bounded in time: fail-overs of the simulation and arbitrary frames, by turns, from a seed on.
 *
 *   npm run fuzz [-- SECONDS [FIRST-SEED]]       60 s and a random seed unless given
 *   npm run fuzz -- corpus [SECONDS [FIRST-SEED]]      adds to test/fuzz/corpus what leads somewhere new: see gather.ts
 *
 * A finding ends the run with exit code 1. A scenario leaves captures, a sequence of frames is shrunk and left as a file
 * for test/fuzz/corpus.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { complaint } from '../sim/play';
import { drawCopyScenario } from '../sim/scenario';
import { save } from './corpus';
import { gather } from './gather';
import { fuzz, shrink } from './receive';

const MS_PER_S = 1000;
/** Seeds looked at before the clock is: some tenths of a second. */
const TURN = 5;

/** The message of a finding. */
function tryFrames(seed: number): string | undefined {
  const build = seed % 2 === 0 ? 'debug' : 'test';
  const found = fuzz(seed, build);
  if (found === undefined) return undefined;
  const { what, steps } = shrink(found, build);
  const file = join(mkdtempSync(join(tmpdir(), `migware-fuzz-${seed}-`)), 'finding.steps');
  save(file, `seed ${seed}, ${build}: ${what.split('\n')[0] ?? ''}`, steps);
  return `seed ${seed}, ${build}: ${what}\n${steps.length} steps in ${file}`;
}

function main(args: readonly string[]): number {
  const isGathering = args[0] === 'corpus';
  const [seconds = '60', first] = isGathering ? args.slice(1) : args;
  const endMs = Date.now() + Number(seconds) * MS_PER_S;
  let seed = first === undefined ? Math.floor(Math.random() * 0x7fff_ffff) : Number(first);
  if (!Number.isFinite(endMs) || !Number.isInteger(seed)) {
    console.error('usage: npm run fuzz [-- [corpus] SECONDS [FIRST-SEED]]');
    return 2;
  }
  const from = seed;
  console.log(`from seed ${from}`);
  if (isGathering) {
    console.log(gather(seed, endMs));
    return 0;
  }
  while (Date.now() < endMs) {
    for (const end = seed + TURN; seed < end; seed++) {
      const found = complaint(seed) ?? complaint(seed, {}, drawCopyScenario) ?? tryFrames(seed);
      if (found !== undefined) {
        console.error(found);
        return 1;
      }
    }
  }
  console.log(`${seed - from} seeds, nothing found`);
  return 0;
}

process.exitCode = main(process.argv.slice(2));
