/**
 * What is around the core: a client, the primary, the replica, and the segments between them. Every step somebody can take
 * is an action; which of them come in which order is for the explorer to choose.
 *
 * A frame of client or primary is seen by the core when it is sent, as on a hub, and by its receiver later or never. What the
 * core sends arrives later or never as well. What the replica sends reaches the core at once or never. A timer of a TCP
 * fires when nothing is on its way, or too early as often as the setting allows.
 */
import type { Sent } from './core';
import { Peer } from './peer';
import type { Segment } from './segment';

/** Chosen so that the streams cross the wrap of sequence numbers, and the change of their sign. */
export const CLIENT_ISN = 0xfffffffe;
export const PRIMARY_ISN = 0x7ffffffe;
export const REPLICA_ISN = 0xfffffffd;

export const enum Stack {
  Listening,
  Half,
  Open,
}

/** What is not the core's state. */
export class Surroundings {
  client = new Peer();
  primary = new Peer();
  replica = new Peer();
  stack: Stack = Stack.Listening;
  owesSynAck = false;
  /** First element of the client's stream that the replica reads. */
  base = 0;
  isDead = false;
  isMoved = false;
  /** Elements of the primary and acknowledgements of it that anybody has seen. */
  primarySent = 0;
  primaryAcked = 0;
  toPrimary: readonly Segment[] = [];
  toClient: readonly Segment[] = [];
  toReplica: readonly Segment[] = [];
  lossesLeft = 0;
  spuriousLeft = 0;
  ticksLeft = 0;

  copy(): Surroundings {
    const copy = Object.assign(new Surroundings(), this);
    copy.client = this.client.copy();
    copy.primary = this.primary.copy();
    copy.replica = this.replica.copy();
    return copy;
  }

  /** Nothing is on its way, and nobody is about to answer. */
  get isQuiet(): boolean {
    return (
      this.toPrimary.length === 0 &&
      this.toClient.length === 0 &&
      this.toReplica.length === 0 &&
      !this.owesSynAck &&
      !this.client.owesAck &&
      !(this.primary.owesAck && !this.isDead) &&
      !this.replica.owesAck
    );
  }

  words(): number[] {
    const flags = [this.owesSynAck, this.isDead, this.isMoved].reduce((bits, on) => bits * 2 + (on ? 1 : 0), 0);
    return [
      ...this.client.words(),
      ...this.primary.words(),
      ...this.replica.words(),
      this.stack | (flags << 2) | (this.base << 8) | (this.primarySent << 16) | (this.primaryAcked << 24),
      this.lossesLeft | (this.spuriousLeft << 8) | (this.ticksLeft << 16),
      ...[this.toPrimary, this.toClient, this.toReplica].flatMap((way) => [way.length, ...way.map(({ id }) => id)]),
    ];
  }
}

/** Something that must never be. */
export class Violation extends Error {}

export function demand(holds: boolean, what: string): void {
  if (!holds) throw new Violation(what);
}

export type Deliver = (sent: readonly Sent[]) => void;
