/**
 * `migware/core`: the packet core for hosts of their own, on anything that runs WebAssembly. No module of Node is behind
 * it. The module's bytes are in `migware/core.wasm`; its calls and its memory are described in docs/abi.md.
 */
export {
  Core,
  CoreError,
  MAX_CONNECTIONS,
  MAX_SERVICES,
  MAX_SERVICE_PORTS,
  RX_FRAME_BYTES,
  SNAPSHOT_VERSION,
  type Capacity,
  type CounterValue,
  type RecordCapacity,
  type Survey,
} from './core/core';
export type { ConnectionWatch, WatchedConnection } from './core/connection-watch';
export { NO_CONNECTION, type RecordExchange } from './core/record-exchange';
export { FrameExchange, type SentFrame, type Verdict } from './core/frame-exchange';
export { formatAddress, formatEndpoint, formatMac, parseAddress, parseMac } from './core/address';
export type {
  ConnectionRecord,
  Divergence,
  FlowRecord,
  ServiceRecord,
  ServiceSettings,
  TrackedConnection,
} from './core/records';
export * from './core/names';
export { MigwareError } from './errors';
