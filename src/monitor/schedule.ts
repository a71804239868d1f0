/**
 * Asks again and again, and decides what silence means.
 *
 * An attempt begins each interval, whether or not the one before has been settled, so that the time to detection does
 * not depend on how long an answer takes. Each attempt has its own timeout.
 *
 * A miss must be the primary's silence and never ours. Two things keep them apart when this process was held up (by
 * its own work, or by a machine that gave it no processor):
 * - What is due is not judged before everything that has arrived is read.
 * - If the process was late by more than half a timeout, an answer may have come in good time and been lost among what
 *   piled up, or the question may never have left. The attempts of that time are excused: an answer still counts, its
 *   absence does not.
 */
import type { Clock } from './clock';
import type { Outcome, Probe } from './probe';

export interface Settled {
  readonly outcome: Outcome;
  readonly sentMs: number;
  /** When it was settled. */
  readonly atMs: number;
}

export interface Timing {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** Why an excused attempt is void. */
export const HELD_UP = 'this process was held up';

interface Attempt {
  readonly sentMs: number;
  readonly dueMs: number;
  excused: boolean;
  giveUp: () => void;
}

/** Runs until the returned function is called. An attempt is never settled after an answer to a later one. */
export function startSchedule(
  probe: Probe,
  { intervalMs, timeoutMs }: Timing,
  clock: Clock,
  onSettled: (settled: Settled) => void,
): () => void {
  /** Oldest first, so by due time too. */
  let attempts: Attempt[] = [];
  let nextSendMs = clock.now();
  let closed = false;
  let forgetTimer = () => {};

  function sleep(): void {
    const wakeMs = Math.min(nextSendMs, attempts[0]?.dueMs ?? Infinity);
    forgetTimer = clock.at(wakeMs, () => wake(wakeMs));
  }

  function wake(plannedMs: number): void {
    const wokenMs = clock.now();
    if (wokenMs - plannedMs > timeoutMs / 2) attempts.forEach((attempt) => (attempt.excused = true));
    clock.afterInput(() => {
      if (!closed) expire(wokenMs);
      if (!closed && wokenMs >= nextSendMs) {
        nextSendMs += intervalMs;
        // What was not asked in time is not made up for.
        if (nextSendMs <= wokenMs) nextSendMs = wokenMs + intervalMs;
        begin(clock.now());
      }
      if (!closed) sleep();
    });
  }

  function expire(wokenMs: number): void {
    const due = attempts.filter(({ dueMs }) => dueMs <= wokenMs);
    attempts = attempts.filter(({ dueMs }) => dueMs > wokenMs);
    for (const { excused, sentMs, giveUp } of due) {
      giveUp();
      const outcome: Outcome = excused ? { kind: 'void', why: HELD_UP } : { kind: 'miss', why: 'unanswered' };
      onSettled({ outcome, sentMs, atMs: clock.now() });
    }
  }

  function begin(nowMs: number): void {
    const attempt: Attempt = { sentMs: nowMs, dueMs: nowMs + timeoutMs, excused: false, giveUp: () => {} };
    attempts.push(attempt);
    attempt.giveUp = probe.begin((outcome) => {
      const index = attempts.indexOf(attempt);
      if (index < 0) return;
      // An answer to a later question answers the earlier ones.
      const obsolete = outcome.kind === 'answer' ? attempts.splice(0, index) : [];
      attempts = attempts.filter((other) => other !== attempt);
      obsolete.forEach(({ giveUp }) => giveUp());
      onSettled({ outcome, sentMs: attempt.sentMs, atMs: clock.now() });
    });
  }

  sleep();
  return () => {
    closed = true;
    forgetTimer();
    attempts.forEach(({ giveUp }) => giveUp());
    attempts = [];
  };
}
