/**
 * Hosts, hubs and switches made of network namespaces. Nothing is made outside of them, so removing the namespaces
 * removes everything; a network whose process was killed is removed by the next one that is made.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError } from '../errors';
import { SYSTEM_PATH } from '../system-path';
import { Program } from './program';

const NETNS_DIRECTORY = '/run/netns';
/** Process id and its start time: ids are used again, the pair is not. */
const NAME = /^migware-(\d+)-(\d+)-/;

let networks = 0;

export class Network {
  /** For files of this network's programs; removed with it. */
  readonly directory = mkdtempSync(join(tmpdir(), 'migware-net-'));
  private readonly id = `migware-${process.pid}-${startTime(process.pid) ?? 0}-${++networks}`;
  private readonly hosts: Host[] = [];
  private readonly programs: Program[] = [];
  private isClosed = false;

  constructor() {
    if (process.getuid?.() !== 0) throw new EnvironmentError('network namespaces need root');
    removeLeftovers();
    process.once('exit', this.close);
    for (const signal of SIGNALS) process.once(signal, this.closeBySignal);
  }

  host(name: string): Host {
    const host = new Host(name, `${this.id}-${name}`, this.programs);
    run('ip', ['netns', 'add', host.netns]);
    this.hosts.push(host);
    // Duplicate address detection would delay the first packet of every address by a second.
    host.sysctl({ 'net.ipv6.conf.all.accept_dad': 0, 'net.ipv6.conf.default.accept_dad': 0 });
    host.ip('link set dev lo up');
    return host;
  }

  /** A wire between two hosts. */
  link(a: Host, deviceA: string, b: Host, deviceB: string): void {
    run('ip', ['link', 'add', deviceA, 'netns', a.netns, 'type', 'veth', 'peer', 'name', deviceB, 'netns', b.netns]);
    a.ip(`link set dev ${deviceA} up`);
    b.ip(`link set dev ${deviceB} up`);
  }

  /** Repeats every frame on all other ports. */
  hub(name = 'hub'): Segment {
    return new Segment(this, this.host(name), 'hub');
  }

  /** Learns where each address lives and sends a frame only there. */
  switch(name = 'switch'): Segment {
    return new Segment(this, this.host(name), 'switch');
  }

  /** Ends every program and removes every host. Synchronous, so that it also works on the way out. */
  readonly close = (): void => {
    if (this.isClosed) return;
    this.isClosed = true;
    process.removeListener('exit', this.close);
    for (const signal of SIGNALS) process.removeListener(signal, this.closeBySignal);
    for (const program of this.programs) program.kill('SIGKILL');
    for (const { netns } of this.hosts) removeNamespace(netns);
    rmSync(this.directory, { recursive: true, force: true });
  };

  private readonly closeBySignal = (signal: NodeJS.Signals): void => {
    this.close();
    process.kill(process.pid, signal);
  };
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export class Host {
  constructor(
    readonly name: string,
    readonly netns: string,
    private readonly programs: Program[],
  ) {}

  /** Commands of ip(8), without the word `ip`. */
  ip(...commands: string[]): void {
    run('ip', ['-netns', this.netns, '-batch', '-'], commands.join('\n'));
  }

  /** Gives an interface addresses, each with its prefix length. */
  address(device: string, ...addresses: string[]): void {
    const words = (address: string) => `${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`;
    this.ip(...addresses.map((address) => `address add ${words(address)}`));
  }

  sysctl(values: Readonly<Record<string, string | number>>): void {
    if (Object.keys(values).length === 0) return;
    this.run('sysctl', '-qw', ...Object.entries(values).map(([key, value]) => `${key}=${value}`));
  }

  /** Runs a program to its end and gives its output. */
  run(command: string, ...args: string[]): string {
    return run('ip', ['netns', 'exec', this.netns, command, ...args]);
  }

  /** Starts a program. `ip netns exec` becomes it, so its process id is the program's. */
  start(name: string, command: string, ...args: string[]): Program {
    const program = new Program(`${name} on ${this.name}`, 'ip', ['netns', 'exec', this.netns, command, ...args]);
    this.programs.push(program);
    return program;
  }

  /** The MAC address of an interface. */
  mac(device = 'eth0'): string {
    const [link] = JSON.parse(run('ip', ['-netns', this.netns, '-json', 'link', 'show', device])) as {
      address: string;
    }[];
    return link?.address ?? '';
  }
}

/** What joins the ports of a link layer: a hub or a switch, on a machine of its own. */
export class Segment {
  constructor(
    private readonly network: Network,
    readonly machine: Host,
    private readonly kind: 'hub' | 'switch',
  ) {
    machine.sysctl({ 'net.ipv6.conf.all.disable_ipv6': 1, 'net.ipv6.conf.default.disable_ipv6': 1 });
    // A bridge that forgets at once what it learned is a hub.
    const ageing = kind === 'hub' ? 'ageing_time 0' : '';
    machine.ip(`link add name bridge0 type bridge stp_state 0 mcast_snooping 0 ${ageing}`, 'link set dev bridge0 up');
  }

