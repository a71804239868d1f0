/**
 * Random connections that have moved to a replica, with what the reference has to know about them: from what the ends said
 * and did, never from the core's record.
 */
import fc from 'fast-check';
import { Port, ServiceState } from '../../assembly/abi/codes';
import { Flow, type FlowOptions, type Offer } from '../support/flow';
import { type Tag, be16, icmpErrorFrame, ipBytes, macBytes, nop, tcpFrame, timestamps } from '../support/frames';
import { MAC, World } from '../support/world';
import type { Build } from '../support/wasm';
import { type Agreed, Reference, type Setting, cut, nearest } from './reference';

/** What happened before and around the crash; each leaves other numbers behind. Proxied: the connection came after it. */
const STORIES = ['idle', 'unread', 'unacknowledged', 'gap', 'closed', 'proxied'] as const;

export interface Plan {
  readonly isIpv6: boolean;
  readonly isRemote: boolean;
  readonly tags: readonly Tag[];
  readonly client: Required<Offer>;
  readonly primary: Required<Offer>;
  readonly replica: Required<Offer>;
  readonly story: (typeof STORIES)[number];
  /** Bytes that the story is about. */
  readonly bytes: number;
  readonly elapsedMs: number;
  readonly stackMtu: number;
  /** Said by a router on the way to the client, once the connection is live. */
  readonly pathMtu: number | undefined;
}

const u32 = fc.integer({ min: 0, max: 0xffffffff });
/** First numbers and times: anywhere, and just before they begin anew. */
const first = fc.oneof(
  u32,
  fc.integer({ min: 0xffff0000, max: 0xffffffff }),
  fc.integer({ min: 0x7fff0000, max: 0x80000000 }),
);
/** What is too small for a segment, what hosts have, and none. */
const SIZES = [undefined, 20, 100, 536, 1220, 1440, 1460, 9000] as const;

const offer: fc.Arbitrary<Required<Offer>> = fc.record({
  isn: first,
  mss: fc.constantFrom(...SIZES),
  windowShift: fc.option(fc.nat(14), { nil: undefined }),
  sack: fc.boolean(),
  tsval: fc.option(first, { nil: undefined, freq: 2 }),
  ecn: fc.boolean(),
  window: fc.integer({ min: 2000, max: 0xffff }),
});

const tag: fc.Arbitrary<Tag> = fc.record({
  vid: fc.integer({ min: 1, max: 4094 }),
  tpid: fc.constantFrom(0x8100, 0x88a8),
  priority: fc.nat(7),
});

export const plan: fc.Arbitrary<Plan> = fc.record({
  isIpv6: fc.boolean(),
  isRemote: fc.boolean(),
  tags: fc.array(tag, { maxLength: 2 }),
  client: offer,
  primary: offer,
  replica: offer,
  story: fc.constantFrom(...STORIES),
  bytes: fc.integer({ min: 1, max: 400 }),
  elapsedMs: fc.oneof(fc.constant(0), fc.nat(100_000)),
  stackMtu: fc.constantFrom(65535, 65535, 1500),
  pathMtu: fc.option(fc.oneof(fc.integer({ min: 1, max: 1500 }), fc.integer({ min: 500, max: 1500 })), {
    nil: undefined,
    freq: 2,
  }),
});

/** Who answers a SYN may agree to what it offers, and to nothing else. The other way round: what the offer comes to. */
function answering(answer: Required<Offer>, asked: Required<Offer>): Required<Offer> {
  return {
    ...answer,
    windowShift: asked.windowShift === undefined ? undefined : answer.windowShift,
    sack: asked.sack && answer.sack,
    tsval: asked.tsval === undefined ? undefined : answer.tsval,
    ecn: asked.ecn && answer.ecn,
  };
}

function agreed({ mss, windowShift, tsval, ecn }: Required<Offer>): Agreed {
  return { mss, shift: windowShift, timestamps: tsval !== undefined, ecn };
}

function tagBytes({ vid, tpid = 0x8100, priority = 0 }: Tag): Uint8Array {
  return Uint8Array.of(...be16(tpid), ...be16((priority << 13) | vid));
}

