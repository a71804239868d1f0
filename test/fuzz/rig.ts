/**
 * The core under arbitrary frames: every call must return a count, touch nothing but its own regions, and queue only
 * frames that lie in memory and can go out. A trap is a finding.
 */
import { Port, type ServiceState } from '../../assembly/abi/codes';
import {
  RX_FRAME_BYTES,
  SERVICE_ADDRESS,
  SERVICE_BYTES,
  SERVICE_FLAGS,
  SERVICE_FLAG_ECHO,
  SERVICE_FLAG_REMOTE,
  SERVICE_PORTS,
  SERVICE_PORT_COUNT,
  SERVICE_REPLICA,
  TX_DESC_BYTES,
  TX_DESC_LEN,
  TX_DESC_OFF,
  TX_DESC_PORT,
  TX_MAX,
} from '../../assembly/abi/layout';
import { asCode } from '../../src/core/names';
import { mappedBytes } from '../support/frames';
import { type Core, start } from '../support/wasm';

export type Build = 'debug' | 'release';

/** Bytes behind all that the core uses: none may ever change. */
const GUARD_BYTES = 65536;
const GUARD = 0xa5;
/** More calls of pump for one frame mean that the core would never stop. */
const PUMPS = 10_000;
const MTU = 1500;

interface ServicePlan {
  readonly address: string;
  readonly replica: string;
  readonly remote: boolean;
}

export const SERVICES: readonly [ServicePlan, ...ServicePlan[]] = [
  { address: '10.0.0.2', replica: '10.0.0.3', remote: false },
  { address: 'fd00::2', replica: 'fd00::3', remote: false },
  { address: '10.0.0.12', replica: '10.0.0.13', remote: true },
];
export const SERVICE_PORT = 7000;

/** What the fuzzer does: a frame on a port, or something the host says. */
export type Step =
  | { readonly kind: 'frame'; readonly port: Port; readonly frame: Uint8Array; readonly missing: number }
  | { readonly kind: 'state'; readonly service: number; readonly state: ServiceState }
  | { readonly kind: 'quarantine'; readonly service: number; readonly on: boolean }
  | { readonly kind: 'tick'; readonly elapsedMs: number };

export class Rig {
  readonly #core: Core<Build>;
  readonly #guardFrom: number;
  #nowMs = 0xffff_0000;

  constructor(build: Build) {
    this.#core = start<Build>(build, { connections: 16, retainedBytes: 32768, retainedPerConnection: 8192 });
    const { exports, memory } = this.#core;
    this.#guardFrom = memory.buffer.byteLength;
    memory.grow(GUARD_BYTES / 65536);
    // The views of `start` are void now.
    Object.assign(this.#core, { bytes: new Uint8Array(memory.buffer), view: new DataView(memory.buffer) });
    this.#core.bytes.fill(GUARD, this.#guardFrom);
    exports.setPort(Port.Wire, MTU, 0x0200, 3, 0, 0);
    exports.setPort(Port.Stack, 65535, 0x0200, 0x101, 0x0200, 0x102);
    for (const service of SERVICES) this.#addService(service);
  }

  /** What was wrong with it, undefined when nothing was. A trap is thrown. */
  take(step: Step): string | undefined {
    const { exports, bytes } = this.#core;
    switch (step.kind) {
      case 'frame':
        bytes.set(step.frame.subarray(0, RX_FRAME_BYTES), exports.rxSlot() >>> 0);
        return this.#check(
          exports.receive(step.port, step.frame.length, step.frame.length + step.missing, this.#nowMs),
        );
      case 'state':
        return this.#check(exports.setServiceState(step.service, step.state, this.#nowMs));
      case 'quarantine':
        return this.#check(exports.setQuarantine(step.service, step.on ? 1 : 0));
      case 'tick':
        this.#nowMs = (this.#nowMs + step.elapsedMs) >>> 0;
        return this.#check(exports.tick(this.#nowMs));
    }
  }

  /** Slow, so only now and then: nothing behind the core's regions was written. */
  get isGuardIntact(): boolean {
    return this.#core.bytes.subarray(this.#guardFrom).every((byte) => byte === GUARD);
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
      if (length < 14 || from + length > this.#guardFrom) return `a frame is ${length} bytes at ${from}`;
      // Ethernet and two tags come on top of the MTU.
      if (port === Port.Wire && length > MTU + 22) return `a frame of ${length} bytes is for the wire`;
    }
    return undefined;
  }

  #addService({ address, replica, remote }: ServicePlan): void {
    const { exports, view, bytes } = this.#core;
    const at = exports.serviceScratch() >>> 0;
    bytes.fill(0, at, at + SERVICE_BYTES);
    bytes.set(mappedBytes(address), at + SERVICE_ADDRESS);
    bytes.set(mappedBytes(replica), at + SERVICE_REPLICA);
    view.setUint16(at + SERVICE_PORT_COUNT, 1, true);
    view.setUint16(at + SERVICE_PORTS, SERVICE_PORT, true);
    view.setUint32(at + SERVICE_FLAGS, SERVICE_FLAG_ECHO | (remote ? SERVICE_FLAG_REMOTE : 0), true);
    exports.addService();
  }
}