  /** Plugs an interface of the host in, with these addresses, each with its prefix length. */
  plug(host: Host, addresses: readonly string[], device = 'eth0'): void {
    const port = this.port(host);
    this.network.link(host, device, this.machine, port);
    host.address(device, ...addresses);
    this.join(port);
  }

  /** Pulls the host's cable: both ends see the link go down. */
  unplug(host: Host): void {
    this.machine.ip(`link set dev ${this.port(host)} down`);
  }

  /** Puts the cable back. */
  replug(host: Host): void {
    this.machine.ip(`link set dev ${this.port(host)} up`);
  }

  /** Takes the host's port out of service, with its link left up: neither end notices. */
  disable(host: Host): void {
    this.machine.ip(`link set dev ${this.port(host)} nomaster`);
  }

  /** Name of the host's port. */
  port(host: Host): string {
    return `p-${host.name}`;
  }

  /** Makes an interface of the machine a port. */
  join(port: string): void {
    const learning = this.kind === 'hub' ? 'off' : 'on';
    this.machine.ip(
      `link set dev ${port} master bridge0`,
      `link set dev ${port} type bridge_slave learning ${learning} flood on`,
    );
  }

  /** Makes ports mirrors: what enters or leaves the port of `from` is also sent to each of them. */
  mirror(from: Host, ...to: Host[]): void {
    const device = this.port(from);
    this.machine.run('tc', 'qdisc', 'add', 'dev', device, 'clsact');
    for (const way of ['ingress', 'egress']) {
      const everything = ['bpf', 'bytecode', '1,6 0 0 4294967295,'];
      const copies = to.flatMap((host) => ['action', 'mirred', 'egress', 'mirror', 'dev', this.port(host)]);
      this.machine.run('tc', 'filter', 'add', 'dev', device, way, ...everything, ...copies);
    }
  }
}

/** Removes the networks of processes that are gone. */
function removeLeftovers(): void {
  for (const name of namespaces()) {
    const [, pid, start] = NAME.exec(name) ?? [];
    if (pid !== undefined && startTime(Number(pid)) !== start) removeNamespace(name);
  }
}

function namespaces(): string[] {
  try {
    return readdirSync(NETNS_DIRECTORY);
  } catch {
    return []; // no namespace was ever made on this machine
  }
}

/** Ends what runs in a namespace and removes it; a process left in there would keep it alive. */
function removeNamespace(name: string): void {
  try {
    for (const pid of run('ip', ['netns', 'pids', name]).split('\n').filter(Boolean)) kill(Number(pid));
    run('ip', ['netns', 'delete', name]);
  } catch {
    // Gone already, for example by another process that cleans up.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}

/** When a process was started, in clock ticks since boot (proc(5), field 22); undefined if there is none. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets and may contain anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function run(command: string, args: readonly string[], input = ''): string {
  return execFileSync(command, args, {
    input,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
    maxBuffer: 64 << 20,
    env: { ...process.env, PATH: SYSTEM_PATH },
  });
}
