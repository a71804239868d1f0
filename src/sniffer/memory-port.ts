/**
 * A port without a network, for tests: frames are handed in by `deliver`, and what is sent is kept or passed on.
 */
import { PortError, type PacketPort, type PortStats, type Receiver } from './port';

export interface MemoryPortOptions {
  readonly device?: string;
  readonly mtu?: number;
  readonly mac?: Uint8Array;
  /** What becomes of a frame that is sent, instead of being kept in `sent`; the bytes are its own. */
  readonly onSend?: (frame: Uint8Array) => void;
}

export class MemoryPort implements PacketPort {
  readonly device: string;
  readonly mtu: number;
  readonly mac: Uint8Array;
  /** Copies of the frames sent, oldest first. */
  readonly sent: Uint8Array[] = [];
  /** Set: the next sends fail, as with a full queue. */
  full = false;
  #receiver: Receiver | undefined;
  #stats = { received: 0, dropped: 0, sent: 0, sendFailed: 0 };
  readonly #onSend: (frame: Uint8Array) => void;

  constructor(options: MemoryPortOptions = {}) {
    this.device = options.device ?? 'memory';
    this.mtu = options.mtu ?? 1500;
    this.mac = options.mac ?? Uint8Array.of(2, 0, 0, 0, 0, 1);
    this.#onSend = options.onSend ?? ((frame) => this.sent.push(frame));
  }

  get open(): boolean {
    return this.#receiver !== undefined;
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  /** A frame is seen, cut to the receiver's buffer as a capture would. */
  deliver(frame: Uint8Array): void {
    if (this.#receiver === undefined) {
      this.#stats.dropped++;
      return;
    }
    const { buffer } = this.#receiver;
    const length = Math.min(frame.length, buffer.length);
    buffer.set(length === frame.length ? frame : frame.subarray(0, length));
    this.#stats.received++;
    this.#receiver.frame(length, frame.length);
  }

  /** The port breaks, as when its interface is removed. */
  fail(message: string): void {
    this.#receiver?.failed(new PortError(this.device, message));
  }

  /** Nothing waits here. */
  poll(): void {
    return;
  }

  send(frame: Buffer): boolean {
    if (this.full) {
      this.#stats.sendFailed++;
      return false;
    }
    this.#stats.sent++;
    this.#onSend(Uint8Array.from(frame));
    return true;
  }

  stats(): PortStats {
    return { ...this.#stats };
  }

  close(): void {
    this.#receiver = undefined;
  }
}
