/** Writes every frame that a port shows or is given into a capture file; otherwise the port it wraps. */
import type { PcapFileWriter } from './pcap-file';
import type { PacketPort, PortStats, Receiver } from './port';

export class RecorderPort implements PacketPort {
  readonly device: string;
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly #inner: PacketPort;
  readonly #file: PcapFileWriter;
  readonly #clock: () => number;

  /**
   * @param file stays open when the port is closed: several ports may write to one file
   * @param clock ms since 1970
   */
  constructor(inner: PacketPort, file: PcapFileWriter, clock: () => number) {
    this.device = inner.device;
    this.mtu = inner.mtu;
    this.mac = inner.mac;
    this.#inner = inner;
    this.#file = file;
    this.#clock = clock;
  }

  start(receiver: Receiver): void {
    this.#inner.start({
      buffer: receiver.buffer,
      frame: (length, wireLength) => {
        this.#file.write(receiver.buffer.subarray(0, length), this.#clock(), wireLength);
        receiver.frame(length, wireLength);
      },
      failed: (error) => receiver.failed(error),
    });
  }

  send(frame: Buffer): boolean {
    this.#file.write(frame, this.#clock());
    return this.#inner.send(frame);
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
