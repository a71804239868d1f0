/**
 * The core under arbitrary frames: every call must return a count, touch nothing but its own regions, and queue only
 * frames that lie in memory and can go out. A trap is a finding. What else must hold is in audit.ts.
 */
import { Port, ServiceState, Status } from '../../assembly/abi/codes';
import {
  CONNECTION_BYTES,
  CONNECTION_GENERATION,
  CONNECTION_SERVICE,
  NONE,
  RX_FRAME_BYTES,
  SNAPSHOT_RECORD_BYTES,
  TX_DESC_BYTES,
  TX_DESC_CONN,
  TX_DESC_LEN,
  TX_DESC_OFF,
  TX_DESC_PORT,
  TX_MAX,
} from '../../assembly/abi/layout';
import { asCode } from '../../src/core/names';
import type { Core } from '../support/wasm';
import { Audit, type Build } from './audit';
import { GUARD, MTU, SERVICES, begin } from './setup';
import { type Damage, exportAll, isWhole, recordsOf, spoil } from './snapshot';

/** More calls of pump for one frame mean that the core would never stop. */
const PUMPS = 10_000;

/** What the fuzzer does: a frame on a port, or something the host says. */
export type Step =
  | { readonly kind: 'frame'; readonly port: Port; readonly frame: Uint8Array; readonly missing: number }
  | { readonly kind: 'state'; readonly service: number; readonly state: ServiceState }
  | { readonly kind: 'quarantine'; readonly service: number; readonly on: boolean }
  | { readonly kind: 'dismiss'; readonly service: number }
  | { readonly kind: 'announce'; readonly service: number }
  | { readonly kind: 'restart'; readonly damage: Damage }
  | { readonly kind: 'tick'; readonly elapsedMs: number };

export class Rig {
  readonly #build: Build;
  #core: Core<Build>;
  #audit: Audit;
  #guardFrom: number;
  /** Services that the host has let go on without their primary at some time. */
  readonly #moved = new Set<number>();
  readonly #states = new Map<number, ServiceState>();
  readonly #reached = new Set<string>();
  /** How much of its stream the host keeps, by connection and its generation. */
  readonly #kept = new Map<string, number>();
  #nowMs = 0xffff_0000;

  constructor(build: Build) {
    this.#build = build;
    [this.#core, this.#guardFrom] = begin(build);
    this.#audit = new Audit(this.#core);
  }

  /** What was wrong with it, undefined when nothing was. A trap is thrown. */
  take(step: Step): string | undefined {
    const wrong = this.#act(step) ?? this.#audit.checkBooks();
    this.#noteReached();
    return wrong;
  }

  /** What the core has come to so far, by its names: refusals, events, losses, and states of connections. */
  get reached(): ReadonlySet<string> {
    return this.#reached;
  }

  #noteReached(): void {
    for (const name of this.#audit.reached()) this.#reached.add(name);
  }

  /**
   * The host is started again: another core of the same configuration goes on with what this one has written. Damaged
   * records may be taken or not, but never do harm.
   */
  #restart(damage: Damage): string | undefined {
    const before = exportAll(this.#core);
    if (before === undefined) return 'the export never ends';
    const given = spoil(before, damage);
    [this.#core, this.#guardFrom] = begin(this.#build);
    this.#audit = new Audit(this.#core);
    this.#kept.clear();
    const { exports } = this.#core;
    for (const [service, state] of this.#states) {
      const wrong = this.#order(exports.setServiceState(service, state, this.#nowMs));
      if (wrong !== undefined) return wrong;
    }
    this.#audit.placeBytes(given);
    const taken = exports.importLive(given.length, this.#nowMs);
    const wrong = this.#audit.checkSlot() ?? (isWhole(damage) ? this.#compareExport(before, taken) : undefined);
    if (wrong !== undefined) return wrong;
    if (given.length % SNAPSHOT_RECORD_BYTES !== 0) {
      const isRefused = taken === (Status.BadSnapshot as number) && exports.connectionsUsed() === 0;
      if (!isRefused) return `a part of a record is taken: ${taken}`;
    } else if (taken < 0 || taken > given.length / SNAPSHOT_RECORD_BYTES) {
      return `${taken} connections of ${given.length} bytes`;
    }
    this.#reached.add(`a ${isWhole(damage) ? 'whole' : 'damaged'} snapshot: ${outcomeOf(taken, given.length)}`);
    // A damaged record may be one of another service.
    if (!isWhole(damage)) SERVICES.forEach((_, service) => this.#moved.add(service));
    return this.#check(exports.pump(this.#nowMs));
  }

  /** All that goes on is written again as it was read. */
  #compareExport(before: Uint8Array, taken: number): string | undefined {
    const after = exportAll(this.#core);
    if (after?.length !== taken * SNAPSHOT_RECORD_BYTES)
      return `${taken} connections go on as ${after?.length ?? 0} bytes`;
    const known = new Set(recordsOf(before));
    return recordsOf(after).every((record) => known.has(record)) ? undefined : 'a record is not written as it was read';
  }

  #act(step: Step): string | undefined {
    const { exports } = this.#core;
    switch (step.kind) {
      case 'frame':
        return this.#receive(step.port, step.frame.subarray(0, RX_FRAME_BYTES), step.missing);
      case 'restart':
        return this.#restart(step.damage);
      case 'state':
        this.#states.set(step.service, step.state);
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
}

function outcomeOf(taken: number, bytes: number): string {
  if (taken < 0) return 'refused';
  if (bytes === 0) return 'empty';
  if (taken === 0) return 'nothing goes on';
  return taken * SNAPSHOT_RECORD_BYTES < bytes ? 'some go on' : 'all go on';
}
