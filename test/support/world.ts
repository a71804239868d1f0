/**
 * One core as a host sees it: ports and a service set up, frames in, frames out, records and counters read back, and a
 * virtual clock. Every call is checked for what must hold whatever the frame: see `#receive`.
 */
import { type Counter, Port, Reason, type ServiceState, TcpState } from '../../assembly/abi/codes';
import {
  CONNECTION_BYTES,
  CONNECTION_CLIENT,
  COUNTER_BYTES,
  NONE,
  RX_HEADROOM,
  SERVICE_ADDRESS,
  SERVICE_BYTES,
  SERVICE_FLAGS,
  SERVICE_FLAG_ECHO,
  SERVICE_FLAG_REMOTE,
  SERVICE_HANDSHAKE_WINDOW,
  SERVICE_LOSSES,
  SERVICE_MAP_FIRST,
  SERVICE_MAP_LAST,
  SERVICE_PORTS,
  SERVICE_PORT_COUNT,
  SERVICE_REPLICA,
  SERVICE_REPLICA_MAC,
  SERVICE_VLAN,
  TX_DESC_BYTES,
  TX_DESC_CONN,
  TX_DESC_LEN,
  TX_DESC_OFF,
  TX_DESC_PORT,
} from '../../assembly/abi/layout';
import { asCode } from '../../src/core/names';
import { macBytes, mappedBytes } from './frames';
import { type ConnectionRecord, readRecord } from './records';
import { type Sent, readSent } from './sent';
import { type Build, type Capacity, type Core, SMALL, start } from './wasm';

export const MAC = {
  client: '02:00:00:00:00:01',
  primary: '02:00:00:00:00:02',
  /** Own address of the wire port. */
  daemon: '02:00:00:00:00:0d',
  /** Own address of the stack port: the replica's gateway. */
  gateway: '02:00:00:00:00:99',
  /** The local stack's end of the private link. */
  stack: '02:00:00:00:00:5a',
  /** A replica on another machine. */
  remote: '02:00:00:00:00:0e',
} as const;

export interface ServiceOptions {
  readonly address?: string;
  readonly replica?: string;
  readonly ports?: readonly number[];
  readonly remote?: boolean;
  readonly echo?: boolean;
  /** More SERVICE_FLAG_*. */
  readonly flags?: number;
  readonly handshakeWindow?: number;
  readonly vlan?: number;
  readonly mapFirst?: number;
  readonly mapLast?: number;
}

export interface WorldOptions {
  readonly capacity?: Partial<Capacity>;
  readonly services?: readonly ServiceOptions[];
  readonly wireMtu?: number;
  readonly stackMtu?: number;
  /** Stands between the world and the core, to look on. */
  readonly through?: <B extends Build>(core: Core<B>, capacity: Capacity) => Core<B>;
}

export interface Spilled {
  readonly connection: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface Wanted {
  readonly connection: number;
  readonly from: number;
  readonly length: number;
}

/** Behind the captured frame, where nothing may be written. */
const GUARD_BYTES = 64;
const GUARD = 0xa5;
/** The core may put two VLAN tags before a frame. */
const TAGS_BYTES = 8;

export class World<B extends Build = Build> {
  readonly core: Core<B>;
  now = 1000;
  /** Whether frames that are passed on must have right checksums: they have not when a damaged one came. */
  checksums = true;
  readonly #rx: number;

  constructor(build: B, options: WorldOptions = {}) {
    const { capacity = {}, services = [{}], wireMtu = 1500, stackMtu = 65535 } = options;
    const core = start(build, capacity);
    this.core = options.through?.(core, { ...SMALL, ...capacity }) ?? core;
    this.#rx = this.core.exports.rxSlot() >>> 0;
    this.setPort(Port.Wire, wireMtu, MAC.daemon, '00:00:00:00:00:00');
    this.setPort(Port.Stack, stackMtu, MAC.gateway, MAC.stack);
    for (const service of services) this.addService(service);
  }

  setPort(port: Port, mtu: number, own: string, peer: string): void {
    const words = (mac: string): [number, number] => {
      const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = macBytes(mac);
      return [(a << 8) | b, ((c << 24) | (d << 16) | (e << 8) | f) >>> 0];
    };
    this.#ok(this.core.exports.setPort(port, mtu, ...words(own), ...words(peer)));
  }

