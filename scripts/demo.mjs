/** Makes the machine ready, builds, and runs `migware demo` with the arguments given. */
import { buildCore, buildHost } from './build.mjs';
import { labObstacle } from './lib/environment.mjs';
import { locked } from './lib/once.mjs';
import { EXIT, Stop, foreground, inRoot, main } from './lib/project.mjs';
import { setUp } from './setup.mjs';

await main(import.meta.url, async (args) => {
  const obstacle = labObstacle();
  if (obstacle !== null) throw new Stop(EXIT.environment, `The demo cannot run: ${obstacle}.`);
  await setUp(['build', 'run']);
  await locked(async () => {
    await buildCore();
    await buildHost();
  });
  return foreground(process.execPath, [inRoot('build/migware.js'), 'demo', ...args]);
});
