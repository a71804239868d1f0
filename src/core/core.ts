/**
 * The WASM core as a typed object: one instance, memory sized once, views made once. The only code besides its
 * neighbours in this folder that knows where anything lies in that memory.
 *
 * Each of receive, pump, tick and announce begins a new transmit queue, so the frames of the last one must have been
 * sent before the next call:
 *
 *     let n = core.receive(port, length, wireLength, nowMs);
 *     while (n > 0) { send frames 0..n-1; n = core.pump(nowMs); }
 */
import {
  ABI_VERSION,
  CONNECTION_BYTES,
  CONNECTION_DIVERGED_LAST,
  CONNECTION_LOSS,
  CONNECTION_RISK,
  CONNECTION_SERVICE,
  CONNECTION_STATE,
  NONE,
  RX_FRAME_BYTES,
  SERVICE_BYTES,
  SERVICE_DIVERGENCES,
  SERVICE_HEARD,
  SERVICE_HEARD_MS,
  SERVICE_RECOVERING,
  SNAPSHOT_RECORD_BYTES,
  TX_DESC_BYTES,
  TX_DESC_CONN,
  TX_DESC_LEN,
  TX_DESC_OFF,
  TX_DESC_PORT,
  TX_MAX,
} from '../../assembly/abi/layout';
import { ConnectionWatch } from './connection-watch';
import { CoreError, type Exports, check } from './exports';
import { FrameViews, type MakeView } from './frame-views';
import { RecordExchange } from './record-exchange';
import { Counter, asCode, counterName, type Port, Reason, reasonName, type ServiceState, TcpState } from './names';
import {
  type ConnectionRecord,
  type ServiceRecord,
  type ServiceSettings,
  readConnection,
  readService,
  writeService,
} from './records';

export { CoreError } from './exports';
export {
  DEFAULT_COMPARE_PER_CONNECTION,
  DEFAULT_CONNECTIONS,
  DEFAULT_RECORD_BYTES,
  DEFAULT_RECORD_PER_CONNECTION,
  DEFAULT_RETAINED_BYTES,
  DEFAULT_RETAINED_PER_CONNECTION,
  MAX_CONNECTIONS,
  MAX_SERVICES,
  MAX_SERVICE_PORTS,
  RX_FRAME_BYTES,
  SNAPSHOT_VERSION,
} from '../../assembly/abi/layout';

/** Fixed when the core starts. */
export interface Capacity {
  readonly connections: number;
  readonly retainedBytes: number;
  readonly retainedPerConnectionBytes: number;
  /** Needed when the replica of some service is given streams from their first byte; absent: none is. */
  readonly record?: RecordCapacity | undefined;
}

export interface RecordCapacity {
  /** Of the clients' streams and of output to compare, all connections together. */
  readonly memoryBytes: number;
  /** Of one client's stream, what the host keeps included. */
  readonly perConnectionBytes: number;
  /** Of the primary's output, until the replica's can be compared with it. */
  readonly comparePerConnectionBytes: number;
}

const NO_RECORDS: RecordCapacity = { memoryBytes: 0, perConnectionBytes: 0, comparePerConnectionBytes: 0 };

/** A refusal, counted by its reason, or an event. */
export interface CounterValue {
  readonly kind: 'refused' | 'event';
  readonly name: string;
  readonly value: bigint;
}

/** How the connections of a service would fare if its primary died now. */
export interface Survey {
  readonly recoverable: number;
  readonly atRisk: number;
}

/** As many whole records as fit into the receive slot. */
const IMPORT_BYTES = Math.floor(RX_FRAME_BYTES / SNAPSHOT_RECORD_BYTES) * SNAPSHOT_RECORD_BYTES;
const FIRST_LIVE_STATE: number = TcpState.SynReceived;
const LAST_LIVE_STATE: number = TcpState.BothFin;
const PAGE_BYTES = 65536;
const WORD_BYTES = 4;
const WORDS_PER_DESC = TX_DESC_BYTES / WORD_BYTES;
const OFF_WORD = TX_DESC_OFF / WORD_BYTES;
const LEN_WORD = TX_DESC_LEN / WORD_BYTES;
const PORT_WORD = TX_DESC_PORT / WORD_BYTES;
const CONN_WORD = TX_DESC_CONN / WORD_BYTES;
const REASONS: number = Reason.Count;

