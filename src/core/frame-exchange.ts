/**
 * The loop that every host has around the core, frames in and frames out, for hosts to which a copy of each frame is no
 * matter: tools, pages, tests. The daemon's is src/daemon/packet-loop.ts, which makes none.
 */
import type { Core } from './core';
import type { Port, Reason, ServiceState } from './names';

/** What the core wants sent. */
export interface SentFrame {
  readonly port: Port;
  /** Index of the record it belongs to; `undefined`: of none. */
  readonly connection: number | undefined;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface Verdict {
  /** Why the frame moved nothing, or not all that it says; Reason.None: it was accepted. */
  readonly reason: Reason;
  readonly sent: readonly SentFrame[];
}

export class FrameExchange {
  /** @param core which nobody else gives frames meanwhile */
  constructor(readonly core: Core) {}

  /** @param wireLength bytes the frame had, of which a capture may have cut some */
  receive(port: Port, frame: Uint8Array, nowMs: number, wireLength = frame.length): Verdict {
    this.core.rx.set(frame);
    const count = this.core.receive(port, frame.length, wireLength, nowMs >>> 0);
    return { reason: this.core.lastReason(), sent: this.#sent(count, nowMs) };
  }

  /** To be called every 100 ms, and every 5 ms while `core.working()` is not 0. */
  tick(nowMs: number): SentFrame[] {
    return this.#sent(this.core.tick(nowMs >>> 0), nowMs);
  }

  announce(service: number, nowMs: number): SentFrame[] {
    return this.#sent(this.core.announce(service), nowMs);
  }

  /** ServiceState.Recovery: the primary is dead, and the handshakes with the replica begin. */
  setServiceState(service: number, state: ServiceState, nowMs: number): SentFrame[] {
    this.core.setServiceState(service, state, nowMs >>> 0);
    return this.#sent(this.core.pump(nowMs >>> 0), nowMs);
  }

  dismiss(service: number, nowMs: number): SentFrame[] {
    this.core.dismiss(service, nowMs >>> 0);
    return this.#sent(this.core.pump(nowMs >>> 0), nowMs);
  }

  /** Bytes of a record that the core had handed out: see RecordExchange. */
  supply(connection: number, bytes: Uint8Array, nowMs: number): SentFrame[] {
    this.core.rx.set(bytes);
    return this.#sent(this.core.exchange.supply(connection, bytes.length, nowMs >>> 0), nowMs);
  }

  #sent(first: number, nowMs: number): SentFrame[] {
    const { core } = this;
    const sent: SentFrame[] = [];
    for (let count = first; count > 0; count = core.pump(nowMs >>> 0)) {
      for (let i = 0; i < count; i++) {
        const bytes = new Uint8Array(core.frame(i));
        sent.push({ port: core.framePort(i), connection: core.frameConnection(i), bytes });
      }
    }
    return sent;
  }
}
