/** The monitor of one service: its probes, each on its own schedule, and one judgement over them. */
import type {
  Evidence,
  Logger,
  Monitor,
  OnVerdict,
  ProbeConfig,
  ProbeReport,
  ServiceConfig,
  StartMonitor,
} from '../daemon/contract';
import { systemClock } from './clock';
import type { Clock } from './clock';
import { execProbe } from './exec';
import { httpProbe } from './http';
import { icmpProbe } from './icmp';
import { firstJudgement, judge } from './judgement';
import type { Rules } from './judgement';
import type { Probe } from './probe';
import { HELD_UP, startSchedule } from './schedule';
import { tcpProbe } from './tcp';

/** What the monitor asks of its surroundings; tests give their own. */
export interface Surroundings {
  readonly clock: Clock;
  readonly makeProbe: (config: ProbeConfig) => Probe;
  readonly log?: Logger;
}

/**
 * Monitors of services seen on `device`.
 * @param device echo requests to a service address leave by it and no other way
 */
export function monitorOn(device: string, log?: Logger): StartMonitor {
  return (service, evidence, onVerdict) => {
    const makeProbe = (config: ProbeConfig) => systemProbe(config, service, device);
    return startMonitor(service, evidence, onVerdict, { clock: systemClock, makeProbe, ...(log && { log }) });
  };
}

/** @param device where `service` is seen: echo requests to its address leave by it, whatever the routes say */
export function systemProbe(config: ProbeConfig, service: ServiceConfig, device: string): Probe {
  switch (config.kind) {
    case 'icmp':
      return icmpProbe(config.target, config.target === service.address ? device : undefined);
    case 'tcp':
      return tcpProbe(config.target, config.port);
    case 'http':
      return httpProbe(config.url, config.statuses);
    case 'exec':
      return execProbe(config.command, { MIGWARE_SERVICE: service.name, MIGWARE_ADDRESS: service.address });
  }
}

export function startMonitor(
  service: ServiceConfig,
  evidence: Evidence,
  onVerdict: OnVerdict,
  { clock, makeProbe, log }: Surroundings,
): Monitor {
  const rules: Rules = {
    deadWhen: service.deadWhen ?? 'any',
    probes: service.probes.map(({ kind, misses, timeoutMs }) => ({ label: kind, limit: misses, timeoutMs })),
  };
  let judgement = firstJudgement(rules);
  /** What kept a probe from asking, each told once. */
  const troubles = new Set<string>();
  const tellTrouble = ({ kind, target }: Probe, why: string) => {
    const fields = { service: service.name, probe: kind, target, why };
    if (why !== HELD_UP && !troubles.has(`${kind} ${target} ${why}`)) log?.warn(fields, 'this probe cannot ask');
    else log?.debug(fields, 'a probe was void');
    troubles.add(`${kind} ${target} ${why}`);
  };
  const rttMs: (number | undefined)[] = [];
  const probes = makeAll(service.probes, makeProbe);

  const stop = probes.map((probe, index) => {
    const timing = service.probes[index];
    if (timing === undefined) throw new Error('a probe without its configuration');
    return startSchedule(probe, timing, clock, (settled) => {
      const { outcome, sentMs, atMs } = settled;
      if (outcome.kind === 'answer') rttMs[index] = atMs - sentMs;
      if (outcome.kind === 'void') tellTrouble(probe, outcome.why);
      const step = judge(rules, judgement, index, settled, {
        heardMs: evidence.heardMs(),
        unansweredMs: evidence.unansweredMs(),
        linkUp: evidence.linkUp(),
      });
      judgement = step.judgement;
      if (step.told) onVerdict(step.told.verdict, step.told.detail);
    });
  });

  return {
    report: () => ({
      alive: judgement.seen && judgement.verdict !== 'dead',
      verdict: judgement.verdict,
      reason: judgement.reason,
      probes: probes.map(({ kind, target }, index): ProbeReport => {
        return { kind, target, misses: judgement.series[index]?.misses ?? 0, rttMs: rttMs[index] };
      }),
    }),
    close() {
      stop.forEach((stopOne) => stopOne());
      probes.forEach((probe) => probe.close());
    },
  };
}

/** All probes or, when one cannot be made, none. */
function makeAll(configs: readonly ProbeConfig[], makeProbe: Surroundings['makeProbe']): Probe[] {
  const made: Probe[] = [];
  try {
    for (const config of configs) made.push(makeProbe(config));
    return made;
  } catch (error) {
    made.forEach((probe) => probe.close());
    throw error;
  }
}
