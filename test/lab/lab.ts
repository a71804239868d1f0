/**
 * A laboratory: clients, a primary, a backup and whatever lies between them, with real kernels and unmodified programs.
 *
 *   client(s) --- [cable] --- [router] ---+--- [cable] --- primary    10.77.0.2, fd77::2: the service address
 *                                       hub or switch
 *                                         +--- backup                 10.77.0.3, fd77::3: the replica's address
 *                                         +--- replica (if remote)    10.77.0.4, fd77::4
 *                                         +--- observer               sees what the backup sees, and says nothing
 *
 * By default the frames of the wire are those of a wire: whole, with full checksums and no longer than the MTU.
 */
import { mkdirSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import type { Host, Segment } from '../../src/demo/network';
import { Network } from '../../src/demo/network';
import type { Message, Program } from '../../src/demo/program';
import { Capture, OPENINGS_AND_ENDS } from './capture';
import type { DaemonOptions } from './daemon';
import { Daemon } from './daemon';
import type { ClientConnection, ClientPlan, ServiceConnection, Verdict } from './judge';
import { judge } from './judge';
import type { Frame } from './pcap';
import { options, program } from './programs';
import type { ClientOptions, ClientStat, Listening, ServiceOptions, ServiceStat } from './vocabulary';

export const PORT = 7000;

/** A congestion window once grown stays, however long a busy machine pauses. */
const GROWN_WINDOWS_STAY = { 'net.ipv4.tcp_slow_start_after_idle': 0 };

export interface LabOptions {
  readonly segment?: 'hub' | 'switch';
  readonly family?: 4 | 6;
  /** Hosts with clients; default 1. */
  readonly clientHosts?: number;
  /** Puts a router between the clients and the others. */
  readonly router?: boolean;
  /** Puts the replica on a machine of its own. */
  readonly remoteReplica?: boolean;
  /** Options of programs/cable.c for the cable of each client, of the primary. */
  readonly clientCable?: readonly string[];
  readonly primaryCable?: readonly string[];
  /** Leaves the offloads of the links on: frames up to 64 KiB and partial checksums. */
  readonly offloads?: boolean;
  /** The backup's port is made to miss frames: the judge looks at what it saw as well. */
  readonly judgeByTap?: boolean;
  readonly sysctl?: Partial<Record<'client' | 'primary' | 'replica', Readonly<Record<string, string | number>>>>;
  readonly mtu?: Partial<Record<'client' | 'primary' | 'replica', number>>;
  /** Options of programs/service.c, and of the replica's where it differs; `null`: it does not run. */
  readonly service?: ServiceOptions | null;
  readonly replica?: ServiceOptions | null;
}

interface Service {
  readonly name: 'primary' | 'replica';
  readonly program: Program;
  report: readonly ServiceConnection[] | undefined;
}

interface Clients {
  readonly plan: ClientPlan;
  readonly program: Program;
  result: readonly ClientConnection[] | undefined;
}

/** How long a wait may last before it is called a hang. */
const HANG_MS = 60_000;

/** Waits for a state that can only be looked at. */
export async function reached(what: string, isReached: () => boolean): Promise<void> {
  for (const deadline = Date.now() + HANG_MS; !isReached();) {
    if (Date.now() > deadline) throw new Error(`${what}: not reached`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Makes a lab for one test; it is gone when the test ends, however it ends. */
export async function openLab(t: ExecutionContext, choices: LabOptions = {}): Promise<Lab> {
  const network = new Network();
  t.teardown(network.close);
  const lab = new Lab(network, choices);
  await lab.open();
  return lab;
}

export class Lab {
  readonly segment: Segment;
  readonly primary: Host;
  readonly backup: Host;
  /** Where the replica runs: the backup, or a machine of its own. */
  readonly replicaHost: Host;
  readonly clientHosts: readonly Host[];
  readonly observer: Host;
  /** Between the clients and the others, if there is one. */
  router: Host | undefined;
  private readonly cables: Program[] = [];
  private readonly services: Service[] = [];
  private serving: 'primary' | 'replica' = 'primary';
  private readonly clients: Clients[] = [];
  private readonly captures: Capture[] = [];
  private fromPrimary: Capture | undefined;
  private seenByTap: Capture | undefined;
  /** What the services say first, if they greet. */
  readonly greetings = new Map<'primary' | 'replica', string>();
  private streams = 0;
  private files = 0;

  constructor(
    readonly network: Network,
    private readonly choices: LabOptions,
  ) {
    this.segment = choices.segment === 'switch' ? network.switch() : network.hub();
    this.primary = network.host('primary');
    this.backup = network.host('backup');
    this.replicaHost = choices.remoteReplica === true ? network.host('replica') : this.backup;
    this.observer = network.host('observer');
    const count = choices.clientHosts ?? 1;
    this.clientHosts = Array.from({ length: count }, (_, index) => network.host(`client${index + 1}`));
  }

  /** The service address; `host` 3 is the backup's, 4 the other machine's. */
  address(host = 2): string {
    return this.choices.family === 6 ? `fd77::${host}` : `10.77.0.${host}`;
  }

  /** The MAC address of the machine with that number. */
  static mac(host: number): string {
    return `02:00:00:00:77:${host.toString(16).padStart(2, '0')}`;
  }

  get replicaAddress(): string {
    return this.address(this.replicaHost === this.backup ? 3 : 4);
  }

  async open(): Promise<void> {
    const { choices } = this;
    await this.plug(this.primary, 2, choices.primaryCable);
    await this.plug(this.backup, 3);
    if (this.replicaHost !== this.backup) await this.plug(this.replicaHost, 4);
    await this.plug(this.observer, 5);
    if (choices.segment === 'switch') this.segment.mirror(this.primary, this.backup, this.observer);
    if (choices.router === true) await this.addRouter();
    else for (const [index, host] of this.clientHosts.entries()) await this.plug(host, 10 + index, choices.clientCable);

    this.primary.sysctl({ ...GROWN_WINDOWS_STAY, ...choices.sysctl?.primary });
    this.replicaHost.sysctl({ ...GROWN_WINDOWS_STAY, ...choices.sysctl?.replica });
    for (const host of this.clientHosts) host.sysctl({ ...GROWN_WINDOWS_STAY, ...choices.sysctl?.client });
    this.setMtu(this.primary, choices.mtu?.primary);
    this.setMtu(this.replicaHost, choices.mtu?.replica);
    for (const host of this.clientHosts) this.setMtu(host, choices.mtu?.client);

    if (choices.service !== null) await this.startService('primary');
    if (choices.service !== null && choices.replica !== null) await this.startService('replica');
    for (const host of this.clientHosts) this.captures.push(await this.capture(host, OPENINGS_AND_ENDS));
    const filter = `ether src ${Lab.mac(2)} or udp port 9`;
    this.fromPrimary = await this.capture(this.observer, filter);
    if (choices.judgeByTap === true) this.seenByTap = await this.capture(this.backup, filter);
  }

  /** Starts clients on a host and waits until all are connected. */
  async connect(choices: ClientOptions = {}, to = this.address(), host = this.clientHosts[0]): Promise<Program> {
    if (host === undefined) throw new Error('the lab has no client host');
    const { mode = 'push', connections = 1, record = 16, total = 0, goodbye = 0 } = choices;
    const args = options({ ...choices, mode, connections, record, total, goodbye, stream: this.streams });
    const clients = host.start('client', program('client'), '--connect', to, '--port', String(PORT), ...args);
    this.streams += connections;
    this.clients.push({ plan: { mode, record, total, goodbye }, program: clients, result: undefined });
    await clients.next('connected');
    return clients;
  }

  daemon(choices: Partial<DaemonOptions> = {}): Daemon {
    const own = { address: this.address(), ports: [PORT], replica: this.replicaAddress };
    return new Daemon(this.backup, this.network.directory, { ...own, ...choices });
  }

  /** Pulls the primary's cable. */
  cut(): void {
    this.segment.unplug(this.primary);
    this.serving = 'replica';
  }

  /** Pulls the primary's cable and ends all that runs there; what it had read until then counts. */
  async powerOff(): Promise<void> {
    this.cut();
    const primary = this.services.find(({ name }) => name === 'primary');
    if (primary === undefined) return;
    primary.report = await this.takeReport(primary);
    primary.program.kill('SIGKILL');
    await primary.program.ended;
  }

  /** Takes the primary's port out of service with its link left up. */
  silence(): void {
    this.segment.disable(this.primary);
    this.serving = 'replica';
  }

  /** Makes the clients lose every segment of the service, after whatever the tap sees of it. */
  deafen(): void {
    const hook = 'type filter hook ingress device "eth0" priority 0;';
    const rules = `table netdev deaf { chain ingress { ${hook} meta l4proto tcp tcp sport ${PORT} drop; }; }`;
    for (const host of this.clientHosts) host.run('nft', rules);
  }

  /** Ends the replica's program without a word; what it read until then does not count. */
  async killReplica(): Promise<void> {
    const program = this.service('replica');
    this.services.splice(
      this.services.findIndex((service) => service.program === program),
      1,
    );
    program.kill('SIGKILL');
    await program.ended;
  }

  async startReplica(): Promise<void> {
    await this.startService('replica');
  }

  /** Stops the faults of all cables, or lets them happen again. */
  async weather(now: 'calm' | 'rough'): Promise<void> {
    for (const cable of this.cables) await cable.ask(now);
  }

  /** Keeps this share of the TCP segments from the backup's port: what a mirror port drops when it is busy. */
  loseOnTap(percent: number): void {
    const hook = `type filter hook egress device "${this.segment.port(this.backup)}" priority 0;`;
    const some = percent < 100 ? `numgen random mod 100 < ${percent}` : '';
    this.segment.machine.run('nft', `table netdev tap { chain egress { ${hook} meta l4proto tcp ${some} drop; }; }`);
  }

  loseNothingOnTap(): void {
    this.segment.machine.run('nft', 'delete', 'table', 'netdev', 'tap');
  }

  undeafen(): void {
    for (const host of this.clientHosts) host.run('nft', 'delete', 'table', 'netdev', 'deaf');
  }

  service(name: 'primary' | 'replica'): Program {
    const found = this.services.find((service) => service.name === name);
    if (found === undefined) throw new Error(`no service ${name}`);
    return found.program;
  }

  /** Waits until the clients' state is as wanted; an error of theirs ends the wait. */
  async until(clients: Program, what: string, isRight: (stat: ClientStat) => boolean): Promise<ClientStat> {
    return clients.until<ClientStat>('stat', what, (stat) => {
      if (stat.errors > 0) throw new Error(`waiting for ${what}: ${stat.errors} clients have an error, ${stat.error}`);
      return isRight(stat);
    });
  }

  /** Waits until every connection has made progress after now. */
  async allProgress(clients: Program): Promise<void> {
    const { acknowledgedMax } = await clients.ask<ClientStat>('stat');
    await this.until(
      clients,
      'progress on every connection',
      ({ acknowledgedMin }) => acknowledgedMin > acknowledgedMax,
    );
  }

  /** Waits until that many connections of the first client host send nothing but probes of a window of zero. */
  async probingClosedWindows(count: number): Promise<void> {
    const [host] = this.clientHosts;
    await reached('window probes', () => host?.run('ss', '-Htno').match(/timer:\(persist/g)?.length === count);
  }

  /** Lets the clients end their streams and waits until both sides have. */
  async finish(clients: Program, spreadMs = 0): Promise<void> {
    await this.takeResult(clients, `finish ${spreadMs}`);
    await this.service(this.serving).until<ServiceStat>('stat', 'the end of every stream', ({ open }) => open === 0);
  }

  /** Takes the clients' results as they are now, finished or not. */
  async interrupt(clients: Program): Promise<readonly ClientConnection[]> {
    return this.takeResult(clients, 'result');
  }

  private async takeResult(clients: Program, command: string): Promise<readonly ClientConnection[]> {
    const entry = this.clients.find(({ program: own }) => own === clients);
    const answer = clients.next<Message & { connections: ClientConnection[] }>('result');
    // The clients that have nothing left to do end at once.
    if (clients.running) clients.tell(command);
    const { connections } = await answer;
    if (entry !== undefined) entry.result = connections;
    return connections;
  }

  /** Captures on a host's interface from now on. */
  capture(host: Host, filter: string): Promise<Capture> {
    return Capture.start(host, `${this.network.directory}/${host.name}-${++this.files}.pcap`, filter);
  }

  /** Lets so many bytes of each connection pass, in either direction, and no more: its transfer stops in the middle. */
  holdUp(bytes: number): void {
    const table = (name: string, device: string, service: 'sport' | 'dport', client: 'sport' | 'dport') =>
      `table netdev ${name} { set passed { typeof tcp ${client}; flags dynamic; size 65535; }; ` +
      `chain ingress { type filter hook ingress device "${device}" priority 0; ` +
      `tcp ${service} ${PORT} update @passed { tcp ${client} quota over ${bytes} bytes } drop; }; }`;
    for (const host of this.clientHosts) {
      host.run('nft', table('valve', 'eth0', 'sport', 'dport'));
      this.segment.machine.run('nft', table(`valve-${host.name}`, this.segment.port(host), 'dport', 'sport'));
    }
  }

  letGo(): void {
    for (const host of this.clientHosts) {
      host.run('nft', 'delete', 'table', 'netdev', 'valve');
      this.segment.machine.run('nft', 'delete', 'table', 'netdev', `valve-${host.name}`);
    }
  }

  /** Openings and ends of connections, as the clients saw them. */
  async clientFrames(): Promise<Frame[]> {
    const frames = await Promise.all(this.captures.map((capture) => capture.frames()));
    return frames.flat();
  }

  /**
   * What happened, judged. Everything must have come to its end.
   * @param replicaReads what the replica is given of a connection
   */
  async judge(replicaReads: 'rest' | 'all' = 'rest'): Promise<Verdict> {
    for (const service of this.services) service.report ??= await this.takeReport(service);
    const services = this.services.map(({ name, report = [] }) => ({ name, connections: report }));
    const frames = await this.clientFrames();
    const clients = this.clients.map(({ plan, result }) => ({ plan, connections: result ?? [] }));
    const evidence = { clients, services, frames, replicaReads };
    if (this.serving === 'primary' || this.fromPrimary === undefined) return judge(evidence);
    const fromPrimary = await this.fromPrimary.frames();
    if (this.seenByTap === undefined) return judge({ ...evidence, fromPrimary });
    return judge({ ...evidence, fromPrimary, seenByTap: await this.seenByTap.frames() });
  }

  /** What a service has read, and what its kernel still has for it. */
  private async takeReport({ name, program: service }: Service): Promise<readonly ServiceConnection[]> {
    await service.ask<ServiceStat>('drain');
    const directory = `${this.network.directory}/${name}`;
    mkdirSync(directory, { recursive: true });
    const { connections } = await service.ask<Message & { connections: ServiceConnection[] }>(`report ${directory}`);
    return connections;
  }

  private async startService(name: 'primary' | 'replica'): Promise<void> {
    const any = this.choices.family === 6 ? '::' : '0.0.0.0';
    const host = name === 'primary' ? this.primary : this.replicaHost;
    const own = name === 'primary' ? undefined : this.choices.replica;
    const args = options({ ...this.choices.service, ...own });
    const service = host.start('service', program('service'), '--listen', any, '--port', String(PORT), ...args);
    const { greeting } = await service.next<Listening>('listening');
    this.greetings.set(name, greeting);
    this.services.push({ name, program: service, report: undefined });
  }

  /** Plugs a host into the segment, by way of a cable if there is one. */
  private async plug(host: Host, number: number, cable?: readonly string[]): Promise<void> {
    const addresses = [`10.77.0.${number}/24`, `fd77::${number}/64`];
    if (cable === undefined) {
      this.segment.plug(host, addresses);
      this.wholeFrames(host, 'eth0');
    } else {
      await this.plugByCable(host, addresses, cable);
    }
    host.ip(`link set dev eth0 address ${Lab.mac(number)}`);
    this.wholeFrames(this.segment.machine, this.segment.port(host));
  }

  private async plugByCable(host: Host, addresses: readonly string[], cable: readonly string[]): Promise<void> {
    const box = this.network.host(`cable-${host.name}`);
    box.sysctl({ 'net.ipv6.conf.all.disable_ipv6': 1, 'net.ipv6.conf.default.disable_ipv6': 1 });
    this.network.link(host, 'eth0', box, 'near');
    this.network.link(box, 'far', this.segment.machine, this.segment.port(host));
    host.address('eth0', ...addresses);
    this.segment.join(this.segment.port(host));
    this.wholeFrames(host, 'eth0');
    const running = box.start('cable', program('cable'), 'near', 'far', ...cable);
    await running.next('connected');
    this.cables.push(running);
  }

  private async addRouter(): Promise<void> {
    const router = this.network.host('router');
    this.router = router;
    router.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 });
    await this.plug(router, 1);
    for (const host of [this.primary, this.backup, ...(this.replicaHost === this.backup ? [] : [this.replicaHost])]) {
      host.ip('route add default via 10.77.0.1', 'route add ::/0 via fd77::1');
    }
    for (const [index, host] of this.clientHosts.entries()) {
      const device = `eth${index + 1}`;
      this.network.link(host, 'eth0', router, device);
      host.address('eth0', `10.78.${index}.10/24`, `fd78:${index}::10/64`);
      router.address(device, `10.78.${index}.1/24`, `fd78:${index}::1/64`);
      host.ip(`route add default via 10.78.${index}.1`, `route add ::/0 via fd78:${index}::1`);
      this.wholeFrames(host, 'eth0');
      this.wholeFrames(router, device);
    }
  }

  private wholeFrames(host: Host, device: string): void {
    if (this.choices.offloads === true) return;
    host.run('ethtool', '-K', device, 'tx', 'off', 'gro', 'off', 'tso', 'off', 'gso', 'off');
  }

  private setMtu(host: Host, mtu: number | undefined): void {
    if (mtu !== undefined) host.ip(`link set dev eth0 mtu ${mtu}`);
  }
}
