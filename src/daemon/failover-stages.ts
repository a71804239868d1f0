/**
 * The stages of a service's fail-over, as a table: what happens at each event, and what comes next. An event that a stage
 * does not name changes nothing there.
 *
 *   stage        reported as   alive      suspect      dead      order     fenced       refused      settled
 *   watching     normal        -          suspecting   fencing   fencing   -            -            -
 *   suspecting   normal        watching   -            fencing   fencing   -            -            -
 *   fencing      normal        -          -            -         -         recovering   suspecting   -
 *   recovering   recovery      -          -            -         -         -            -            serving
 *   serving      proxy         -          -            -         -         -            -            -
 *
 * - Suspicion comes with quarantine: from the first unanswered probe on, RST and FIN of the primary are held back, since
 *   they may be the last words of a dying stack. It ends when the primary answers.
 * - Fencing makes sure that a primary called dead is: a fencing command that fails means no take-over. While it runs the
 *   monitor's opinion does not count; its next verdict comes soon enough.
 * - Recovering ends when no connection is on its way any more, or after a time: then the address is taken, and who
 *   connects anew need not wait for the last of the old.
 */
import type { StateName, Verdict } from './contract';

export type Stage = 'watching' | 'suspecting' | 'fencing' | 'recovering' | 'serving';

/** The monitor's verdicts; `order` is a fail-over by hand. */
export type StageEvent = Verdict | 'order' | 'fenced' | 'refused' | 'settled';

/** What a transition does, in this order. */
export type StageAction = 'hold' | 'release' | 'fence' | 'recover' | 'serve';

export interface Transition {
  readonly next: Stage;
  readonly actions: readonly StageAction[];
}

const TO_FENCING: Transition = { next: 'fencing', actions: ['hold', 'fence'] };

export const TRANSITIONS: Readonly<Record<Stage, Readonly<Partial<Record<StageEvent, Transition>>>>> = {
  watching: {
    suspect: { next: 'suspecting', actions: ['hold'] },
    dead: TO_FENCING,
    order: TO_FENCING,
  },
  suspecting: {
    alive: { next: 'watching', actions: ['release'] },
    dead: TO_FENCING,
    order: TO_FENCING,
  },
  fencing: {
    fenced: { next: 'recovering', actions: ['recover'] },
    refused: { next: 'suspecting', actions: [] },
  },
  recovering: {
    settled: { next: 'serving', actions: ['serve'] },
  },
  serving: {},
};

export const STATE_NAMES: Readonly<Record<Stage, StateName>> = {
  watching: 'normal',
  suspecting: 'normal',
  fencing: 'normal',
  recovering: 'recovery',
  serving: 'proxy',
};
