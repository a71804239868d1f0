/**
 * What must hold around every frame, whatever it is: it is written to nowhere but where it lies, it changes no connection
 * but its own, everything that is counted twice is counted alike, and every frame has one fate.
 */
import { Counter, Phase, Port, Reason, TcpState } from '../../assembly/abi/codes';
import {
  CONNECTION_BYTES,
  CONNECTION_CLIENT_PORT,
  CONNECTION_FLAGS,
  CONNECTION_FLAG_HANDSHAKE,
  CONNECTION_GENERATION,
  CONNECTION_LOSS,
  CONNECTION_PHASE,
  CONNECTION_RISK,
  CONNECTION_STACK_PORT,
  CONNECTION_STATE,
  COUNTER_BYTES,
  RX_FRAME_BYTES,
  RX_HEADROOM,
} from '../../assembly/abi/layout';
import { asCode, counterName, lossName, phaseName, reasonName, riskName, tcpStateName } from '../../src/core/names';
import type { Core } from '../support/wasm';

export type Build = 'debug' | 'test';

/** What probeBooks counts twice, by its answer. */
const BOOKS = [
  '',
  'the chain of blocks of a connection',
  'the index of tuples',
  'the blocks in use',
  'the blocks of records',
  'the half-open connections',
  'the active connections',
  'the tracked connections of a service',
  'the half-open connections of a service',
  'the queue of a service',
  'the recovering connections of a service',
  'the handshakes under way',
  'the losses of a service',
  'the divergences',
];

const FILL = 0x5a;
const UNTOUCHED = Buffer.alloc(RX_FRAME_BYTES, FILL);
/** Tags that a frame may get on its way out. */
const TAGS_BYTES = 8;
/** Where the ports of a segment can stand: link, IP with extensions, and of an ICMP error the quoted headers too. */
const HEADERS_BYTES = 250;
/** Reasons that are counted beside the fate of the frame itself. */
const BESIDE: ReadonlySet<number> = new Set([Reason.HalfOpenBudget, Reason.Quarantined, Reason.ServerClosed]);

interface Seen {
  readonly index: number;
  readonly generation: number;
  readonly digest: number;
  readonly phase: Phase;
  /** Nobody loses an established connection because of somebody else's frame. */
  readonly mayGiveWay: boolean;
  readonly ports: readonly [number, number];
}

export class Audit {
  readonly #core: Core<Build>;
  readonly #slot: number;
  readonly #expected = { wire: 0, stack: 0, wireBytes: 0, stackBytes: 0, outWire: 0, outStack: 0 };
  #before: readonly Seen[] = [];
  #refusedBefore: readonly number[] = [];
  #frame: Uint8Array = new Uint8Array(0);

  constructor(core: Core<Build>) {
    this.#core = core;
    this.#slot = core.exports.rxSlot() >>> 0;
  }

  /** Puts the frame into the slot and notes what is there. */
  placeFrame(port: Port, frame: Uint8Array, wireLength: number): void {
    this.placeBytes(frame);
    this.#before = [...this.#records()];
    this.#refusedBefore = this.#refusals();
    const expected = this.#expected;
    if (port === Port.Wire) {
      expected.wire += 1;
      expected.wireBytes += wireLength;
    } else {
      expected.stack += 1;
      expected.stackBytes += wireLength;
    }
  }

