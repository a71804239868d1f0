/**
 * What the parts around the daemon agree on: the configuration it is given, the judgement it is told, and what it
 * tells others about itself. Types only, so that every part may import this file and it imports none of them.
 *
 * Units: every duration is in ms. Every instant named `...Ms` is on the daemon's monotonic clock, `performance.now()`;
 * instants for people are ISO 8601 strings.
 */

// --- configuration: the parsed and checked migware.toml -------------------------------------------------------

/** Everything the daemon needs to know; made by parsing the configuration file, defaults filled in. */
export interface Config {
  /** Where the primary's traffic is seen. */
  readonly interface: string;
  /** Path of the control socket. */
  readonly control: string;
  /** Directory of the journal of changes to this host; exists across restarts of the daemon, not of the host. */
  readonly stateDir: string;
  /** `host:port` for Prometheus; absent: none. */
  readonly metrics?: string | undefined;
  /** Connection records, a capacity: fixed when the daemon starts. */
  readonly connections: number;
  /** Bytes kept for all connections together, a capacity. */
  readonly retainedBytes: number;
  /** Bytes kept for one direction of one connection at most. */
  readonly retainedPerConnectionBytes: number;
  readonly record: RecordConfig;
  readonly capture: CaptureConfig;
  readonly services: readonly ServiceConfig[];
}

/** What is kept of the clients' streams, and of the primary's output, for services that replay or shadow. */
export interface RecordConfig {
  /** Of all connections together, in memory; not taken when no service needs it. */
  readonly memoryBytes: number;
  /** Beyond it, in a file in `stateDir`; 0: none. */
  readonly diskBytes: number;
  /** Of one connection at most. */
  readonly perConnectionBytes: number;
  /** Of the primary's output, per connection, until the replica's can be compared with it. */
  readonly comparePerConnectionBytes: number;
}

export interface CaptureConfig {
  /** Kernel ring of the capture on `interface`. */
  readonly bufferBytes: number;
  /**
   * `true`: leave the interface's receive offloads as they are. `false`: switch GRO and LRO off while the daemon
   * runs, so that captured frames are those of the wire, with the checksums of the wire.
   */
  readonly offload: boolean;
}

export interface ServiceConfig {
  readonly name: string;
  /** IPv4 or IPv6 text, the address clients connect to. */
  readonly address: string;
  readonly ports: readonly number[];
  /** IPv4 or IPv6 text of the same family: of this host, or of another machine on the segment. */
  readonly replica: string;
  readonly recovery: 'resume' | 'replay' | 'shadow';
  /** What becomes of a connection that cannot be replayed; only without `resume`, default `reset`. */
  readonly fallback?: 'reset' | 'resume' | undefined;
  /**
   * What becomes of a connection whose replica said something else than the primary; only without `resume`. Absent: it
   * goes on when the client already has all bytes that differ, and is reset otherwise.
   */
  readonly onDivergence?: 'continue' | 'reset' | undefined;
  /** Run through `/bin/sh -c` before the address is taken; a failure forbids the take-over. */
  readonly fence?: string | undefined;
  /** How long the fencing command may run before it counts as failed. */
  readonly fenceTimeoutMs: number;
  /** Never empty. */
  readonly probes: readonly ProbeConfig[];
  /** How many of several probes must have reached their misses; default `any`. */
  readonly deadWhen?: 'any' | 'all' | undefined;
}

interface ProbeCommon {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Unbroken misses after which this probe calls the primary dead. */
  readonly misses: number;
}

export interface IcmpProbeConfig extends ProbeCommon {
  readonly kind: 'icmp';
  /** Default: the service's address. */
  readonly target: string;
}

export interface TcpProbeConfig extends ProbeCommon {
  readonly kind: 'tcp';
  readonly target: string;
  readonly port: number;
}

export interface HttpProbeConfig extends ProbeCommon {
  readonly kind: 'http';
  readonly url: string;
  /** Status codes that count as alive; default 200 to 399. */
  readonly statuses?: readonly number[] | undefined;
}

