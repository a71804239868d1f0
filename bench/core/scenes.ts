/** The states and frames that are measured, made with the core and the tests' players, and given to all languages alike. */
import {
  CONNECTION_BYTES,
  CONNECTION_CLIENT_PORT,
  CONNECTION_STACK_PORT,
  CONNECTION_STATE,
  SERVICE_BYTES,
} from '../../assembly/abi/layout';
import { Flow, type FlowOptions } from '../../test/support/flow';
import {
  macBytes,
  mappedBytes,
  mss,
  nop,
  sack,
  sackPermitted,
  tcpFrame,
  timestamps,
  windowScale,
} from '../../test/support/frames';
import { type Core, instantiate, start } from '../../test/support/wasm';
import { MAC, World } from '../../test/support/world';
import { CoreSubject } from './core-subject';
import { PlainSubject } from './plain-subject';
import {
  HASH_KEY,
  HEADERS_BYTES,
  RETAINED_BYTES,
  RETAINED_PER_CONNECTION,
  RING_HEADER,
  RING_STRIDE,
  SCENE_CONNECTIONS,
  type Scene,
} from './subject';

/** A full segment of a path of MTU 1500 when timestamps are agreed. */
export const FULL_PAYLOAD = 1448;
/** Connections whose frames take turns. */
export const RING_CONNECTIONS = 64;

const CAPACITY = {
  connections: SCENE_CONNECTIONS,
  retainedBytes: RETAINED_BYTES,
  retainedPerConnection: RETAINED_PER_CONNECTION,
  recordBytes: 0,
  recordPerConnection: 0,
  comparePerConnection: 0,
  key: HASH_KEY,
};

/** Peer's and own address of the private link, as a frame for the replica begins. */
const LINK = [...macBytes(MAC.stack), ...macBytes(MAC.gateway)];
/** Own address first: as the C is told. */
export const NATIVE_LINK = Uint8Array.from([...LINK.slice(6), ...LINK.slice(0, 6)]);
const LINK_VIEW = new DataView(Uint8Array.from(LINK).buffer);
const PLAIN_LINK = [LINK_VIEW.getUint32(0), LINK_VIEW.getUint32(4), LINK_VIEW.getUint32(8)] as const;

/** A scene and the core that has it. */
export interface Stage {
  readonly scene: Scene;
  readonly core: CoreSubject;
  readonly plain: PlainSubject;
}

function stage(core: Core<'test'>, scene: Scene): Stage {
  return { scene, core: new CoreSubject(core, scene), plain: new PlainSubject(scene, PLAIN_LINK) };
}

const EMPTY: Scene = {
  arena: new Uint8Array(0),
  slot: new Uint8Array(0),
  services: [],
  connections: [],
  fill: undefined,
};

/** Frames one after the other, each at a multiple of 64 bytes, and where they lie. */
export function layOut(frames: readonly Uint8Array[]): { arena: Uint8Array; at: number[] } {
  const at: number[] = [];
  let end = 0;
  for (const frame of frames) {
    at.push(end);
    end += Math.ceil((frame.length + HEADERS_BYTES) / 64) * 64;
  }
  const arena = new Uint8Array(end);
  frames.forEach((frame, i) => arena.set(frame, at[i] ?? 0));
  return { arena, at };
}

/** Bytes to sum, and nothing else. */
export function bytesStage(arena: Uint8Array): Stage {
  return stage(instantiate('test'), { ...EMPTY, arena });
}

/** Offset of the service address in the arena of tableStage. */
export const TABLE_SERVER = 0;
export const TABLE_PORT = 7000;

/** A table of so many connections. */
export function tableStage(count: number): Stage {
  const core = start('test', { ...CAPACITY, connections: count });
  const fill = { server: TABLE_SERVER, port: TABLE_PORT, count };
  return stage(core, { ...EMPTY, arena: mappedBytes('10.0.0.2'), fill });
}

