/** The daemon as its users run it: a configuration file, the command line, signals. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ConnectionReport, ServiceReport, StatusReport } from '../../src/daemon/contract';
import { askDaemon } from '../../src/daemon/control-client';
import type { Host } from '../../src/demo/network';
import type { Program } from '../../src/demo/program';

const MIGWARE = resolve('build/migware.js');
/** How long a wait may last before it is called a hang. */
const HANG_MS = 60_000;

export type Recovery = 'resume' | 'replay' | 'shadow';

export interface DaemonOptions {
  readonly address: string;
  readonly ports: readonly number[];
  readonly replica: string;
  readonly recovery?: Recovery;
  readonly fallback?: 'reset' | 'resume';
  readonly onDivergence?: 'continue' | 'reset';
  /** Keys of the `[record]` table, with their values as in the file. */
  readonly record?: Partial<Record<'memory' | 'disk' | 'per_connection' | 'compare', string>>;
  /** Further lines of the service's table, its probes for example. */
  readonly service?: string;
  /** Further lines before the services. */
  readonly top?: string;
}

export const SERVICE = 'lab';

export class Daemon {
  private program: Program | undefined;
  private readonly config: string;
  private readonly control: string;
  /** The backup's network as it was before the daemon. */
  private readonly untouched: readonly string[];

  constructor(
    private readonly host: Host,
    directory: string,
    options: DaemonOptions,
  ) {
    mkdirSync(`${directory}/state`, { recursive: true });
    this.config = `${directory}/migware.toml`;
    this.control = `${directory}/control.sock`;
    writeFileSync(
      this.config,
      [
        'interface = "eth0"',
        `control = "${this.control}"`,
        `state_dir = "${directory}/state"`,
        options.top ?? '',
        ...(options.record === undefined ? [] : ['[record]', ...lines(options.record)]),
        '[[service]]',
        `name = "${SERVICE}"`,
        `address = "${options.address}"`,
        `ports = [${options.ports.join(', ')}]`,
        `replica = "${options.replica}"`,
        `recovery = "${options.recovery ?? 'resume'}"`,
        ...lines({ fallback: options.fallback, on_divergence: options.onDivergence }),
        options.service ?? '',
      ].join('\n'),
    );
    this.untouched = networkState(host);
  }

  /** Starts it and waits until it watches the service. */
  async start(): Promise<void> {
    this.program = this.host.start('migware', process.execPath, MIGWARE, 'run', '-c', this.config);
    await this.until('it watches', ({ state }) => state !== 'recovery');
  }

  async status(): Promise<ServiceReport> {
    const { services } = await this.wholeStatus();
    const [service] = services;
    if (service === undefined) throw new Error('status names no service');
    return service;
  }

  async wholeStatus(): Promise<StatusReport> {
    return askDaemon(this.control, 'status', {});
  }

  async connections(): Promise<ConnectionReport[]> {
    const all: ConnectionReport[] = [];
    await askDaemon(this.control, 'connections', {}, (part) => {
      all.push(...part);
    });
    return all;
  }

  /** Waits until the service's status is as wanted. */
  async until(what: string, isRight: (status: ServiceReport) => boolean): Promise<ServiceReport> {
    return this.poll(what, async () => this.status(), isRight);
  }

  /** Waits until the connections are as wanted. */
  async untilConnections(
    what: string,
    areRight: (connections: readonly ConnectionReport[]) => boolean,
  ): Promise<readonly ConnectionReport[]> {
    return this.poll(what, async () => this.connections(), areRight);
  }

  private async poll<T>(what: string, look: () => Promise<T>, isRight: (state: T) => boolean): Promise<T> {
    let last: T | Error = new Error('no answer');
    for (const deadline = Date.now() + HANG_MS; Date.now() < deadline;) {
      if (this.program?.running !== true) throw new Error(`the daemon ended before ${what}\n${this.log}`);
      try {
        last = await look();
        if (isRight(last)) return last;
      } catch (error) {
        last = error as Error; // its control socket is not there yet
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(
      `${what}: not reached; last: ${last instanceof Error ? last.message : JSON.stringify(last)}\n${this.log}`,
    );
  }

  /** Ends it without a chance to tidy up. */
  async kill(): Promise<void> {
    this.program?.kill('SIGKILL');
    await this.program?.ended;
  }

  /** Ends it with everything left in place for the next one. */
  async leave(): Promise<void> {
    this.program?.kill('SIGHUP');
    await this.program?.ended;
  }

  /** Stops it in order; gives what it left changed on the backup, nothing if it did its work. */
  async stop(): Promise<string[]> {
    this.program?.kill('SIGTERM');
    const end = await this.program?.ended;
    const now = networkState(this.host);
    const left = [
      ...now.filter((line) => !this.untouched.includes(line)).map((line) => `added: ${line}`),
      ...this.untouched.filter((line) => !now.includes(line)).map((line) => `gone: ${line}`),
    ];
    return end === 0 ? left : [`it ended with ${String(end)}\n${this.log}`, ...left];
  }

  get log(): string {
    return `the daemon said:\n  ${this.program?.said.join('\n  ') ?? 'nothing'}`;
  }
}

/** Keys that have a text for a value. */
function lines(values: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [`${key} = "${value}"`]));
}

/** Counters and clocks that move by themselves. */
const VOLATILE = /nf_conntrack_count|\.(gc_|base_reachable|retrans_time)|expires \d+sec|tcp_fastopen_key|stable_secret/;

/** Every setting of a host's network that a daemon could change, one a line. */
function networkState(host: Host): readonly string[] {
  const commands: [string, ...string[]][] = [
    ['ip', 'rule'],
    ['ip', '-6', 'rule'],
    ['ip', 'route', 'show', 'table', 'all'],
    ['ip', '-6', 'route', 'show', 'table', 'all'],
    ['ip', '-o', 'link'],
    ['ip', '-o', 'address'],
    ['ip', 'neigh', 'show', 'nud', 'permanent'],
    ['tc', 'qdisc'],
    ['nft', 'list', 'ruleset'],
    ['sysctl', '-a', '--pattern', '^net\\.'],
    ['ethtool', '-k', 'eth0'],
  ];
  return commands.flatMap(([command, ...args]) =>
    host
      .run(command, ...args)
      .split('\n')
      .filter((line) => line.trim() !== '' && !VOLATILE.test(line))
      .map((line) => `${command} ${args[0] ?? ''}: ${line.trim()}`),
  );
}