export interface Moved {
  readonly flow: Flow;
  readonly reference: Reference;
}

const WIRE_MTU = 1500;

const HOSTS = {
  4: ['10.0.0.9', '10.0.0.2', '10.0.0.3'],
  6: ['fd00::9', 'fd00::2', 'fd00::3'],
} as const;

/** A core that is set up for the connection. */
export function worldOf(build: Build, { isIpv6, isRemote, stackMtu }: Plan): World {
  const [, address, replica] = isIpv6 ? HOSTS[6] : HOSTS[4];
  return new World(build, { services: [{ address, replica, remote: isRemote }], wireMtu: WIRE_MTU, stackMtu });
}

/** A router has no way for a segment to the client as large as it was (RFC 1191 4, RFC 4443 3.2). */
function tellPathMtu({ flow, reference: { setting } }: Moved): void {
  const { client, server, clientPort, serverPort, tags } = flow.options;
  if (setting.pathMtu === undefined) return;
  const about = tcpFrame({ src: server, dst: client, srcPort: serverPort, dstPort: clientPort });
  const isIpv6 = client.includes(':');
  const error = isIpv6 ? { src: 'fd00::fe', type: 2 } : { src: '10.0.0.254', type: 3, code: 4 };
  const frame = icmpErrorFrame({ ...error, tags, dst: server, rest: setting.pathMtu }, about, 64);
  if (flow.world.receive(Port.Wire, frame).length !== 1) throw new Error('the error was not passed on');
}

export function move(build: Build, drawn: Plan): Moved {
  const moved = drawn.story === 'proxied' ? connect(build, drawn) : recover(build, drawn);
  tellPathMtu(moved);
  return moved;
}

/** A new connection while the replica serves. */
function connect(build: Build, drawn: Plan): Moved {
  const { isIpv6, isRemote, bytes } = drawn;
  const replica = answering(drawn.replica, drawn.client);
  const [client, server, replicaAddress] = isIpv6 ? HOSTS[6] : HOSTS[4];
  const world = worldOf(build, drawn);
  const offers = { clientOffer: drawn.client, primaryOffer: replica, replicaOffer: replica };
  const flow = new Flow(world, { client, server, replicaAddress, remote: isRemote, tags: drawn.tags, ...offers });
  flow.crash();
  world.setState(ServiceState.Proxy);
  flow.client.syn();
  const syn = flow.toReplica().at(-1);
  flow.accept();
  flow.client.received = cut(replica.isn + 1);
  flow.client.ack();
  flow.client.data(bytes).take().stack.ack();
  flow.take().stack.data(bytes).take().client.ack();
  const unit = 2 ** (replica.windowShift ?? 0);
  const granted = nearest(flow.stack.received, flow.client.next) + replica.window * unit;
  const setting: Setting = {
    ...placeOf(drawn, flow),
    isProxied: true,
    isClosed: false,
    client: agreed(drawn.client),
    primary: agreed(replica),
    replica: agreed(replica),
    d1: 0,
    d2: 0,
    serverBase: replica.isn + 1,
    clock: 0,
    firstTsval: replica.tsval ?? 0,
    peerPort: syn?.srcPort ?? 0,
  };
  const memory = {
    granted,
    told: granted,
    serverTsval: flow.stack.tsval,
    clientTsval: flow.client.tsval,
    clientMac: macBytes(MAC.client),
    tags: drawn.tags.map(tagBytes),
  };
  return { flow, reference: new Reference(setting, memory) };
}

/** Addresses and ways, which are those of every connection of the plan. */
function placeOf({ isIpv6, isRemote, stackMtu, pathMtu }: Plan, flow: Flow) {
  const [client, server, replicaAddress] = isIpv6 ? HOSTS[6] : HOSTS[4];
  return {
    clientAddress: ipBytes(client),
    clientPort: flow.options.clientPort,
    serverAddress: ipBytes(server),
    replicaAddress: ipBytes(replicaAddress),
    peerAddress: ipBytes(isRemote ? server : client),
    macToClient: macBytes(MAC.daemon),
    macToReplica: macBytes(isRemote ? MAC.daemon : MAC.gateway),
    replicaMac: macBytes(isRemote ? MAC.remote : MAC.stack),
    isRemote,
    wireMtu: WIRE_MTU,
    stackMtu,
    pathMtu,
  };
}

