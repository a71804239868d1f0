/**
 * The daemon: joins core, ports, monitors and control socket, from start to stop.
 *
 * Start: machine (checks, what an earlier daemon left, network) -> core -> ports -> monitors -> control socket. Stop, and a
 * start that fails half-way: the same in reverse.
 *
 * A daemon that was killed while its services were in normal state misses nothing when it starts again: the tracker
 * picks running connections up. What was moved to a replica lives in the core's records; they are kept in a file
 * (state-keeper.ts), and taken back before the ports are opened. A daemon that is stopped gives everything back instead.
 */
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import { parseAddress } from '../core/address';
import { type NodeCore, loadNodeCore } from '../core/node-core';
import { Counter, Port } from '../core/names';
import { EnvironmentError } from '../errors';
import type { PacketPort, PortError } from '../sniffer/port';
import { reasonOf } from '../reason';
import { habitat } from '../takeover/journal';
import { handshakeWindow } from './backlog';
import { type MonotonicClock, fromCoreMs, toCoreMs } from './clock';
import type {
  Config,
  ConnectionReport,
  ControlServer,
  CounterReport,
  DaemonControl,
  Evidence,
  FailoverReport,
  Logger,
  Monitor,
  RecordConfig,
  ServiceConfig,
  StartControl,
  StartMonitor,
  StatusReport,
} from './contract';
import { DivergenceLog } from './divergence-log';
import { ExtentFile } from './extent-file';
import { Failover, FailoverError } from './failover';
import { fence } from './fence';
import type { Machine } from './machine';
import { PacketLoop } from './packet-loop';
import { PortKeeper } from './port-keeper';
import { RecordSpill } from './record-spill';
import { reportConnection, reportService } from './reports';
import { shadowProblem } from './shadow';
import { StateFile, type TakenService, type TakenState } from './state-file';
import { StateKeeper } from './state-keeper';

export interface DaemonParts {
  readonly version: string;
  readonly log: Logger;
  readonly machine: Machine;
  readonly startMonitor: StartMonitor;
  readonly startControl: StartControl;
  /** The defaults are the system's; tests have their own. */
  readonly clock?: MonotonicClock;
  readonly wallClock?: () => number;
  readonly fence?: (service: ServiceConfig) => Promise<void>;
}

/** How often the replica is looked at: its backlog, its MAC address. Either changes when somebody restarts it. */
const REFRESH_MS = 5000;
/** For a replica on another machine, whose backlog cannot be seen: half of the 128 that listen(2) once gave at most. */
const REMOTE_WINDOW = 64;
/** Ports of the service address towards a remote replica: any that need no privilege elsewhere. */
const MAP_PORTS = { mapFirst: 1024, mapLast: 65535 } as const;
const UNRESOLVED = new Uint8Array(6);
/** In state_dir, for as long as it takes to open it. */
const SPILL_FILE = 'records.spill';

export class Daemon implements DaemonControl {
  readonly #config: Config;
  readonly #parts: DaemonParts;
  readonly #clock: MonotonicClock;
  readonly #startedMs: number;
  #core: NodeCore | undefined;
  #loop: PacketLoop | undefined;
  #spill: RecordSpill | undefined;
  #divergenceLog: DivergenceLog | undefined;
  readonly #keepers = new Map<Port, PortKeeper>();
  readonly #failovers: Failover[] = [];
  readonly #monitors: Monitor[] = [];
  readonly #stateFile: StateFile;
  #stateKeeper: StateKeeper | undefined;
  #control: ControlServer | undefined;
  #refreshTimer: NodeJS.Timeout | undefined;
  /** Ports without a listener, by service, told once. */
  readonly #silentTold = new Map<string, string>();
  #stopping: Promise<void> | undefined;
  /** Settles when the daemon has stopped, whoever asked for it. */
  readonly stopped: Promise<void>;
  #hasStopped: () => void = () => undefined;

