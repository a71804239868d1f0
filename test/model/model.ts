/**
 * The rules: who can do what in a state, what follows from it, and what must hold.
 *
 * Demands on every step:
 *   - the client is given nothing but the server's bytes, each in its place, and no reset;
 *   - it is told that bytes were read only when the primary or the replica has read them;
 *   - the replica is given nothing but the client's bytes, each in its place: from the first one on (replay, shadow), or
 *     from the first one that the primary had not acknowledged (resume);
 *   - it is told that bytes were read only when it has sent them; with resume, only when the client has;
 *   - nobody hears of the replica before the primary is dead, and no connection is given up or said to differ.
 * Demand on the whole: from every state there is a way to the end, where both have read everything (see explore.ts).
 */
import { Loss, Port, Risk } from '../../assembly/abi/codes';
import { CONNECTION_LOSS, CONNECTION_RISK } from '../../assembly/abi/layout';
import { asCode, lossName, riskName } from '../../src/core/names';
import { type Action, type Moves, actionsOf } from './actions';
import { Core, type Sent } from './core';
import { CLIENT_ISN, PRIMARY_ISN, REPLICA_ISN, Stack, Surroundings, demand } from './network';
import { Peer } from './peer';
import { type Segment, Segments, type Sender, describe, portOf } from './segment';
import type { Setting } from './setting';
import { FIN, Streams, elementsOf, lengthOf, place, say } from './streams';

export interface State {
  readonly around: Surroundings;
  readonly core: Int32Array;
  readonly name: Fingerprint;
}

/** Two numbers of 26 bits as one. */
export type Fingerprint = number;

/** More than any way to the end takes: see the demand on the whole. */
const TICKS = 8;

export class Model implements Moves {
  readonly core: Core;
  readonly actions: readonly Action[];
  private readonly fresh: Int32Array;
  readonly streams: Streams;
  private readonly before = new DataView(new ArrayBuffer(512));

  constructor(
    readonly setting: Setting,
    readonly segments = new Segments(),
  ) {
    this.core = new Core(this.segments, setting.policy, setting.build ?? 'test');
    this.fresh = this.core.save();
    this.streams = new Streams(setting);
    this.actions = actionsOf(this);
  }

  /** Client and primary have just opened the connection. */
  initial(): State {
    this.core.restore(this.fresh);
    const a = new Surroundings();
    a.lossesLeft = this.setting.losses;
    a.spuriousLeft = this.setting.spurious;
    a.ticksLeft = TICKS;
    const { segments } = this;
    const first: [Sender, Segment][] = [
      ['client', segments.of('S', CLIENT_ISN, undefined)],
      ['primary', segments.of('S', PRIMARY_ISN, CLIENT_ISN + 1)],
      ['client', segments.of('', CLIENT_ISN + 1, PRIMARY_ISN + 1)],
    ];
    for (const [sender, segment] of first) this.show(a, sender, segment);
    return this.state(a);
  }

  /** The state after an action; undefined when the action changes nothing. */
  step(state: State, action: number): State | undefined {
    const around = state.around.copy();
    this.core.restore(state.core);
    this.actions[action]?.run(around);
    // Time has passed, and nobody had anything to do.
    const isIdle = around.ticksLeft < state.around.ticksLeft && around.isQuiet;
    return isIdle ? undefined : this.state(around);
  }

  private state(around: Surroundings): State {
    let a = 0x2545f491;
    let b = 0x6c078965;
    const mix = (word: number): void => {
      a = Math.imul(a ^ word, 0x85ebca6b);
      a ^= a >>> 15;
      b = Math.imul(b ^ word, 0xc2b2ae35);
      b ^= b >>> 13;
    };
    this.core.tell(mix);
    for (const word of around.words()) mix(word);
    return { around, core: this.core.save(), name: (a >>> 6) * 0x4000000 + (b >>> 6) };
  }

