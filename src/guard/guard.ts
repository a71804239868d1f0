/**
 * The guard of a primary's service addresses: asks in rounds who else holds them, hears claims at any time, and keeps
 * this host silent accordingly. Ports, time and the firewall are given to it, so it runs without a machine.
 *
 * It begins with everything blocked, unless told that this host is serving. A port that is lost, a link without a carrier or one whose carrier was gone for a
 * moment, a probe that could not be sent, a process that did not run in time: each makes the guard deaf (transitions.ts)
 * until probes have again been left unanswered.
 */
import type { Logger } from '../daemon/contract';
import { reasonOf } from '../reason';
import type { PacketPort } from '../sniffer/port';
import { AddressGuard, type Change } from './address-guard';
import { announcementFrames, claimedAddress, probeFrame } from './neighbour';
import type { GuardedService } from './silence';
import { isBlocked } from './transitions';

/** RFC 5227 1.1 has 1 to 2 s between probes; three unanswered ones are a fail-back within 3 to 4 s. */
export const ROUND_MS = 1000;
/** A round that comes so late finds what was said meanwhile unread. */
const LATE_MS = 2 * ROUND_MS;
/** ARP and neighbour discovery are shorter, whatever options they have. */
const FRAME_BYTES = 256;

export interface GuardClock {
  /** Monotonic, ms. */
  now(): number;
  /** Calls back once, at `atMs` or later; returns how to forget it. */
  at(atMs: number, callback: () => void): () => void;
}

export interface GuardParts {
  readonly services: readonly GuardedService[];
  /** The host is known to serve: it is not silenced before another one claims an address. */
  readonly isServing: boolean;
  readonly clock: GuardClock;
  /** Tried again each round until it is there: an interface may come up after the guard. */
  openPort(): Promise<PacketPort>;
  /** `undefined` without a carrier; otherwise a number that is another one once the carrier was lost in between. */
  carrier(): number | undefined;
  /** Blocks these services and no others. */
  block(services: readonly GuardedService[]): Promise<void>;
  /** Whether this host has the address. */
  isLocal(address: string): Promise<boolean>;
  readonly log: Logger;
}

export class Guard {
  readonly #parts: GuardParts;
  readonly #addresses: readonly AddressGuard[];
  readonly #buffer = Buffer.alloc(FRAME_BYTES);
  #port: PacketPort | undefined;
  #portError = '';
  #carrier: number | undefined;
  #dueMs: number;
  #forgetTimer: () => void = () => undefined;
  #isClosed = false;
  /** What is blocked may not be what should be. */
  #hasChanged = false;
  /** The firewall is being brought up to date. */
  #settling: Promise<void> | undefined;
  /** Addresses whose block has been lifted and not been announced since. */
  readonly #toAnnounce = new Set<string>();

