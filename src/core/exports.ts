/** The module's exports, as asc has described them, and what their results mean. */
import type { instantiate } from '../../build/core';
import { MigwareError } from '../errors';
import { statusName } from './names';

/** Taken from what asc wrote about the module, so that a changed export does not compile here. */
export type Exports = Awaited<ReturnType<typeof instantiate>>;

/** The core cannot be used: another version, too little memory, or a call that a correct host never makes. */
export class CoreError extends MigwareError {
  readonly code = 'MIGWARE_CORE';
}

/** @returns what is no Status */
export function check(call: string, result: number): number {
  if (result < 0) throw new CoreError(`${call}: ${statusName(result)}`);
  return result;
}
