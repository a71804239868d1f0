/** One service address: asks for it in rounds, hears claims, and keeps the state. Knows no port and no clock. */
import { type GuardEvent, type GuardState, TRANSITIONS } from './transitions';

/** RFC 5227 has three probes, RFC 4862 one: three, so that the loss of two frames is no fail-back. */
export const UNANSWERED_PROBES = 3;

export interface Change {
  readonly from: GuardState;
  readonly to: GuardState;
  readonly reason: string;
}

export class AddressGuard {
  #state: GuardState;
  /** Probes in a row for which there was time to answer. */
  #unanswered = 0;
  /** A probe is out. */
  #asked = false;

  constructor(
    readonly address: string,
    initial: GuardState,
  ) {
    this.#state = initial;
  }

  get state(): GuardState {
    return this.#state;
  }

  /** The time to answer the last probe is over. @returns what it changes */
  roundEnded(): Change | undefined {
    if (!this.#asked) return undefined;
    this.#asked = false;
    this.#unanswered++;
    return this.#unanswered >= UNANSWERED_PROBES ? this.#on('unclaimed') : undefined;
  }

  /** A probe has been sent. */
  probed(): void {
    this.#asked = true;
  }

  claimed(): Change | undefined {
    this.#forget();
    return this.#on('claimed');
  }

  /** What was or was not heard so far says nothing. */
  deaf(): Change | undefined {
    this.#forget();
    return this.#on('deaf');
  }

  #forget(): void {
    this.#asked = false;
    this.#unanswered = 0;
  }

  #on(event: GuardEvent): Change | undefined {
    const from = this.#state;
    const { to, reason } = TRANSITIONS[from][event];
    this.#state = to;
    return to === from ? undefined : { from, to, reason };
  }
}
