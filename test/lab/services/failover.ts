/**
 * A fail-over of a real service: clients of all kinds come to the point where the primary is to die, its cable is pulled, the
 * replica takes over, and each of them finishes what it does.
 */
import { chmodSync, mkdirSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import type { ConnectionReport } from '../../../src/daemon/contract';
import type { Host } from '../../../src/demo/network';
import type { Program } from '../../../src/demo/program';
import type { Daemon, DaemonOptions } from '../daemon';
import { describe, ends, resetsOfLiveConnections } from '../judge';
import type { Lab, LabOptions } from '../lab';
import { PORT, openLab } from '../lab';
import { ACK, SYN } from '../pcap';
import type { Place, RealService, Surroundings, Traffic, Use } from './real-service';
import { Client, TRANSFER_BYTES, listens } from './real-service';

/** Of those that explain a failure. */
const SHOWN_CONNECTIONS = 10;

export interface Trial {
  /** Absent: nobody dies, which shows that the service and its clients are right. */
  readonly daemon?: Partial<DaemonOptions>;
  /** What the clients are about; default: one client of each kind that the service has. */
  readonly uses?: readonly Use[];
  /** Its faults begin with the cut. */
  readonly clientCable?: LabOptions['clientCable'];
  readonly family?: LabOptions['family'];
}

/** One client for each moment that the service's table names. */
export function eachMoment({ uses }: RealService): readonly Use[] {
  return Object.values(uses);
}

/** As many clients as the service takes, some of each kind. */
export function crowd(service: RealService): readonly Use[] {
  const uses = eachMoment(service);
  return Array.from({ length: service.crowd }, (_, index) => uses[index % uses.length]).filter(
    (use) => use !== undefined,
  );
}

/** Runs a trial in which no client may notice anything. */
export async function endure(t: ExecutionContext, service: RealService, trial: Trial = {}): Promise<void> {
  const stage = await openStage(t, service, trial);
  await stage.play();
  t.deepEqual(await stage.complaints(), []);
  if (stage.daemon === undefined) return;
  const { failovers } = await stage.daemon.status();
  t.log(stage.summary(failovers));
  t.like(failovers, [{ recovered: stage.size, lost: 0 }]);
  t.deepEqual(await stage.daemon.stop(), [], 'the backup is as it was before');
}

/** Starts the service twice, and the daemon. */
export async function openStage(t: ExecutionContext, service: RealService, trial: Trial): Promise<Stage> {
  const { clientCable, family } = trial;
  const lab = await openLab(t, { service: null, ...(clientCable && { clientCable }), ...(family && { family }) });
  const stage = new Stage(lab, service, trial);
  t.teardown(async () => {
    if (!t.passed) t.log(await stage.explanation());
  });
  await stage.open();
  return stage;
}

export class Stage {
  readonly daemon: Daemon | undefined;
  private readonly shared: string;
  private readonly primary: Place;
  private readonly replica: Place;
  private readonly host: Host;
  private readonly uses: readonly Use[];
  private instances: Program[] = [];
  private atPoint = 0;
  private readonly pulled = new Signal();
  private readonly taken = new Signal();
  private isDead = false;
  private beforeCut: readonly ConnectionReport[] = [];
  private seen: { readonly atMs: number; readonly sockets: readonly Socket[] } = { atMs: 0, sockets: [] };

  constructor(
    readonly lab: Lab,
    private readonly service: RealService,
    trial: Trial,
  ) {
    const { directory } = lab.network;
    // A service that is not root has to find its files.
    chmodSync(directory, 0o711);
    this.shared = `${directory}/shared`;
    this.primary = { host: lab.primary, directory: `${directory}/primary`, shared: this.shared };
    this.replica = { host: lab.replicaHost, directory: `${directory}/replica`, shared: this.shared };
    const [host] = lab.clientHosts;
    if (host === undefined) throw new Error('the lab has no client host');
    this.host = host;
    this.daemon = trial.daemon && lab.daemon(trial.daemon);
    this.uses = trial.uses ?? eachMoment(service);
  }

  /** Its clients, each with one connection. */
  get size(): number {
    return this.uses.length;
  }

  async open(): Promise<void> {
    const places = [this.primary, this.replica];
    for (const directory of [this.shared, ...places.map((place) => place.directory)]) mkdirSync(directory);
    this.service.prepare?.(this.shared);
    this.instances = places.map((place) => this.service.start(place));
    for (const [index, instance] of this.instances.entries()) {
      const { ready } = this.service;
      if (ready !== undefined) await instance.hears(ready);
      else await listens((places[index] ?? this.primary).host, instance);
    }
    await this.daemon?.start();
    // What the valve lets pass has to arrive.
    await this.lab.weather('calm');
    this.lab.holdUp(this.service.passing ?? TRANSFER_BYTES / 2);
  }

  /** The clients' lives, all at the same time. */
  async play(): Promise<void> {
    const surroundings = this.surroundings();
    const clients = this.uses.map(
      (_, index) => new Client(index, `${this.lab.network.directory}/client${index}`, surroundings),
    );
    await Promise.all(clients.map(async (client, index) => this.uses[index]?.(client)));
  }

  /** Waits for a line of the replica's log. */
  async replicaSays(text: RegExp): Promise<void> {
    await this.instances[1]?.hears(text);
  }

  /** What the wire shows that should not be there. */
  async complaints(): Promise<string[]> {
    const frames = await this.lab.clientFrames();
    const opened = frames.filter(
      ({ tcp, ports }) => tcp && (tcp.flags & (SYN | ACK)) === SYN && ports?.destination === PORT,
    );
    const clients = new Set(opened.map((frame) => ends(frame)[0]));
    const resets = resetsOfLiveConnections(frames, clients).filter(({ ports }) => ports?.source === PORT);
    const found = resets.map((frame) => `RST ${describe(frame)}`);
    if (clients.size < this.uses.length) found.push(`the capture shows ${clients.size} connections: it is blind`);
    return found;
  }

  summary(
    failovers: readonly { readonly detectionMs: number; readonly recoveryMs: number; readonly recovered: number }[],
  ): string {
    const [failover] = failovers;
    if (failover === undefined) return 'no fail-over';
    const { detectionMs, recoveryMs, recovered } = failover;
    return `${this.uses.length} clients, ${recovered} connections recovered, detected in ${detectionMs.toFixed(0)} ms, recovered in ${recoveryMs.toFixed(0)} ms`;
  }

  async explanation(): Promise<string> {
    const said = this.instances.map(({ name, said: lines }) => `${name} said:\n  ${lines.join('\n  ')}`);
    const connections = (await this.daemon?.connections().catch(() => [])) ?? [];
    const unfinished = connections.filter(({ state }) => state !== 'time-wait').slice(0, SHOWN_CONNECTIONS);
    const clients = unfinished.map(({ client }) => client);
    const before = this.beforeCut.filter(({ client }) => clients.includes(client));
    const list = (some: readonly ConnectionReport[]) => some.map((connection) => JSON.stringify(connection));
    const sockets = this.host.run('ss', '-HtniOp', `dport = :${PORT}`).split('\n').slice(0, SHOWN_CONNECTIONS);
    return [...said, this.daemon?.log, 'before:', ...list(before), 'now:', ...list(unfinished), ...sockets].join('\n');
  }

  private surroundings(): Surroundings {
    const serving = () => (this.isDead ? this.replica : this.primary);
    return {
      host: this.host,
      address: this.lab.address(),
      shared: this.shared,
      get serving() {
        return serving();
      },
      traffic: (program) => this.traffic(program),
      cut: async () => {
        if (++this.atPoint === this.uses.length) this.pulled.follow(this.pull());
        await this.pulled.given;
      },
      over: async () => {
        await this.taken.given;
      },
    };
  }

  private async pull(): Promise<void> {
    const { daemon } = this;
    if (daemon === undefined) {
      this.lab.letGo();
      this.taken.follow(Promise.resolve());
      return;
    }
    this.beforeCut = await this.allKnown(daemon);
    await this.lab.weather('rough');
    this.lab.cut();
    this.lab.letGo();
    this.isDead = true;
    this.taken.follow(daemon.until('the replica has taken over', ({ state }) => state === 'proxy'));
  }

  /** Waits until the daemon knows of every connection of the clients. */
  private async allKnown(daemon: Daemon): Promise<readonly ConnectionReport[]> {
    this.seen = { ...this.seen, atMs: 0 };
    const open = this.sockets().map(({ local }) => local);
    return daemon.untilConnections('all connections known', (connections) => {
      const known = new Set(connections.map(({ client }) => client));
      return open.every((local) => known.has(local));
    });
  }

  private traffic({ pid }: Program): Traffic {
    const own = this.sockets().filter(({ pids }) => pids.includes(pid));
    const sum = (way: keyof Traffic) => own.reduce((total, socket) => total + socket[way], 0);
    return { sent: sum('sent'), received: sum('received') };
  }

  /** The clients' connections, as they were a moment ago: to look is expensive when there are many. */
  private sockets(): readonly Socket[] {
    if (Date.now() - this.seen.atMs > 50) this.seen = { atMs: Date.now(), sockets: socketsOf(this.host) };
    return this.seen.sockets;
  }
}

interface Socket extends Traffic {
  /** Programs that have it open. */
  readonly pids: readonly number[];
  readonly local: string;
}

function socketsOf(host: Host): Socket[] {
  const lines = host.run('ss', '-HtinpO', `dport = :${PORT}`).split('\n').filter(Boolean);
  return lines.map((line) => {
    const count = (name: string) => Number(new RegExp(`\\b${name}:(\\d+)`).exec(line)?.[1] ?? 0);
    return {
      pids: [...line.matchAll(/pid=(\d+)/g)].map(([, pid]) => Number(pid)),
      local: line.split(/ +/)[3] ?? '',
      // The SYN counts as one.
      sent: Math.max(0, count('bytes_acked') - 1),
      received: count('bytes_received'),
    };
  });
}

/** Something that happens once, and that may fail. */
class Signal {
  readonly given: Promise<unknown>;
  private settle: (outcome: Promise<unknown>) => void = () => undefined;

  constructor() {
    this.given = new Promise((resolve) => (this.settle = resolve));
  }

  follow(outcome: Promise<unknown>): void {
    this.settle(outcome);
  }
}
