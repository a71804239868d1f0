/**
 * The core's records as plain objects, decoded on demand for people and scripts: never on the way of a packet. The
 * offsets are those of assembly/abi/layout.ts; the bytes are little-endian, as WebAssembly defines.
 */
import {
  CONNECTION_CLIENT,
  CONNECTION_CLIENT_PORT,
  CONNECTION_DIVERGED_FIRST,
  CONNECTION_DIVERGED_LAST,
  CONNECTION_FLAGS,
  CONNECTION_FLAG_ECN,
  CONNECTION_FLAG_HANDSHAKE,
  CONNECTION_FLAG_MPTCP,
  CONNECTION_FLAG_PROXIED,
  CONNECTION_FLAG_RECOVERED,
  CONNECTION_FLAG_SACK,
  CONNECTION_FLAG_TFO,
  CONNECTION_FLAG_TIMESTAMPS,
  CONNECTION_FLAG_WINDOW_SCALE,
  CONNECTION_FLOWS,
  CONNECTION_GENERATION,
  CONNECTION_HOLE_BYTES,
  CONNECTION_HOLE_SEQ,
  CONNECTION_LOSS,
  CONNECTION_PHASE,
  CONNECTION_RECORD,
  CONNECTION_RISK,
  CONNECTION_SEEN_MS,
  CONNECTION_SERVER,
  CONNECTION_SERVER_PORT,
  CONNECTION_SERVICE,
  CONNECTION_STACK_PORT,
  CONNECTION_STATE,
  CONNECTION_VLAN,
  FLOW_ACKED,
  FLOW_BYTES,
  FLOW_EDGE,
  FLOW_END,
  FLOW_FLAGS,
  FLOW_FLAG_FIN,
  FLOW_FLAG_FIN_ACKED,
  FLOW_FLAG_ISN,
  FLOW_FLAG_SEEN,
  FLOW_ISN,
  FLOW_MSS,
  FLOW_PASSED,
  FLOW_RETAINED_BYTES,
  FLOW_WINDOW_SHIFT,
  MAX_SERVICE_PORTS,
  SERVICE_ADDRESS,
  SERVICE_DIVERGENCES,
  SERVICE_FLAGS,
  SERVICE_FLAG_DIVERGED_CONTINUE,
  SERVICE_FLAG_DIVERGED_RESET,
  SERVICE_FLAG_ECHO,
  SERVICE_FLAG_FALLBACK_RESUME,
  SERVICE_FLAG_REMOTE,
  SERVICE_FLAG_REPLAY,
  SERVICE_FLAG_SHADOW,
  SERVICE_HALF_OPEN,
  SERVICE_HANDSHAKE_WINDOW,
  SERVICE_HEARD,
  SERVICE_HEARD_MS,
  SERVICE_LOSSES,
  SERVICE_LOST,
  SERVICE_MAP_FIRST,
  SERVICE_MAP_LAST,
  SERVICE_PORTS,
  SERVICE_PORT_COUNT,
  SERVICE_PRIMARY_MAC,
  SERVICE_PROXIED,
  SERVICE_RECOVERED,
  SERVICE_RECOVERING,
  SERVICE_REPLICA,
  SERVICE_REPLICA_MAC,
  SERVICE_STATE,
  SERVICE_TRACKED,
  SERVICE_UNANSWERED,
  SERVICE_VLAN,
} from '../../assembly/abi/layout';
import { ADDRESS_BYTES, formatAddress, formatMac } from './address';
import { Dir, Loss, type Phase, RecordState, type Risk, type ServiceState, TcpState, asCode } from './names';

/** What the host says about a service when it adds it. */
export interface ServiceSettings {
  /** 16 bytes each, as `parseAddress` gives them. */
  readonly address: Uint8Array;
  readonly replica: Uint8Array;
  readonly ports: readonly number[];
  /** Present: the replica is another machine, this its MAC address. */
  readonly replicaMac?: Uint8Array | undefined;
  /** Unconfirmed handshakes with the replica at a time. */
  readonly handshakeWindow: number;
  /** What the replica is given of a stream: the rest (default), or all of it, at recovery or beside the primary. */
  readonly recovery?: 'resume' | 'replay' | 'shadow' | undefined;
  /** What becomes of a connection that cannot be given to the replica as a whole; default: reset. */
  readonly fallback?: 'reset' | 'resume' | undefined;
  /** What becomes of one whose replica differed; absent: it goes on if the client already has all that differs. */
  readonly onDivergence?: 'continue' | 'reset' | undefined;
  /** Answer pings to the service address while this host has it. */
  readonly echo: boolean;
  /** VLAN of announcements before any client was seen; 0 for untagged. */
  readonly vlan: number;
  /** Source ports towards a remote replica. */
  readonly mapFirst: number;
  readonly mapLast: number;
}

