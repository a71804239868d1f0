/**
 * A port with the faults of a real network: frames are lost, doubled and overtaken, in both directions, by a seeded
 * generator, so that a run repeats exactly. Wraps any port.
 */
import type { PacketPort, PortStats, Receiver } from './port';

/** Chances between 0 and 1, each drawn for every frame. */
export interface Faults {
  readonly loss?: number;
  readonly duplicate?: number;
  /** The frame is held back until the next one of its direction has passed. */
  readonly reorder?: number;
}

export interface FaultOptions {
  readonly seed: number;
  /** What happens to frames the port shows. */
  readonly receive?: Faults;
  /** What happens to frames the port is given. */
  readonly send?: Faults;
}

export class FaultInjectorPort implements PacketPort {
  readonly device: string;
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly #inner: PacketPort;
  readonly #options: FaultOptions;
  readonly #sending: FaultyLane;

  constructor(inner: PacketPort, options: FaultOptions) {
    this.device = inner.device;
    this.mtu = inner.mtu;
    this.mac = inner.mac;
    this.#inner = inner;
    this.#options = options;
    this.#sending = new FaultyLane(options.send ?? {}, random(options.seed), (frame) => inner.send(frame));
  }

  start(receiver: Receiver): void {
    const { buffer } = receiver;
    // Another seed than for sending, or both directions would lose the same frames of a request-answer exchange.
    const lane = new FaultyLane(this.#options.receive ?? {}, random(~this.#options.seed), (frame, wireLength) => {
      buffer.set(frame);
      receiver.frame(frame.length, wireLength);
    });
    this.#inner.start({
      buffer,
      frame: (length, wireLength) => lane.pass(buffer.subarray(0, length), wireLength),
      failed: (error) => receiver.failed(error),
    });
  }

  /** Always true: as on a wire, the sender does not learn what became of the frame. */
  send(frame: Buffer): boolean {
    this.#sending.pass(frame, frame.length);
    return true;
  }

  poll(): void {
    this.#inner.poll();
  }

  stats(): PortStats {
    return this.#inner.stats();
  }

  close(): void {
    this.#inner.close();
  }
}

interface HeldFrame {
  readonly bytes: Buffer;
  readonly wireLength: number;
}

/** One direction. */
class FaultyLane {
  readonly #faults: Faults;
  readonly #random: () => number;
  readonly #deliver: (frame: Buffer, wireLength: number) => void;
  #held: HeldFrame | undefined;

  constructor(faults: Faults, random: () => number, deliver: (frame: Buffer, wireLength: number) => void) {
    this.#faults = faults;
    this.#random = random;
    this.#deliver = deliver;
  }

  pass(frame: Buffer, wireLength: number): void {
    const { loss = 0, duplicate = 0, reorder = 0 } = this.#faults;
    // Always three draws a frame: changing one chance must not change what the others do.
    const lost = this.#random() < loss;
    const doubled = this.#random() < duplicate;
    const late = this.#random() < reorder;
    if (lost) return;
    // A copy, since the receiver may change the bytes or reuse their place.
    const bytes = Buffer.from(frame);
    if (late && this.#held === undefined) {
      this.#held = { bytes, wireLength };
      return;
    }
    this.#deliver(bytes, wireLength);
    if (doubled) this.#deliver(bytes, wireLength);
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.#deliver(held.bytes, held.wireLength);
  }
}

/** Marsaglia's xorshift32 (13, 17, 5): good enough to decide a frame's fate. @returns numbers from 0 to below 1 */
function random(seed: number): () => number {
  let state = seed >>> 0 || 1; // zero would stay zero
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
