/**
 * The fail-over of one service: moves along the stages of failover-stages.ts at the monitor's and the user's word, and
 * keeps the record of what was done.
 */
import type { Core } from '../core/core';
import { ServiceState } from '../core/names';
import { MigwareError } from '../errors';
import { reasonOf } from '../reason';
import { repeatAnnouncement } from './announcements';
import { type MonotonicClock, toCoreMs } from './clock';
import type { FailoverReport, Logger, ServiceConfig, Verdict, VerdictDetail } from './contract';
import { type Stage, type StageAction, type StageEvent, TRANSITIONS } from './failover-stages';

/** The address is taken after this, even if connections are still on their way. Arbitrary: a client notices more. */
const RECOVERY_MS = 100;

/** A fail-over by hand that cannot be made. */
export class FailoverError extends MigwareError {
  readonly code = 'MIGWARE_FAILOVER';
}

export interface FailoverSurroundings {
  readonly core: Pick<Core, 'service' | 'recovering' | 'setQuarantine' | 'setServiceState'>;
  /** Sends what the core has ready. */
  readonly pump: () => void;
  /** Tells the segment that the service address is here. */
  readonly announce: () => void;
  /** `isWaiting` has changed: while it is true `progress` is to be called whenever the core has been. */
  readonly watch: () => void;
  readonly fence: (service: ServiceConfig) => Promise<void>;
  readonly clock: MonotonicClock;
  /** Of the calendar, ms since 1970. */
  readonly wallClock: () => number;
  readonly log: Logger;
}

interface Attempt {
  readonly reason: string;
  /** First missed probe; absent when ordered by hand. */
  readonly sinceMs: number | undefined;
  readonly verdictMs: number;
}

interface Done extends Attempt {
  readonly at: string;
  readonly recoveryMs: number;
  /** The core's totals when it began. */
  readonly before: { readonly recovered: number; readonly lost: number };
  /** What it came to, once no connection is on its way any more. */
  result: { readonly recovered: number; readonly lost: number } | undefined;
}

interface Waiter {
  readonly resolve: (report: FailoverReport) => void;
  readonly reject: (error: Error) => void;
}

export class Failover {
  #stage: Stage = 'watching';
  /** Why the last take-over did not happen. */
  #refused: string | undefined;
  #verdict: Verdict = 'suspect';
  #attempt: Attempt | undefined;
  #before = { recovered: 0, lost: 0 };
  readonly #done: Done[] = [];
  /** Of an earlier daemon. */
  #past: readonly FailoverReport[] = [];
  readonly #waiters: Waiter[] = [];
  /** When the address is taken at the latest. No timer: under load no timer would run (packet-loop.ts). */
  #deadlineMs = 0;
  #stopAnnouncing: (() => void) | undefined;
  #isClosed = false;

  /** @param index by which the core knows the service */
  constructor(
    readonly service: ServiceConfig,
    readonly index: number,
    private readonly surroundings: FailoverSurroundings,
  ) {}

  get stage(): Stage {
    return this.#stage;
  }

  /** Connections may still be on their way. */
  get isWaiting(): boolean {
    const last = this.#done.at(-1);
    return this.#stage === 'recovering' || (last !== undefined && last.result === undefined);
  }

  get refused(): string | undefined {
    return this.#refused;
  }

