/**
 * The library surface: the packet core for hosts of their own. What the daemon uses is what everybody gets; the module's
 * calls and memory are described in docs/abi.md.
 */
export { Core, CoreError, type Capacity, type CounterValue, type RecordCapacity } from './core/core';
export { NO_CONNECTION, type RecordExchange } from './core/record-exchange';
export { coreModule } from './core/module';
export { formatAddress, formatMac, parseAddress, parseMac } from './core/address';
export type { ConnectionRecord, Divergence, ServiceRecord, ServiceSettings } from './core/records';
export * from './core/names';
export { MigwareError } from './errors';
