/** Whatever arrives, in whatever state: no trap, no write outside, no frame that cannot go out, no endless pump. */
import test from 'ava';
import { corpus } from './corpus';
import { fuzz, replay } from './receive';

const SEEDS = 60;

for (const build of ['debug', 'test'] as const) {
  test(`${build}: almost right frames do no harm`, (t) => {
    t.timeout(60_000);
    for (let seed = 1; seed <= SEEDS; seed++) t.is(fuzz(seed, build)?.what, undefined, `seed ${seed}`);
  });

  for (const { name, steps } of corpus()) {
    test(`${build}: ${name}`, (t) => {
      t.is(replay(steps, build)?.what, undefined);
    });
  }
}
