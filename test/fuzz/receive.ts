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

export function fuzz(seed: number, build: Build): Finding | undefined {
  const random = new Random(seed);
  return replay(
    Array.from({ length: STEPS }, () => drawStep(random)),
    build,
  );
}

export function replay(steps: readonly Step[], build: Build): Finding | undefined {
  const rig = new Rig(build);
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
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < least.steps.length;) {
      const fewer = [...least.steps.slice(0, from), ...least.steps.slice(from + size)];
      const again = fewer.length > 0 ? replay(fewer, build) : undefined;
      if (again === undefined) from += size;
      else least = again;
    }
  }
  return least;
}
