/**
 * The core under arbitrary frames: every call must return a count, touch nothing but its own regions, and queue only
 * frames that lie in memory and can go out. A trap is a finding. What else must hold is in audit.ts.
 */
import { Port, ServiceState } from '../../assembly/abi/codes';
import {
  CONNECTION_BYTES,
  CONNECTION_GENERATION,
  CONNECTION_SERVICE,
  NONE,
  RX_FRAME_BYTES,
  SERVICE_ADDRESS,
  SERVICE_BYTES,
  SERVICE_FLAGS,
  SERVICE_FLAG_DIVERGED_CONTINUE,
  SERVICE_FLAG_DIVERGED_RESET,
  SERVICE_FLAG_ECHO,
  SERVICE_FLAG_FALLBACK_RESUME,
  SERVICE_FLAG_REMOTE,
  SERVICE_FLAG_REPLAY,
  SERVICE_FLAG_SHADOW,
  SERVICE_PORTS,
  SERVICE_PORT_COUNT,
  SERVICE_REPLICA,
  TX_DESC_BYTES,
  TX_DESC_CONN,
  TX_DESC_LEN,
  TX_DESC_OFF,
  TX_DESC_PORT,
  TX_MAX,
} from '../../assembly/abi/layout';
import { asCode } from '../../src/core/names';
import { mappedBytes } from '../support/frames';
import { type Core, start } from '../support/wasm';
import { Audit, type Build } from './audit';

/** Bytes behind all that the core uses: none may ever change. */
const GUARD_BYTES = 65536;
const GUARD = 0xa5;
/** More calls of pump for one frame mean that the core would never stop. */
const PUMPS = 10_000;
const MTU = 1500;
/** Few and little, so that everything runs out. */
const CAPACITY = {
  connections: 16,
  retainedBytes: 32768,
  retainedPerConnection: 8192,
  recordBytes: 32768,
  recordPerConnection: 16384,
  comparePerConnection: 4096,
};

interface ServicePlan {
  readonly address: string;
  readonly replica: string;
  readonly remote: boolean;
  /** SERVICE_FLAG_* of its recovery. */
  readonly recovery: number;
}

export const SERVICES: readonly [ServicePlan, ...ServicePlan[]] = [
  { address: '10.0.0.2', replica: '10.0.0.3', remote: false, recovery: 0 },
  { address: 'fd00::2', replica: 'fd00::3', remote: false, recovery: 0 },
  { address: '10.0.0.12', replica: '10.0.0.13', remote: true, recovery: 0 },
  {
    address: '10.0.0.22',
    replica: '10.0.0.23',
    remote: false,
    recovery: SERVICE_FLAG_SHADOW | SERVICE_FLAG_DIVERGED_CONTINUE,
  },
  { address: 'fd00::22', replica: 'fd00::23', remote: false, recovery: SERVICE_FLAG_SHADOW },
  {
    address: '10.0.0.32',
    replica: '10.0.0.33',
    remote: true,
    recovery: SERVICE_FLAG_REPLAY | SERVICE_FLAG_FALLBACK_RESUME | SERVICE_FLAG_DIVERGED_RESET,
  },
  { address: '10.0.0.42', replica: '10.0.0.43', remote: false, recovery: SERVICE_FLAG_REPLAY },
];
export const SERVICE_PORT = 7000;

/** What the fuzzer does: a frame on a port, or something the host says. */
export type Step =
  | { readonly kind: 'frame'; readonly port: Port; readonly frame: Uint8Array; readonly missing: number }
  | { readonly kind: 'state'; readonly service: number; readonly state: ServiceState }
  | { readonly kind: 'quarantine'; readonly service: number; readonly on: boolean }
  | { readonly kind: 'dismiss'; readonly service: number }
  | { readonly kind: 'announce'; readonly service: number }
  | { readonly kind: 'tick'; readonly elapsedMs: number };

export class Rig {
  readonly #core: Core<Build>;
  readonly #audit: Audit;
  readonly #guardFrom: number;
  /** Services that the host has let go on without their primary at some time. */
  readonly #moved = new Set<number>();
  /** How much of its stream the host keeps, by connection and its generation. */
  readonly #kept = new Map<string, number>();
  #nowMs = 0xffff_0000;

  constructor(build: Build) {
    this.#core = start<Build>(build, CAPACITY);
    const { exports, memory } = this.#core;
    this.#guardFrom = memory.buffer.byteLength;
    memory.grow(GUARD_BYTES / 65536);
    // The views of `start` are void now.
    Object.assign(this.#core, { bytes: new Uint8Array(memory.buffer), view: new DataView(memory.buffer) });
    this.#core.bytes.fill(GUARD, this.#guardFrom);
    exports.setPort(Port.Wire, MTU, 0x0200, 3, 0, 0);
    exports.setPort(Port.Stack, 65535, 0x0200, 0x101, 0x0200, 0x102);
    for (const service of SERVICES) this.#addService(service);
    this.#audit = new Audit(this.#core);
  }

  /** What was wrong with it, undefined when nothing was. A trap is thrown. */
  take(step: Step): string | undefined {
    return this.#act(step) ?? this.#audit.checkBooks();
  }

  #act(step: Step): string | undefined {
    const { exports } = this.#core;
    switch (step.kind) {
      case 'frame':
        return this.#receive(step.port, step.frame.subarray(0, RX_FRAME_BYTES), step.missing);
      case 'state':
        if (step.state !== ServiceState.Normal) this.#moved.add(step.service);
        return this.#order(exports.setServiceState(step.service, step.state, this.#nowMs));
      case 'dismiss':
        return this.#order(exports.dismiss(step.service, this.#nowMs));
      case 'announce':
        // Whoever announces has the address.
        return this.#check(exports.announce(step.service));
      case 'quarantine':
        return this.#order(exports.setQuarantine(step.service, step.on ? 1 : 0));
      case 'tick':
        this.#nowMs = (this.#nowMs + step.elapsedMs) >>> 0;
        return this.#check(exports.tick(this.#nowMs)) ?? this.#exchangeRecords();
    }
  }

