/**
 * Whether the primary is alive: a pure function from what was known and what happened to what is known now.
 *
 *              | answer            | miss    | limit, silence
 *   suspect    | alive             | suspect | dead
 *   alive      | alive             | suspect | dead
 *   dead       | alive             | dead    | dead, again
 *
 * - *answer* counts when no probe has a running series of misses any more: a primary that answers echoes and refuses
 *   connections stays what it is.
 * - *limit* is a miss by which enough probes (any, or all, of the service's) have reached their number of misses in a
 *   row. Then all series begin anew, so that a take-over that could not be made is asked for again.
 * - *silence* means that the tap has shown no frame of the primary during the series. A frame is an answer, whatever
 *   the probes say, because two hosts that serve one address do more harm than none (split brain): the series that it
 *   falls into begins anew with the miss at hand.
 *
 * Misses count only for who could have heard an answer. So they do not
 * - before the primary has shown itself for the first time since the monitor started: nothing of it can be moved, and
 *   the likely reason is a wrong address, or a backup that was started alone;
 * - while this host's own link is down, and after that until something shows that frames get through again (a switch
 *   may take half a minute to let them): the primary, or a client to whom nobody answers.
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
  /** When this host's own link was last found down; `undefined` when something was heard since, or it never was. */
  readonly deafMs: number | undefined;
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
  readonly unansweredMs: number | undefined;
  readonly linkUp: boolean;
}

export interface Step {
  readonly judgement: Judgement;
  /** To be told to the daemon. */
  readonly told?: { readonly verdict: Verdict; readonly detail: VerdictDetail };
}

const NO_SERIES: Series = { misses: 0, counted: 0, sinceMs: 0, quietFromMs: 0, why: '' };

export function firstJudgement(rules: Rules): Judgement {
  const series = rules.probes.map(() => NO_SERIES);
  return { verdict: 'suspect', reason: 'not probed yet', seen: false, deafMs: undefined, series };
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
  const heard = { seen: true, deafMs: undefined, series };
  if (series.some(({ misses }) => misses > 0)) return { judgement: { ...before, ...heard } };
  const reason = `${rules.probes[probe]?.label}: answered`;
  const judgement: Judgement = { verdict: 'alive', reason, ...heard };
  if (before.verdict === 'alive') return { judgement };
  return { judgement, told: { verdict: 'alive', detail: { reason, sinceMs: atMs } } };
}

function missed(
  rules: Rules,
  before: Judgement,
  probe: number,
  settled: Settled,
  why: string,
  { heardMs = -Infinity, unansweredMs = -Infinity, linkUp }: Circumstances,
): Step {
  const series = before.series.map((each, index) =>
    index === probe ? longer(each, settled, why, rules.probes[index]?.timeoutMs ?? 0, heardMs) : each,
  );
  const seen = before.seen || heardMs !== -Infinity;
  const stillDeaf = before.deafMs !== undefined && Math.max(heardMs, unansweredMs) <= before.deafMs;
  const deafMs = linkUp ? (stillDeaf ? before.deafMs : undefined) : settled.atMs;
  const now = { seen, deafMs, series };
  const excuse = excuseFor(now, linkUp);
  if (excuse !== undefined) {
    const reason = `${cause(rules, probe, series, 'misses')}, but ${excuse}`;
    return suspected(before, { ...now, series: begunAnew(series) }, reason, settled.sentMs);
  }

  const atLimit = series.map(
    ({ counted, quietFromMs }, index) => counted >= (rules.probes[index]?.limit ?? Infinity) && heardMs < quietFromMs,
  );
  if (!(rules.deadWhen === 'any' ? atLimit.some(Boolean) : atLimit.every(Boolean))) {
    return suspected(before, now, cause(rules, probe, series), settled.sentMs);
  }
  const reason = series.flatMap((_, index) => (atLimit[index] ? [cause(rules, index, series)] : [])).join('; ');
  const sinceMs = Math.min(...series.filter((_, index) => atLimit[index]).map((each) => each.sinceMs));
  return {
    judgement: { ...now, series: begunAnew(series), verdict: 'dead', reason },
    told: { verdict: 'dead', detail: { reason, sinceMs } },
  };
}

/** Why a miss does not count, if it does not. */
function excuseFor({ seen, deafMs }: Pick<Judgement, 'seen' | 'deafMs'>, linkUp: boolean): string | undefined {
  if (!linkUp) return "this host's own link is down";
  if (deafMs !== undefined) return "nothing has been heard since this host's own link was down";
  return seen ? undefined : 'it has never been seen alive';
}

function begunAnew(series: readonly Series[]): Series[] {
  return series.map((each) => ({ ...each, counted: 0 }));
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
function suspected(
  before: Judgement,
  now: Omit<Judgement, 'verdict' | 'reason'>,
  reason: string,
  sinceMs: number,
): Step {
  if (before.verdict === 'dead') return { judgement: { ...before, ...now } };
  const judgement: Judgement = { ...now, verdict: 'suspect', reason };
  if (before.verdict === 'suspect') return { judgement };
  return { judgement, told: { verdict: 'suspect', detail: { reason, sinceMs } } };
}

/** `icmp: 3 probes unanswered`, `tcp: 2 probes failed (connection refused)` */
function cause(
  rules: Rules,
  probe: number,
  series: readonly Series[],
  which: 'counted' | 'misses' = 'counted',
): string {
  const { [which]: number = 0, why = '' } = series[probe] ?? {};
  const count = `${number} ${number === 1 ? 'probe' : 'probes'}`;
  const what = why === 'unanswered' ? `${count} unanswered` : `${count} failed (${why})`;
  return `${rules.probes[probe]?.label}: ${what}`;
}
