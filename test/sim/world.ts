/**
 * A scenario played: hosts on a hub, the core at its tap, a replica behind it, a crash. Keeps what happened; judging it
 * is the judge's business.
 */
import { Loss, Phase, Port, RecordState, Risk } from '../../assembly/abi/codes';
import { CONNECTION_FLAG_PROXIED } from '../../assembly/abi/layout';
import { Clock } from './clock';
import { type Base, Client, Server } from './conversation';
import { Daemon, type ServicePlan, type Tracked } from './daemon';
import type { Endpoint, Tuple } from './endpoint';
import { Host, type HostSettings } from './host';
import { Hub } from './hub';
import { Merger } from './merger';
import { Random } from './random';
import type { Scenario } from './scenario';
import { decode, type Segment } from './segment';
import { minus } from './serial';

const SERVICE_PORTS = [7000, 7001] as const;
const PRIMARY_MAC = '02:00:00:00:00:02';
const BACKUP_MAC = '02:00:00:00:00:03';
const REMOTE_MAC = '02:00:00:00:00:04';
/** The private link to the local stack: the core's address on it, and the stack's. */
const LINK_CORE_MAC = '02:00:00:00:01:01';
const LINK_STACK_MAC = '02:00:00:00:01:02';
const WIRE_MTU = 1500;
/** Records of the core: more than eight times the conversations, for half-open ones have an eighth. */
const CONNECTIONS = 512;
/** Frames cross the private link in a few microseconds. */
const STACK_DELAY_MS = 0.01;
/** Longest a run may take, simulated: far beyond any timeout that a good end needs. */
const LIMIT_MS = 400_000;

/** What is still on its way at the end arrives, and TIME-WAIT passes. */
const SETTLE_MS = 10_000;

/** One conversation and who took part in it. */
export interface Story {
  readonly client: Client;
  clientEnd: Endpoint | undefined;
  primary: Server | undefined;
  primaryEnd: Endpoint | undefined;
  /** Bytes the primary had acknowledged, and sent, by its death. */
  primaryAcknowledged: number;
  primarySent: number;
  replica: Server | undefined;
  replicaEnd: Endpoint | undefined;
  /** Whether the replica's connection is new, or continues the primary's. */
  proxied: boolean;
  /** Whether the replica has to read, and to say, everything from the first byte on. */
  copied: boolean;
  /** What the record said when the client was reset: a reason, or that there was none to say. */
  reasonAtReset: string | undefined;
  /** The client's connection when the service moved: undefined when it had not begun, false when it was over. */
  openAtFailOver: boolean | undefined;
}

export class World {
  readonly scenario: Scenario;
  readonly clock = new Clock();
  readonly stories: readonly Story[];
  readonly hosts: Host[] = [];
  readonly daemon: Daemon;
  readonly replicaHost: Host;
  /** What the core's records said when the service had just moved. */
  atFailOver: readonly Tracked[] = [];
  /** Frames the core sent to the segment while the primary served: never expected. */
  tooEarly = 0;
  /** Sees every frame: a recorder. Frames of the private link come with Port.Stack. */
  onFrame: (port: Port, frame: Uint8Array, timeMs: number) => void = () => {};
  readonly #random: Random;
  readonly #hub: Hub;
  readonly #primaryHost: Host;
  readonly #serviceAddress: string;
  readonly #replicaAddress: string;
  readonly #merger: Merger;
  #failedOver = false;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.#random = new Random(scenario.seed ^ 0x5eed);
    this.#hub = new Hub(this.clock, this.#random.fork());
    this.#hub.onFrame = (frame, timeMs) => this.onFrame(Port.Wire, frame, timeMs);
    const { ipv6 } = scenario;
    this.#serviceAddress = ipv6 ? 'fd00::2' : '10.0.0.2';
    this.#replicaAddress = ipv6 ? 'fd00::3' : '10.0.0.3';
    this.#primaryHost = this.#host('primary', PRIMARY_MAC, [this.#serviceAddress], scenario.primary);
    this.replicaHost = this.#makeReplica();
    this.daemon = new Daemon(this.clock, {
      build: scenario.build,
      capacity: {
        connections: CONNECTIONS,
        retainedBytes: scenario.retainedBytes,
        retainedPerConnection: scenario.retainedPerConnection,
        recordBytes: scenario.recovery.recordBytes,
        recordPerConnection: scenario.recovery.recordPerConnection,
        comparePerConnection: scenario.recovery.comparePerConnection,
      },
      wireMac: BACKUP_MAC,
      wireMtu: WIRE_MTU,
      stackMac: LINK_CORE_MAC,
      stackPeerMac: LINK_STACK_MAC,
      clockBase: scenario.clockBase,
      services: SERVICE_PORTS.map((port) => this.#servicePlan(port)),
      send: (port, frame) => this.#fromCore(port, frame),
    });
    this.#merger = new Merger(this.clock, scenario.merging, (frame) => this.daemon.receive(Port.Wire, frame));
    this.#attachTap();
    this.stories = scenario.conversations.map((conversation) => this.#makeStory(new Client(this.clock, conversation)));
    this.#listen();
    this.#scheduleCrash();
  }

  /** Plays until everything has ended and the core is at rest, or the time is over. Whether it ended. */
  run(): boolean {
    const { crash, watchMs } = this.scenario;
    const least = Math.max(watchMs, crash.atMs + crash.detectMs + 1);
    const ended = this.clock.run(LIMIT_MS, () => {
      if (this.clock.nowMs < least) return false;
      return this.stories.every((story) => this.#isOver(story)) && this.daemon.working === 0;
    });
    this.clock.run(this.clock.nowMs + SETTLE_MS, () => false);
    return ended;
  }

  // --- building -------------------------------------------------------------------------------------------------

  #host(name: string, mac: string, addresses: string[], tcp: HostSettings['tcp'], onWire = true): Host {
    const tags = onWire ? this.scenario.tags : [];
    const host = new Host(this.clock, this.#random.fork(), { name, mac, addresses, tags, tcp, takesMerged: !onWire });
    this.hosts.push(host);
    if (!onWire) return host;
    host.attach((frame) => this.#hub.send(name, frame));
    this.#hub.attach({
      name,
      mac,
      faults: this.scenario.faults,
      deliver: (frame) => host.receive(frame.decoded),
    });
    return host;
  }

  #makeReplica(): Host {
    const { remoteReplica, replica } = this.scenario;
    if (remoteReplica) {
      const host = this.#host('replica', REMOTE_MAC, [this.#replicaAddress], replica);
      host.neighbours.set(this.#serviceAddress, BACKUP_MAC);
      return host;
    }
    const host = this.#host('replica', LINK_STACK_MAC, [this.#replicaAddress], replica, false);
    host.attach((frame) => {
      this.onFrame(Port.Stack, frame, this.clock.nowMs);
      this.clock.after(STACK_DELAY_MS, () => this.daemon.receive(Port.Stack, frame));
    });
    return host;
  }

  #servicePlan(port: number): ServicePlan {
    const { remoteReplica, tags, handshakeWindow, recovery } = this.scenario;
    return {
      address: this.#serviceAddress,
      replica: this.#replicaAddress,
      port,
      remoteMac: remoteReplica ? REMOTE_MAC : undefined,
      handshakeWindow,
      recovery,
      vlan: tags[0]?.vid ?? 0,
    };
  }

