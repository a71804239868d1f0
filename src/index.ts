/**
 * The library surface: the packet core for hosts of their own. What the daemon uses is what everybody gets; the module's
 * calls and memory are described in docs/abi.md.
 */
export { Core, CoreError, type Capacity, type CounterValue } from './core/core';
export { coreModule } from './core/module';
export { formatAddress, formatMac, parseAddress, parseMac } from './core/address';
export type { ConnectionRecord, ServiceRecord, ServiceSettings } from './core/records';
export * from './core/names';
export { MigwareError } from './errors';
