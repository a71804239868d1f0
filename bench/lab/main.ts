/**
 * What a fail-over takes and what the proxy costs, measured with real TCP stacks in network namespaces.
 *
 *   npm run bench:lab -- [--quick] [--connections N,N,...] [--out FILE] [--json FILE]
 *
 * Figures, not tests: nothing passes or fails by how long it took. A round that comes to no end, or breaks a connection,
 * is told and makes the exit code 1.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readSetting } from './machine';
import type { Results } from './measured';
import type { Latency, Transfers } from './path';
import { measureLatency, measureTransfers } from './path';
import type { Recovery } from './recovery';
import { measureRecovery } from './recovery';
import { resultsDocument } from './results';
import { COUNTS, RECOVERY_GOALS } from './thesis';

const USAGE = `npm run bench:lab -- [options]

  --quick              few rounds of 1, 10 and 200 connections; prints the results, bench/RESULTS.md stays as it is
  --connections N,...  these numbers of connections
  --out FILE           where to write the results; default bench/RESULTS.md, with --quick nowhere
  --json FILE          every round's figures
  --help
`;

const QUICK_COUNTS = [1, 10, 200];
/** More rounds where they are short and vary more. */
const roundsOf = (connections: number): number => (connections <= 200 ? 7 : connections <= 1000 ? 5 : 3);
const QUICK_ROUNDS = 3;
const SLICES = 6;
const QUICK_SLICES = 2;
const TRANSFER_BYTES = 256e6;
const TRANSFER_ROUNDS = 5;

/** Characters of a failure that the results show; all of it goes to stderr. */
const REASON_MAX = 200;

class UsageError extends Error {}

function readOptions(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        quick: { type: 'boolean', default: false },
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
    return { ...values, counts };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function measure(counts: readonly number[], isQuick: boolean): Promise<Results> {
  const setting = readSetting();
  const failures: string[] = [];
  const attempt = async <T>(what: string, action: () => Promise<T>): Promise<T[]> => {
    process.stderr.write(`${what} ... `);
    const startMs = performance.now();
    try {
      const result = await action();
      process.stderr.write(`${((performance.now() - startMs) / 1000).toFixed(1)} s\n`);
      return [result];
    } catch (error) {
      process.stderr.write('failed\n');
      const [reason = ''] = (error as Error).message.split('\n');
      failures.push(`${what}: ${reason.slice(0, REASON_MAX)}`);
      process.stderr.write(`${(error as Error).message}\n`);
      return [];
    }
  };
  const recoveries: Recovery[] = [];
  const profiled: Recovery[] = [];
  const latencies: Latency[] = [];
  for (const count of counts) {
    const rounds = isQuick ? QUICK_ROUNDS : roundsOf(count);
    for (let round = 1; round <= rounds; round++) {
      const what = `fail-over of ${count} connections, round ${round} of ${rounds}`;
      recoveries.push(...(await attempt(what, () => measureRecovery(count))));
    }
    if (RECOVERY_GOALS.has(count)) {
      profiled.push(
        ...(await attempt(`fail-over of ${count} connections, profiled`, () => measureRecovery(count, true))),
      );
    }
  }
  for (const count of counts) {
    const slices = isQuick ? QUICK_SLICES : SLICES;
    latencies.push(...(await attempt(`latency of ${count} connections`, () => measureLatency(count, slices))));
  }
  const transfers: Transfers[] = await attempt('throughput', () =>
    measureTransfers(TRANSFER_BYTES, isQuick ? QUICK_ROUNDS : TRANSFER_ROUNDS),
  );
  return { setting, recoveries, profiled, latencies, transfers: transfers[0], failures };
}

function write(file: string, text: string): void {
  mkdirSync(dirname(resolve(file)), { recursive: true });
  writeFileSync(file, text);
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

async function main(args: string[]): Promise<number> {
  const { quick, out, json, help, counts } = readOptions(args);
  if (help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const results = await measure(counts, quick);
  const file = out ?? (quick ? undefined : 'bench/RESULTS.md');
  const text = resultsDocument(results, readIfThere(file ?? ''));
  if (file === undefined) process.stdout.write(text);
  else write(file, text);
  if (json !== undefined) write(json, `${JSON.stringify(results, mapsAsObjects, 2)}\n`);
  const isBroken = results.recoveries.some(({ broken, problems }) => broken > 0 || problems.length > 0);
  return isBroken || results.failures.length > 0 ? 1 : 0;
}

function mapsAsObjects(_key: string, value: unknown): unknown {
  return value instanceof Map ? (Object.fromEntries(value) as object) : value;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
