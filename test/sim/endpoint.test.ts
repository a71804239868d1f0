/** The simulation's own TCP, end to end over a bad hub, without a core and without a crash: what follows relies on it. */
import test from 'ava';
import { drawScenario } from './scenario';
import { World } from './world';
import { judge } from './judge';

const SEEDS = 150;

test('two endpoints bring every stream through loss, duplication and reordering', (t) => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const scenario = drawScenario(seed);
    const { crash } = scenario;
    // A conversation of the refused service is an ordinary one as long as the primary lives.
    const conversations = scenario.conversations.map((conversation) => ({ ...conversation, service: 0 }));
    const world = new World({
      ...scenario,
      conversations,
      crash: { ...crash, kind: 'never' },
      watchMs: 0,
      tap: { ...scenario.tap, loss: 0 },
      retainedBytes: 1 << 20,
      retainedPerConnection: 1 << 20,
    });
    const ended = world.run();
    t.deepEqual(judge(world, ended), [], `seed ${seed}`);
  }
});