  onVerdict(verdict: Verdict, detail: VerdictDetail): void {
    const { log, clock } = this.surroundings;
    const fields = { service: this.service.name, verdict, reason: detail.reason };
    if (verdict === this.#verdict) log.debug(fields, 'the primary is as it was');
    else if (verdict === 'dead') log.warn(fields, 'the primary is dead');
    else log.info(fields, verdict === 'alive' ? 'the primary answers' : 'the primary is under suspicion');
    this.#verdict = verdict;
    if (verdict === 'alive') this.#refused = undefined;
    if (verdict === 'dead') this.#plan({ reason: detail.reason, sinceMs: detail.sinceMs, verdictMs: clock() });
    this.#step(verdict);
  }

  /** By hand: whatever the monitor thinks. Settles when the address is taken, or is not going to be. */
  order(): Promise<FailoverReport> {
    if (this.#stage === 'serving') {
      return Promise.reject(new FailoverError(`${this.service.name} is served by its replica already`));
    }
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#plan({ reason: 'by hand', sinceMs: undefined, verdictMs: this.surroundings.clock() });
      this.#step('order');
    });
  }

  /** The core has worked: is everything that was on its way there, or has it taken too long? */
  progress(): void {
    const { core, watch, clock } = this.surroundings;
    const isThere = core.recovering(this.index) === 0;
    if (this.#stage === 'recovering' && (isThere || clock() >= this.#deadlineMs)) this.#step('settled');
    if (!isThere) return;
    const last = this.#done.at(-1);
    if (last === undefined || last.result !== undefined) return;
    last.result = this.#sinceThen(last.before);
    watch();
    this.surroundings.log.info({ service: this.service.name, ...last.result }, 'no connection is on its way any more');
  }

  reports(): FailoverReport[] {
    return [...this.#past, ...this.#done.map((done) => this.#report(done))];
  }

  /** The service is not the primary's any more, or is being taken from it. */
  get isTaken(): boolean {
    return this.#stage === 'recovering' || this.#stage === 'serving';
  }

  /** Goes on where an earlier daemon was killed; its connections are in the core. */
  resume(past: readonly FailoverReport[]): void {
    const { core, clock } = this.surroundings;
    this.#past = past;
    this.#stage = 'serving';
    core.setServiceState(this.index, ServiceState.Recovery, toCoreMs(clock()));
    core.setServiceState(this.index, ServiceState.Proxy, toCoreMs(clock()));
  }

  /** To be called when the ports are open again. */
  announceAgain(): void {
    this.surroundings.announce();
    this.#stopAnnouncing = repeatAnnouncement(this.surroundings.announce);
  }

  /** Ends what is going on. The core stays as it is. */
  close(): void {
    this.#isClosed = true;
    this.#stopAnnouncing?.();
    this.#settleWaiters((waiter) => waiter.reject(new FailoverError('the daemon stops')));
  }

  /** An attempt under way is not replaced by the next verdict. */
  #plan(attempt: Attempt): void {
    if (this.#stage === 'watching' || this.#stage === 'suspecting') this.#attempt = attempt;
  }

  #step(event: StageEvent): void {
    if (this.#isClosed) return;
    const transition = TRANSITIONS[this.#stage][event];
    if (transition === undefined) return;
    this.#stage = transition.next;
    for (const action of transition.actions) this.#act(action);
  }

  #act(action: StageAction): void {
    switch (action) {
      case 'hold':
        return this.surroundings.core.setQuarantine(this.index, true);
      case 'release':
        return this.surroundings.core.setQuarantine(this.index, false);
      case 'fence':
        return this.#fence();
      case 'recover':
        return this.#recover();
      case 'serve':
        return this.#serve();
    }
  }

  #fence(): void {
    if (this.service.fence === undefined) return this.#step('fenced');
    this.surroundings.fence(this.service).then(
      () => this.#step('fenced'),
      (error: unknown) => this.#refuse(error),
    );
  }

  #refuse(error: unknown): void {
    if (this.#isClosed) return;
    this.#refused = reasonOf(error);
    this.surroundings.log.error({ service: this.service.name, reason: this.#refused }, 'no take-over');
    this.#step('refused');
    this.#settleWaiters((waiter) => waiter.reject(error instanceof Error ? error : new Error(String(error))));
    // It answered while the command ran, and will not say so again.
    if (this.#verdict === 'alive') this.#step('alive');
  }

  #recover(): void {
    const { core, clock, pump, watch, log } = this.surroundings;
    this.#refused = undefined;
    const { tracked, recovered, lost } = core.service(this.index);
    this.#before = { recovered, lost };
    log.warn({ service: this.service.name, connections: tracked }, 'taking over');
    core.setServiceState(this.index, ServiceState.Recovery, toCoreMs(clock()));
    this.#deadlineMs = clock() + RECOVERY_MS;
    watch();
    pump();
    this.progress();
  }

  #serve(): void {
    const { core, clock, wallClock, announce, log } = this.surroundings;
    announce();
    const nowMs = clock();
    core.setServiceState(this.index, ServiceState.Proxy, toCoreMs(nowMs));
    this.#stopAnnouncing = repeatAnnouncement(announce);
    const attempt = this.#attempt ?? { reason: 'unknown', sinceMs: undefined, verdictMs: nowMs };
    const recoveryMs = nowMs - attempt.verdictMs;
    const at = new Date(wallClock() - recoveryMs).toISOString();
    const done: Done = { ...attempt, at, recoveryMs, before: this.#before, result: undefined };
    this.#done.push(done);
    const report = this.#report(done);
    log.warn({ service: this.service.name, ...report }, 'the replica serves');
    this.#settleWaiters((waiter) => waiter.resolve(report));
  }

  #sinceThen(before: Done['before']): { recovered: number; lost: number } {
    const now = this.surroundings.core.service(this.index);
    return { recovered: now.recovered - before.recovered, lost: now.lost - before.lost };
  }

  #report({ at, reason, sinceMs, verdictMs, recoveryMs, before, result }: Done): FailoverReport {
    const detectionMs = sinceMs === undefined ? 0 : round(verdictMs - sinceMs);
    return { at, reason, detectionMs, recoveryMs: round(recoveryMs), ...(result ?? this.#sinceThen(before)) };
  }

  #settleWaiters(settle: (waiter: Waiter) => void): void {
    for (const waiter of this.#waiters.splice(0)) settle(waiter);
  }
}

/** To microseconds: what is beyond is noise of the clock. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
