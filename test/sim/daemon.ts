/**
 * The core as the daemon uses it: frames from two ports into the receive slot, what it queues sent before the next call,
 * ticks of 100 ms, or of 5 ms while there is something to do. Time is the simulation's.
 */
import { type Loss, type Phase, Port, type RecordState, type Risk, ServiceState } from '../../assembly/abi/codes';
import {
  CONNECTION_BYTES,
  CONNECTION_CLIENT_PORT,
  CONNECTION_FLAGS,
  CONNECTION_FLOWS,
  CONNECTION_GENERATION,
  CONNECTION_LOSS,
  CONNECTION_PHASE,
  CONNECTION_RECORD,
  CONNECTION_RISK,
  CONNECTION_SERVER_PORT,
  CONNECTION_STACK_PORT,
  CONNECTION_STATE,
  FLOW_BYTES,
  FLOW_END,
  NONE,
  SERVICE_ADDRESS,
  SERVICE_BYTES,
  SERVICE_DIVERGENCES,
  SERVICE_FLAGS,
  SERVICE_FLAG_FALLBACK_RESUME,
  SERVICE_FLAG_REMOTE,
  SERVICE_FLAG_REPLAY,
  SERVICE_FLAG_SHADOW,
  SERVICE_HANDSHAKE_WINDOW,
  SERVICE_LOST,
  SERVICE_PORTS,
  SERVICE_PORT_COUNT,
  SERVICE_RECOVERED,
  SERVICE_RECOVERING,
  SERVICE_REPLICA,
  SERVICE_REPLICA_MAC,
  SERVICE_STATE,
  SERVICE_TRACKED,
  SERVICE_VLAN,
  TX_DESC_BYTES,
  TX_DESC_LEN,
  TX_DESC_OFF,
  TX_DESC_PORT,
} from '../../assembly/abi/layout';
import { asCode } from '../../src/core/names';
import { macBytes, mappedBytes } from '../support/frames';
import { type Capacity, type Core, start } from '../support/wasm';
import type { Clock, Timer } from './clock';
import type { Recovery } from './scenario';

const IDLE_TICK_MS = 100;
const BUSY_TICK_MS = 5;
/** After the take-over, as the daemon repeats it, ms. */
const ANNOUNCE_MS = [0, 50, 200, 1000, 3000];

export interface ServicePlan {
  readonly address: string;
  readonly replica: string;
  readonly port: number;
  readonly remoteMac: string | undefined;
  readonly handshakeWindow: number;
  readonly vlan: number;
  readonly recovery: Recovery;
}

export interface DaemonSettings {
  readonly build: 'debug' | 'release';
  readonly capacity: Partial<Capacity>;
  readonly wireMac: string;
  readonly wireMtu: number;
  /** Link-layer addresses of the private link: the core's, the local stack's. */
  readonly stackMac: string;
  readonly stackPeerMac: string;
  /** The core's clock when the simulation begins: it wraps. */
  readonly clockBase: number;
  readonly services: readonly ServicePlan[];
  readonly send: (port: Port, frame: Uint8Array) => void;
}

/** A connection's record, as far as the simulation looks at it. */
export interface Tracked {
  readonly clientPort: number;
  readonly serverPort: number;
  readonly stackPort: number;
  readonly phase: Phase;
  readonly risk: Risk;
  readonly loss: Loss;
  readonly record: RecordState;
  readonly flags: number;
  /** One past the last number sent by the client, and by the server. */
  readonly inboundEnd: number;
  readonly outboundEnd: number;
}

export interface ServiceStatistics {
  readonly state: ServiceState;
  readonly tracked: number;
  readonly recovering: number;
  readonly recovered: number;
  readonly lost: number;
  readonly divergences: number;
}

export class Daemon {
  readonly core: Core<'debug' | 'release'>;
  readonly #clock: Clock;
  readonly #settings: DaemonSettings;
  readonly #services: number[];
  #tick: Timer | undefined;
  #announced = false;
  /** Recorded bytes that the core has handed out, by record and generation, in order; undefined: there is no room. */
  readonly #spilled: Map<string, Uint8Array[]> | undefined;

  constructor(clock: Clock, settings: DaemonSettings) {
    this.#clock = clock;
    this.#settings = settings;
    this.#spilled = settings.services.some(({ recovery }) => recovery.disk) ? new Map() : undefined;
    this.core = start<'debug' | 'release'>(settings.build, settings.capacity);
    const { exports } = this.core;
    const none: [number, number] = [0, 0];
    exports.setPort(Port.Wire, settings.wireMtu, ...macWords(settings.wireMac), ...none);
    exports.setPort(Port.Stack, 65535, ...macWords(settings.stackMac), ...macWords(settings.stackPeerMac));
    this.#services = settings.services.map((plan) => this.#addService(plan));
    this.#arm();
  }