  constructor(parts: GuardParts) {
    this.#parts = parts;
    const addresses = new Set(parts.services.map(({ address }) => address));
    this.#addresses = [...addresses].map(
      (address) => new AddressGuard(address, parts.isServing ? 'passing' : 'asking'),
    );
    this.#dueMs = parts.clock.now();
  }

  /** Silences the host, and rejects if that is not possible; then begins to ask. */
  async start(): Promise<void> {
    await this.#parts.block(this.#blocked());
    this.#carrier = this.#parts.carrier();
    this.#dueMs = this.#parts.clock.now();
    await this.#round();
  }

  /** Asks no more, and leaves the host as it is. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#forgetTimer();
    this.#closePort();
    await this.#settling;
  }

  async #round(): Promise<void> {
    const { clock } = this.#parts;
    const isLate = clock.now() - this.#dueMs >= LATE_MS;
    if (this.#port === undefined) await this.#openPort();
    if (this.#isClosed) return this.#closePort();
    const isHearing = this.#hasSteadyCarrier() && this.#port !== undefined && !isLate;
    for (const guarded of this.#addresses) {
      this.#note(guarded, isHearing ? guarded.roundEnded() : guarded.deaf());
      if (this.#probe(guarded.address)) guarded.probed();
      else this.#note(guarded, guarded.deaf());
    }
    this.#settle();
    this.#dueMs = clock.now() + ROUND_MS;
    this.#forgetTimer = clock.at(this.#dueMs, () => void this.#round());
  }

  async #openPort(): Promise<void> {
    try {
      const port = await this.#parts.openPort();
      port.start({
        buffer: this.#buffer,
        frame: (length) => this.#hear(this.#buffer.subarray(0, length), port.mac),
        failed: (error) => this.#lose(error),
      });
      this.#port = port;
      this.#portError = '';
    } catch (error) {
      this.#say(error, 'the interface cannot be watched, this host stays silent');
    }
  }

  #lose(error: Error): void {
    this.#say(error, 'the interface is lost, this host is silent until it is back');
    this.#closePort();
    for (const guarded of this.#addresses) this.#note(guarded, guarded.deaf());
    this.#settle();
  }

  /** Once for each cause: it is tried again every second. */
  #say(error: unknown, message: string): void {
    const reason = reasonOf(error);
    if (reason === this.#portError) return;
    this.#portError = reason;
    this.#parts.log.warn({ reason }, message);
  }

  #closePort(): void {
    this.#port?.close();
    this.#port = undefined;
  }

  #hasSteadyCarrier(): boolean {
    const carrier = this.#parts.carrier();
    const isSteady = carrier !== undefined && carrier === this.#carrier;
    this.#carrier = carrier;
    return isSteady;
  }

  #probe(address: string): boolean {
    return this.#carrier !== undefined && this.#port?.send(probeFrame(address, this.#port.mac)) === true;
  }

  #hear(frame: Buffer, ownMac: Uint8Array): void {
    const address = claimedAddress(frame, ownMac);
    const guarded = this.#addresses.find((candidate) => candidate.address === address);
    if (guarded === undefined) return;
    this.#note(guarded, guarded.claimed());
    this.#settle();
  }

  #note({ address }: AddressGuard, change: Change | undefined): void {
    if (change === undefined) return;
    const { from, to, reason } = change;
    this.#parts.log.info({ address, from, to }, reason);
    if (isBlocked(to)) this.#toAnnounce.delete(address);
    else this.#toAnnounce.add(address);
    this.#hasChanged = true;
  }

  #settle(): void {
    if (!this.#hasChanged || this.#settling !== undefined) return;
    this.#settling = this.#bringUpToDate().finally(() => (this.#settling = undefined));
  }

  /** Until nothing is left to do, also of what comes up while it works: a claim must not wait for the next round. */
  async #bringUpToDate(): Promise<void> {
    try {
      while (this.#hasChanged || this.#toAnnounce.size > 0) {
        if (this.#hasChanged) await this.#block();
        else await this.#announce();
      }
    } catch (error) {
      this.#parts.log.error({ reason: reasonOf(error) }, 'the host could not be changed, it is tried again');
      this.#hasChanged = true;
    }
  }

  async #block(): Promise<void> {
    this.#hasChanged = false;
    await this.#parts.block(this.#blocked());
  }

  #blocked(): GuardedService[] {
    const states = new Map(this.#addresses.map(({ address, state }) => [address, state]));
    return this.#parts.services.filter(({ address }) => isBlocked(states.get(address) ?? 'asking'));
  }

  /** The segment still sends to who has given the address up, or has forgotten this host while it was silent. */
  async #announce(): Promise<void> {
    const [address] = this.#toAnnounce;
    if (address === undefined) return;
    const isLocal = await this.#parts.isLocal(address);
    // It may have been claimed in the meantime.
    if (!this.#toAnnounce.delete(address) || !isLocal || this.#port === undefined) return;
    for (const frame of announcementFrames(address, this.#port.mac)) this.#port.send(frame);
  }
}
