/**
 * Whether the primary is alive: a pure function from what was known and what happened to what is known now.
 *
 *              | answer            | miss    | limit, silence | limit, own link down
 *   suspect    | alive             | suspect | dead           | suspect
 *   alive      | alive             | suspect | dead           | suspect
 *   dead       | alive             | dead    | dead, again    | dead
 *
 * - *answer* counts when no probe has a running series of misses any more: a primary that answers echoes and refuses
 *   connections stays what it is.
 * - *limit* is a miss by which enough probes (any, or all, of the service's) have reached their number of misses in a
 *   row. Then all series begin anew, so that a take-over that could not be made is asked for again.
 * - *silence* means that the tap has shown no frame of the primary during the series. A frame is an answer, whatever
 *   the probes say, because two hosts that serve one address do more harm than none (split brain): the series that it
 *   falls into begins anew with the miss at hand.
 * - With its own link down, this host would hear nothing of anybody.
 *
 * A primary that has never shown itself since the monitor started is `suspect` and never dead: nothing of it can be
 * moved, and the likely reason is a wrong address, or a backup that was started alone.
 */
import type { Verdict, VerdictDetail } from '../daemon/contract';
import type { Settled } from './schedule';

/** What does not change while a service is judged. */
export interface Rules {
  readonly probes: readonly {
    /** How its misses are named in a reason: `icmp`. */
    readonly label: string;
    readonly limit: number;
    readonly timeoutMs: number;
  }[];
  /** How many of the probes must have reached their limit. */
  readonly deadWhen: 'any' | 'all';
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly reason: string;
  /** The primary has answered, or was heard, at some time. */
  readonly seen: boolean;
  /** One for each probe. */
  readonly series: readonly Series[];
}

/** The misses of one probe since its last answer. */
export interface Series {
  /** All of them: not 0 as long as the probe is unanswered. */
  readonly misses: number;
  /** Those that count towards the limit. The rest is of no meaning while this is 0. */
  readonly counted: number;
  /** When the first attempt that counts was made. */
  readonly sinceMs: number;
  /** A frame of the primary from this instant on is a sign of life, not a straggler. */
  readonly quietFromMs: number;
  readonly why: string;
}

/** What the tap and the interface say at the time. */
export interface Circumstances {
  readonly heardMs: number | undefined;
  readonly linkUp: boolean;
}

export interface Step {
  readonly judgement: Judgement;
  /** To be told to the daemon. */
  readonly told?: { readonly verdict: Verdict; readonly detail: VerdictDetail };
}

const NO_SERIES: Series = { misses: 0, counted: 0, sinceMs: 0, quietFromMs: 0, why: '' };

export function firstJudgement(rules: Rules): Judgement {
  return { verdict: 'suspect', reason: 'not probed yet', seen: false, series: rules.probes.map(() => NO_SERIES) };
}

/** @param probe index into `rules.probes` of the one whose attempt was settled */
export function judge(rules: Rules, before: Judgement, probe: number, settled: Settled, now: Circumstances): Step {
  switch (settled.outcome.kind) {
    case 'void':
      return { judgement: before };
    case 'answer':
      return answered(rules, before, probe, settled.atMs);
    case 'miss':
      return missed(rules, before, probe, settled, settled.outcome.why, now);
  }
}

function answered(rules: Rules, before: Judgement, probe: number, atMs: number): Step {
  const series = before.series.map((each, index) => (index === probe ? NO_SERIES : each));
  if (series.some(({ misses }) => misses > 0)) return { judgement: { ...before, seen: true, series } };
  const reason = `${rules.probes[probe]?.label}: answered`;
  const judgement: Judgement = { verdict: 'alive', reason, seen: true, series };
  if (before.verdict === 'alive') return { judgement };
  return { judgement, told: { verdict: 'alive', detail: { reason, sinceMs: atMs } } };
}

function missed(
  rules: Rules,
  before: Judgement,
  probe: number,
  settled: Settled,
  why: string,
  { heardMs = -Infinity, linkUp }: Circumstances,
): Step {
  const seen = before.seen || heardMs !== -Infinity;
  const series = before.series.map((each, index) =>
    index === probe ? longer(each, settled, why, rules.probes[index]?.timeoutMs ?? 0, heardMs) : each,
  );
  const atLimit = series.map(
    ({ counted, quietFromMs }, index) => counted >= (rules.probes[index]?.limit ?? Infinity) && heardMs < quietFromMs,
  );
  if (!(rules.deadWhen === 'any' ? atLimit.some(Boolean) : atLimit.every(Boolean))) {
    return suspected(before, { seen, series }, cause(rules, probe, series), settled.sentMs);
  }

  const reason = series.flatMap((_, index) => (atLimit[index] ? [cause(rules, index, series)] : [])).join('; ');
  const sinceMs = Math.min(...series.filter((_, index) => atLimit[index]).map((each) => each.sinceMs));
  const anew = { seen, series: series.map((each) => ({ ...each, counted: 0 })) };
  if (!linkUp) return suspected(before, anew, `${reason}, but this host's own link is down`, sinceMs);
  if (!seen) return suspected(before, anew, `${reason}, and it has never been seen alive`, sinceMs);
  return {
    judgement: { ...anew, verdict: 'dead', reason },
    told: { verdict: 'dead', detail: { reason, sinceMs } },
  };
}

/** The series with one more miss; a frame of the primary since it began makes this miss its first. */
function longer(series: Series, { sentMs, atMs }: Settled, why: string, timeoutMs: number, heardMs: number): Series {
  const misses = series.misses + 1;
  if (series.counted === 0) {
    // What was on its way, or waited in the capture, when the primary fell silent may be seen for some time after.
    return { misses, counted: 1, sinceMs: sentMs, quietFromMs: Math.min(atMs, sentMs + timeoutMs / 2), why };
  }
  if (heardMs >= series.quietFromMs) return { misses, counted: 1, sinceMs: sentMs, quietFromMs: atMs, why };
  return { ...series, misses, counted: series.counted + 1, why };
}

/** A miss that does not, or not yet, mean death. */
function suspected(before: Judgement, now: Pick<Judgement, 'seen' | 'series'>, reason: string, sinceMs: number): Step {
  if (before.verdict === 'dead') return { judgement: { ...before, ...now } };
  const judgement: Judgement = { ...now, verdict: 'suspect', reason };
  if (before.verdict === 'suspect') return { judgement };
  return { judgement, told: { verdict: 'suspect', detail: { reason, sinceMs } } };
}

/** `icmp: 3 probes unanswered`, `tcp: 2 probes failed (connection refused)` */
function cause(rules: Rules, probe: number, series: readonly Series[]): string {
  const { counted = 0, why = '' } = series[probe] ?? {};
  const count = `${counted} ${counted === 1 ? 'probe' : 'probes'}`;
  const what = why === 'unanswered' ? `${count} unanswered` : `${count} failed (${why})`;
  return `${rules.probes[probe]?.label}: ${what}`;
}