export interface ExecProbeConfig extends ProbeCommon {
  readonly kind: 'exec';
  /** Run through `/bin/sh -c`; exit code 0 counts as alive. */
  readonly command: string;
}

export type ProbeConfig = IcmpProbeConfig | TcpProbeConfig | HttpProbeConfig | ExecProbeConfig;

// --- monitor: is the primary alive? ---------------------------------------------------------------------------

export type Verdict = 'alive' | 'suspect' | 'dead';

/** What the tap knows about a primary, read by the monitor and by the daemon when they judge. */
export interface Evidence {
  /** When a frame of the primary was last seen; `undefined`: never. */
  heardMs(): number | undefined;
  /** When a client was last seen repeating itself, or reset, with nobody answering; `undefined`: never. */
  unansweredMs(): number | undefined;
  /** Whether this host's own interface has a carrier; without one, silence says nothing about the primary. */
  linkUp(): boolean;
}

export interface VerdictDetail {
  /** For people and for the failover's record: `icmp: 3 probes unanswered`. */
  readonly reason: string;
  /** When the first probe of the unbroken series of misses was sent; for `alive`, when the answer came. */
  readonly sinceMs: number;
}

/**
 * Called with `suspect` at the first miss, `dead` when the series is long enough, `alive` when an answer ends it. While
 * the primary stays dead, `dead` is reported again after each further series of `misses`, so that a take-over that was
 * refused (fencing failed, its frames are still seen) is tried again.
 */
export type OnVerdict = (verdict: Verdict, detail: VerdictDetail) => void;

export interface Monitor {
  report(): PrimaryReport;
  close(): void;
}

export type StartMonitor = (service: ServiceConfig, evidence: Evidence, onVerdict: OnVerdict) => Monitor;

// --- control: what the daemon answers and obeys ---------------------------------------------------------------

export type StateName = 'normal' | 'recovery' | 'proxy';

export interface PrimaryReport {
  readonly alive: boolean;
  readonly verdict: Verdict;
  /** Of the last verdict. */
  readonly reason?: string | undefined;
  readonly probes: readonly ProbeReport[];
}

export interface ProbeReport {
  readonly kind: ProbeConfig['kind'];
  /** Address, `address:port`, URL or command. */
  readonly target: string;
  /** Unbroken misses now. */
  readonly misses: number;
  /** Round trip of the last answer. */
  readonly rttMs?: number | undefined;
}

export interface FailoverReport {
  /** ISO 8601. */
  readonly at: string;
  readonly reason: string;
  /** First missed probe to verdict; 0 by hand. */
  readonly detectionMs: number;
  /** Verdict to address taken. */
  readonly recoveryMs: number;
  /** Connections continued on the replica, and given up, by this fail-over. */
  readonly recovered: number;
  readonly lost: number;
}

export interface ServiceReport {
  readonly name: string;
  readonly state: StateName;
  readonly address: string;
  readonly ports: readonly number[];
  readonly replica: string;
  readonly recovery: ServiceConfig['recovery'];
  readonly primary: PrimaryReport & { readonly heardAgoMs?: number | undefined };
  readonly connections: {
    readonly tracked: number;
    readonly recoverable: number;
    readonly atRisk: number;
    readonly recovered: number;
    readonly proxied: number;
    readonly lost: number;
    readonly halfOpen: number;
  };
  /** Unconfirmed handshakes with the replica at a time. */
  readonly handshakeWindow: number;
  /** Why the last take-over did not happen; absent when nothing stands in its way. */
  readonly refused?: string | undefined;
  /** Connections whose replica said something else than the primary, since the daemon's start. */
  readonly divergences: number;
  readonly failovers: readonly FailoverReport[];
}

export interface PortReport {
  readonly name: string;
  readonly device: string;
  readonly up: boolean;
  /** Why it is down. */
  readonly error?: string | undefined;
  /** Frames the kernel showed, dropped because the ring was full, and frames of ours the kernel refused. */
  readonly received: number;
  readonly dropped: number;
  readonly sent: number;
  readonly sendFailed: number;
}