/** @typeParam View how the host wants to see bytes of the memory */
export class Core<View extends Uint8Array = Uint8Array> {
  /** Where a captured frame is put before `receive`: a capture library may write straight into the core. */
  readonly rx: View;
  /** For records that outgrow the memory. */
  readonly exchange: RecordExchange;
  readonly #exports: Exports;
  readonly #view: DataView;
  readonly #tx: Uint32Array;
  readonly #frames: FrameViews<View>;
  readonly #counters: BigUint64Array;
  readonly #servicesBase: number;
  readonly #connectionsBase: number;

  /**
   * @param bytes the module
   * @param hashKey four random u32: without it a client could choose ports that all fall into one bucket
   */
  static load(bytes: Uint8Array<ArrayBuffer>, capacity: Capacity, hashKey: Uint32Array): Core {
    return Core.loadWith(bytes, capacity, hashKey, (memory, offset, length) => new Uint8Array(memory, offset, length));
  }

  static loadWith<View extends Uint8Array>(
    bytes: Uint8Array<ArrayBuffer>,
    capacity: Capacity,
    hashKey: Uint32Array,
    makeView: MakeView<View>,
  ): Core<View> {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
    return new Core(exports as unknown as Exports, capacity, hashKey, makeView);
  }

  private constructor(exports: Exports, capacity: Capacity, hashKey: Uint32Array, makeView: MakeView<View>) {
    const version = exports.abiVersion() >>> 0;
    if (version !== ABI_VERSION) {
      throw new CoreError(
        `the core speaks ABI version ${version}, this host ${ABI_VERSION}: build both from one source`,
      );
    }
    const { connections, retainedBytes, retainedPerConnectionBytes, record = NO_RECORDS } = capacity;
    const sizes = [record.memoryBytes, record.perConnectionBytes, record.comparePerConnectionBytes] as const;
    const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = hashKey;
    growMemory(exports.memory, exports.pagesNeeded(connections, retainedBytes, record.memoryBytes) >>> 0);
    check('init', exports.init(connections, retainedBytes, retainedPerConnectionBytes, ...sizes, k0, k1, k2, k3));

    const memory = exports.memory.buffer;
    this.#exports = exports;
    this.rx = makeView(memory, exports.rxSlot() >>> 0, RX_FRAME_BYTES);
    this.#view = new DataView(memory);
    this.#tx = new Uint32Array(memory, exports.txTable() >>> 0, TX_MAX * WORDS_PER_DESC);
    this.#frames = new FrameViews(memory, makeView);
    this.#counters = new BigUint64Array(memory, exports.countersBase() >>> 0, Reason.Count + Counter.Count);
    this.#servicesBase = exports.servicesBase() >>> 0;
    this.#connectionsBase = exports.connectionsBase() >>> 0;
    this.exchange = new RecordExchange(exports, this.rx, new DataView(memory, this.#connectionsBase));
  }

  // --- set-up ---------------------------------------------------------------------------------------------------

  /**
   * @param mac wire: of the interface; stack: the one the core answers from
   * @param peerMac stack: of the host's end of the private link; wire: not used
   */
  setPort(port: Port, mtu: number, mac: Uint8Array, peerMac: Uint8Array = new Uint8Array(6)): void {
    check('setPort', this.#exports.setPort(port, mtu, macHi(mac), macLo(mac), macHi(peerMac), macLo(peerMac)));
  }

  /** Track every TCP connection, whether of a service or not. */
  trackAll(on: boolean): void {
    check('trackAll', this.#exports.trackAll(on ? 1 : 0));
  }

  /** @returns the index by which the service is known from now on */
  addService(settings: ServiceSettings): number {
    const scratch = this.#exports.serviceScratch() >>> 0;
    new Uint8Array(this.#view.buffer, scratch, SERVICE_BYTES).fill(0);
    writeService(this.#view, scratch, settings);
    return check('addService', this.#exports.addService());
  }

  // --- services -------------------------------------------------------------------------------------------------

  setServiceState(service: number, state: ServiceState, nowMs: number): void {
    check('setServiceState', this.#exports.setServiceState(service, state, nowMs));
  }

  /** Whether RST and FIN of the primary are held back. */
  setQuarantine(service: number, on: boolean): void {
    check('setQuarantine', this.#exports.setQuarantine(service, on ? 1 : 0));
  }

  /**
   * Gives up the connections that the replica serves or is to serve, and its copies of the others, before the host stops;
   * `pump` sends the resets.
   */
  dismiss(service: number, nowMs: number): void {
    check('dismiss', this.#exports.dismiss(service, nowMs));
  }

  setHandshakeWindow(service: number, handshakes: number): void {
    check('setHandshakeWindow', this.#exports.setHandshakeWindow(service, handshakes));
  }

  setReplicaMac(service: number, mac: Uint8Array): void {
    check('setReplicaMac', this.#exports.setReplicaMac(service, macHi(mac), macLo(mac)));
  }

  service(service: number): ServiceRecord {
    return readService(this.#view, this.#servicesBase + service * SERVICE_BYTES);
  }

  /** Connections of the service still on their way to the replica. */
  recovering(service: number): number {
    return this.#view.getUint32(this.#servicesBase + service * SERVICE_BYTES + SERVICE_RECOVERING, true);
  }

  /** When a frame of the primary was last seen, wrapping u32 ms; `undefined`: never. */
  heardMs(service: number): number | undefined {
    const at = this.#servicesBase + service * SERVICE_BYTES;
    return this.#view.getUint32(at + SERVICE_HEARD, true) === 0
      ? undefined
      : this.#view.getUint32(at + SERVICE_HEARD_MS, true);
  }

  // --- packets: no allocation below, but for views seen for the first time ------------------------------------------

  /**
   * Takes the frame in `rx`.
   * @param length captured bytes
   * @param wireLength bytes the frame had
   * @returns how many frames are to be sent
   */
  receive(port: Port, length: number, wireLength: number, nowMs: number): number {
    return check('receive', this.#exports.receive(port, length, wireLength, nowMs));
  }

  /** Why the last frame moved nothing, or not all that it says; Reason.None: it was accepted. */
  lastReason(): Reason {
    return asCode(this.#exports.lastReason());
  }

  /** @returns how many more frames are to be sent; to be called until there are none */
  pump(nowMs: number): number {
    return check('pump', this.#exports.pump(nowMs));
  }

  /** The core's timers. @returns how many frames are to be sent */
  tick(nowMs: number): number {
    return check('tick', this.#exports.tick(nowMs));
  }

  /** Tells the segment who has the service address. @returns how many frames are to be sent */
  announce(service: number): number {
    return check('announce', this.#exports.announce(service));
  }

  /** The bytes of frame `i` to be sent, valid until the next call of receive, pump, tick or announce. */
  frame(i: number): View {
    const at = i * WORDS_PER_DESC;
    return this.#frames.get(this.#tx[at + OFF_WORD] ?? 0, this.#tx[at + LEN_WORD] ?? 0);
  }

  framePort(i: number): Port {
    return asCode(this.#tx[i * WORDS_PER_DESC + PORT_WORD] ?? 0);
  }

  /** Index of the record that frame `i` belongs to; `undefined`: of none. */
  frameConnection(i: number): number | undefined {
    const index = this.#tx[i * WORDS_PER_DESC + CONN_WORD] ?? NONE;
    return index === NONE ? undefined : index;
  }

  /** Connections that need a tick every 5 ms. */
  working(): number {
    return this.#exports.working() >>> 0;
  }

  // --- live connections, for a daemon that is started again ---------------------------------------------------------

  /**
   * Connections that are translated, as records to keep, from record `first` on. Uses the receive slot, so not from
   * within a receiver.
   * @returns a copy, and where to go on; empty at the end
   */
  exportLive(first: number): { readonly records: Uint8Array; readonly next: number } {
    const length = check('exportLive', this.#exports.exportLive(first));
    return { records: new Uint8Array(this.rx.subarray(0, length)), next: this.#exports.exportedTo() >>> 0 };
  }

  /** Takes records of `exportLive` back. @returns how many connections go on */
  importLive(records: Uint8Array, nowMs: number): number {
    let count = 0;
    for (let at = 0; at < records.length; at += IMPORT_BYTES) {
      const part = records.subarray(at, at + IMPORT_BYTES);
      this.rx.set(part);
      count += check('importLive', this.#exports.importLive(part.length, nowMs));
    }
    return count;
  }

  // --- statistics -----------------------------------------------------------------------------------------------

  /** Records that may be in use. */
  connectionsUsed(): number {
    return this.#exports.connectionsUsed() >>> 0;
  }

  /** `undefined` when record `index` is not in use. */
  connection(index: number): ConnectionRecord | undefined {
    return readConnection(this.#view, this.#connectionsBase + index * CONNECTION_BYTES, index);
  }

  *connections(): Generator<ConnectionRecord> {
    const used = this.connectionsUsed();
    for (let i = 0; i < used; i++) {
      const connection = this.connection(i);
      if (connection !== undefined) yield connection;
    }
  }

  /** Connections whose replica has said something else than the primary; of the others nothing else is looked at. */
  *diverged(): Generator<ConnectionRecord> {
    const used = this.connectionsUsed();
    for (let i = 0, at = this.#connectionsBase; i < used; i++, at += CONNECTION_BYTES) {
      const end = at + CONNECTION_DIVERGED_LAST;
      if ((this.#view.getUint32(end, true) | this.#view.getUint32(end + WORD_BYTES, true)) === 0) continue;
      const connection = this.connection(i);
      if (connection !== undefined) yield connection;
    }
  }

  /** Live connections of each service, without looking at anything but their risk. */
  survey(services: number): Survey[] {
    const found = Array.from({ length: services }, () => ({ recoverable: 0, atRisk: 0 }));
    const used = this.connectionsUsed();
    for (let i = 0, at = this.#connectionsBase; i < used; i++, at += CONNECTION_BYTES) {
      const state = this.#view.getUint8(at + CONNECTION_STATE);
      if (state < FIRST_LIVE_STATE || state > LAST_LIVE_STATE) continue;
      const counts = found[this.#view.getUint16(at + CONNECTION_SERVICE, true)];
      if (counts === undefined || this.#view.getUint8(at + CONNECTION_LOSS) !== 0) continue;
      if (this.#view.getUint8(at + CONNECTION_RISK) === 0) counts.recoverable++;
      else counts.atRisk++;
    }
    return found;
  }

  /** Bytes of the store that are not part of a record. */
  retainedBytes(): number {
    return (this.#exports.retainedUsed() >>> 0) - this.recordedBytes();
  }

  /** Bytes of the store that are used by records, and by output to compare. */
  recordedBytes(): number {
    return this.#exports.recordedUsed() >>> 0;
  }

  /** Connections of the service whose replica differed from the primary, since start. */
  divergences(service: number): number {
    return this.#view.getUint32(this.#servicesBase + service * SERVICE_BYTES + SERVICE_DIVERGENCES, true);
  }

  counter(counter: Counter): bigint {
    return this.#counters[REASONS + counter] ?? 0n;
  }

  /** For reports about every connection there ever was, those whose records the core has dropped included. */
  watch(): ConnectionWatch {
    return new ConnectionWatch(this.#view.buffer as ArrayBuffer, this.#connectionsBase, () => this.connectionsUsed());
  }

  counters(): CounterValue[] {
    return Array.from(this.#counters, (value, i) =>
      i < REASONS
        ? { kind: 'refused', name: reasonName(i), value }
        : { kind: 'event', name: counterName(i - REASONS), value },
    );
  }
}

/** From the host and once: every view above would be detached by a later growth. */
function growMemory(memory: WebAssembly.Memory, pages: number): void {
  const missing = pages - memory.buffer.byteLength / PAGE_BYTES;
  if (missing <= 0) return;
  try {
    memory.grow(missing);
  } catch (cause) {
    throw new CoreError(`the core needs ${pages} pages of 64 KiB, more than this process can have`, { cause });
  }
}

function macHi(mac: Uint8Array): number {
  return ((mac[0] ?? 0) << 8) | (mac[1] ?? 0);
}

function macLo(mac: Uint8Array): number {
  return (((mac[2] ?? 0) << 24) | ((mac[3] ?? 0) << 16) | ((mac[4] ?? 0) << 8) | (mac[5] ?? 0)) >>> 0;
}