  /** Resolves when every service is watched. */
  static async start(config: Config, parts: DaemonParts): Promise<Daemon> {
    const daemon = new Daemon(config, parts);
    try {
      await daemon.#start();
    } catch (error) {
      await daemon.stop();
      throw error;
    }
    return daemon;
  }

  private constructor(config: Config, parts: DaemonParts) {
    this.#config = config;
    this.#parts = parts;
    this.#clock = parts.clock ?? (() => performance.now());
    this.#startedMs = this.#clock();
    this.#stateFile = new StateFile(config.stateDir, habitat());
    this.stopped = new Promise((done) => (this.#hasStopped = done));
  }

  async #start(): Promise<void> {
    const { machine, log, startControl, startMonitor } = this.#parts;
    const { connections, retainedBytes, retainedPerConnectionBytes, services, stateDir } = this.#config;
    const { state, reason } = this.#stateFile.read();
    if (reason !== undefined) log.warn({ reason }, 'the state of an earlier daemon is of no use');
    await machine.setUp(state !== undefined);
    for (const service of services) {
      const problem = shadowProblem(service, machine.isLocal(service));
      if (problem !== undefined) {
        throw new EnvironmentError(`service ${service.name}: ${problem.text}; ${problem.remedy}`);
      }
    }

    const hashKey = randomFillSync(new Uint32Array(4));
    const record = this.#recordRoom();
    const core = loadNodeCore({ connections, retainedBytes, retainedPerConnectionBytes, record }, hashKey);
    if (record !== undefined && record.diskBytes > 0) {
      const file = new ExtentFile(join(stateDir, SPILL_FILE), record.diskBytes);
      this.#spill = new RecordSpill(core.exchange, file, log, toCoreMs(this.#clock()));
    }
    const events = {
      onProgress: () => this.#failovers.forEach((failover) => failover.progress()),
      onFailure: (which: Port, error: PortError, port: PacketPort) =>
        this.#keepers.get(which)?.onFailure(error, port.stats()),
    };
    const loop = new PacketLoop(core, this.#clock, events, this.#spill);
    this.#core = core;
    this.#loop = loop;
    for (const service of services) this.#failovers.push(await this.#addService(service, core, loop));
    if (state !== undefined) this.#resume(state, core);

    this.#keepers.set(Port.Wire, new PortKeeper(Port.Wire, 'wire', () => machine.openWire(), core, loop, log));
    if (services.some((service) => machine.isLocal(service))) {
      this.#keepers.set(Port.Stack, new PortKeeper(Port.Stack, 'stack', () => machine.openStack(), core, loop, log));
    }
    for (const keeper of this.#keepers.values()) await keeper.open();
    for (const failover of this.#failovers) if (failover.isTaken) failover.announceAgain();
    const taken = () => this.#failovers.filter(({ isTaken }) => isTaken).map(toTakenService);
    this.#stateKeeper = new StateKeeper(this.#stateFile, core, taken, this.#clock, log);
    await this.#refresh();
    const names = services.map(({ name }) => name);
    if (record !== undefined) this.#divergenceLog = new DivergenceLog(core, names, log);

    for (const failover of this.#failovers) {
      const onVerdict = failover.onVerdict.bind(failover);
      this.#monitors.push(startMonitor(failover.service, this.#evidence(failover.index), onVerdict));
    }
    this.#control = await startControl(this.#config.control, this);
    log.info({ interface: this.#config.interface, services: names }, 'watching');
  }

  /** For recorded streams; `undefined` when no service needs any. */
  #recordRoom(): RecordConfig | undefined {
    const { services, record } = this.#config;
    return services.some(({ recovery }) => recovery !== 'resume') ? record : undefined;
  }

  async #addService(service: ServiceConfig, core: NodeCore, loop: PacketLoop): Promise<Failover> {
    const { machine, log } = this.#parts;
    const isLocal = machine.isLocal(service);
    const replicaMac = isLocal ? undefined : ((await machine.replicaMac(service.replica)) ?? UNRESOLVED);
    if (replicaMac === UNRESOLVED)
      log.warn({ service: service.name, replica: service.replica }, 'no answer from the replica');
    const index = core.addService({
      address: addressOf(service.address),
      replica: addressOf(service.replica),
      ports: service.ports,
      replicaMac,
      handshakeWindow: REMOTE_WINDOW,
      recovery: service.recovery,
      fallback: service.fallback,
      onDivergence: service.onDivergence,
      echo: true,
      vlan: 0,
      ...MAP_PORTS,
    });
    return new Failover(service, index, {
      core,
      pump: () => loop.pump(),
      announce: () => loop.announce(index),
      watch: () => loop.watch(this.#failovers.some((failover) => failover.isWaiting)),
      fence: this.#parts.fence ?? fence,
      clock: this.#clock,
      wallClock: this.#parts.wallClock ?? Date.now,
      log,
    });
  }

  /** Goes on with what an earlier daemon had taken over. */
  #resume({ services, records }: TakenState, core: NodeCore): void {
    for (const { name, address, failovers } of services) {
      const mine = this.#failovers.find(({ service }) => service.name === name && service.address === address);
      if (mine === undefined)
        this.#parts.log.warn({ service: name }, 'a service taken over before is not configured any more');
      mine?.resume(failovers);
    }
    const connections = core.importLive(records, toCoreMs(this.#clock()));
    this.#parts.log.warn({ connections }, 'going on with the connections of an earlier daemon');
  }

  #evidence(index: number): Evidence {
    const onClock = (coreMs: number | undefined): number | undefined =>
      coreMs === undefined ? undefined : fromCoreMs(coreMs, this.#clock());
    return {
      heardMs: () => onClock(this.#core?.heardMs(index)),
      unansweredMs: () => onClock(this.#core?.service(index).unansweredMs),
      linkUp: () => this.#keepers.get(Port.Wire)?.isOpen === true && this.#parts.machine.linkUp(),
    };
  }

  /** Looks at the replicas of services that may need them: how many handshakes they take, where they are. */
  async #refresh(): Promise<void> {
    for (const failover of this.#failovers) {
      try {
        await this.#refreshService(failover);
      } catch (error) {
        this.#parts.log.warn(
          { service: failover.service.name, reason: reasonOf(error) },
          'the replica cannot be looked at',
        );
      }
    }
    if (this.#stopping === undefined) this.#refreshTimer = setTimeout(() => void this.#refresh(), REFRESH_MS);
  }

  async #refreshService({ service, index }: Failover): Promise<void> {
    const { machine } = this.#parts;
    if (!machine.isLocal(service)) {
      const mac = await machine.replicaMac(service.replica);
      if (mac !== undefined) this.#core?.setReplicaMac(index, mac);
      return;
    }
    const { backlog, silent } = await machine.backlog(service.replica, service.ports);
    if (backlog !== undefined) this.#core?.setHandshakeWindow(index, handshakeWindow(backlog));
    this.#tellSilent(service, silent);
  }

  #tellSilent({ name, replica }: ServiceConfig, silent: readonly number[]): void {
    const ports = silent.join(', ');
    if ((this.#silentTold.get(name) ?? '') === ports) return;
    this.#silentTold.set(name, ports);
    const fields = { service: name, replica, ports };
    if (ports === '') this.#parts.log.info(fields, 'the replica listens on all ports');
    else this.#parts.log.warn(fields, 'the replica does not listen on these ports');
  }

  // --- control ----------------------------------------------------------------------------------------------------

  status(): StatusReport {
    const core = this.#running();
    const nowMs = this.#clock();
    const room = this.#recordRoom();
    const surveys = core.survey(this.#failovers.length);
    const ports = [...this.#keepers.values()].map((keeper) => keeper.report());
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    return {
      version: this.#parts.version,
      pid: process.pid,
      uptimeMs: Math.round(nowMs - this.#startedMs),
      services: this.#failovers.map((failover, i) => {
        const primary = this.#monitors[i]?.report() ?? { alive: false, verdict: 'suspect' as const, probes: [] };
        const survey = surveys[i] ?? { recoverable: 0, atRisk: 0 };
        return reportService(failover, core.service(failover.index), survey, primary, nowMs);
      }),
      capture: {
        received: sum(ports.map(({ received }) => received)),
        dropped: sum(ports.map(({ dropped }) => dropped)),
      },
      ports,
      memory: {
        connectionsUsed: core.connectionsUsed(),
        connections: this.#config.connections,
        retainedBytes: core.retainedBytes(),
      },
      record: {
        memoryBytes: core.recordedBytes(),
        memoryLimit: room?.memoryBytes ?? 0,
        diskBytes: this.#spill?.usedBytes ?? 0,
        diskLimit: room?.diskBytes ?? 0,
        dropped: Number(core.counter(Counter.RecordsLost)),
      },
    };
  }

  *connections(): Generator<ConnectionReport> {
    const core = this.#running();
    for (const record of core.connections()) {
      const owner = record.service === undefined ? undefined : this.#failovers[record.service];
      const spilledBytes = this.#spill?.bytesOf(record.index, record.incarnation) ?? 0;
      yield reportConnection(record, owner, spilledBytes, this.#clock());
    }
  }

  counters(): CounterReport[] {
    return this.#running().counters();
  }

  failover(name: string): Promise<FailoverReport> {
    const found = this.#failovers.find(({ service }) => service.name === name);
    if (found !== undefined) return found.order();
    const known = this.#failovers.map(({ service }) => service.name).join(', ');
    return Promise.reject(new FailoverError(`there is no service ${name}; there are ${known}`));
  }

  #running(): NodeCore {
    if (this.#core === undefined) throw new FailoverError('the daemon is starting');
    return this.#core;
  }

  // --- end --------------------------------------------------------------------------------------------------------

  /** Undoes everything; connections that a replica serves are reset. May be called at any time and more than once. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop(false);
    return this.#stopping;
  }

  /** Ends and leaves everything as it is, for the next daemon to go on with, as if this one had been killed. */
  leave(): Promise<void> {
    this.#stopping ??= this.#stop(true);
    return this.#stopping;
  }

  async #stop(leave: boolean): Promise<void> {
    const { log, machine } = this.#parts;
    clearTimeout(this.#refreshTimer);
    for (const monitor of this.#monitors) monitor.close();
    for (const failover of this.#failovers) failover.close();
    await this.#control?.close();
    this.#dismiss(leave);
    this.#divergenceLog?.close();
    for (const keeper of this.#keepers.values()) keeper.close();
    this.#loop?.close();
    this.#spill?.close();
    if (leave) {
      await this.#stateKeeper?.leave();
      await machine.leave();
    } else {
      await this.#stateKeeper?.close();
      await machine.tearDown();
    }
    log.info({ left: leave }, 'stopped');
    this.#hasStopped();
  }

  /**
   * Clients of a replica that nobody translates for any more are told so: they connect again now, not in 15 minutes. A
   * replica that shadows is told that its copies end; these are of no use to the next daemon either.
   */
  #dismiss(leave: boolean): void {
    for (const { index, isTaken } of this.#failovers) {
      if (!leave || !isTaken) this.#core?.dismiss(index, toCoreMs(this.#clock()));
    }
    this.#loop?.pump();
  }
}

function toTakenService(failover: Failover): TakenService {
  const { name, address } = failover.service;
  return { name, address, failovers: failover.reports() };
}

function addressOf(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === undefined) throw new EnvironmentError(`${text} is no address`);
  return address;
}
