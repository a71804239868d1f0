/**
 * The demo: a client host, a primary and a backup on a hub, a real service on both, and clients that push numbers as in
 * the experiment of the MigWare thesis (Agder 2004). The primary's cable is pulled, and the judge says what came of it.
 *
 *     client 10.77.0.10 ---------- hub ---------- primary 10.77.0.2, the service address
 *     clients, observer             |
 *                                backup 10.77.0.3: the service again, and migware
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import type { StatusReport } from '../daemon/contract';
import { EnvironmentError } from '../errors';
import { reasonOf } from '../reason';
import type { ClientReport, Connected } from './client';
import type { Bytes } from './judge';
import { judge } from './judge';
import type { Host, Segment } from './network';
import { Network } from './network';
import type { ObserverReport, Served } from './observer';
import type { Program } from './program';
import type { ServiceReport } from './service';
import type { Server } from './wire';

export const RECOVERIES = ['resume', 'replay', 'shadow'] as const;
export type Recovery = (typeof RECOVERIES)[number];

export interface DemoOptions {
  /** Path of the built `migware`, which is the daemon and every part of the demo. */
  readonly migware: string;
  /** At least 1. */
  readonly connections: number;
  readonly recovery: Recovery;
  readonly onProgress: OnProgress;
}

/** @param isStep the text will not be followed by a newer count of the same */
export type OnProgress = (text: string, isStep: boolean) => void;

export interface DemoResult {
  /** Nothing broke. */
  readonly ok: boolean;
  readonly recovery: Recovery;
  readonly connections: number;
  readonly kept: number;
  /** First missed probe to verdict, and verdict to address taken; absent when the replica did not take over. */
  readonly detectionMs?: number | undefined;
  readonly recoveryMs?: number | undefined;
  /** Longest time that a client waited for an acknowledgement to come forward: while the primary served, and in all. */
  readonly longestSilenceBeforeMs: number;
  readonly longestSilenceMs: number;
  /** Median time from a line to its acknowledgement by the replica, through migware. */
  readonly roundTripMs?: number | undefined;
  readonly bytes: Bytes;
  /** RSTs of live connections on the clients' wire. */
  readonly resets: number;
  /** What is wrong, one sentence each. */
  readonly problems: readonly string[];
}

const PORT = 7000;
const SERVICE = 'numbers';
const ADDRESS = { client: '10.77.0.10', primary: '10.77.0.2', backup: '10.77.0.3' } as const;
const DEVICE = 'eth0';

/**
 * Lines of all clients together, a second: what a small machine carries beside the hub, both services and the daemon
 * without that the load is what is measured. 200 clients push every 50 ms.
 */
const LINES_PER_SECOND = 4000;
const SHORTEST_INTERVAL_MS = 20;
/** How long a connection that does not come back is waited for. Arbitrary: far longer than any that does. */
const PATIENCE_MS = 30_000;

export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const network = new Network();
  try {
    return await new Demo(network, options).run();
  } finally {
    // Ctrl-C ends what this process waits for as well, which is no failure of theirs: the signal has its turn first.
    await new Promise((resolve) => setImmediate(resolve));
    network.close();
  }
}

class Demo {
  private readonly client: Host;
  private readonly primary: Host;
  private readonly backup: Host;
  private readonly hub: Segment;
  private readonly config: string;

  constructor(
    network: Network,
    private readonly options: DemoOptions,
  ) {
    this.config = `${network.directory}/migware.toml`;
    mkdirSync(`${network.directory}/state`);
    writeFileSync(this.config, configuration(network.directory, options.recovery));
    try {
      this.hub = network.hub();
      this.client = this.plug(network, 'client');
      this.primary = this.plug(network, 'primary');
      this.backup = this.plug(network, 'backup');
    } catch (error) {
      const remedy = 'a container has to be privileged for it, and the kernel needs veth and bridge';
      throw new EnvironmentError(`network namespaces cannot be made: ${reasonOf(error).trim()}; ${remedy}`);
    }
  }

  async run(): Promise<DemoResult> {
    this.tell('starting three hosts on a hub');
    const [primary, replica, observer, daemon] = await Promise.all([
      this.startService(this.primary),
      this.startService(this.backup),
      this.startObserver(),
      this.startDaemon(),
    ]);
    const clients = await this.connect();
    await this.work(clients, observer);

    const moved = await this.crash(daemon, observer);
    if (moved) await this.steady(observer, 'replica', 'going on');

    this.tell('checking every byte');
    clients.tell('finish');
    const { connections } = await clients.next<ClientReport>('finished');
    await this.drained();
    const { wire, dropped } = await observer.ask<ObserverReport>('report');
    const verdict = judge({
      clients: connections,
      primary: (await primary.ask<ServiceReport>('report')).connections,
      replica: (await replica.ask<ServiceReport>('report')).connections,
      wire,
      dropped,
      replicaReads: this.options.recovery === 'resume' ? 'rest' : 'all',
    });
    const failover = daemon.running ? this.status(daemon).services[0]?.failovers[0] : undefined;
    // The cause before its effects.
    const problems = [...verdict.problems];
    if (!daemon.running) problems.unshift(`the daemon has ended; it said:\n  ${daemon.said.join('\n  ')}`);
    else if (failover === undefined) problems.unshift('the replica did not take over');
    const silences = {
      primary: longest(wire.connections.map(({ primarySilenceMs }) => primarySilenceMs)),
      replica: longest(wire.connections.map(({ replicaSilenceMs }) => replicaSilenceMs)),
    };
    return {
      ok: problems.length === 0,
      recovery: this.options.recovery,
      connections: this.options.connections,
      kept: verdict.kept,
      detectionMs: failover?.detectionMs,
      recoveryMs: failover?.recoveryMs,
      longestSilenceBeforeMs: toMicroseconds(silences.primary),
      longestSilenceMs: toMicroseconds(Math.max(silences.primary, silences.replica)),
      roundTripMs: wire.roundTripMs === undefined ? undefined : toMicroseconds(wire.roundTripMs),
      bytes: verdict.bytes,
      resets: wire.resets.length,
      problems,
    };
  }

