/**
 * What a fail-over takes and what the proxy costs, measured with real TCP stacks in network namespaces.
 *
 *   npm run bench:lab -- [--quick] [--only PART,...] [--connections N,N,...] [--out FILE] [--json FILE]
 *
 * Figures, not tests: nothing passes or fails by how long it took. A round that comes to no end, or breaks a connection,
 * is told and makes the exit code 1.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { measure } from './measure';
import { PARTS, type Part, type Results, allRounds, measuredParts } from './measured';
import { resultsDocument } from './results';
import { COUNTS } from './thesis';

const USAGE = `npm run bench:lab -- [options]

  --quick              few rounds of 1, 10 and 200 connections; prints the results, bench/RESULTS.md stays as it is
  --only PART,...      of ${PARTS.join(', ')}; without --json the results have no others
  --connections N,...  these numbers of connections in recovery and latency
  --out FILE           where to write the results; default bench/RESULTS.md, with --quick or --only nowhere
  --json FILE          every round's figures; those of parts that are not measured are taken from there
  --help
`;

const QUICK_COUNTS = [1, 10, 200];

class UsageError extends Error {}

function readOptions(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        connections: { type: 'string' },
        out: { type: 'string' },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    const counts = values.connections?.split(',').map(Number) ?? (values.quick ? QUICK_COUNTS : COUNTS);
    if (!counts.every((count) => Number.isInteger(count) && count >= 1 && count <= 10_000)) {
      throw new Error(`--connections ${values.connections ?? ''}: expected numbers from 1 to 10000`);
    }
    const parts = values.only?.split(',') ?? PARTS;
    if (!parts.every(isPart)) throw new Error(`--only ${parts.join(',')}: expected some of ${PARTS.join(', ')}`);
    return { ...values, counts, parts };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function isPart(name: string): name is Part {
  return (PARTS as readonly string[]).includes(name);
}

function write(file: string, text: string): void {
  mkdirSync(dirname(resolve(file)), { recursive: true });
  writeFileSync(file, text);
}

function readIfThere(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

async function main(args: string[]): Promise<number> {
  const { quick, only, out, json, help, counts, parts } = readOptions(args);
  if (help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const earlier = JSON.parse(readIfThere(json) ?? '{}') as Results;
  const measured = await measure(parts, { counts, isQuick: quick });
  const results: Results = { ...earlier, ...measured };
  if (json !== undefined) write(json, `${JSON.stringify(results, undefined, 2)}\n`);
  const file = out ?? (quick || only !== undefined ? undefined : 'bench/RESULTS.md');
  const text = resultsDocument(results, readIfThere(file) ?? '');
  if (file === undefined) process.stdout.write(text);
  else write(file, text);
  const isBroken = allRounds(measured).some(({ broken, problems }) => broken > 0 || problems.length > 0);
  return isBroken || measuredParts(measured).some(({ failures }) => failures.length > 0) ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