export function writeService(view: DataView, at: number, settings: ServiceSettings): void {
  const { address, replica, ports, replicaMac } = settings;
  if (ports.length === 0 || ports.length > MAX_SERVICE_PORTS) {
    throw new RangeError(`a service has 1 to ${MAX_SERVICE_PORTS} ports, not ${ports.length}`);
  }
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  bytes.set(address.subarray(0, ADDRESS_BYTES), at + SERVICE_ADDRESS);
  bytes.set(replica.subarray(0, ADDRESS_BYTES), at + SERVICE_REPLICA);
  if (replicaMac !== undefined) bytes.set(replicaMac.subarray(0, 6), at + SERVICE_REPLICA_MAC);
  view.setUint16(at + SERVICE_PORT_COUNT, ports.length, true);
  for (const [i, port] of ports.entries()) view.setUint16(at + SERVICE_PORTS + 2 * i, port, true);
  view.setUint32(at + SERVICE_FLAGS, serviceFlags(settings), true);
  view.setUint32(at + SERVICE_HANDSHAKE_WINDOW, settings.handshakeWindow, true);
  view.setUint16(at + SERVICE_VLAN, settings.vlan, true);
  view.setUint16(at + SERVICE_MAP_FIRST, settings.mapFirst, true);
  view.setUint16(at + SERVICE_MAP_LAST, settings.mapLast, true);
}

function serviceFlags({ replicaMac, echo, recovery, fallback, onDivergence }: ServiceSettings): number {
  return (
    (replicaMac === undefined ? 0 : SERVICE_FLAG_REMOTE) |
    (echo ? SERVICE_FLAG_ECHO : 0) |
    (recovery === 'replay' ? SERVICE_FLAG_REPLAY : 0) |
    (recovery === 'shadow' ? SERVICE_FLAG_SHADOW : 0) |
    (fallback === 'resume' ? SERVICE_FLAG_FALLBACK_RESUME : 0) |
    (onDivergence === 'continue' ? SERVICE_FLAG_DIVERGED_CONTINUE : 0) |
    (onDivergence === 'reset' ? SERVICE_FLAG_DIVERGED_RESET : 0)
  );
}

/** What the core knows about a service. Instants are wrapping u32 ms of the clock the host passes in. */
export interface ServiceRecord {
  readonly state: ServiceState;
  readonly handshakeWindow: number;
  /** Connections that have a record now, half-open ones among them. */
  readonly tracked: number;
  readonly halfOpen: number;
  /** Connections still on their way to the replica. */
  readonly recovering: number;
  /** Since start: continued on the replica, accepted for it, given up. */
  readonly recovered: number;
  readonly proxied: number;
  readonly lost: number;
  /** Last frame of the primary; `undefined`: none was seen. */
  readonly heardMs: number | undefined;
  /** Last sign of a client that nobody answers; `undefined`: none was seen. */
  readonly unansweredMs: number | undefined;
  /** As last seen; `undefined`: never. */
  readonly primaryMac: string | undefined;
  /** Connections given up, by Loss. */
  readonly losses: readonly number[];
  /** Connections whose replica differed from the primary, since start. */
  readonly divergences: number;
}

export function readService(view: DataView, at: number): ServiceRecord {
  const u32 = (offset: number): number => view.getUint32(at + offset, true);
  const heard = u32(SERVICE_HEARD) !== 0;
  const unanswered = u32(SERVICE_UNANSWERED);
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return {
    state: asCode<ServiceState>(u32(SERVICE_STATE)),
    handshakeWindow: u32(SERVICE_HANDSHAKE_WINDOW),
    tracked: u32(SERVICE_TRACKED),
    halfOpen: u32(SERVICE_HALF_OPEN),
    recovering: u32(SERVICE_RECOVERING),
    recovered: u32(SERVICE_RECOVERED),
    proxied: u32(SERVICE_PROXIED),
    lost: u32(SERVICE_LOST),
    heardMs: heard ? u32(SERVICE_HEARD_MS) : undefined,
    unansweredMs: unanswered === 0 ? undefined : unanswered,
    primaryMac: heard ? formatMac(bytes, at + SERVICE_PRIMARY_MAC) : undefined,
    losses: Array.from({ length: Loss.Count }, (_, loss) => u32(SERVICE_LOSSES + 4 * loss)),
    divergences: u32(SERVICE_DIVERGENCES),
  };
}