  get nowMs(): number {
    return (this.#settings.clockBase + Math.floor(this.#clock.nowMs)) >>> 0;
  }

  receive(port: Port, frame: Uint8Array): void {
    this.core.bytes.set(frame, this.core.exports.rxSlot() >>> 0);
    this.#flush(this.core.exports.receive(port, frame.length, frame.length, this.nowMs));
    this.#arm();
  }

  suspect(on: boolean): void {
    for (const service of this.#services) this.core.exports.setQuarantine(service, on ? 1 : 0);
  }

  failOver(): void {
    for (const service of this.#services) {
      this.#flush(this.core.exports.setServiceState(service, ServiceState.Recovery, this.nowMs));
    }
    this.#arm();
    this.#settle();
  }

  connections(): Tracked[] {
    const { view, exports } = this.core;
    const found: Tracked[] = [];
    const used = exports.connectionsUsed() >>> 0;
    for (let i = 0; i < used; i++) {
      const at = (exports.connectionsBase() >>> 0) + i * CONNECTION_BYTES;
      if (view.getUint8(at + CONNECTION_STATE) === 0) continue;
      found.push({
        clientPort: view.getUint16(at + CONNECTION_CLIENT_PORT, true),
        serverPort: view.getUint16(at + CONNECTION_SERVER_PORT, true),
        stackPort: view.getUint16(at + CONNECTION_STACK_PORT, true),
        phase: asCode(view.getUint8(at + CONNECTION_PHASE)),
        risk: asCode(view.getUint8(at + CONNECTION_RISK)),
        loss: asCode(view.getUint8(at + CONNECTION_LOSS)),
        record: asCode(view.getUint8(at + CONNECTION_RECORD)),
        flags: view.getUint32(at + CONNECTION_FLAGS, true),
        inboundEnd: view.getUint32(at + CONNECTION_FLOWS + FLOW_END, true),
        outboundEnd: view.getUint32(at + CONNECTION_FLOWS + FLOW_BYTES + FLOW_END, true),
      });
    }
    return found;
  }

  service(index: number): ServiceStatistics {
    const at = this.#serviceAt(index);
    const { view } = this.core;
    return {
      state: asCode(view.getUint32(at + SERVICE_STATE, true)),
      tracked: view.getUint32(at + SERVICE_TRACKED, true),
      recovering: view.getUint32(at + SERVICE_RECOVERING, true),
      recovered: view.getUint32(at + SERVICE_RECOVERED, true),
      lost: view.getUint32(at + SERVICE_LOST, true),
      divergences: view.getUint32(at + SERVICE_DIVERGENCES, true),
    };
  }

  get working(): number {
    return this.core.exports.working() >>> 0;
  }

  get retainedBytes(): number {
    return this.core.exports.retainedUsed() >>> 0;
  }

  // --------------------------------------------------------------------------------------------------------------

  /** Once nothing waits any more, the services are the replica's, and the segment is told. */
  #settle(): void {
    if (this.#services.some((service) => this.service(service).recovering > 0)) {
      this.#clock.after(BUSY_TICK_MS, () => this.#settle());
      return;
    }
    for (const service of this.#services) {
      this.#flush(this.core.exports.setServiceState(service, ServiceState.Proxy, this.nowMs));
    }
    if (this.#announced) return;
    this.#announced = true;
    for (const delayMs of ANNOUNCE_MS) {
      this.#clock.after(delayMs, () => this.#flush(this.core.exports.announce(0)));
    }
  }

  get #isBusy(): boolean {
    return this.working > 0 || this.#services.some((service) => this.service(service).state === ServiceState.Recovery);
  }

  #arm(): void {
    const delayMs = this.#isBusy ? BUSY_TICK_MS : IDLE_TICK_MS;
    if (this.#tick?.action !== undefined && this.#tick.timeMs <= this.#clock.nowMs + delayMs) return;
    this.#clock.cancel(this.#tick);
    this.#tick = this.#clock.after(delayMs, () => {
      this.#flush(this.core.exports.tick(this.nowMs));
      this.#arm();
    });
  }

  #flush(queued: number): void {
    const { exports, view, bytes } = this.core;
    for (let n = queued; n !== 0; n = exports.pump(this.nowMs)) {
      if (n < 0) throw new Error(`the core answered with status ${n}`);
      for (let i = 0; i < n; i++) {
        const at = (exports.txTable() >>> 0) + i * TX_DESC_BYTES;
        const from = view.getUint32(at + TX_DESC_OFF, true);
        const length = view.getUint32(at + TX_DESC_LEN, true);
        this.#settings.send(asCode(view.getUint32(at + TX_DESC_PORT, true)), bytes.slice(from, from + length));
      }
    }
    this.#keep();
    this.#supply();
  }

  #spillKey(connection: number): string {
    const { exports, view } = this.core;
    const at = (exports.connectionsBase() >>> 0) + connection * CONNECTION_BYTES;
    return `${connection} ${view.getUint16(at + CONNECTION_GENERATION, true)}`;
  }

  /** Takes what the core hands out when its records are tight. */
  #keep(): void {
    const { exports, bytes } = this.core;
    for (let n = exports.spill() >>> 0; n > 0; n = exports.spill() >>> 0) {
      const connection = exports.spillConnection() >>> 0;
      const key = this.#spillKey(connection);
      const offset = exports.spillOffset() >>> 0;
      // Of an earlier use of the tuple.
      if (offset === 0) this.#spilled?.delete(key);
      const kept = this.#spilled?.get(key) ?? [];
      const length = kept.reduce((sum, { byteLength }) => sum + byteLength, 0);
      if (this.#spilled === undefined) {
        exports.spillFailed(connection);
        continue;
      }
      if (offset !== length) throw new Error(`spilled from ${offset} on, ${length} bytes are kept`);
      const from = exports.rxSlot() >>> 0;
      this.#spilled.set(key, [...kept, bytes.slice(from, from + n)]);
    }
  }

  /** Gives back what a replica is to read next. */
  #supply(): void {
    const { exports, bytes } = this.core;
    if (this.working === 0) return;
    for (;;) {
      const connection = exports.wantedConnection() >>> 0;
      if (connection === NONE) return;
      const from = exports.wantedFrom(connection) >>> 0;
      const length = exports.wantedLength(connection) >>> 0;
      const kept = Buffer.concat(this.#spilled?.get(this.#spillKey(connection)) ?? []).subarray(from, from + length);
      if (kept.length !== length) throw new Error(`${length} bytes wanted from ${from} on, ${kept.length} are kept`);
      bytes.set(kept, exports.rxSlot() >>> 0);
      this.#flush(exports.supplyWanted(connection, length, this.nowMs));
    }
  }

  #serviceAt(index: number): number {
    return (this.core.exports.servicesBase() >>> 0) + index * SERVICE_BYTES;
  }

  #addService(plan: ServicePlan): number {
    const { exports, view, bytes } = this.core;
    const at = exports.serviceScratch() >>> 0;
    bytes.fill(0, at, at + SERVICE_BYTES);
    bytes.set(mappedBytes(plan.address), at + SERVICE_ADDRESS);
    bytes.set(mappedBytes(plan.replica), at + SERVICE_REPLICA);
    if (plan.remoteMac !== undefined) bytes.set(macBytes(plan.remoteMac), at + SERVICE_REPLICA_MAC);
    view.setUint32(at + SERVICE_FLAGS, flagsOf(plan), true);
    view.setUint16(at + SERVICE_PORT_COUNT, 1, true);
    view.setUint16(at + SERVICE_PORTS, plan.port, true);
    view.setUint32(at + SERVICE_HANDSHAKE_WINDOW, plan.handshakeWindow, true);
    view.setUint16(at + SERVICE_VLAN, plan.vlan, true);
    const index = exports.addService();
    if (index < 0) throw new Error(`addService answered with status ${index}`);
    return index;
  }
}

function flagsOf({ remoteMac, recovery }: ServicePlan): number {
  const { policy, fallbackResume } = recovery;
  return (
    (remoteMac === undefined ? 0 : SERVICE_FLAG_REMOTE) |
    (policy === 'replay' ? SERVICE_FLAG_REPLAY : 0) |
    (policy === 'shadow' ? SERVICE_FLAG_SHADOW : 0) |
    (fallbackResume ? SERVICE_FLAG_FALLBACK_RESUME : 0)
  );
}

function macWords(text: string): [number, number] {
  const mac = macBytes(text);
  const view = new DataView(mac.buffer);
  return [view.getUint16(0), view.getUint32(2)];
}
