/**
 * The same fail-overs with a replica that is given the client's stream from its first byte, when the primary is dead or
 * beside it: what a client reads is what an uninterrupted service would have said. MIGWARE_SIM_SEEDS and MIGWARE_SIM_FIRST
 * as in failover.test.ts.
 */
import test from 'ava';
import { complaint } from './play';
import { drawCopyScenario } from './scenario';

const FIRST = Number(process.env['MIGWARE_SIM_FIRST'] ?? 1);
const SEEDS = Number(process.env['MIGWARE_SIM_SEEDS'] ?? 400);
/** One test for each so many: a failure is named, and the others still run. */
const BATCH = 50;

for (let from = FIRST; from < FIRST + SEEDS; from += BATCH) {
  const to = Math.min(from + BATCH, FIRST + SEEDS) - 1;
  test(`replicas that read from the first byte take over in seeds ${from} to ${to}`, (t) => {
    t.timeout(120_000);
    for (let seed = from; seed <= to; seed++) t.is(complaint(seed, {}, drawCopyScenario), undefined);
  });
}