/** One direction of a connection; sequence numbers as the wire side sees them. */
export interface FlowRecord {
  /** `undefined`: the SYN was not seen. */
  readonly isn: number | undefined;
  /** One past the highest sequence number sent; `undefined`: nothing was seen. */
  readonly end: number | undefined;
  /** What the receiver has acknowledged, and the right edge of its window; `undefined`: nothing was seen. */
  readonly acked: number | undefined;
  readonly edge: number | undefined;
  /** `undefined`: no MSS option was seen. */
  readonly mss: number | undefined;
  readonly windowShift: number;
  readonly finSent: boolean;
  readonly finAcked: boolean;
  readonly retainedBytes: number;
}

/** What the tracker knows of a connection. */
export interface TrackedConnection {
  readonly index: number;
  readonly generation: number;
  /** Index of the service; `undefined` when everything is tracked. */
  readonly service: number | undefined;
  readonly client: string;
  readonly clientPort: number;
  readonly server: string;
  readonly serverPort: number;
  /** The port the replica sees as its peer's. */
  readonly stackPort: number;
  /** Outer and inner VLAN id; 0 for none. */
  readonly vlan: number;
  readonly innerVlan: number;
  readonly state: TcpState;
  readonly phase: Phase;
  readonly risk: Risk;
  readonly loss: Loss;
  /** Where the hole of the risk begins, and its length; 0 bytes: no hole. */
  readonly holeSeq: number;
  readonly holeBytes: number;
  /** Wrapping u32 ms. */
  readonly seenMs: number;
  /** Both SYNs were seen. */
  readonly handshakeSeen: boolean;
  /** What both ends agreed on. */
  readonly options: readonly string[];
  readonly recovered: boolean;
  readonly proxied: boolean;
  readonly inbound: FlowRecord;
  readonly outbound: FlowRecord;
}

/** The same and what becomes of it at a replica. */
export interface ConnectionRecord extends TrackedConnection {
  readonly incarnation: number;
  readonly record: RecordState;
  /** Of the client's stream, in the core's memory; these are not among the retained ones. */
  readonly recordedBytes: number;
  /** `undefined`: the replica has said nothing else than the primary. */
  readonly divergence: Divergence | undefined;
}

/** Where the replica's output differs from the primary's. */
export interface Divergence {
  /** Of the first byte that differs, in the server's stream. */
  readonly offset: number;
  /** The client has acknowledged all bytes that differ: it has the primary's. */
  readonly delivered: boolean;
}

const OPTION_FLAGS: readonly (readonly [flag: number, name: string])[] = [
  [CONNECTION_FLAG_WINDOW_SCALE, 'window-scale'],
  [CONNECTION_FLAG_SACK, 'sack'],
  [CONNECTION_FLAG_TIMESTAMPS, 'timestamps'],
  [CONNECTION_FLAG_ECN, 'ecn'],
  [CONNECTION_FLAG_MPTCP, 'mptcp'],
  [CONNECTION_FLAG_TFO, 'tfo'],
];

const NO_SERVICE = 0xffff;
const INBOUND = CONNECTION_FLOWS + Dir.Inbound * FLOW_BYTES;
const OUTBOUND = CONNECTION_FLOWS + Dir.Outbound * FLOW_BYTES;

/** `undefined` when the record is not in use. */
export function readConnection(view: DataView, at: number, index: number): ConnectionRecord | undefined {
  const tracked = readTracked(view, at, index);
  if (tracked === undefined) return undefined;
  const record = asCode<RecordState>(view.getUint8(at + CONNECTION_RECORD));
  const more = { incarnation: readIncarnation(view, at), record, divergence: readDivergence(view, at) };
  const { retainedBytes: recordedBytes } = tracked.inbound;
  return record === RecordState.Complete || record === RecordState.Trimmed
    ? { ...tracked, ...more, recordedBytes, inbound: { ...tracked.inbound, retainedBytes: 0 } }
    : { ...tracked, ...more, recordedBytes: 0 };
}

/**
 * Tells the connections apart that use one record after the other: the record has another generation for another client
 * port, and the same one when a client opens anew with the same ports.
 */
export function readIncarnation(view: DataView, at: number): number {
  return view.getUint16(at + CONNECTION_GENERATION, true) * 2 ** 32 + view.getUint32(at + INBOUND + FLOW_ISN, true);
}