  addService(options: ServiceOptions = {}): number {
    const { address = '10.0.0.2', replica = '10.0.0.3', ports = [7000], remote = false, echo = true } = options;
    const { exports, bytes, view } = this.core;
    const at = exports.serviceScratch() >>> 0;
    bytes.fill(0, at, at + SERVICE_BYTES);
    bytes.set(mappedBytes(address), at + SERVICE_ADDRESS);
    bytes.set(mappedBytes(replica), at + SERVICE_REPLICA);
    bytes.set(macBytes(MAC.remote), at + SERVICE_REPLICA_MAC);
    view.setUint16(at + SERVICE_PORT_COUNT, ports.length, true);
    for (const [i, port] of ports.entries()) view.setUint16(at + SERVICE_PORTS + 2 * i, port, true);
    const flags = (remote ? SERVICE_FLAG_REMOTE : 0) | (echo ? SERVICE_FLAG_ECHO : 0) | (options.flags ?? 0);
    view.setUint32(at + SERVICE_FLAGS, flags, true);
    view.setUint32(at + SERVICE_HANDSHAKE_WINDOW, options.handshakeWindow ?? 0, true);
    view.setUint16(at + SERVICE_VLAN, options.vlan ?? 0, true);
    view.setUint16(at + SERVICE_MAP_FIRST, options.mapFirst ?? 0, true);
    view.setUint16(at + SERVICE_MAP_LAST, options.mapLast ?? 0, true);
    const index = exports.addService();
    if (index < 0) throw new Error(`addService: status ${index}`);
    return index;
  }

  // --- what a host does -----------------------------------------------------------------------------------------

  /** One frame, and all that follows from it. */
  receive(port: Port, frame: Uint8Array, wireLength = frame.length): Sent[] {
    const { exports, bytes } = this.core;
    const start = this.#rx;
    bytes.fill(GUARD, start - RX_HEADROOM, start);
    bytes.set(frame, start);
    bytes.fill(GUARD, start + frame.length, start + frame.length + GUARD_BYTES);
    const n = exports.receive(port, frame.length, wireLength, this.now >>> 0);
    for (let i = start - RX_HEADROOM; i < start - TAGS_BYTES; i++) {
      if (bytes[i] !== GUARD) throw new Error(`written ${start - i} bytes before the slot`);
    }
    for (let i = start + frame.length; i < start + frame.length + GUARD_BYTES; i++) {
      if (bytes[i] !== GUARD) throw new Error(`written ${i - start - frame.length} bytes behind the frame`);
    }
    return this.#sent(n);
  }

  /** Time passes, with a tick at its end. */
  tick(ms = 5): Sent[] {
    this.now += ms;
    return this.#sent(this.core.exports.tick(this.now >>> 0));
  }

  /** Time passes in steps of the short timer. */
  run(ms: number, step = 5): Sent[] {
    const sent: Sent[] = [];
    for (let passed = 0; passed < ms; passed += step) sent.push(...this.tick(step));
    return sent;
  }

  pump(): Sent[] {
    return this.#sent(this.core.exports.pump(this.now >>> 0));
  }

  setState(state: ServiceState, service = 0): Sent[] {
    this.#ok(this.core.exports.setServiceState(service, state, this.now >>> 0));
    return this.pump();
  }

  setQuarantine(on: boolean, service = 0): void {
    this.#ok(this.core.exports.setQuarantine(service, on ? 1 : 0));
  }

  /** The host is about to stop. */
  dismiss(service = 0): Sent[] {
    this.#ok(this.core.exports.dismiss(service, this.now >>> 0));
    return this.pump();
  }

