/**
 * Fills the corpus: sequences of steps that bring the core to where no file of the corpus does yet (a refusal, an event, a
 * state of a connection), shortened to what that needs. Seeds find each of them again only now and then; the files always do.
 *
 * A finding is thrown.
 */
import { join } from 'node:path';
import { CORPUS, corpus, save } from './corpus';
import { draw, replay, shorten, shrink } from './receive';
import { Rig, type Step } from './rig';

const BUILD = 'test';

/** Where the steps lead; throws when something is wrong on the way. */
function reachedBy(steps: readonly Step[]): ReadonlySet<string> {
  const rig = new Rig(BUILD);
  const found = replay(steps, BUILD, rig);
  if (found !== undefined) throw new Error(`${found.what}: ${shrink(found, BUILD).steps.length} steps`);
  return rig.reached;
}

/** Looks at seeds from `first` on until `endMs`. What it found, for people. */
export function gather(first: number, endMs: number): string {
  const known = new Set(corpus().flatMap(({ steps }) => [...reachedBy(steps)]));
  let seed = first;
  let files = 0;
  for (; Date.now() < endMs; seed++) {
    const steps = draw(seed);
    const fresh = [...reachedBy(steps)].filter((name) => !known.has(name));
    if (fresh.length === 0) continue;
    const least = shorten(steps, (fewer) => {
      const reached = reachedBy(fewer);
      return fresh.every((name) => reached.has(name)) ? fewer : undefined;
    });
    // The seed's other sequences may be there from an earlier run.
    save(join(CORPUS, `reached-${known.size}-by-seed-${seed}.steps`), `reaches ${fresh.join(', ')}`, least);
    for (const name of reachedBy(least)) known.add(name);
    files++;
  }
  return `${seed - first} seeds, ${files} new files, ${known.size} places reached`;
}
