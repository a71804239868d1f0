/**
 * What passes over the control socket: one JSON value a line, a request and then its replies, one request at a time.
 *
 *     {"command":"status"}                        {"result":{...}}
 *     {"command":"failover","service":"mqtt"}     {"result":{...}}   or   {"error":{"code":"MIGWARE_...","message":"..."}}
 *     {"command":"connections"}                   {"part":[...]}  {"part":[...]}  ...  {"result":100000}
 */
import { MigwareError } from '../errors';
import type { ConnectionReport, FailoverReport, StatusReport } from './contract';

/** Arguments and result of each command. */
export interface Commands {
  readonly status: { readonly args: object; readonly result: StatusReport };
  /** The result is how many there are; they come in the parts before. */
  readonly connections: { readonly args: object; readonly result: number };
  readonly failover: { readonly args: { readonly service: string }; readonly result: FailoverReport };
  /** Answered before the daemon stops. */
  readonly stop: { readonly args: object; readonly result: true };
}

export type CommandName = keyof Commands;

export type Reply =
  | { readonly part: readonly ConnectionReport[] }
  | { readonly result: Commands[CommandName]['result'] }
  | { readonly error: { readonly code: string; readonly message: string } };

/** The daemon cannot be asked, or the control socket cannot be served. */
export class ControlError extends MigwareError {
  readonly code = 'MIGWARE_CONTROL';
}

/** The daemon says no; `code` is that of its own error. */
export class DaemonRefusal extends MigwareError {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Splits a stream of bytes into lines without their ends; a line may come in any number of chunks. */
export class LineSplitter {
  #rest = '';
  readonly #decoder = new TextDecoder();

  constructor(readonly longest = Infinity) {}

  /** @throws RangeError when a line is longer than allowed */
  push(chunk: Uint8Array): string[] {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > this.longest) throw new RangeError('line too long');
    return lines;
  }
}
