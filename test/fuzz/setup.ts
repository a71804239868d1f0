/** What the fuzzer's core is set up with: few and little of everything, and a service of each kind. */
import { Port } from '../../assembly/abi/codes';
import {
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
} from '../../assembly/abi/layout';
import { mappedBytes } from '../support/frames';
import { type Core, start } from '../support/wasm';
import type { Build } from './audit';

/** Bytes behind all that the core uses: none may ever change. */
const GUARD_BYTES = 65536;
export const GUARD = 0xa5;
export const MTU = 1500;
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

/** A core that knows the services, and where the guard bytes begin. */
export function begin(build: Build): [core: Core<Build>, guardFrom: number] {
  const core = start<Build>(build, CAPACITY);
  const { exports, memory } = core;
  const guardFrom = memory.buffer.byteLength;
  memory.grow(GUARD_BYTES / 65536);
  // The views of `start` are void now.
  Object.assign(core, { bytes: new Uint8Array(memory.buffer), view: new DataView(memory.buffer) });
  core.bytes.fill(GUARD, guardFrom);
  exports.setPort(Port.Wire, MTU, 0x0200, 3, 0, 0);
  exports.setPort(Port.Stack, 65535, 0x0200, 0x101, 0x0200, 0x102);
  for (const service of SERVICES) addService(core, service);
  return [core, guardFrom];
}

function addService(core: Core<Build>, { address, replica, remote, recovery }: ServicePlan): void {
  const { exports, view, bytes } = core;
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
