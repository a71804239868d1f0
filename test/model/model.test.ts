/**
 * No interleaving loses, doubles or reorders a byte: every state that the core, a client, a primary and a replica can get
 * into with streams of a few bytes, and every way between them. What is demanded is said in model.ts; the bounds are
 * in settings.ts; more of the same with `npm run model`.
 */
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { explore } from './explore';
import { Model, type State } from './model';
import { MISTAKES } from './sabotage';
import { PLAIN, SHORT, nameOf } from './settings';

for (const setting of SHORT) {
  test.serial(`every state: ${nameOf(setting)}`, async (t) => {
    await turn(); // what came out of the last one is told before the next one begins
    const { states, steps, depth, found } = explore(new Model(setting));
    t.log(`${states} states, ${steps} steps, at most ${depth} steps from the beginning`);
    t.is(found, undefined);
    t.true(states > 500, 'a model in which nothing happens proves nothing');
  });
}

for (const { name, policies, sabotage } of MISTAKES) {
  for (const policy of policies) {
    test.serial(`the model finds a mistake: ${policy}: ${name}`, async (t) => {
      await turn();
      const { found } = explore(new Model({ ...PLAIN, losses: 1, policy, sabotage }));
      t.log(found?.what);
      t.not(found, undefined);
    });
  }
}

test.serial('with assertions in the core there are the same states', async (t) => {
  await turn();
  const setting = { ...PLAIN, policy: 'shadow' } as const;
  t.deepEqual(explore(new Model({ ...setting, build: 'debug' })), explore(new Model(setting)));
});

test.serial('a core that is put back into a state goes on as it did the first time', async (t) => {
  await turn();
  const long = { clientBytes: 2, serverBytes: 2, close: true, losses: 2, spurious: 2, overtaking: true };
  const setting = { policy: 'shadow', ...long } as const;
  const straight = new Model(setting);
  // Names of states speak of segments by their number.
  const disturbed = new Model(setting, straight.segments);
  for (let seed = 1; seed <= 30; seed++) {
    let [a, b]: [State, State] = [straight.initial(), disturbed.initial()];
    let random = seed;
    for (let step = 0; step < 60; step++) {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      const possible = straight.actions.flatMap(({ can }, i) => (can(a.around) ? [i] : []));
      const first = (random >>> 8) % possible.length;
      // The other one is sent another way first.
      const [here, elsewhere] = [first, first + 1].map((i) => possible[i % possible.length] ?? 0) as [number, number];
      const ahead = disturbed.step(b, elsewhere);
      if (ahead !== undefined) disturbed.step(ahead, possible[0] ?? 0);
      const [nextA, nextB] = [straight.step(a, here), disturbed.step(b, here)];
      t.is(nextA?.name, nextB?.name, `seed ${seed}, step ${step}`);
      if (nextA !== undefined && nextB !== undefined) [a, b] = [nextA, nextB];
    }
  }
});
