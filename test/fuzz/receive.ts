/** Runs of the fuzzer: a seed draws a sequence of steps for a fresh core. */
import { Random } from '../sim/random';
import type { Build } from './audit';
import { Rig, type Step } from './rig';
import { drawStep } from './steps';

/** Long enough for connections to open, move and close, short enough to read. */
export const STEPS = 400;

export interface Finding {
  readonly what: string;
  /** Everything up to the step that showed it. */
  readonly steps: readonly Step[];
}

/** The steps of a seed. */
export function draw(seed: number): Step[] {
  const random = new Random(seed);
  return Array.from({ length: STEPS }, () => drawStep(random));
}

export function fuzz(seed: number, build: Build): Finding | undefined {
  return replay(draw(seed), build);
}

export function replay(steps: readonly Step[], build: Build, rig = new Rig(build)): Finding | undefined {
  for (const [i, step] of steps.entries()) {
    let what: string | undefined;
    try {
      what = rig.take(step);
    } catch (error) {
      what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
    if (what !== undefined) return { what, steps: steps.slice(0, i + 1) };
  }
  return rig.isGuardIntact ? undefined : { what: 'memory that nobody uses was written', steps };
}

/** Leaves out what the finding does not need. */
export function shrink({ what, steps }: Finding, build: Build): Finding {
  let least: Finding = { what, steps };
  shorten(steps, (fewer) => {
    const again = replay(fewer, build);
    if (again !== undefined) least = again;
    return again?.steps;
  });
  return least;
}

/** Leaves out steps as long as `still` gives those that are needed of the rest. */
export function shorten(
  steps: readonly Step[],
  still: (fewer: readonly Step[]) => readonly Step[] | undefined,
): readonly Step[] {
  let least = steps;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < least.length;) {
      const fewer = [...least.slice(0, from), ...least.slice(from + size)];
      const again = fewer.length > 0 ? still(fewer) : undefined;
      if (again === undefined) from += size;
      else least = again;
    }
  }
  return least;
}
