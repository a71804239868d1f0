/**
 * A place where Ethernet frames are seen and sent. Implementations: pcap on an interface, memory for tests; others
 * wrap a port and are one (fault injector, recorder). A port knows bytes, no connections.
 *
 * Who uses the port owns the receive buffer: a frame is written there and stays until the receiver returns, so that
 * a capture can write straight into the core's memory. A port makes no object per frame.
 */

import { MigwareError } from '../errors';

export interface PortStats {
  /** Frames the port showed. */
  readonly received: number;
  /** Frames that came while the port's buffer was full; nobody has seen them. */
  readonly dropped: number;
  readonly sent: number;
  /** Frames that the kernel did not take: its queue was full or the link too small. As lost as on a wire. */
  readonly sendFailed: number;
}

export interface Receiver {
  /** Where frames are written; longer ones are cut. */
  readonly buffer: Buffer;
  /**
   * A frame is in `buffer`.
   * @param length its captured bytes
   * @param wireLength the bytes it had on the link
   */
  frame(length: number, wireLength: number): void;
  /** The port sees no more frames, for example because the interface is gone. It still has to be closed. */
  failed(error: PortError): void;
}

export interface PacketPort {
  /** Name of the interface. */
  readonly device: string;
  readonly mtu: number;
  /** MAC address of the interface, 6 bytes. */
  readonly mac: Uint8Array;
  /** Frames come from now on, never before this returns. To be called once. */
  start(receiver: Receiver): void;
  /**
   * Shows the frames that are there now, without waiting for the event loop. May be called from a receiver of another
   * port; from the port's own it does nothing.
   */
  poll(): void;
  /** @returns false when the frame was not taken; it is counted, and nothing else has to be done */
  send(frame: Buffer): boolean;
  stats(): PortStats;
  /** No frame comes after this. May be called more than once. */
  close(): void;
}

/** A port could not be opened, or sees no more frames. */
export class PortError extends MigwareError {
  readonly code = 'MIGWARE_PORT';

  constructor(
    readonly device: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`${device}: ${message}`, options);
  }
}