  /** Whether both ends have read everything. */
  isDone(a: Surroundings): boolean {
    const { client, replica } = a;
    if (client.acked < this.streams.client.length || client.read < this.streams.serverTotal(a)) return false;
    if (!a.isDead || a.base + replica.read === this.streams.client.length) return true;
    // Nothing was left for a replica.
    return this.streams.hasPrimaryClosed(a) && a.primaryAcked === this.streams.client.length;
  }

  // --- segments ---------------------------------------------------------------------------------------------------

  clientSegment({ client }: Surroundings, from: number, count: number): Segment {
    return this.segment(CLIENT_ISN, this.streams.client.slice(from, from + count), from, PRIMARY_ISN + 1 + client.read);
  }

  primarySegment({ primary }: Surroundings, from: number, count: number): Segment {
    return this.segment(
      PRIMARY_ISN,
      this.streams.server.slice(from, from + count),
      from,
      CLIENT_ISN + 1 + primary.read,
    );
  }

  replicaSegment(a: Surroundings, from: number, count: number): Segment {
    const elements = Array.from({ length: count }, (_, i) => this.streams.ofReplica(from + i)).join('');
    return this.segment(REPLICA_ISN, elements, from, this.replicaAck(a));
  }

  replicaAck({ base, replica }: Surroundings): number {
    return CLIENT_ISN + 1 + base + replica.read;
  }

  private segment(isn: number, elements: string, from: number, ack: number): Segment {
    const fin = elements.endsWith(FIN);
    const data = fin ? elements.slice(0, -1) : elements;
    return this.segments.of(fin ? 'F' : '', (isn + 1 + from) >>> 0, ack >>> 0, data);
  }

  // --- sending ----------------------------------------------------------------------------------------------------

  /** The core sees a segment, and sends what it likes. */
  show(a: Surroundings, sender: Sender, segment: Segment): void {
    this.act(a, () => this.core.receive(portOf(sender), this.segments.frame(sender, segment)));
  }

  act(a: Surroundings, act: () => Sent[]): void {
    const { record } = this.core;
    const { sabotage } = this.setting;
    if (sabotage !== undefined) {
      for (let i = 0; i < record.byteLength; i += 4) this.before.setUint32(i, record.getUint32(i, true), true);
    }
    const sent = act();
    sabotage?.(this.core, this.before, sent);
    for (const { port, segment } of sent) {
      if (port === Port.Wire) {
        demand(a.isMoved, `the client is sent ${describe(segment)} while the primary serves`);
        a.toClient = [...a.toClient, segment];
      } else {
        demand(a.isMoved || this.setting.policy === 'shadow', `the replica is sent ${describe(segment)}`);
        a.toReplica = [...a.toReplica, segment];
      }
    }
    const loss = asCode<Loss>(record.getUint8(CONNECTION_LOSS));
    const risk = asCode<Risk>(record.getUint8(CONNECTION_RISK));
    demand(loss === Loss.None, `given up: ${lossName(loss)}`);
    demand(risk === Risk.None || risk === Risk.NotShadowed, `at risk: ${riskName(risk)}`);
  }

  fromClient(a: Surroundings, segment: Segment, isLost = false): void {
    a.client.owesAck = false;
    if (isLost) return;
    this.show(a, 'client', segment);
    if (!a.isDead) a.toPrimary = [...a.toPrimary, segment];
  }

  fromPrimary(a: Surroundings, segment: Segment, isLost = false): void {
    a.primary.owesAck = false;
    if (isLost) return;
    a.primarySent = Math.max(a.primarySent, place(segment.seq, PRIMARY_ISN) + lengthOf(segment));
    a.primaryAcked = Math.max(a.primaryAcked, a.primary.read);
    this.show(a, 'primary', segment);
    a.toClient = [...a.toClient, segment];
  }

  fromReplica(a: Surroundings, segment: Segment, isLost = false): void {
    a.replica.owesAck = false;
    if (!isLost) this.show(a, 'replica', segment);
  }