export interface StatusReport {
  readonly version: string;
  readonly pid: number;
  readonly uptimeMs: number;
  readonly services: readonly ServiceReport[];
  /** Sums over the ports. */
  readonly capture: { readonly received: number; readonly dropped: number };
  readonly ports: readonly PortReport[];
  readonly memory: { readonly connectionsUsed: number; readonly connections: number; readonly retainedBytes: number };
  readonly record: RecordReport;
}

/** Room for records; the limits are 0 when no service needs them. */
export interface RecordReport {
  readonly memoryBytes: number;
  readonly memoryLimit: number;
  readonly diskBytes: number;
  readonly diskLimit: number;
  /** Records given up since the daemon's start: they had outgrown their room, or had a hole. */
  readonly dropped: number;
}

export interface ConnectionReport {
  /** Absent when the core tracks everything (`inspect`). */
  readonly service?: string | undefined;
  /** `address:port`, `[address]:port` for IPv6. */
  readonly client: string;
  readonly server: string;
  readonly vlan?: number | undefined;
  /** `established`, `client-fin`, ... */
  readonly state: string;
  /** `direct`, `queued`, `syn-sent`, `confirming`, `withheld`, `live`. */
  readonly phase: string;
  readonly recoverable: 'recoverable' | 'at-risk' | 'lost';
  /** Why not; absent when recoverable. */
  readonly reason?: string | undefined;
  /** `N bytes at S` when the reason is a hole. */
  readonly hole?: { readonly seq: number; readonly bytes: number } | undefined;
  /** What both ends agreed on: `window-scale`, `sack`, `timestamps`, `ecn`, `mptcp`, `tfo`. */
  readonly options: readonly string[];
  readonly recovered: boolean;
  readonly proxied: boolean;
  /** Of the client's stream, kept in memory and on the disk for a replica that reads it from its first byte. */
  readonly recordedBytes: number;
  /** What the replica does beside the primary: opens its copy of the connection, or reads along; `null`: nothing. */
  readonly shadow: 'opening' | 'reading' | null;
  /** `null`: the replica has said nothing else than the primary. */
  readonly divergence: DivergenceReport | null;
  readonly idleMs: number;
  readonly inbound: FlowReport;
  readonly outbound: FlowReport;
}

export interface DivergenceReport {
  /** Of the first byte that differs, in the server's stream. */
  readonly offset: number;
  /** The client has all bytes that differ, from the primary. */
  readonly delivered: boolean;
}

export interface FlowReport {
  readonly isn?: number | undefined;
  /** One past the highest sequence number sent. */
  readonly end?: number | undefined;
  /** What the receiver has acknowledged. */
  readonly acked?: number | undefined;
  readonly mss?: number | undefined;
  readonly windowShift: number;
  /** Not yet acknowledged, and not part of a record. */
  readonly retainedBytes: number;
}

/** One counter of the core: a refusal, by reason, or an event. */
export interface CounterReport {
  readonly kind: 'refused' | 'event';
  readonly name: string;
  readonly value: bigint;
}

/** What the control socket and the metrics may ask of the daemon. */
export interface DaemonControl {
  status(): StatusReport;
  /**
   * Worded one by one as they are asked for: 100,000 of them take most of a second, in which no packet would be handled.
   * Whoever reads them lets others run in between; connections that come or go meanwhile may or may not be among them.
   */
  connections(): Iterable<ConnectionReport>;
  counters(): CounterReport[];
  /** By hand; fencing applies, the monitor's opinion does not. Rejects with a MigwareError when it cannot be done. */
  failover(service: string): Promise<FailoverReport>;
  stop(): Promise<void>;
}

export interface ControlServer {
  close(): Promise<void>;
}

export type StartControl = (path: string, daemon: DaemonControl) => Promise<ControlServer>;

/** The part of pino that the daemon uses. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