function readDivergence(view: DataView, at: number): Divergence | undefined {
  const end = view.getBigUint64(at + CONNECTION_DIVERGED_LAST, true);
  if (end === 0n) return undefined;
  // The SYN uses the first number.
  const passed = view.getBigUint64(at + OUTBOUND + FLOW_PASSED, true) - 1n;
  return { offset: Number(view.getBigUint64(at + CONNECTION_DIVERGED_FIRST, true)), delivered: end <= passed };
}

const FLOW_OFFSETS = [FLOW_ISN, FLOW_END, FLOW_ACKED, FLOW_EDGE, FLOW_MSS, FLOW_RETAINED_BYTES] as const;

/** The part of a record that `readTracked` reads, as numbers of its words of four bytes: less than a quarter. */
export const TRACKED_WORDS: readonly number[] = [
  ...Array.from({ length: (CONNECTION_STACK_PORT + 4) / 4 }, (_, word) => word),
  ...[CONNECTION_SEEN_MS, CONNECTION_HOLE_SEQ, CONNECTION_HOLE_BYTES].map((offset) => offset / 4),
  ...[INBOUND, OUTBOUND].flatMap((flow) => FLOW_OFFSETS.map((offset) => (flow + offset) / 4)),
];

/** `undefined` when the record is not in use. */
export function readTracked(view: DataView, at: number, index: number): TrackedConnection | undefined {
  const state = asCode<TcpState>(view.getUint8(at + CONNECTION_STATE));
  if (state === TcpState.Free) return undefined;
  const u16 = (offset: number): number => view.getUint16(at + offset, true);
  const u32 = (offset: number): number => view.getUint32(at + offset, true);
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const flags = u32(CONNECTION_FLAGS);
  const service = u16(CONNECTION_SERVICE);
  const vlans = u32(CONNECTION_VLAN);
  return {
    index,
    generation: u16(CONNECTION_GENERATION),
    service: service === NO_SERVICE ? undefined : service,
    client: formatAddress(bytes, at + CONNECTION_CLIENT),
    clientPort: u16(CONNECTION_CLIENT_PORT),
    server: formatAddress(bytes, at + CONNECTION_SERVER),
    serverPort: u16(CONNECTION_SERVER_PORT),
    stackPort: u16(CONNECTION_STACK_PORT),
    vlan: vlans >>> 16,
    innerVlan: vlans & 0xffff,
    state,
    phase: asCode<Phase>(view.getUint8(at + CONNECTION_PHASE)),
    risk: asCode<Risk>(view.getUint8(at + CONNECTION_RISK)),
    loss: asCode<Loss>(view.getUint8(at + CONNECTION_LOSS)),
    holeSeq: u32(CONNECTION_HOLE_SEQ),
    holeBytes: u32(CONNECTION_HOLE_BYTES),
    seenMs: u32(CONNECTION_SEEN_MS),
    handshakeSeen: (flags & CONNECTION_FLAG_HANDSHAKE) !== 0,
    options: OPTION_FLAGS.filter(([flag]) => (flags & flag) !== 0).map(([, name]) => name),
    recovered: (flags & CONNECTION_FLAG_RECOVERED) !== 0,
    proxied: (flags & CONNECTION_FLAG_PROXIED) !== 0,
    inbound: readFlow(view, at + INBOUND),
    outbound: readFlow(view, at + OUTBOUND),
  };
}

function readFlow(view: DataView, at: number): FlowRecord {
  const u32 = (offset: number): number => view.getUint32(at + offset, true);
  const flags = view.getUint8(at + FLOW_FLAGS);
  const seen = (flags & FLOW_FLAG_SEEN) !== 0;
  const mss = view.getUint16(at + FLOW_MSS, true);
  return {
    isn: (flags & FLOW_FLAG_ISN) === 0 ? undefined : u32(FLOW_ISN),
    end: seen ? u32(FLOW_END) : undefined,
    acked: seen ? u32(FLOW_ACKED) : undefined,
    edge: seen ? u32(FLOW_EDGE) : undefined,
    mss: mss === 0 ? undefined : mss,
    windowShift: view.getUint8(at + FLOW_WINDOW_SHIFT),
    finSent: (flags & FLOW_FLAG_FIN) !== 0,
    finAcked: (flags & FLOW_FLAG_FIN_ACKED) !== 0,
    retainedBytes: u32(FLOW_RETAINED_BYTES),
  };
}
