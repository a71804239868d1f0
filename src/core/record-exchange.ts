/**
 * Records of clients' streams that outgrow the core's memory: their oldest bytes go to the host, and come back when a
 * replica is to read them. Both by way of the receive slot, so only between frames; and for every few of them, so no object
 * is made.
 *
 *     while ((n = exchange.spill()) > 0) { keep the n bytes in rx }
 *     while ((i = exchange.wanted()) !== NO_CONNECTION) { put bytes into rx; exchange.supply(i, ...) }
 *
 * A connection is named by the index of its record, which is another's once its incarnation has changed.
 */
import {
  CONNECTION_BYTES,
  CONNECTION_PHASE,
  CONNECTION_RECORD,
  CONNECTION_STATE,
  NONE,
} from '../../assembly/abi/layout';
import { type Exports, check } from './exports';
import { Phase, RecordState, TcpState } from './names';
import { readIncarnation } from './records';

/** What `wanted` gives when nothing is. */
export const NO_CONNECTION: number = NONE;

const FREE: number = TcpState.Free;
const COMPLETE: number = RecordState.Complete;
const LIVE: number = Phase.Live;

export class RecordExchange {
  readonly #exports: Exports;
  readonly #records: DataView;

  /**
   * @param rx where the bytes lie
   * @param records of connections, the first one first
   */
  constructor(
    exports: Exports,
    readonly rx: Uint8Array,
    records: DataView,
  ) {
    this.#exports = exports;
    this.#records = records;
  }

  /**
   * Puts the oldest bytes of a record into `rx` when memory is tight; the host answers for them from now on.
   * @returns how many; to be called until there are none
   */
  spill(): number {
    return this.#exports.spill() >>> 0;
  }

  /** Of which connection they are. */
  spilledConnection(): number {
    return this.#exports.spillConnection() >>> 0;
  }

  /** From which byte of the client's stream on they are. */
  spilledOffset(): number {
    return this.#exports.spillOffset() >>> 0;
  }

  /** The host could not keep bytes of this connection, or has lost them. */
  fail(connection: number): void {
    check('spillFailed', this.#exports.spillFailed(connection));
  }

  /** A connection that waits for bytes the host has, or NO_CONNECTION; each is named once, to be answered by `supply`. */
  wanted(): number {
    return this.#exports.wantedConnection() >>> 0;
  }

  /** From which byte of the client's stream on. */
  wantedFrom(connection: number): number {
    return this.#exports.wantedFrom(connection) >>> 0;
  }

  wantedLength(connection: number): number {
    return this.#exports.wantedLength(connection) >>> 0;
  }

  /** Takes `length` of the wanted bytes from `rx`. @returns how many frames are to be sent */
  supply(connection: number, length: number, nowMs: number): number {
    return check('supplyWanted', this.#exports.supplyWanted(connection, length, nowMs));
  }

  incarnation(connection: number): number {
    return readIncarnation(this.#records, connection * CONNECTION_BYTES);
  }

  /** Whether bytes that were spilled of this incarnation may still be wanted. */
  needs(connection: number, incarnation: number): boolean {
    const at = connection * CONNECTION_BYTES;
    return (
      this.incarnation(connection) === incarnation &&
      this.#records.getUint8(at + CONNECTION_STATE) !== FREE &&
      this.#records.getUint8(at + CONNECTION_RECORD) === COMPLETE &&
      this.#records.getUint8(at + CONNECTION_PHASE) !== LIVE
    );
  }
}
