/**
 * A port whose frames come from one port and leave by another: the two ends of a veth pair, for example. What both drop
 * and send is counted as one.
 */
import type { PacketPort, PortStats, Receiver } from './port';

export class SplitPort implements PacketPort {
  readonly device: string;
  readonly mtu: number;
  readonly mac: Uint8Array;

  /** @param sender is never started: what it sees is nobody's */
  constructor(
    private readonly capturer: PacketPort,
    private readonly sender: PacketPort,
  ) {
    this.device = sender.device;
    this.mtu = sender.mtu;
    this.mac = sender.mac;
  }

  start(receiver: Receiver): void {
    this.capturer.start(receiver);
  }

  poll(): void {
    this.capturer.poll();
  }

  send(frame: Buffer): boolean {
    return this.sender.send(frame);
  }

  stats(): PortStats {
    const { received, dropped } = this.capturer.stats();
    const { sent, sendFailed } = this.sender.stats();
    return { received, dropped, sent, sendFailed };
  }

  close(): void {
    this.capturer.close();
    this.sender.close();
  }
}
