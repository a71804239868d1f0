/**
 * Builds everything and runs a program of test/ or bench/ that is not a test: the fuzzer, a benchmark.
 *
 *   node scripts/run.mjs [--root] FILE.ts [argument]...
 */
import { buildCore, buildHost, buildPrivate } from './build.mjs';
import { labObstacle } from './lib/environment.mjs';
import { locked } from './lib/once.mjs';
import { EXIT, Stop, foreground, inRoot, main } from './lib/project.mjs';
import { setUp } from './setup.mjs';

await main(import.meta.url, async (args) => {
  const needsRoot = args[0] === '--root';
  const [source, ...rest] = needsRoot ? args.slice(1) : args;
  if (source === undefined) throw new Stop(EXIT.usage, 'which program?');
  const obstacle = needsRoot ? labObstacle() : null;
  if (obstacle !== null) throw new Stop(EXIT.environment, `${source} cannot run: ${obstacle}.`);

  await setUp(needsRoot ? ['build', 'run', 'lab'] : ['build']);
  await locked(async () => {
    await buildCore();
    await buildHost();
    await buildPrivate([source]);
  });
  return foreground(process.execPath, [
    '--enable-source-maps',
    inRoot(`build/${source.replace(/\.ts$/, '.js')}`),
    ...rest,
  ]);
});