  /** What follows from what the host said is fetched with pump. */
  #order(status: number): string | undefined {
    return status < 0 ? `status ${status}` : this.#check(this.#core.exports.pump(this.#nowMs));
  }

  #receive(port: Port, frame: Uint8Array, missing: number): string | undefined {
    const wireLength = frame.length + missing;
    this.#audit.placeFrame(port, frame, wireLength);
    const queued = this.#core.exports.receive(port, frame.length, wireLength, this.#nowMs);
    return this.#audit.checkFrame() ?? this.#check(queued) ?? this.#audit.checkOthers();
  }

  /** As a host with a file does that keeps most of what it is handed, and gives back nonsense. */
  #exchangeRecords(): string | undefined {
    return this.#spill(this.#nowMs % 3 !== 0) ?? this.#supply();
  }

  #spill(isKept: boolean): string | undefined {
    const { exports } = this.#core;
    for (let rounds = 0; rounds < PUMPS; rounds++) {
      const n = exports.spill() >>> 0;
      if (n === 0) return undefined;
      if (n > RX_FRAME_BYTES) return `${n} bytes are handed out`;
      const [connection, offset] = [exports.spillConnection() >>> 0, exports.spillOffset() >>> 0];
      const owner = this.#ownerOf(connection);
      const kept = this.#kept.get(owner) ?? 0;
      // A SYN may have begun the record anew.
      if (offset !== kept && offset !== 0) return `bytes from ${offset} on are handed out, after ${kept}`;
      this.#kept.set(owner, offset + n);
      if (!isKept) exports.spillFailed(connection);
    }
    return 'spill never ends';
  }

  #supply(): string | undefined {
    const { exports } = this.#core;
    for (let rounds = 0; rounds < PUMPS; rounds++) {
      const connection = exports.wantedConnection() >>> 0;
      if (connection === NONE) return undefined;
      const [from, length] = [exports.wantedFrom(connection) >>> 0, exports.wantedLength(connection) >>> 0];
      const kept = this.#kept.get(this.#ownerOf(connection)) ?? 0;
      if (length > RX_FRAME_BYTES || from + length > kept) return `${length} bytes from ${from} are wanted of ${kept}`;
      const wrong = this.#check(exports.supplyWanted(connection, length, this.#nowMs));
      if (wrong !== undefined) return wrong;
    }
    return 'the core never has enough';
  }

  #ownerOf(connection: number): string {
    const at = (this.#core.exports.connectionsBase() >>> 0) + connection * CONNECTION_BYTES;
    return `${connection}/${this.#core.view.getUint16(at + CONNECTION_GENERATION, true)}`;
  }

  /** Slow, so only now and then: nothing behind the core's regions was written, and no record that is not in use. */
  get isGuardIntact(): boolean {
    return this.#audit.areOthersEmpty && this.#core.bytes.subarray(this.#guardFrom).every((byte) => byte === GUARD);
  }

  #check(queued: number): string | undefined {
    let n = queued;
    for (let pumps = 0; pumps < PUMPS; pumps++) {
      if (n < 0) return `status ${n}`;
      if (n === 0) return undefined;
      if (n > TX_MAX) return `${n} frames are queued`;
      const wrong = this.#checkQueue(n);
      if (wrong !== undefined) return wrong;
      n = this.#core.exports.pump(this.#nowMs);
    }
    return 'pump never ends';
  }

  #checkQueue(n: number): string | undefined {
    const { exports, view } = this.#core;
    for (let i = 0; i < n; i++) {
      const at = (exports.txTable() >>> 0) + i * TX_DESC_BYTES;
      const from = view.getUint32(at + TX_DESC_OFF, true);
      const length = view.getUint32(at + TX_DESC_LEN, true);
      const port = asCode<Port>(view.getUint32(at + TX_DESC_PORT, true));
      if (port !== Port.Wire && port !== Port.Stack) return `a frame is for port ${port}`;
      const connection = view.getUint32(at + TX_DESC_CONN, true);
      if (port === Port.Wire && connection !== NONE) {
        const record = (exports.connectionsBase() >>> 0) + connection * CONNECTION_BYTES;
        const service = view.getUint16(record + CONNECTION_SERVICE, true);
        if (!this.#moved.has(service)) return `a frame of service ${service}, which has its primary, is for the wire`;
      }
      if (length < 14 || from + length > this.#guardFrom) return `a frame is ${length} bytes at ${from}`;
      // Ethernet and two tags come on top of the MTU.
      if (port === Port.Wire && length > MTU + 22) return `a frame of ${length} bytes is for the wire`;
      this.#audit.noteQueued(port);
    }
    return undefined;
  }

  #addService({ address, replica, remote, recovery }: ServicePlan): void {
    const { exports, view, bytes } = this.#core;
    const at = exports.serviceScratch() >>> 0;
    bytes.fill(0, at, at + SERVICE_BYTES);
    bytes.set(mappedBytes(address), at + SERVICE_ADDRESS);
    bytes.set(mappedBytes(replica), at + SERVICE_REPLICA);
    view.setUint16(at + SERVICE_PORT_COUNT, 1, true);
    view.setUint16(at + SERVICE_PORTS, SERVICE_PORT, true);
    const flags = SERVICE_FLAG_ECHO | (remote ? SERVICE_FLAG_REMOTE : 0) | recovery;
    view.setUint32(at + SERVICE_FLAGS, flags, true);
    exports.addService();
  }
}
