/** A step of the build is repeated when it has to be, and only then. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { once } from '../../scripts/lib/once.mjs';

/** A step that copies nothing much and counts how often it ran. */
class Step {
  readonly folder = mkdtempSync(join(tmpdir(), 'migware-once-'));
  readonly input = join(this.folder, 'input');
  readonly output = join(this.folder, 'output');
  runs = 0;

  constructor() {
    writeFileSync(this.input, 'first');
  }

  async run(extra = '', action: () => void = () => undefined): Promise<void> {
    const { input, output } = this;
    await once({ stamp: join(this.folder, 'stamp'), inputs: [input], outputs: [output], extra }, () => {
      this.runs++;
      action();
      writeFileSync(output, 'made');
    });
  }
}

function step(t: { teardown: (clean: () => void) => void }): Step {
  const made = new Step();
  t.teardown(() => {
    rmSync(made.folder, { recursive: true });
  });
  return made;
}

test('a step runs once while nothing changes', async (t) => {
  const made = step(t);
  await made.run();
  await made.run();
  t.is(made.runs, 1);
});

test('a step is repeated when an input, its output or its circumstances change', async (t) => {
  const made = step(t);
  await made.run();
  writeFileSync(made.input, 'second');
  await made.run();
  t.is(made.runs, 2);
  rmSync(made.output);
  await made.run();
  t.is(made.runs, 3);
  await made.run('another version of Node');
  t.is(made.runs, 4);
});

test('a step that failed is repeated', async (t) => {
  const made = step(t);
  await made.run();
  writeFileSync(made.input, 'second');
  const failure = made.run('', () => {
    throw new Error('broken');
  });
  await t.throwsAsync(failure, { message: 'broken' });
  writeFileSync(made.input, 'first');
  await made.run();
  t.is(made.runs, 3);
});
