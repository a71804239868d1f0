/**
 * The packet loop: frames from the ports into the core, and what the core has to say to the ports. Everything that
 * happens to every packet on the host is in this file.
 *
 * Rule of this file: no object, closure, string, promise or view is made for a packet. Views come from the core, which
 * keeps them; timers are started and stopped only when work begins and ends. What is left is the number that the clock
 * returns: 16 bytes a frame, a tenth of a millisecond of garbage collection for every 50,000.
 *
 * A port that is never empty keeps the event loop from turning (pcap-port.ts). So the loop itself sees that the core's
 * timers run in time, and that the stack port has its turn while the wire is busy. Not the other way round: the stack only
 * answers what we send it, so it falls silent by itself, while a wire polled from inside the stack's turn may never end,
 * and the stack's ring overflows meanwhile [measured: 100 greedy uploads, silences of 14 s instead of 0.3 s].
 */
import type { NodeCore } from '../core/node-core';
import { Port } from '../core/names';
import type { PacketPort, PortError, Receiver } from '../sniffer/port';
import { type MonotonicClock, toCoreMs } from './clock';

/** Of the core's timers: resolution in peace, and while connections are on their way or being fed (docs/abi.md). */
const SLOW_TICK_MS = 100;
const FAST_TICK_MS = 5;
/**
 * Frames of the wire before the stack is polled. Arbitrary: a poll in vain costs a system call, 0.5 us, and a frame
 * 4 us; the bound on how long an answer waits is what counts.
 */
const FRAMES_PER_TURN = 16;
/** Times that recorded bytes are given back to the core between two frames. Arbitrary: 256 KiB. */
const SUPPLIES_PER_TURN = 4;

export interface PacketLoopEvents {
  /** After each frame and tick while somebody waits for the core, see `watch`. */
  readonly onProgress: () => void;
  /** The port shows no more frames; it has been closed and taken out of the loop. */
  readonly onFailure: (which: Port, error: PortError, port: PacketPort) => void;
}

/** Keeps recorded bytes that the core has no room for. Called between frames, when the receive slot is free. */
export interface RecordKeeper {
  /** Takes what the core hands out; at each tick. */
  spill(nowMs: number): void;
  /** Gives the core bytes that it waits for, while it works. @returns how many frames are to be sent, -1: it waits for none */
  supply(nowMs: number): number;
}

export class PacketLoop {
  readonly #core: NodeCore;
  readonly #clock: MonotonicClock;
  readonly #events: PacketLoopEvents;
  readonly #records: RecordKeeper | undefined;
  #wire: PacketPort | undefined;
  #stack: PacketPort | undefined;
  #turn = 0;
  #tickedMs: number;
  #watched = false;
  readonly #slowTimer: NodeJS.Timeout;
  #fastTimer: NodeJS.Timeout | undefined;

  /** @param records absent: the core has no room for any, or no disk beside it */
  constructor(core: NodeCore, clock: MonotonicClock, events: PacketLoopEvents, records?: RecordKeeper) {
    this.#records = records;
    this.#core = core;
    this.#clock = clock;
    this.#events = events;
    this.#tickedMs = toCoreMs(clock());
    this.#slowTimer = setInterval(() => this.tick(), SLOW_TICK_MS);
  }

  /** Puts a port, not started, in the place of `which`. */
  attach(which: Port, port: PacketPort): void {
    this.detach(which);
    if (which === Port.Wire) this.#wire = port;
    else this.#stack = port;
    const receiver: Receiver = {
      buffer: this.#core.rx,
      frame: (length, wireLength) => this.#frame(which, length, wireLength),
      failed: (error) => {
        this.detach(which);
        this.#events.onFailure(which, error, port);
      },
    };
    port.start(receiver);
  }

  /** Closes the port; frames for it are lost from now on. */
  detach(which: Port): void {
    const port = which === Port.Wire ? this.#wire : this.#stack;
    if (which === Port.Wire) this.#wire = undefined;
    else this.#stack = undefined;
    port?.close();
  }

  port(which: Port): PacketPort | undefined {
    return which === Port.Wire ? this.#wire : this.#stack;
  }

  /** Whether `onProgress` is to be called. */
  watch(on: boolean): void {
    this.#watched = on;
  }

  // --- each packet ----------------------------------------------------------------------------------------------

  #frame(from: Port, length: number, wireLength: number): void {
    const nowMs = toCoreMs(this.#clock());
    this.#send(this.#core.receive(from, length, wireLength, nowMs), nowMs);
    const isBusy = this.#core.working() > 0;
    if (isBusy && this.#fastTimer === undefined) this.#hurry();
    if (isBusy && this.#records !== undefined) this.#supply(this.#records, nowMs);
    if ((nowMs - this.#tickedMs) >>> 0 >= (isBusy ? FAST_TICK_MS : SLOW_TICK_MS)) this.tick();
    if (this.#watched) this.#events.onProgress();
    if (from === Port.Wire && ++this.#turn >= FRAMES_PER_TURN) {
      this.#turn = 0;
      if (this.#stack !== undefined) this.#stack.poll();
    }
  }

  /** Sends the `n` frames that the core has ready, and all that it can make ready when these are gone. */
  #send(n: number, nowMs: number): void {
    while (n > 0) {
      for (let i = 0; i < n; i++) {
        const port = this.#core.framePort(i) === Port.Wire ? this.#wire : this.#stack;
        if (port !== undefined) port.send(this.#core.frame(i));
      }
      n = this.#core.pump(nowMs);
    }
  }

  #supply(records: RecordKeeper, nowMs: number): void {
    for (let left = SUPPLIES_PER_TURN; left > 0; left--) {
      const n = records.supply(nowMs);
      if (n < 0) return;
      this.#send(n, nowMs);
    }
  }

  // --- now and then -----------------------------------------------------------------------------------------------

  /** The core's timers. */
  tick(): void {
    const nowMs = toCoreMs(this.#clock());
    this.#tickedMs = nowMs;
    this.#send(this.#core.tick(nowMs), nowMs);
    if (this.#records !== undefined) this.#exchange(this.#records, nowMs);
    if (this.#core.working() > 0) this.#hurry();
    else this.#relax();
    if (this.#watched) this.#events.onProgress();
  }

  #exchange(records: RecordKeeper, nowMs: number): void {
    records.spill(nowMs);
    if (this.#core.working() > 0) this.#supply(records, nowMs);
  }

  /** Sends what a change of a service's state has made ready. */
  pump(): void {
    const nowMs = toCoreMs(this.#clock());
    this.#send(this.#core.pump(nowMs), nowMs);
    if (this.#core.working() > 0) this.#hurry();
  }

  announce(service: number): void {
    this.#send(this.#core.announce(service), toCoreMs(this.#clock()));
  }

  #hurry(): void {
    this.#fastTimer ??= setInterval(() => this.tick(), FAST_TICK_MS);
  }

  #relax(): void {
    clearInterval(this.#fastTimer);
    this.#fastTimer = undefined;
  }

  close(): void {
    this.#relax();
    clearInterval(this.#slowTimer);
    this.detach(Port.Stack);
    this.detach(Port.Wire);
  }
}
