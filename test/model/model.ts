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
import { Core, type ModelBuild, type Policy, type Sent } from './core';
import { CLIENT_ISN, PRIMARY_ISN, REPLICA_ISN, Stack, Surroundings, demand } from './network';
import { Peer } from './peer';
import { type Segment, Segments, type Sender, describe, portOf } from './segment';

export interface Setting {
  readonly policy: Policy;
  /** Bytes of either stream. */
  readonly clientBytes: number;
  readonly serverBytes: number;
  /** Whether both sides close at their end. */
  readonly close: boolean;
  /** Segments that get lost. */
  readonly losses: number;
  /** Retransmissions without need. */
  readonly spurious: number;
  /** Whether a segment can overtake another. */
  readonly overtaking: boolean;
  readonly build?: ModelBuild;
  /** Done to the core after each of its steps: a mistake that the model has to find. */
  readonly sabotage?: Sabotage;
}

/** Changes the record, which was `before` when the step began, or what the core sends. */
export type Sabotage = (core: Core, before: DataView, sent: Sent[]) => void;

export interface State {
  readonly around: Surroundings;
  readonly core: Int32Array;
  readonly name: Fingerprint;
}

/** Two numbers of 26 bits as one. */
export type Fingerprint = number;

interface Action {
  readonly name: string;
  readonly can: (a: Surroundings) => boolean;
  readonly run: (a: Surroundings) => void;
}

/** More than any way to the end takes: see the demand on the whole. */
const TICKS = 8;
/** How long a quiet network is waited for, ms and steps: longer than the core's first timeouts, shorter than its patience. */
const TICK_MS = 100;
const TICK_STEPS = 20;

export class Model {
  readonly core: Core;
  readonly actions: readonly Action[];
  private readonly fresh: Int32Array;
  private readonly clientStream: string;
  private readonly serverStream: string;
  private readonly before = new DataView(new ArrayBuffer(512));

  constructor(
    readonly setting: Setting,
    readonly segments = new Segments(),
  ) {
    this.core = new Core(this.segments, setting.policy, setting.build ?? 'test');
    this.fresh = this.core.save();
    const end = setting.close ? FIN : '';
    this.clientStream = 'abcdefgh'.slice(0, setting.clientBytes) + end;
    this.serverStream = 'ABCDEFGH'.slice(0, setting.serverBytes) + end;
    this.actions = this.allActions();
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
    if (client.acked < this.clientStream.length || client.read < this.serverTotal(a)) return false;
    if (!a.isDead || a.base + replica.read === this.clientStream.length) return true;
    // Nothing was left for a replica.
    return this.hasPrimaryClosed(a) && a.primaryAcked === this.clientStream.length;
  }

  // --- streams ----------------------------------------------------------------------------------------------------

  private get isCopied(): boolean {
    return this.setting.policy !== 'resume';
  }

  /** With resume, the replica's stream begins where the primary's ended. */
  private serverTotal(a: Surroundings): number {
    const own = this.serverStream.length;
    if (this.isCopied || !a.isDead || this.hasPrimaryClosed(a)) return own;
    return a.primarySent + own;
  }

  private hasPrimaryClosed(a: Surroundings): boolean {
    return this.setting.close && a.primarySent === this.serverStream.length;
  }

  /** What the client has to find at this place, undefined when nobody has sent it. */
  private serverElement(a: Surroundings, i: number): string | undefined {
    if (this.isCopied) return i < Math.max(a.primarySent, a.replica.next) ? this.serverStream[i] : undefined;
    if (!a.isDead || i < a.primarySent) return i < a.primarySent ? this.serverStream[i] : undefined;
    const own = i - a.primarySent;
    return own < a.replica.next && !this.hasPrimaryClosed(a) ? this.ofReplica(own) : undefined;
  }

  /** The replica's bytes are told apart from the primary's when they are other bytes. */
  private ofReplica(i: number): string {
    const element = this.serverStream[i] ?? '';
    return this.isCopied || element === FIN ? element : String.fromCharCode(element.charCodeAt(0) + REPLICA_SHIFT);
  }

  // --- segments ---------------------------------------------------------------------------------------------------

  private clientSegment({ client }: Surroundings, from: number, count: number): Segment {
    return this.segment(CLIENT_ISN, this.clientStream.slice(from, from + count), from, PRIMARY_ISN + 1 + client.read);
  }

  private primarySegment({ primary }: Surroundings, from: number, count: number): Segment {
    return this.segment(PRIMARY_ISN, this.serverStream.slice(from, from + count), from, CLIENT_ISN + 1 + primary.read);
  }

  private replicaSegment(a: Surroundings, from: number, count: number): Segment {
    const elements = Array.from({ length: count }, (_, i) => this.ofReplica(from + i)).join('');
    return this.segment(REPLICA_ISN, elements, from, this.replicaAck(a));
  }

  private replicaAck({ base, replica }: Surroundings): number {
    return CLIENT_ISN + 1 + base + replica.read;
  }

