/** Services and connections as objects, made from the core's records so that all implementations begin in one state. */
import { type Phase, Risk, type TcpState } from '../../../assembly/abi/codes';
import {
  CONNECTION_CLIENT,
  CONNECTION_CLIENT_PORT,
  CONNECTION_FLAGS,
  CONNECTION_FLAG_HANDSHAKE,
  CONNECTION_FLAG_MPTCP,
  CONNECTION_FLOWS,
  CONNECTION_HOLE_BYTES,
  CONNECTION_HOLE_SEQ,
  CONNECTION_PHASE,
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
  FLOW_FIN_SEQ,
  FLOW_FLAGS,
  FLOW_MAX_WINDOW,
  FLOW_PASSED,
  FLOW_TSVAL,
  FLOW_TS_MS,
  FLOW_WINDOW_SHIFT,
  SERVICE_ADDRESS,
  SERVICE_PORTS,
  SERVICE_PORT_COUNT,
  SERVICE_REPLICA,
  SERVICE_STATE,
} from '../../../assembly/abi/layout';
import { asCode } from '../../../src/core/names';
import type { Address } from './packet';

/** Behind both flows: the deltas and what follows, up to the marks; private to the core (tracker/connection.ts). */
const DELTAS = CONNECTION_FLOWS + 2 * FLOW_BYTES;
const MARKS = DELTAS + 44;
const MAPPED = 0x0000ffff;

/** Payload that was sent and is not yet acknowledged, in order. */
export interface Kept {
  seq: number;
  readonly bytes: Uint8Array;
}

export interface Flow {
  end: number;
  acked: number;
  edge: number;
  maxWindow: number;
  finSeq: number;
  tsval: number;
  tsMs: number;
  windowShift: number;
  flags: number;
  /** All that was acknowledged. */
  passed: number;
  kept: Kept[];
  keptBytes: number;
}

export class Connection {
  readonly client: Address;
  readonly server: Address;
  readonly clientPort: number;
  readonly serverPort: number;
  readonly vlan: number;
  readonly service: number;
  readonly stackPort: number;
  state: TcpState;
  phase: Phase;
  risk: Risk;
  flags: number;
  seenMs: number;
  holeSeq: number;
  holeBytes: number;
  /** First two bytes, last four. */
  clientMacHi = 0;
  clientMacLo = 0;
  outerTag = 0;
  innerTag = 0;
  unseen = false;
  strayTurns = 0;
  readonly inbound: Flow;
  readonly outbound: Flow;
  readonly d1: number;
  readonly d2: number;
  tsDelta: number;
  readonly serverBase: number;
  readonly replicaTs: number;
  readonly marks: number;

  constructor(
    readonly index: number,
    image: Uint8Array,
  ) {
    const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    this.client = addressOf(view, CONNECTION_CLIENT);
    this.server = addressOf(view, CONNECTION_SERVER);
    this.clientPort = view.getUint16(CONNECTION_CLIENT_PORT, true);
    this.serverPort = view.getUint16(CONNECTION_SERVER_PORT, true);
    this.vlan = view.getUint32(CONNECTION_VLAN, true);
    this.service = view.getUint16(CONNECTION_SERVICE, true);
    this.stackPort = view.getUint16(CONNECTION_STACK_PORT, true);
    this.state = asCode(view.getUint8(CONNECTION_STATE));
    this.phase = asCode(view.getUint8(CONNECTION_PHASE));
    this.risk = asCode(view.getUint8(CONNECTION_RISK));
    this.flags = view.getUint32(CONNECTION_FLAGS, true);
    this.seenMs = view.getUint32(CONNECTION_SEEN_MS, true);
    this.holeSeq = view.getUint32(CONNECTION_HOLE_SEQ, true);
    this.holeBytes = view.getUint32(CONNECTION_HOLE_BYTES, true);
    this.inbound = flowOf(view, CONNECTION_FLOWS);
    this.outbound = flowOf(view, CONNECTION_FLOWS + FLOW_BYTES);
    this.d1 = view.getUint32(DELTAS, true);
    this.d2 = view.getUint32(DELTAS + 4, true);
    this.tsDelta = view.getUint32(DELTAS + 8, true);
    this.serverBase = view.getUint32(DELTAS + 12, true);
    this.replicaTs = view.getUint32(DELTAS + 20, true);
    this.marks = view.getUint16(MARKS, true);
  }

  get key(): string {
    return keyOf(this.client, this.clientPort, this.server, this.serverPort, this.vlan);
  }

  get lastingRisk(): Risk {
    if ((this.flags & CONNECTION_FLAG_HANDSHAKE) === 0) return Risk.WindowScaleUnknown;
    return this.flags & CONNECTION_FLAG_MPTCP ? Risk.Mptcp : Risk.None;
  }

  putAtRisk(risk: Risk, seq: number, bytes: number): void {
    if (this.risk !== Risk.None && this.risk !== this.lastingRisk) return;
    this.risk = risk;
    this.holeSeq = seq;
    this.holeBytes = bytes;
  }
}

export interface Service {
  readonly address: Address;
  readonly replica: Address;
  readonly ports: readonly number[];
  readonly isTakenOver: boolean;
  heardMs: number;
  heard: number;
  unansweredMs: number;
  primaryMacHi: number;
  primaryMacLo: number;
}

export function serviceOf(image: Uint8Array): Service {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const ports = Array.from({ length: view.getUint16(SERVICE_PORT_COUNT, true) }, (_, i) =>
    view.getUint16(SERVICE_PORTS + 2 * i, true),
  );
  return {
    address: addressOf(view, SERVICE_ADDRESS),
    replica: addressOf(view, SERVICE_REPLICA),
    ports,
    isTakenOver: view.getUint32(SERVICE_STATE, true) !== 0,
    heardMs: 0,
    heard: 0,
    unansweredMs: 0,
    primaryMacHi: 0,
    primaryMacLo: 0,
  };
}

/** A Map's own hash is keyed by the engine: what SipHash does for the core. */
export function keyOf(client: Address, clientPort: number, server: Address, serverPort: number, vlan: number): string {
  return `${client}:${clientPort}-${server}:${serverPort}/${vlan}`;
}

function addressOf(view: DataView, at: number): Address {
  const words = [0, 4, 8, 12].map((i) => view.getUint32(at + i));
  if (words[0] === 0 && words[1] === 0 && words[2] === MAPPED) return words[3] ?? 0;
  return words.map((word) => word.toString(16).padStart(8, '0')).join('');
}

function flowOf(view: DataView, at: number): Flow {
  return {
    end: view.getUint32(at + FLOW_END, true),
    acked: view.getUint32(at + FLOW_ACKED, true),
    edge: view.getUint32(at + FLOW_EDGE, true),
    maxWindow: view.getUint32(at + FLOW_MAX_WINDOW, true),
    finSeq: view.getUint32(at + FLOW_FIN_SEQ, true),
    tsval: view.getUint32(at + FLOW_TSVAL, true),
    tsMs: view.getUint32(at + FLOW_TS_MS, true),
    windowShift: view.getUint8(at + FLOW_WINDOW_SHIFT),
    flags: view.getUint8(at + FLOW_FLAGS),
    passed: Number(view.getBigUint64(at + FLOW_PASSED, true)),
    kept: [],
    keptBytes: 0,
  };
}