  #fromCore(port: Port, frame: Uint8Array): void {
    if (port === Port.Wire) {
      if (!this.#failedOver) this.tooEarly++;
      return this.#hub.send('backup', frame);
    }
    this.onFrame(Port.Stack, frame, this.clock.nowMs);
    this.clock.after(STACK_DELAY_MS, () => this.replicaHost.receive(decode(frame)));
  }

  #attachTap(): void {
    this.clock.after(this.scenario.watchMs, () => {
      const deliver = (frame: { bytes: Uint8Array }): void => this.#merger.take(frame.bytes);
      this.#hub.attach({ name: 'backup', mac: undefined, faults: this.scenario.tap, deliver });
    });
  }

  #makeStory(client: Client): Story {
    const { id, clientPort, service, startMs } = client.conversation;
    const { ipv6, clients, primary } = this.scenario;
    const address = ipv6 ? `fd00::${(0x100 + id).toString(16)}` : `10.0.1.${id + 1}`;
    const mac = `02:00:00:00:02:${(id + 1).toString(16).padStart(2, '0')}`;
    const host = this.#host(`client ${id}`, mac, [address], clients[id] ?? primary);
    host.neighbours.set(this.#serviceAddress, PRIMARY_MAC);
    this.#primaryHost.neighbours.set(address, mac);
    if (!this.scenario.remoteReplica) this.replicaHost.neighbours.set(address, LINK_CORE_MAC);
    const story: Story = {
      client,
      clientEnd: undefined,
      primary: undefined,
      primaryEnd: undefined,
      primaryAcknowledged: 0,
      primarySent: 0,
      replica: undefined,
      replicaEnd: undefined,
      proxied: false,
      copied: false,
      reasonAtReset: undefined,
      openAtFailOver: undefined,
    };
    this.clock.after(startMs, () => {
      const remotePort = SERVICE_PORTS[service] ?? SERVICE_PORTS[0];
      const tuple: Tuple = { local: address, localPort: clientPort, remote: this.#serviceAddress, remotePort };
      story.clientEnd = host.connect(tuple, client);
      client.bind(story.clientEnd);
    });
    return story;
  }

  // --- servers --------------------------------------------------------------------------------------------------

  #listen(): void {
    const { backlog, acceptMs } = this.scenario;
    for (const port of SERVICE_PORTS) {
      this.#primaryHost.listen({
        port,
        backlog: 1000,
        acceptMs: 0.02,
        user: (tuple) => this.#onPrimarySyn(tuple),
        onAccept: (endpoint) => this.#storyOf(endpoint.tuple.remotePort).primary?.bind(endpoint),
        onEstablished: (endpoint) => (this.#storyOf(endpoint.tuple.remotePort).primaryEnd = endpoint),
      });
    }
    this.replicaHost.listen({
      port: SERVICE_PORTS[0],
      backlog,
      acceptMs,
      user: (tuple, syn) => this.#onReplicaSyn(tuple, syn),
      onAccept: (endpoint) => this.#replicaStory(endpoint.tuple).replica?.bind(endpoint),
      onEstablished: (endpoint) => (this.#replicaStory(endpoint.tuple).replicaEnd = endpoint),
    });
  }

  #storyOf(clientPort: number): Story {
    const story = this.stories.find(({ client }) => client.conversation.clientPort === clientPort);
    if (story === undefined) throw new Error(`no conversation has client port ${clientPort}`);
    return story;
  }

  #onPrimarySyn(tuple: Tuple): Server {
    const story = this.#storyOf(tuple.remotePort);
    story.primary = new Server(this.clock, story.client.conversation);
    return story.primary;
  }

  /** The record behind what the replica sees. */
  #record({ localPort, remotePort }: Tuple): Tracked | undefined {
    return this.daemon
      .connections()
      .find((c) => c.stackPort === remotePort && c.serverPort === localPort && c.phase !== Phase.Direct);
  }

  #reason(clientPort: number): string {
    const record = this.daemon.connections().find((c) => c.clientPort === clientPort);
    if (record === undefined) return UNKNOWN;
    if (record.loss !== Loss.None) return `loss ${record.loss}`;
    return record.risk === Risk.None ? '' : `risk ${record.risk}`;
  }

  readonly #stackPorts = new Map<number, Story>();

  #replicaStory({ remotePort }: Tuple): Story {
    return this.#stackPorts.get(remotePort) ?? this.#storyOf(remotePort);
  }

  /** Tells the replica's application where to go on: from the numbers of the forged SYN, and of the core's record. */
  #onReplicaSyn(tuple: Tuple, syn: Segment): Server {
    const record = this.#record(tuple);
    if (record === undefined) {
      const ended = this.daemon.connections().find(({ stackPort }) => stackPort === tuple.remotePort);
      if (ended === undefined) throw new Error(`the replica was sent a SYN that belongs to no record`);
      // Its copy ended while the SYN was on its way: what answers it is reset.
      return new Server(this.clock, this.#storyOf(ended.clientPort).client.conversation);
    }
    const story = this.#storyOf(record.clientPort);
    this.#stackPorts.set(tuple.remotePort, story);
    const { recovery } = this.scenario;
    story.proxied = (record.flags & CONNECTION_FLAG_PROXIED) !== 0;
    story.copied = !story.proxied && recovery.policy !== 'resume' && record.record === RecordState.Complete;
    const { clientEnd } = story;
    if (clientEnd === undefined) throw new Error(`conversation ${record.clientPort} has not begun`);
    const base: Base = story.proxied
      ? { up: 0, down: 0 }
      : story.copied
        ? { up: minus(syn.seq, clientEnd.iss), down: 0 }
        : { up: minus(syn.seq, clientEnd.iss), down: minus(record.outboundEnd, clientEnd.irs) - 1 };
    story.replica = new Server(this.clock, { ...story.client.conversation, ...recovery.replicaPace }, base);
    return story.replica;
  }

  // --- the crash ------------------------------------------------------------------------------------------------

  #scheduleCrash(): void {
    const { kind, atMs, detectMs } = this.scenario.crash;
    if (kind === 'never') return;
    this.clock.after(atMs, () => {
      for (const story of this.stories) noteSent(story);
      if (kind !== 'cut') this.#lastBreath();
      this.#primaryHost.detach();
      for (const story of this.stories) noteAcknowledged(story);
    });
    this.clock.after(atMs + detectMs, () => {
      for (const story of this.stories) story.openAtFailOver = story.clientEnd?.isOpen;
      this.atFailOver = this.daemon.connections();
      this.#failedOver = true;
      this.daemon.failOver();
    });
  }

  /** What a dying primary still says reaches the tap only; it has been under suspicion for a moment. */
  #lastBreath(): void {
    this.daemon.suspect(true);
    this.#primaryHost.attach((frame) => this.#hub.send('primary', frame, 'backup'));
    for (const endpoint of [...this.#primaryHost.endpoints.values()]) {
      if (this.scenario.crash.kind === 'reset') endpoint.abort();
      else endpoint.abandon();
    }
  }

  #isOver(story: Story): boolean {
    const { client, clientEnd, replica, replicaEnd } = story;
    if (clientEnd === undefined) return false;
    if (client.error !== undefined) {
      story.reasonAtReset ??= this.#reason(client.conversation.clientPort);
      return true;
    }
    if (replica && replicaEnd && replica.error === undefined && (replicaEnd.isOpen || !replica.ended)) return false;
    return !clientEnd.isOpen && client.ended;
  }
}

/** For messages. */
const UNKNOWN = 'no record';

function noteSent(story: Story): void {
  const sender = story.primaryEnd?.sender;
  story.primarySent = sender ? sender.position(sender.max) : 0;
}

function noteAcknowledged(story: Story): void {
  story.primaryAcknowledged = story.primaryEnd?.receiver.acknowledged ?? 0;
}
