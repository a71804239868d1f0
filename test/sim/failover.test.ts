/** Fail-overs drawn from seeds; see judge.ts for what must hold. MIGWARE_SIM_SEEDS sets how many, MIGWARE_SIM_FIRST the first. */
import test from 'ava';
import { complaint } from './play';

const FIRST = Number(process.env['MIGWARE_SIM_FIRST'] ?? 1);
const SEEDS = Number(process.env['MIGWARE_SIM_SEEDS'] ?? 400);
/** One test for each so many: a failure is named, and the others still run. */
const BATCH = 50;

for (let from = FIRST; from < FIRST + SEEDS; from += BATCH) {
  const to = Math.min(from + BATCH, FIRST + SEEDS) - 1;
  test(`streams survive the fail-overs of seeds ${from} to ${to}`, (t) => {
    t.timeout(120_000);
    for (let seed = from; seed <= to; seed++) t.is(complaint(seed), undefined);
  });
}