  private tell(text: string, isStep = true): void {
    this.options.onProgress(text, isStep);
  }

  private plug(network: Network, name: keyof typeof ADDRESS): Host {
    const host = network.host(name);
    this.hub.plug(host, [`${ADDRESS[name]}/24`], DEVICE);
    return host;
  }

  /** Starts a part of the demo on a host, which says `ready` when it is. */
  private async start(host: Host, part: string, options: object, ready: string): Promise<Program> {
    const args = [this.options.migware, 'demo-part', part, JSON.stringify(options)];
    const program = host.start(part, process.execPath, ...args);
    await program.next(ready);
    return program;
  }

  private startService(host: Host): Promise<Program> {
    return this.start(host, 'service', { port: PORT }, 'listening');
  }

  private startObserver(): Promise<Program> {
    const options = {
      device: DEVICE,
      port: PORT,
      primaryMac: macDigits(this.primary),
      replicaMac: macDigits(this.backup),
    };
    return this.start(this.client, 'observer', options, 'observing');
  }

  private async startDaemon(): Promise<Program> {
    const daemon = this.backup.start('migware', process.execPath, this.options.migware, 'run', '-c', this.config);
    await daemon.hears(/"msg":"watching"/);
    return daemon;
  }

  private async connect(): Promise<Program> {
    const { connections } = this.options;
    const interval = Math.max(SHORTEST_INTERVAL_MS, (connections / LINES_PER_SECOND) * 1000);
    const plan = { address: ADDRESS.primary, port: PORT, connections, interval };
    const args = [this.options.migware, 'demo-part', 'client', JSON.stringify(plan)];
    const clients = this.client.start('client', process.execPath, ...args);
    await clients.next<Connected>('connected', ({ connections: now }) => {
      this.count('connected', now);
      return now === connections;
    });
    return clients;
  }

  /** Until every connection is well under way. */
  private async work(clients: Program, observer: Program): Promise<void> {
    const steady = this.steady(observer, 'primary', 'pushing');
    clients.tell('push');
    await steady;
  }

  private async steady(observer: Program, by: Server, doing: string): Promise<boolean> {
    const all = observer.next<Served>('served', ({ server, steady }) => {
      if (server !== by) return false;
      this.count(doing, steady);
      return steady === this.options.connections;
    });
    return by === 'primary' ? all.then(() => true) : within(PATIENCE_MS, all);
  }

  /** Pulls the cable. @returns whether every connection went on */
  private async crash(daemon: Program, observer: Program): Promise<boolean> {
    this.tell("pulling the primary's cable");
    const moved = observer.next<Served>('served', ({ server, connections }) => {
      if (server !== 'replica') return false;
      this.count('recovered', connections);
      return connections === this.options.connections;
    });
    const detected = daemon.hears(/"msg":"the primary is dead"/);
    const cut = performance.now();
    this.hub.unplug(this.primary);
    const noticed = within(PATIENCE_MS, detected).then((isDetected) => {
      if (isDetected) this.tell(`found dead ${Math.round(performance.now() - cut)} ms after the cable was pulled`);
    });
    const noDaemon = daemon.ended.then(() => Promise.reject(new Error('nobody is there to move them')));
    const isMoved = await within(PATIENCE_MS, Promise.race([moved, noDaemon]));
    await noticed;
    if (!isMoved) this.tell('not every connection went on');
    return isMoved;
  }

  private count(doing: string, now: number): void {
    const { connections } = this.options;
    this.tell(`${doing}: ${now} of ${connections}`, now === connections);
  }

  /** Until the primary's service has read all that its kernel has acknowledged. */
  private async drained(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    const hasUnread = () => /^\S+ +[1-9]/m.test(this.primary.run('ss', '-Htn', `sport = :${PORT}`));
    while (hasUnread() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  private status(daemon: Program): StatusReport {
    try {
      const args = [this.options.migware, 'status', '-c', this.config, '--json'];
      return JSON.parse(this.backup.run(process.execPath, ...args)) as StatusReport;
    } catch (error) {
      throw new Error(`the daemon does not answer; it said:\n  ${daemon.said.join('\n  ')}`, { cause: error });
    }
  }
}

function configuration(directory: string, recovery: Recovery): string {
  return [
    `interface = "${DEVICE}"`,
    `control   = "${directory}/control.sock"`,
    `state_dir = "${directory}/state"`,
    '[[service]]',
    `name      = "${SERVICE}"`,
    `address   = "${ADDRESS.primary}"`,
    `ports     = [${PORT}]`,
    `replica   = "${ADDRESS.backup}"`,
    `recovery  = "${recovery}"`,
  ].join('\n');
}

function macDigits(host: Host): string {
  return host.mac(DEVICE).replaceAll(':', '');
}

/** Further digits of a time in ms mean nothing. */
function toMicroseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function longest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), 0);
}

/** Whether it comes true in time. What becomes of it later is nobody's business any more. */
async function within(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, ms, false)));
  try {
    return await Promise.race([promise.then(() => true).catch(() => false), late]);
  } finally {
    clearTimeout(timer);
  }
}