  private segment(isn: number, elements: string, from: number, ack: number): Segment {
    const fin = elements.endsWith(FIN);
    const data = fin ? elements.slice(0, -1) : elements;
    return this.segments.of(fin ? 'F' : '', (isn + 1 + from) >>> 0, ack >>> 0, data);
  }

  // --- sending ----------------------------------------------------------------------------------------------------

  /** The core sees a segment, and sends what it likes. */
  private show(a: Surroundings, sender: Sender, segment: Segment): void {
    this.act(a, () => this.core.receive(portOf(sender), this.segments.frame(sender, segment)));
  }

  private act(a: Surroundings, act: () => Sent[]): void {
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

  private fromClient(a: Surroundings, segment: Segment, isLost = false): void {
    a.client.owesAck = false;
    if (isLost) return;
    this.show(a, 'client', segment);
    if (!a.isDead) a.toPrimary = [...a.toPrimary, segment];
  }

  private fromPrimary(a: Surroundings, segment: Segment, isLost = false): void {
    a.primary.owesAck = false;
    if (isLost) return;
    a.primarySent = Math.max(a.primarySent, place(segment.seq, PRIMARY_ISN) + lengthOf(segment));
    a.primaryAcked = Math.max(a.primaryAcked, a.primary.read);
    this.show(a, 'primary', segment);
    a.toClient = [...a.toClient, segment];
  }

  private fromReplica(a: Surroundings, segment: Segment, isLost = false): void {
    a.replica.owesAck = false;
    if (!isLost) this.show(a, 'replica', segment);
  }

  // --- receiving --------------------------------------------------------------------------------------------------

  private toClient(a: Surroundings, segment: Segment): void {
    const { client } = a;
    const what = describe(segment);
    demand(!segment.rst, `the client is reset: ${what}`);
    demand(!segment.syn && segment.ack !== undefined, `the client is sent ${what}`);
    const first = place(segment.seq, PRIMARY_ISN);
    for (const [i, element] of elementsOf(segment).entries()) {
      const right = first + i < 0 ? undefined : this.serverElement(a, first + i);
      demand(right === element, `the client is sent ${what}, and finds ${say(element)} in the place of ${say(right)}`);
    }
    const acked = place(segment.ack ?? 0, CLIENT_ISN);
    const read = Math.max(a.primary.read, a.stack === Stack.Open ? a.base + a.replica.read : 0);
    demand(acked <= read, `the client is told that ${acked} of its elements were read, and ${read} were: ${what}`);
    client.acknowledge(acked);
    client.take(first, lengthOf(segment));
  }

  private toPrimary(a: Surroundings, segment: Segment): void {
    a.primary.acknowledge(place(segment.ack ?? 0, PRIMARY_ISN));
    a.primary.take(place(segment.seq, CLIENT_ISN), lengthOf(segment));
  }

  private toReplica(a: Surroundings, segment: Segment): void {
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
    if (!this.isCopied && !this.hasPrimaryClosed(a)) {
      demand(
        acked <= Math.max(0, delivered),
        `${acked} elements are acknowledged, the client has ${delivered}: ${what}`,
      );
    }
    for (const [i, element] of elementsOf(segment).entries()) {
      const at = a.base + first + i;
      const right = at < a.client.next ? this.clientStream[at] : undefined;
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
    const right = this.isCopied ? 0 : acked;
    demand(base === right, `the replica is to read from element ${base} on, and ${right} were acknowledged`);
    a.base = base;
    a.stack = Stack.Half;
    a.owesSynAck = true;
  }

  // --- actions ----------------------------------------------------------------------------------------------------

  private allActions(): Action[] {
    const { overtaking } = this.setting;
    const clientLength = this.clientStream.length;
    const serverLength = this.serverStream.length;
    const ways = [
      { name: 'primary', key: 'toPrimary' as const, arrive: this.toPrimary.bind(this) },
      { name: 'client', key: 'toClient' as const, arrive: this.toClient.bind(this) },
      { name: 'replica', key: 'toReplica' as const, arrive: this.toReplica.bind(this) },
    ];
    return [
      ...this.sendings(
        'client',
        () => true,
        (a) => a.client.next < clientLength,
        this.clientSegment.bind(this),
        this.fromClient.bind(this),
      ),
      ...this.sendings(
        'primary',
        (a) => !a.isDead,
        (a) => a.primary.next < serverLength && a.primary.read >= Math.min(a.primary.next, clientLength),
        this.primarySegment.bind(this),
        this.fromPrimary.bind(this),
      ),
      ...this.sendings(
        'replica',
        (a) => a.stack === Stack.Open,
        (a) => a.replica.next < serverLength && a.base + a.replica.read >= Math.min(a.replica.next, clientLength),
        this.replicaSegment.bind(this),
        this.fromReplica.bind(this),
      ),
      ...this.losable(
        'replica answers the SYN',
        (a) => a.owesSynAck,
        (a, isLost) => {
          a.owesSynAck = false;
          if (!isLost) this.show(a, 'replica', this.segments.of('S', REPLICA_ISN, this.replicaAck(a) >>> 0));
        },
      ),
      ...ways.flatMap(({ name, key, arrive }): Action[] => [
        {
          name: `the next segment reaches the ${name}`,
          can: (a) => a[key].length > 0,
          run: (a) => {
            const [segment, ...rest] = a[key];
            a[key] = rest;
            if (segment !== undefined) arrive(a, segment);
          },
        },
        {
          name: `the next segment for the ${name} is lost`,
          can: (a) => a[key].length > 0 && a.lossesLeft > 0,
          run: (a) => {
            a[key] = a[key].slice(1);
            a.lossesLeft--;
          },
        },
        {
          name: `the next segment for the ${name} is overtaken`,
          can: (a) => overtaking && a[key].length > 1,
          run: (a) => {
            const [first, second, ...rest] = a[key];
            if (first === undefined || second === undefined) return;
            a[key] = [first, ...rest];
            arrive(a, second);
          },
        },
      ]),
      {
        name: 'the primary dies',
        can: (a) => !a.isDead && !this.isDone(a),
        run: (a) => {
          a.isDead = true;
          a.toPrimary = [];
        },
      },
      {
        name: 'the death is noticed',
        can: (a) => a.isDead && !a.isMoved,
        run: (a) => {
          a.isMoved = true;
          this.act(a, () => this.core.recover());
        },
      },
      {
        name: 'time passes',
        can: (a) => a.isQuiet && a.ticksLeft > 0,
        run: (a) => {
          a.ticksLeft--;
          for (let i = 0; i < TICK_STEPS && a.isQuiet; i++) this.act(a, () => this.core.tick(TICK_MS));
        },
      },
    ];
  }

  /** What an end can send: its next element, unacknowledged ones again, and an acknowledgement. */
  private sendings(
    name: Sender,
    isUp: (a: Surroundings) => boolean,
    hasNext: (a: Surroundings) => boolean,
    make: (a: Surroundings, from: number, count: number) => Segment,
    send: (a: Surroundings, segment: Segment, isLost?: boolean) => void,
  ): Action[] {
    const peer = (a: Surroundings): Peer => a[name];
    const mayRepeat = (a: Surroundings): boolean => isUp(a) && peer(a).isWaiting && (a.isQuiet || a.spuriousLeft > 0);
    const repeat = (a: Surroundings, count: number): void => {
      if (!a.isQuiet) a.spuriousLeft--;
      send(a, make(a, peer(a).acked, count));
    };
    // Bytes that only the primary knows nobody else can send, and of a number that only it knows nobody can say whether it
    // is a byte's or the FIN's: such a connection is named, and reset.
    const sends = this.losable(
      `${name} sends`,
      (a) => isUp(a) && hasNext(a),
      (a, isLost) => {
        send(a, make(a, peer(a).next++, 1), isLost);
      },
      (a) => name !== 'primary' || (this.isCopied && peer(a).next < this.setting.serverBytes),
    );
    return [
      ...sends,
      ...this.losable(
        `${name} acknowledges`,
        (a) => isUp(a) && peer(a).owesAck,
        (a, isLost) => {
          send(a, make(a, peer(a).next, 0), isLost);
        },
      ),
      {
        name: `${name} repeats its first unacknowledged element`,
        can: mayRepeat,
        run: (a) => {
          repeat(a, 1);
        },
      },
      {
        name: `${name} repeats all unacknowledged elements`,
        can: (a) => mayRepeat(a) && peer(a).next - peer(a).acked > 1,
        run: (a) => {
          repeat(a, peer(a).next - peer(a).acked);
        },
      },
    ];
  }

  private losable(
    name: string,
    can: (a: Surroundings) => boolean,
    run: (a: Surroundings, isLost: boolean) => void,
    canBeLost: (a: Surroundings) => boolean = () => true,
  ): Action[] {
    return [
      {
        name,
        can,
        run: (a) => {
          run(a, false);
        },
      },
      {
        name: `${name}; lost`,
        can: (a) => a.lossesLeft > 0 && can(a) && canBeLost(a),
        run: (a) => {
          a.lossesLeft--;
          run(a, true);
        },
      },
    ];
  }
}

/** Stands for the FIN in a stream. */
const FIN = '.';
/** From the primary's bytes to the replica's, where they are to differ: capitals to small ones. */
const REPLICA_SHIFT = 32;

function elementsOf({ data, fin }: Segment): string[] {
  return (fin ? data + FIN : data).split('');
}

function lengthOf({ data, fin }: Segment): number {
  return data.length + (fin ? 1 : 0);
}

/** Where a sequence number lies in the stream whose SYN had the number `isn`. */
function place(seq: number, isn: number): number {
  return (seq - isn - 1) | 0;
}

function say(element: string | undefined): string {
  return element === undefined ? 'nothing' : element === FIN ? 'the FIN' : `"${element}"`;
}