/** A connection of the primary, continued. */
function recover(build: Build, drawn: Plan): Moved {
  const { isIpv6, isRemote, story, bytes } = drawn;
  const primary = answering(drawn.primary, drawn.client);
  // What client and primary have in common.
  const asked = answering(drawn.client, primary);
  // Blocks in the place of a replica without SACK are no translation: test/core/selective.test.ts.
  const replica = { ...answering(drawn.replica, asked), sack: asked.sack };
  const [client, server, replicaAddress] = isIpv6 ? HOSTS[6] : HOSTS[4];
  const world = worldOf(build, drawn);
  const offers = { clientOffer: drawn.client, primaryOffer: primary, replicaOffer: replica };
  const options: FlowOptions = { client, server, replicaAddress, remote: isRemote, tags: drawn.tags, ...offers };
  const flow = new Flow(world, options).established();
  flow.client.data(bytes).primary.ack().primary.data(bytes).client.ack();
  if (story === 'unread') flow.client.data(bytes);
  if (story === 'unacknowledged') flow.primary.data(bytes);
  if (story === 'closed') flow.primary.fin().client.ack();
  const serverBase = flow.client.received;
  world.now += drawn.elapsedMs;
  flow.crash();
  const syn = flow.toReplica().at(-1);
  flow.accept().confirm();
  // What the client repeats of the server's clock is the primary's still.
  const times = flow.agreed('tsval') ? [nop(), nop(), timestamps(flow.client.tsval, flow.primary.tsval)] : [];
  // The core sends what was on its way, until both sides have it.
  flow.drainToReplica();
  flow.client.ack({ options: times });
  if (story === 'gap') {
    const seq = cut(flow.client.next + bytes);
    const data = { payload: flow.client.pattern(seq, bytes), options: times };
    flow.client.next = seq;
    flow.client.segment('PA', data);
    for (; flow.toReplica().length === 0; world.now += 200) flow.client.segment('PA', { ...data, seq });
    flow.drainToReplica();
  }
  if (world.working() !== 0) world.tick(0);
  if (world.working() !== 0) throw new Error('the core is still sending by itself');
  // It is known that nothing is missing before what the client says next (assembly/recovery/gap.ts), and the client has
  // been told a window.
  flow.client.data(1, { options: times }).take().stack.ack();
  const d1 = story === 'gap' ? -bytes : 0;
  const setting: Setting = {
    ...placeOf(drawn, flow),
    isProxied: false,
    isClosed: story === 'closed',
    client: agreed(drawn.client),
    primary: agreed(primary),
    replica: agreed(replica),
    d1,
    d2: replica.isn + 1 - serverBase,
    serverBase,
    // Time goes on from the primary's last word, by what has passed since, at least by a tick.
    clock: flow.primary.tsval + Math.max(drawn.elapsedMs, 1) - (replica.tsval ?? 0),
    firstTsval: replica.tsval ?? 0,
    peerPort: syn?.srcPort ?? 0,
  };
  const told = flow.toClient(flow.all);
  const unit = 2 ** (setting.client.shift === undefined ? 0 : (setting.primary.shift ?? 0));
  const near = flow.client.next;
  const edges = told.map(({ ack, window }) => nearest(ack, near) + window * unit);
  const replicaUnit = 2 ** (setting.replica.shift ?? 0);
  const memory = {
    granted: nearest(cut(flow.stack.received - d1), near) + replica.window * replicaUnit,
    told: Math.max(...edges),
    serverTsval: told.reduce((last, { timestamps }) => nearest(timestamps?.[0] ?? last, last), flow.primary.tsval),
    clientTsval: flow.client.tsval,
    clientMac: macBytes(MAC.client),
    tags: drawn.tags.map(tagBytes),
  };
  return { flow, reference: new Reference(setting, memory) };
}