  /** Recorded bytes that the core hands out, undefined when it has no need to. */
  spill(): Spilled | undefined {
    const { exports, bytes } = this.core;
    const length = exports.spill() >>> 0;
    if (length === 0) return undefined;
    const connection = exports.spillConnection() >>> 0;
    return { connection, offset: exports.spillOffset() >>> 0, bytes: bytes.slice(this.#rx, this.#rx + length) };
  }

  spillFailed(connection: number): void {
    this.#ok(this.core.exports.spillFailed(connection));
  }

  /** What a feed asks the host for, undefined when none does. */
  wanted(): Wanted | undefined {
    const { exports } = this.core;
    const connection = exports.wantedConnection() >>> 0;
    if (connection === NONE) return undefined;
    return { connection, from: exports.wantedFrom(connection) >>> 0, length: exports.wantedLength(connection) >>> 0 };
  }

  supply(connection: number, given: Uint8Array): Sent[] {
    const { exports, bytes } = this.core;
    bytes.set(given, this.#rx);
    return this.#sent(exports.supplyWanted(connection, given.length, this.now >>> 0));
  }

  announce(service = 0): Sent[] {
    return this.#sent(this.core.exports.announce(service));
  }

  // --- what it reads --------------------------------------------------------------------------------------------

  refused(reason: Reason): number {
    return this.#counter(reason);
  }

  counted(counter: Counter): number {
    const reasons: number = Reason.Count;
    return this.#counter(reasons + counter);
  }

  /** All Reason counters, by number. */
  refusals(): number[] {
    const reasons: number = Reason.Count;
    return Array.from({ length: reasons }, (_, i) => this.#counter(i));
  }

  service(offset: number, service = 0): number {
    return this.core.view.getUint32((this.core.exports.servicesBase() >>> 0) + service * SERVICE_BYTES + offset, true);
  }

  losses(loss: number, service = 0): number {
    return this.service(SERVICE_LOSSES + 4 * loss, service);
  }

  /** Connections that need the short timer. */
  working(): number {
    return this.core.exports.working() >>> 0;
  }

  retainedUsed(): number {
    return this.core.exports.retainedUsed() >>> 0;
  }

  recordedUsed(): number {
    return this.core.exports.recordedUsed() >>> 0;
  }

  /** Bytes of a record, for comparisons. */
  recordBytes(index: number): Uint8Array {
    const at = this.#record(index);
    return this.core.bytes.slice(at, at + CONNECTION_BYTES);
  }

  record(index: number): ConnectionRecord {
    return readRecord(this.core.view, this.#record(index), index);
  }

  /** Records in use. */
  *records(): Generator<ConnectionRecord> {
    const used = this.core.exports.connectionsUsed() >>> 0;
    for (let i = 0; i < used; i++) {
      const record = this.record(i);
      if (record.state !== TcpState.Free) yield record;
    }
  }

  /** The record of a client and VLAN, compared byte by byte with what the core has stored. */
  find(client: string, clientPort: number, vlan = 0): ConnectionRecord | undefined {
    const address = mappedBytes(client);
    for (const record of this.records()) {
      const at = this.#record(record.index) + CONNECTION_CLIENT;
      const same = Buffer.compare(this.core.bytes.subarray(at, at + 16), address) === 0;
      if (same && record.clientPort === clientPort && record.vlan === vlan) return record;
    }
    return undefined;
  }

  #record(index: number): number {
    return (this.core.exports.connectionsBase() >>> 0) + index * CONNECTION_BYTES;
  }

  #counter(index: number): number {
    const at = (this.core.exports.countersBase() >>> 0) + index * COUNTER_BYTES;
    return Number(this.core.view.getBigUint64(at, true));
  }

  /** Reads the transmit queue, and goes on until it stays empty. */
  #sent(first: number): Sent[] {
    const { exports, bytes, view } = this.core;
    const sent: Sent[] = [];
    for (let n = first; n !== 0; n = exports.pump(this.now >>> 0)) {
      if (n < 0) throw new Error(`status ${n}`);
      const table = exports.txTable() >>> 0;
      for (let i = 0; i < n; i++) {
        const desc = table + i * TX_DESC_BYTES;
        const off = view.getUint32(desc + TX_DESC_OFF, true);
        const frame = bytes.slice(off, off + view.getUint32(desc + TX_DESC_LEN, true));
        const port = asCode<Port>(view.getUint32(desc + TX_DESC_PORT, true));
        sent.push(readSent(port, view.getUint32(desc + TX_DESC_CONN, true), frame, this.checksums));
      }
    }
    return sent;
  }

  #ok(status: number): void {
    if (status < 0) throw new Error(`status ${status}`);
  }
}
