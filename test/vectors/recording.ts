/**
 * Writes down what a host does with the core, call by call, and what comes of it: a vector, which any other host can
 * repeat. The form is described in docs/abi.md.
 */
import { Counter, Reason } from '../../assembly/abi/codes';
import {
  CONNECTION_BYTES,
  COUNTER_BYTES,
  NONE,
  SERVICE_ADDRESS,
  SERVICE_BYTES,
  SERVICE_FLAGS,
  SERVICE_HANDSHAKE_WINDOW,
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
import { formatAddress, formatMac } from '../../src/core/address';
import { counterName, reasonName } from '../../src/core/names';
import { type ConnectionRecord, type ServiceRecord, readConnection, readService } from '../../src/core/records';
import { hex } from '../support/frames';
import type { Build, Capacity, Core } from '../support/wasm';
export interface ServiceJson {
  readonly address: string;
  readonly replica: string;
  readonly replicaMac: string;
  readonly ports: readonly number[];
  readonly flags: number;
  readonly handshakeWindow: number;
  readonly vlan: number;
  readonly mapFirst: number;
  readonly mapLast: number;
}

export interface SentJson {
  readonly port: number;
  /** Index of the record it belongs to, or null. */
  readonly connection: number | null;
  readonly frame: string;
}

export interface Step {
  readonly call: string;
  readonly args: readonly number[];
  /** What lies in the receive slot, hexadecimal. */
  readonly frame?: string;
  readonly service?: ServiceJson;
  /** A status, an index or a number of bytes; absent where it is how many frames are to be sent. */
  readonly result?: number;
  /** What became of the frame. */
  readonly reason?: string;
  /** What lies in the receive slot afterwards. */
  readonly bytes?: string;
  /** The frames of this call, and of `pump` until there are no more. */
  readonly sent?: SentJson[];
}

export interface Vector {
  readonly name: string;
  readonly steps: readonly Step[];
  /** As `readConnection` and `readService` give them. */
  readonly connections: readonly ConnectionRecord[];
  readonly services: readonly ServiceRecord[];
  readonly counters: Readonly<Record<'refused' | 'events', Readonly<Record<string, number>>>>;
}

/** Calls that have the host send frames, and then pump. */
const SENDING = ['receive', 'tick', 'announce', 'supplyWanted', 'setServiceState', 'dismiss'];
/** Calls whose result is no number of frames, but is part of the vector. */
const RESULTING = ['addService', 'importLive', 'exportLive', 'spill', 'spillConnection', 'spillOffset'];
RESULTING.push('wantedConnection', 'wantedFrom', 'wantedLength', 'exportedTo');
/** Calls that change nothing and say nothing that is not in the vector anyway. */
const LOOKING = ['rxSlot', 'txTable', 'serviceScratch', 'servicesBase', 'connectionsBase', 'connectionsUsed'];
LOOKING.push('countersBase', 'working', 'lastReason', 'retainedUsed', 'recordedUsed', 'abiVersion', 'pagesNeeded');

type Call = (...args: number[]) => number;

export class Recording {
  readonly #steps: Step[] = [];
  #core: Core<Build> | undefined;

  /** The core as the world is to see it. */
  readonly through = <B extends Build>(core: Core<B>, capacity: Capacity): Core<B> => {
    const { connections, retainedBytes, retainedPerConnection, recordBytes, recordPerConnection } = capacity;
    const sizes = [retainedBytes, retainedPerConnection, recordBytes, recordPerConnection];
    const args = [connections, ...sizes, capacity.comparePerConnection, ...capacity.key];
    this.#steps.push({ call: 'init', args, result: 0 });
    this.#core = core;
    const seen = Object.entries(core.exports).map(([name, value]: [string, unknown]) =>
      typeof value !== 'function' || LOOKING.includes(name)
        ? [name, value]
        : [name, (...given: number[]) => this.#record(core, name, value as Call, given)],
    );
    const exports = Object.fromEntries(seen) as typeof core.exports;
    return { ...core, exports };
  };

  #record(core: Core<Build>, call: string, action: Call, given: readonly number[]): number {
    const args = given.map((arg) => arg >>> 0);
    const before = inputOf(core, call, args); // which the core may edit in place
    const result = action(...args);
    if (call === 'pump') {
      const last = this.#steps.at(-1);
      if (last?.sent === undefined) throw new Error('pump does not follow a call that sends');
      last.sent.push(...queue(core, result));
      return result;
    }
    const bytes = call === 'exportLive' || call === 'spill' ? inSlot(core, result) : undefined;
    this.#steps.push({
      call,
      args,
      ...(result < 0 ? {} : before),
      ...(RESULTING.includes(call) || result < 0 || !SENDING.includes(call) ? { result } : {}),
      ...(call === 'receive' && result >= 0 ? { reason: reasonName(core.exports.lastReason()) } : {}),
      ...(bytes === undefined ? {} : { bytes }),
      ...(SENDING.includes(call) && result >= 0 ? { sent: queue(core, result) } : {}),
    });
    return result;
  }

  vector(name: string): Vector {
    const core = this.#core;
    if (core === undefined) throw new Error(`${name}: no core was started`);
    return { name, steps: this.#steps, ...finalState(core) };
  }
}