  /** Puts anything else into the slot. */
  placeBytes(given: Uint8Array): void {
    const { bytes } = this.#core;
    bytes.fill(FILL, this.#slot - RX_HEADROOM, this.#slot + RX_FRAME_BYTES);
    bytes.set(given, this.#slot);
    this.#frame = given;
  }

  /** Nothing around what was placed has been written. */
  checkSlot(): string | undefined {
    const { bytes } = this.#core;
    const behind = bytes.subarray(this.#slot + this.#frame.length, this.#slot + RX_FRAME_BYTES);
    if (Buffer.compare(behind, UNTOUCHED.subarray(0, behind.length)) !== 0)
      return 'bytes behind the frame were written';
    const ahead = bytes.subarray(this.#slot - RX_HEADROOM, this.#slot - TAGS_BYTES);
    if (Buffer.compare(ahead, UNTOUCHED.subarray(0, ahead.length)) !== 0) return 'bytes before the frame were written';
    return undefined;
  }

  /** After `receive`, before anything else. */
  checkFrame(): string | undefined {
    const wrong = this.checkSlot();
    if (wrong !== undefined) return wrong;
    const { exports } = this.#core;
    const refused = this.#refusals();
    const reason = exports.lastReason();
    const moved = refused.map((n, i) => n - (this.#refusedBefore[i] ?? 0));
    if (moved.some((n) => n < 0)) return 'a counter went back';
    if (refused[Reason.None] !== 0) return 'a frame was refused for no reason';
    if (reason !== 0 && !((moved[reason] ?? 0) > 0)) return `${reasonName(reason)} is not counted`;
    const fates = moved.reduce((sum, n, i) => sum + (BESIDE.has(i) ? 0 : n), 0);
    return fates > 1 ? `${fates} fates of one frame` : undefined;
  }

  /** After all that the frame led to: no connection but its own has changed. */
  checkOthers(): string | undefined {
    const now = new Map([...this.#records()].map((seen) => [seen.index, seen]));
    for (const before of this.#before) {
      const { index, ports } = before;
      const after = now.get(index);
      // One that waits for its turn goes on when another one is done.
      if (ports.some((port) => this.#mentions(port)) || before.phase === Phase.Queued) continue;
      if (after?.generation !== before.generation) {
        if (!before.mayGiveWay) return `connection ${index} was removed by a frame of another one`;
      } else if (after.digest !== before.digest) return `connection ${index} was changed by a frame of another one`;
    }
    return undefined;
  }

  /** Frames that the host was given to send. */
  noteQueued(port: Port): void {
    if (port === Port.Wire) this.#expected.outWire += 1;
    else this.#expected.outStack += 1;
  }

  checkBooks(): string | undefined {
    const book = this.#core.exports.probeBooks();
    if (book !== 0) return `${BOOKS[book] ?? book} do not add up`;
    const { wire, stack, wireBytes, stackBytes, outWire, outStack } = this.#expected;
    const counted: readonly (readonly [Counter, number, string])[] = [
      [Counter.FramesWire, wire, 'frames on the wire'],
      [Counter.FramesStack, stack, 'frames of the stack'],
      [Counter.BytesWire, wireBytes, 'bytes on the wire'],
      [Counter.BytesStack, stackBytes, 'bytes of the stack'],
      [Counter.FramesOutWire, outWire, 'frames for the wire'],
      [Counter.FramesOutStack, outStack, 'frames for the stack'],
    ];
    for (const [counter, expected, what] of counted) {
      const n = this.#counter(Reason.Count + counter);
      if (n !== expected) return `${n} ${what} were counted, ${expected} there were`;
    }
    return undefined;
  }

  /** What has happened so far, and where connections are. */
  *reached(): Iterable<string> {
    for (const [reason, n] of this.#refusals().entries()) if (n > 0) yield reasonName(reason);
    const events: number = Counter.Count;
    for (let event = 0; event < events; event++) {
      if (this.#counter(Reason.Count + event) > 0) yield counterName(event);
    }
    const { view, exports } = this.#core;
    for (const { index, phase } of this.#records()) {
      const at = (exports.connectionsBase() >>> 0) + index * CONNECTION_BYTES;
      yield `${phaseName(phase)} and ${tcpStateName(view.getUint8(at + CONNECTION_STATE))}`;
      yield `at risk: ${riskName(view.getUint8(at + CONNECTION_RISK))}`;
      yield `lost: ${lossName(view.getUint8(at + CONNECTION_LOSS))}`;
    }
  }

  /** Records that were never in use are as they were. */
  get areOthersEmpty(): boolean {
    const { bytes, exports } = this.#core;
    const base = exports.connectionsBase() >>> 0;
    const from = base + (exports.connectionsUsed() >>> 0) * CONNECTION_BYTES;
    return bytes.subarray(from, base + exports.probeCapacity() * CONNECTION_BYTES).every((byte) => byte === 0);
  }

  *#records(): Iterable<Seen> {
    const { exports, view } = this.#core;
    const used = exports.connectionsUsed() >>> 0;
    for (let index = 0; index < used; index++) {
      const at = (exports.connectionsBase() >>> 0) + index * CONNECTION_BYTES;
      const state = asCode<TcpState>(view.getUint8(at + CONNECTION_STATE));
      if (state === TcpState.Free) continue;
      const isPickedUp = (view.getUint32(at + CONNECTION_FLAGS, true) & CONNECTION_FLAG_HANDSHAKE) === 0;
      yield {
        index,
        generation: view.getUint16(at + CONNECTION_GENERATION, true),
        digest: exports.probeDigest(index),
        phase: asCode(view.getUint8(at + CONNECTION_PHASE)),
        mayGiveWay: state < TcpState.Established || state >= TcpState.TimeWait || isPickedUp,
        ports: [view.getUint16(at + CONNECTION_CLIENT_PORT, true), view.getUint16(at + CONNECTION_STACK_PORT, true)],
      };
    }
  }

  /** Whether the port stands anywhere in the frame's headers. */
  #mentions(port: number): boolean {
    const headers = Buffer.from(
      this.#frame.buffer,
      this.#frame.byteOffset,
      Math.min(this.#frame.length, HEADERS_BYTES),
    );
    return port !== 0 && headers.includes(Buffer.of(port >> 8, port & 255));
  }

  #refusals(): number[] {
    return Array.from({ length: Reason.Count }, (_, reason) => this.#counter(reason));
  }

  #counter(index: number): number {
    const at = (this.#core.exports.countersBase() >>> 0) + index * COUNTER_BYTES;
    return Number(this.#core.view.getBigUint64(at, true));
  }
}
