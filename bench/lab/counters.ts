/** Counters of the daemon and of the kernel beneath it, and how much of a CPU the daemon had. */
import { readFileSync } from 'node:fs';
import type { Host } from '../../src/demo/network';

export type Counters = Readonly<Record<string, number>>;

export const METRICS_PORT = 9464;

/** Prometheus' text, by name and labels: `migware_core_events_total{event="forged-syn"}`. */
export function readMetrics(backup: Host): Counters {
  // The port is the backup's own: only a program in its namespace reaches it.
  const request = `printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
  const text = backup.run('bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${METRICS_PORT}; ${request}`);
  const samples = text.matchAll(/^(migware_\S+) (\S+)$/gm);
  return Object.fromEntries([...samples].map(([, name = '', value]) => [name, Number(value)]));
}

/** TcpExt and Tcp of a host's kernel (proc(5), net/netstat and net/snmp), by name. */
export function readKernel(host: Host): Counters {
  const counters: Record<string, number> = {};
  const lines = host.run('cat', '/proc/net/netstat', '/proc/net/snmp').split('\n');
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const names = lines[i]?.split(' ') ?? [];
    const values = lines[i + 1]?.split(' ') ?? [];
    if (names[0] !== 'TcpExt:' && names[0] !== 'Tcp:') continue;
    names.slice(1).forEach((name, at) => (counters[name] = Number(values[at + 1])));
  }
  return counters;
}

/** What has grown, and by how much. */
export function growth(before: Counters, after: Counters): Counters {
  const grown = Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, by]) => by !== 0));
}

/** Process id of the daemon in a host; there is one. */
export function daemonPid(host: Host): number {
  const pids = host.run('bash', '-c', `ip netns pids ${host.netns}`).split('\n').filter(Boolean).map(Number);
  const found = pids.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('migware.js\0run'));
  if (found === undefined) throw new Error(`no daemon in ${host.name}`);
  return found;
}

interface Share {
  /** Wall clock. */
  readonly atMs: number;
  readonly runMs: number;
  readonly waitMs: number;
}

const SAMPLE_MS = 5;
const NS_PER_MS = 1e6;

/** Follows how long the daemon's main thread has computed, and how long it has waited for a CPU while it could have. */
export class CpuShare {
  private readonly samples: Share[] = [];
  private readonly timer = setInterval(() => this.sample(), SAMPLE_MS);

  constructor(private readonly pid: number) {
    this.sample();
  }

  private sample(): void {
    // /proc/PID/schedstat: time on a CPU and time in a run queue, ns; of the thread whose id is the process's.
    const [run = NaN, wait = NaN] = readFileSync(`/proc/${this.pid}/schedstat`, 'latin1').split(' ').map(Number);
    this.samples.push({ atMs: Date.now(), runMs: run / NS_PER_MS, waitMs: wait / NS_PER_MS });
  }

  stop(): void {
    clearInterval(this.timer);
    this.sample();
  }

  /** Between two instants of the wall clock, ms. */
  between(fromMs: number, toMs: number): { runMs: number; waitMs: number } {
    const from = this.at(fromMs);
    const to = this.at(toMs);
    return { runMs: to.runMs - from.runMs, waitMs: to.waitMs - from.waitMs };
  }

  /** Interpolated. */
  private at(ms: number): Share {
    const after = this.samples.find(({ atMs }) => atMs >= ms) ?? this.samples.at(-1);
    const before = this.samples.findLast(({ atMs }) => atMs <= ms) ?? this.samples[0];
    if (before === undefined || after === undefined) throw new Error('no sample');
    const share = after.atMs > before.atMs ? (ms - before.atMs) / (after.atMs - before.atMs) : 0;
    const mix = (a: number, b: number) => a + (b - a) * share;
    return { atMs: ms, runMs: mix(before.runMs, after.runMs), waitMs: mix(before.waitMs, after.waitMs) };
  }
}
