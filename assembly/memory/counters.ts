/** Counters: one u64 per Reason and per Counter. A reader of the host sees them through one view. */
import { Counter, Reason } from '../abi/codes';
import { COUNTERS } from './regions';

/** The last refusal since the host has handed a frame over: what became of that frame. */
export let refusal: Reason = Reason.None;

export function clearRefusal(): void {
  refusal = Reason.None;
}

/** Counts one refused frame and hands its reason back, so that a refusal is one expression. */
export function refuse(reason: Reason): Reason {
  refusal = reason;
  const at = COUNTERS + ((<usize>reason) << 3);
  store<u64>(at, load<u64>(at) + 1);
  return reason;
}

export function count(counter: Counter): void {
  countBy(counter, 1);
}

export function countBy(counter: Counter, n: u32): void {
  const at = COUNTERS + ((<usize>Reason.Count + <usize>counter) << 3);
  store<u64>(at, load<u64>(at) + n);
}