  // --- receiving --------------------------------------------------------------------------------------------------

  toClient(a: Surroundings, segment: Segment): void {
    const { client } = a;
    const what = describe(segment);
    demand(!segment.rst, `the client is reset: ${what}`);
    demand(!segment.syn && segment.ack !== undefined, `the client is sent ${what}`);
    const first = place(segment.seq, PRIMARY_ISN);
    for (const [i, element] of elementsOf(segment).entries()) {
      const right = first + i < 0 ? undefined : this.streams.serverElement(a, first + i);
      demand(right === element, `the client is sent ${what}, and finds ${say(element)} in the place of ${say(right)}`);
    }
    const acked = place(segment.ack ?? 0, CLIENT_ISN);
    const read = Math.max(a.primary.read, a.stack === Stack.Open ? a.base + a.replica.read : 0);
    demand(acked <= read, `the client is told that ${acked} of its elements were read, and ${read} were: ${what}`);
    client.acknowledge(acked);
    client.take(first, lengthOf(segment));
  }

  toPrimary(a: Surroundings, segment: Segment): void {
    a.primary.acknowledge(place(segment.ack ?? 0, PRIMARY_ISN));
    a.primary.take(place(segment.seq, CLIENT_ISN), lengthOf(segment));
  }

  toReplica(a: Surroundings, segment: Segment): void {
    const what = describe(segment);
    if (segment.rst) {
      // A replica that reads along may be too far ahead, and begins again.
      demand(this.setting.policy === 'shadow' || this.isDone(a), `the replica is reset: ${what}`);
      a.stack = Stack.Listening;
      a.owesSynAck = false;
      a.replica = new Peer();
      return;
    }
    if (segment.syn) {
      this.synToReplica(a, segment);
      return;
    }
    if (a.stack === Stack.Listening) return;
    const acked = place(segment.ack ?? 0, REPLICA_ISN);
    if (a.stack === Stack.Half) {
      if (acked !== 0) {
        // RFC 9293 3.10.7.4, SYN-RECEIVED: an acknowledgement of what was not sent.
        this.show(a, 'replica', this.segments.of('R', segment.ack ?? 0, undefined));
        return;
      }
      a.stack = Stack.Open;
      a.owesSynAck = false;
    }
    const first = place(segment.seq, CLIENT_ISN) - a.base;
    if (first + lengthOf(segment) <= 0 && first < a.replica.read) {
      // Before the window, such as the probe of the handshake: its acknowledgement is not looked at.
      a.replica.owesAck = true;
      return;
    }
    demand(acked <= a.replica.next, `the replica is told that ${acked} of its elements were read: ${what}`);
    const delivered = a.client.read - a.primarySent;
    if (!this.streams.isCopied && !this.streams.hasPrimaryClosed(a)) {
      demand(
        acked <= Math.max(0, delivered),
        `${acked} elements are acknowledged, the client has ${delivered}: ${what}`,
      );
    }
    for (const [i, element] of elementsOf(segment).entries()) {
      const at = a.base + first + i;
      const right = at < a.client.next ? this.streams.client[at] : undefined;
      demand(right === element, `the replica is sent ${what}, and finds ${say(element)} in the place of ${say(right)}`);
    }
    a.replica.acknowledge(acked);
    a.replica.take(first, lengthOf(segment));
  }

  private synToReplica(a: Surroundings, { seq }: Segment): void {
    if (a.stack === Stack.Open) {
      a.replica.owesAck = true;
      return;
    }
    const base = place(seq, CLIENT_ISN) + 1;
    const acked = Math.min(a.primaryAcked, this.setting.clientBytes);
    const right = this.streams.isCopied ? 0 : acked;
    demand(base === right, `the replica is to read from element ${base} on, and ${right} were acknowledged`);
    a.base = base;
    a.stack = Stack.Half;
    a.owesSynAck = true;
  }
}
