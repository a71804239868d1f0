/**
 * Keeps a port of the packet loop open: opens it, and when it fails opens it again, at once and then ever less often,
 * for as long as the daemon runs. What the ports before it had counted is not forgotten.
 */
import type { Core } from '../core/core';
import type { Port } from '../core/names';
import type { PortStats } from '../sniffer/port';
import { reasonOf } from '../reason';
import type { Logger, PortReport } from './contract';
import type { OpenPort } from './machine';
import type { PacketLoop } from './packet-loop';

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5000;

export class PortKeeper {
  #device = '';
  #error: string | undefined = 'not opened yet';
  #retryMs = FIRST_RETRY_MS;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** Of the ports before the present one. */
  #past: PortStats = { received: 0, dropped: 0, sent: 0, sendFailed: 0 };

  constructor(
    private readonly which: Port,
    private readonly name: string,
    private readonly openPort: () => Promise<OpenPort>,
    private readonly core: Core,
    private readonly loop: PacketLoop,
    private readonly log: Logger,
  ) {}

  /** For the first time: a port that cannot be opened now stops the daemon from starting. */
  async open(): Promise<void> {
    const { port, mtu, mac, peerMac } = await this.openPort();
    if (this.#isClosed) return port.close();
    this.core.setPort(this.which, mtu, mac, peerMac);
    this.loop.attach(this.which, port);
    this.#device = port.device;
    this.#error = undefined;
    this.#retryMs = FIRST_RETRY_MS;
  }

  get isOpen(): boolean {
    return this.#error === undefined;
  }

  /** @param stats of the port that has failed */
  onFailure(error: Error, stats: PortStats): void {
    this.#past = add(this.#past, stats);
    this.#error = reasonOf(error);
    this.log.error({ port: this.name, reason: this.#error }, 'a port has failed');
    this.#retryLater();
  }

  report(): PortReport {
    const port = this.loop.port(this.which);
    const stats = port === undefined ? this.#past : add(this.#past, port.stats());
    return { name: this.name, device: this.#device, up: this.isOpen, error: this.#error, ...stats };
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #retryLater(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#retry(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
  }

  async #retry(): Promise<void> {
    try {
      await this.open();
      this.log.warn({ port: this.name, device: this.#device }, 'the port is open again');
    } catch (error) {
      this.#error = reasonOf(error);
      this.log.debug({ port: this.name, reason: this.#error }, 'the port cannot be opened yet');
      this.#retryLater();
    }
  }
}

function add(a: PortStats, b: PortStats): PortStats {
  return {
    received: a.received + b.received,
    dropped: a.dropped + b.dropped,
    sent: a.sent + b.sent,
    sendFailed: a.sendFailed + b.sendFailed,
  };
}