function inputOf(core: Core<Build>, call: string, args: readonly number[]): Partial<Step> {
  if (call === 'receive') return { frame: inSlot(core, args[1]) };
  if (call === 'importLive') return { frame: inSlot(core, args[0]) };
  if (call === 'supplyWanted') return { frame: inSlot(core, args[1]) };
  if (call === 'addService') return { service: readScratch(core) };
  return {};
}

function inSlot({ exports, bytes }: Core<Build>, length = 0): string {
  const at = exports.rxSlot() >>> 0;
  return hex(bytes.subarray(at, at + length));
}

function readScratch({ exports, bytes, view }: Core<Build>): ServiceJson {
  const at = exports.serviceScratch() >>> 0;
  const u16 = (offset: number): number => view.getUint16(at + offset, true);
  return {
    address: formatAddress(bytes, at + SERVICE_ADDRESS),
    replica: formatAddress(bytes, at + SERVICE_REPLICA),
    replicaMac: formatMac(bytes, at + SERVICE_REPLICA_MAC),
    ports: Array.from({ length: u16(SERVICE_PORT_COUNT) }, (_, i) => u16(SERVICE_PORTS + 2 * i)),
    flags: view.getUint32(at + SERVICE_FLAGS, true),
    handshakeWindow: view.getUint32(at + SERVICE_HANDSHAKE_WINDOW, true),
    vlan: u16(SERVICE_VLAN),
    mapFirst: u16(SERVICE_MAP_FIRST),
    mapLast: u16(SERVICE_MAP_LAST),
  };
}

function queue({ exports, bytes, view }: Core<Build>, length: number): SentJson[] {
  const table = exports.txTable() >>> 0;
  return Array.from({ length }, (_, i) => {
    const u32 = (offset: number): number => view.getUint32(table + i * TX_DESC_BYTES + offset, true);
    const [at, connection] = [u32(TX_DESC_OFF), u32(TX_DESC_CONN)];
    return {
      port: u32(TX_DESC_PORT),
      connection: connection === NONE ? null : connection,
      frame: hex(bytes.subarray(at, at + u32(TX_DESC_LEN))),
    };
  });
}

function finalState({ exports, view }: Core<Build>): Omit<Vector, 'name' | 'steps'> {
  const records = exports.connectionsBase() >>> 0;
  const services = exports.servicesBase() >>> 0;
  const counters = exports.countersBase() >>> 0;
  const connections = Array.from({ length: exports.connectionsUsed() >>> 0 }, (_, i) =>
    readConnection(view, records + i * CONNECTION_BYTES, i),
  );
  let added = 0;
  while (view.getUint16(services + added * SERVICE_BYTES + SERVICE_PORT_COUNT, true) !== 0) added++;
  return {
    connections: connections.filter((record) => record !== undefined),
    services: Array.from({ length: added }, (_, i) => readService(view, services + i * SERVICE_BYTES)),
    counters: {
      refused: counted(view, counters, Reason.Count, reasonName),
      events: counted(view, counters + Reason.Count * COUNTER_BYTES, Counter.Count, counterName),
    },
  };
}

/** Those that are not 0, by name. */
function counted(view: DataView, base: number, count: number, name: (code: number) => string) {
  const values = Array.from({ length: count }, (_, i): [string, number] => [
    name(i),
    Number(view.getBigUint64(base + i * COUNTER_BYTES, true)),
  ]);
  return Object.fromEntries(values.filter(([, value]) => value > 0));
}
