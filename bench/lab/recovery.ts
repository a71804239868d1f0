/**
 * One fail-over under load: clients push records, the primary's cable is pulled, the replica goes on. How long each step
 * took is told by the daemon and by the clients; the judge says what broke.
 */
import { Network } from '../../src/demo/network';
import type { Recovery as Policy } from '../../test/lab/daemon';
import { Lab } from '../../test/lab/lab';
import type { Counters } from './counters';
import { CpuShare, METRICS_PORT, daemonPid, growth, readKernel, readMetrics } from './counters';
import { takeoverTimes, untilMoved } from './log';
import { type Profile, profileOf, recordProfile } from './profile';

/** Of the service and of the replica: what a service for thousands of clients sets. */
export const BACKLOG = 4096;
/** Records a second of all clients together, so that the load of the machine does not depend on their number. */
const RECORDS_PER_SECOND = 10_000;
const SHORTEST_INTERVAL_MS = 20;
/** The end of 10,000 connections at once would be a burst that is not under test. */
const FINISH_SPREAD_MS_PER_CONNECTION = 0.2;

export interface Recovery {
  readonly policy: Policy;
  readonly connections: number;
  /** ms between two records of a client. */
  readonly intervalMs: number;
  /** First unanswered probe to verdict. */
  readonly detectionMs: number;
  /** Cable pulled to verdict. */
  readonly cutToVerdictMs: number;
  /** Verdict to the address taken. */
  readonly addressMs: number;
  /** Verdict to the moment when no connection is on its way to the replica any more. */
  readonly recoveryMs: number;
  /** Cable pulled to that moment. */
  readonly totalMs: number;
  /** Longest time in which a client waited for an acknowledgement. */
  readonly silenceMs: number;
  /** Connections the judge complains about, and why. */
  readonly broken: number;
  readonly problems: readonly string[];
  /** Between the verdict and the last connection's arrival: the daemon's thread on a CPU, and waiting for one. */
  readonly cpuMs: number;
  readonly cpuWaitMs: number;
  /** Of the daemon, since its start. */
  readonly metrics: Counters;
  /** What the kernel of the replica counted from cut to end. */
  readonly kernel: Counters;
  readonly profile: Profile | undefined;
}

export interface RecoveryOptions {
  readonly policy?: Policy;
  readonly withProfile?: boolean;
}

export async function measureRecovery(connections: number, options: RecoveryOptions = {}): Promise<Recovery> {
  const network = new Network();
  try {
    return await failOver(new Lab(network, { service: { backlog: BACKLOG } }), connections, options);
  } finally {
    network.close();
  }
}

async function failOver(
  lab: Lab,
  connections: number,
  { policy = 'resume', withProfile = false }: RecoveryOptions,
): Promise<Recovery> {
  await lab.open();
  const daemon = lab.daemon({ recovery: policy, top: `metrics = "127.0.0.1:${METRICS_PORT}"` });
  const profileFile = `${lab.network.directory}/daemon.cpuprofile`;
  if (withProfile) await recordProfile(profileFile, () => daemon.start());
  else await daemon.start();
  const intervalMs = Math.max(SHORTEST_INTERVAL_MS, (connections * 1000) / RECORDS_PER_SECOND);
  const clients = await lab.connect({ connections, interval: intervalMs });
  await lab.allProgress(clients);
  await daemon.until('all connections tracked', (status) => status.connections.tracked === connections);
  if (policy === 'shadow') {
    await daemon.untilConnections('the replica reads along', (all) => all.every(({ shadow }) => shadow === 'reading'));
  }

  const cpu = new CpuShare(daemonPid(lab.backup));
  const kernelBefore = readKernel(lab.backup);
  const cutMs = Date.now();
  lab.cut();
  await untilMoved(daemon);
  cpu.stop();
  const times = takeoverTimes(daemon);
  const metrics = readMetrics(lab.backup);
  await lab.allProgress(clients);
  await lab.finish(clients, connections * FINISH_SPREAD_MS_PER_CONNECTION);
  const verdict = await lab.judge(policy === 'resume' ? 'rest' : 'all');
  const kernel = growth(kernelBefore, readKernel(lab.backup));
  const left = await daemon.stop();
  const problems = [...verdict.problems, ...left];
  const { runMs, waitMs } = cpu.between(times.verdictMs, times.movedMs);
  return {
    policy,
    connections,
    intervalMs,
    detectionMs: times.detectionMs,
    cutToVerdictMs: times.verdictMs - cutMs,
    addressMs: times.addressMs,
    recoveryMs: times.movedMs - times.verdictMs,
    totalMs: times.movedMs - cutMs,
    silenceMs: verdict.longestSilenceMs,
    broken: verdict.connections - verdict.kept,
    problems,
    cpuMs: runMs,
    cpuWaitMs: waitMs,
    metrics,
    kernel,
    profile: withProfile ? profileOf(profileFile, times.verdictMs, times.movedMs) : undefined,
  };
}
