/**
 * A hub with faults: every frame goes to every other station, and each copy may be lost, doubled, late or overtaken, each
 * station on its own account. A station that taps may have neighbouring segments merged, as receive offload does.
 */
import { macBytes } from '../support/frames';
import type { Clock } from './clock';
import type { Random } from './random';
import { type Decoded, decode } from './segment';

/** A frame on the hub, read at most once. */
export class Frame {
  readonly bytes: Uint8Array;
  #decoded: Decoded | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get decoded(): Decoded {
    this.#decoded ??= decode(this.bytes);
    return this.#decoded;
  }
}

/** Of the way to one station; probabilities per frame. */
export interface Faults {
  readonly loss: number;
  readonly duplicate: number;
  /** Held back long enough to be overtaken. */
  readonly reorder: number;
  /** From the sender to the station, ms: at least, at most. */
  readonly delayMs: readonly [number, number];
}

export interface Station {
  readonly name: string;
  /** Its address; undefined: it takes every frame. */
  readonly mac: string | undefined;
  readonly faults: Faults;
  readonly deliver: (frame: Frame) => void;
}

interface Attached extends Station {
  readonly random: Random;
  readonly address: Uint8Array | undefined;
  lastMs: number;
}

/** How long a reordered frame is held back, ms: a few others pass it. */
const REORDER_MS = 3;

export class Hub {
  /** Sees every frame as it is sent: a recorder. */
  onFrame: (frame: Uint8Array, timeMs: number) => void = () => {};
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #stations: Attached[] = [];

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  attach(station: Station): void {
    const address = station.mac === undefined ? undefined : macBytes(station.mac);
    this.#stations.push({ ...station, address, random: this.#random.fork(), lastMs: 0 });
  }

  /** @param only names the one station that the frame reaches; undefined: all but the sender */
  send(from: string, bytes: Uint8Array, only?: string): void {
    this.onFrame(bytes, this.#clock.nowMs);
    const frame = new Frame(bytes);
    for (const station of this.#stations) {
      if (station.name === from || (only !== undefined && only !== station.name)) continue;
      if (isFor(station.address, bytes)) this.#pass(station, frame);
    }
  }

  #pass(station: Attached, frame: Frame): void {
    const { faults, random } = station;
    const copies = random.chance(faults.duplicate) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (random.chance(faults.loss)) continue;
      const [least, most] = faults.delayMs;
      let arrivalMs = this.#clock.nowMs + random.real(least, most);
      if (random.chance(faults.reorder)) arrivalMs += random.real(0, REORDER_MS);
      else arrivalMs = station.lastMs = Math.max(station.lastMs, arrivalMs);
      this.#clock.after(arrivalMs - this.#clock.nowMs, () => station.deliver(frame));
    }
  }
}

/** Own address, or a group's (IEEE 802.3: the lowest bit of the first byte). */
function isFor(address: Uint8Array | undefined, frame: Uint8Array): boolean {
  if (address === undefined || ((frame[0] ?? 0) & 1) === 1) return true;
  return address.every((byte, i) => frame[i] === byte);
}
