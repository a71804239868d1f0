/** What is explored: a policy, two short streams, and how much the network may do to them. */
import type { Core, ModelBuild, Policy, Sent } from './core';

export interface Setting {
  readonly policy: Policy;
  /** Bytes of either stream. */
  readonly clientBytes: number;
  readonly serverBytes: number;
  /** Whether both sides close at their end. */
  readonly close: boolean;
  /** Segments that get lost. */
  readonly losses: number;
  /** Retransmissions without need. */
  readonly spurious: number;
  /** Whether a segment can overtake another. */
  readonly overtaking: boolean;
  readonly build?: ModelBuild;
  /** Done to the core after each of its steps: a mistake that the model has to find. */
  readonly sabotage?: Sabotage;
}

/** Changes the record, which was `before` when the step began, or what the core sends. */
export type Sabotage = (core: Core, before: DataView, sent: Sent[]) => void;