// --- frames of connections that all agreed to everything ------------------------------------------------------

const AGREED: FlowOptions = {
  clientOffer: { isn: 0xfffffe00, windowShift: 7, sack: true, tsval: 0x01020304, window: 501 },
  primaryOffer: { isn: 0x7ffffff0, windowShift: 7, sack: true, tsval: 0xfffffff0, window: 502 },
  replicaOffer: { isn: 0xffffffff, windowShift: 9, sack: true, tsval: 0x00000010, window: 600 },
};

/** For the parser: by name. */
export function parserFrames(): Map<string, Uint8Array> {
  const payload = new Uint8Array(FULL_PAYLOAD).fill(7);
  const stamps = [nop(), nop(), timestamps(5, 6)];
  const v6 = { src: 'fd00::9', dst: 'fd00::2' };
  return new Map([
    ['IPv4, full segment, timestamps', tcpFrame({ payload, options: stamps, flags: 'PA' })],
    ['IPv4, acknowledgement, no options', tcpFrame({ flags: 'A' })],
    [
      'IPv4, SYN',
      tcpFrame({ flags: 'S', options: [mss(1460), sackPermitted(), timestamps(5, 0), nop(), windowScale(7)] }),
    ],
    [
      'IPv4, 802.1Q, timestamps, three SACK blocks',
      tcpFrame({ tags: [{ vid: 7 }], options: [...stamps, nop(), nop(), sack([10, 20], [30, 40], [50, 60])] }),
    ],
    ['IPv6, full segment, timestamps', tcpFrame({ ...v6, payload, options: stamps, flags: 'PA' })],
  ]);
}

interface Made {
  readonly world: World<'test'>;
  readonly flow: Flow;
}

function established(options: FlowOptions): Made {
  const world = new World('test', { capacity: CAPACITY });
  const flow = new Flow(world, options).established();
  world.now += 100;
  return { world, flow: flow.primary.ack().client.data(100).primary.ack() };
}

function recovered(options: FlowOptions): Made {
  const { world, flow } = established(options);
  // The replica has read something: nothing about the client's stream is in doubt any more.
  flow.recovered().client.data(50).take().stack.ack().client.ack();
  return { world, flow };
}

/** Records as they are now. */
function images({ core }: World<'test'>): Pick<Scene, 'services' | 'connections'> {
  const { exports, bytes } = core;
  const copy = (at: number, length: number) => bytes.slice(at, at + length);
  const base = exports.connectionsBase() >>> 0;
  const used = exports.connectionsUsed() >>> 0;
  return {
    services: [copy(exports.servicesBase() >>> 0, SERVICE_BYTES)],
    connections: Array.from({ length: used }, (_, i) => copy(base + i * CONNECTION_BYTES, CONNECTION_BYTES)),
  };
}

/** Other clients with connections in the state of record 0: their addresses are those of benchFill. */
function multiply({ core }: World<'test'>, count: number): void {
  const { exports, bytes, view } = core;
  const scratch = exports.rxSlot() >>> 0;
  bytes.set(mappedBytes('10.0.0.2'), scratch);
  exports.benchFill(scratch, TABLE_PORT, count);
  const base = exports.connectionsBase() >>> 0;
  for (let i = 1; i <= count; i++) {
    const at = base + i * CONNECTION_BYTES;
    bytes.copyWithin(at + CONNECTION_STATE, base + CONNECTION_STATE, base + CONNECTION_BYTES);
    view.setUint16(at + CONNECTION_STACK_PORT, view.getUint16(at + CONNECTION_CLIENT_PORT, true), true);
  }
}

/** Client `i` of benchFill. */
function clientOf(i: number): { src: string; srcPort: number } {
  return { src: `11.0.0.${i}`, srcPort: 1024 + (i >>> 4) };
}

/** A frame of the client's, of a connection that has moved, with options as given. */
export function liveStage(options: FlowOptions, segment: (flow: Flow) => Parameters<Flow['frame']>[2]): Stage {
  const { world, flow } = recovered(options);
  const frame = flow.frame(flow.client, 'PA', segment(flow));
  return stage(world.core, { ...EMPTY, ...images(world), arena: frame, slot: frame });
}

export const PLAIN_TCP: FlowOptions = {};
export const FULL_TCP = AGREED;

/** The blocks that a client reports: what lies behind a lost segment of the replica. */
export function sackBlocks(flow: Flow, blocks: number): Uint8Array[] {
  const at = flow.client.received;
  const list = Array.from({ length: blocks }, (_, i) => [at + 2000 * i + 1000, at + 2000 * i + 2000] as const);
  return [nop(), nop(), timestamps(0x01020306, flow.primary.tsval), nop(), nop(), sack(...list)];
}

/** An established connection, a segment in order of its client and the primary's acknowledgement. */
export function trackStage(payload: number): Stage & { readonly args: readonly number[] } {
  const { world, flow } = established(AGREED);
  const data = flow.frame(flow.client, 'PA', { payload: new Uint8Array(payload).fill(7) });
  const ack = flow.frame(flow.primary, 'A', {});
  const { arena, at } = layOut([data, ack]);
  const made = stage(world.core, { ...EMPTY, ...images(world), arena });
  return { ...made, args: [0, at[0] ?? 0, data.length, at[1] ?? 0, ack.length] };
}

interface RingFrame {
  readonly bytes: Uint8Array;
  readonly seqStep: number;
  readonly ackStep: number;
}

function ringOf(frames: readonly RingFrame[]): Uint8Array {
  const arena = new Uint8Array(frames.length * RING_STRIDE);
  const view = new DataView(arena.buffer);
  for (const [i, { bytes, seqStep, ackStep }] of frames.entries()) {
    const at = i * RING_STRIDE;
    view.setUint32(at, bytes.length, true);
    view.setUint32(at + 8, seqStep, true);
    view.setUint32(at + 12, ackStep, true);
    arena.set(bytes, at + RING_HEADER);
  }
  return arena;
}

/** Clients of a service that has moved, each with one full segment of its own that it repeats. */
export function proxyStage(payload: number): Stage & { readonly ring: number } {
  const { world, flow } = recovered(AGREED);
  multiply(world, RING_CONNECTIONS);
  const frames = Array.from({ length: RING_CONNECTIONS }, (_, i) => ({
    bytes: flow.frame(flow.client, 'PA', { ...clientOf(i), payload: new Uint8Array(payload).fill(7) }),
    seqStep: 0,
    ackStep: 0,
  }));
  return ringStage(world, frames);
}

/** Clients of a service in its normal state, each in turn with a segment in order and its acknowledgement. */
export function tapStage(payload: number): Stage & { readonly ring: number } {
  const { world, flow } = established(AGREED);
  multiply(world, RING_CONNECTIONS);
  const data = { payload: new Uint8Array(payload).fill(7) };
  const frames = Array.from({ length: RING_CONNECTIONS }, (_, i) => {
    const client = clientOf(i);
    return [
      { bytes: flow.frame(flow.client, 'PA', { ...client, ...data }), seqStep: payload, ackStep: 0 },
      {
        bytes: flow.frame(flow.primary, 'A', {
          dst: client.src,
          dstPort: client.srcPort,
          ack: (flow.client.next + payload) >>> 0,
        }),
        seqStep: 0,
        ackStep: payload,
      },
    ];
  }).flat();
  return ringStage(world, frames);
}

function ringStage(world: World<'test'>, frames: readonly RingFrame[]): Stage & { readonly ring: number } {
  const [first] = frames;
  if (first === undefined) throw new Error('a ring without frames');
  const made = stage(world.core, { ...EMPTY, ...images(world), arena: ringOf(frames), slot: first.bytes });
  return { ...made, ring: frames.length };
}
