/** Who can do what, and when: the moves of which every interleaving is tried. What follows from a move is model.ts' business. */
import type { Core, Sent } from './core';
import { REPLICA_ISN, Stack, type Surroundings } from './network';
import type { Peer } from './peer';
import type { Segment, Segments, Sender } from './segment';
import type { Setting } from './setting';
import type { Streams } from './streams';

export interface Action {
  readonly name: string;
  readonly can: (a: Surroundings) => boolean;
  readonly run: (a: Surroundings) => void;
}

type Make = (a: Surroundings, from: number, count: number) => Segment;
type Send = (a: Surroundings, segment: Segment, isLost?: boolean) => void;
type Arrive = (a: Surroundings, segment: Segment) => void;

/** What the moves are made with. */
export interface Moves {
  readonly setting: Setting;
  readonly streams: Streams;
  readonly segments: Segments;
  readonly core: Core;
  readonly clientSegment: Make;
  readonly primarySegment: Make;
  readonly replicaSegment: Make;
  readonly fromClient: Send;
  readonly fromPrimary: Send;
  readonly fromReplica: Send;
  readonly toClient: Arrive;
  readonly toPrimary: Arrive;
  readonly toReplica: Arrive;
  isDone(a: Surroundings): boolean;
  replicaAck(a: Surroundings): number;
  show(a: Surroundings, sender: Sender, segment: Segment): void;
  act(a: Surroundings, act: () => Sent[]): void;
}

/** How long a quiet network is waited for, ms and steps: longer than the core's first timeouts, shorter than its patience. */
const TICK_MS = 100;
const TICK_STEPS = 20;

/** Everything that may happen next; `can` says in which states. */
export function actionsOf(m: Moves): Action[] {
  const { overtaking } = m.setting;
  const clientLength = m.streams.client.length;
  const serverLength = m.streams.server.length;
  const ways = [
    { name: 'primary', key: 'toPrimary' as const, arrive: m.toPrimary.bind(m) },
    { name: 'client', key: 'toClient' as const, arrive: m.toClient.bind(m) },
    { name: 'replica', key: 'toReplica' as const, arrive: m.toReplica.bind(m) },
  ];
  return [
    ...sendings(
      m,
      'client',
      () => true,
      (a) => a.client.next < clientLength,
      m.clientSegment.bind(m),
      m.fromClient.bind(m),
    ),
    ...sendings(
      m,
      'primary',
      (a) => !a.isDead,
      (a) => a.primary.next < serverLength && a.primary.read >= Math.min(a.primary.next, clientLength),
      m.primarySegment.bind(m),
      m.fromPrimary.bind(m),
    ),
    ...sendings(
      m,
      'replica',
      (a) => a.stack === Stack.Open,
      (a) => a.replica.next < serverLength && a.base + a.replica.read >= Math.min(a.replica.next, clientLength),
      m.replicaSegment.bind(m),
      m.fromReplica.bind(m),
    ),
    ...losable(
      'replica answers the SYN',
      (a) => a.owesSynAck,
      (a, isLost) => {
        a.owesSynAck = false;
        if (!isLost) m.show(a, 'replica', m.segments.of('S', REPLICA_ISN, m.replicaAck(a) >>> 0));
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
      can: (a) => !a.isDead && !m.isDone(a),
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
        m.act(a, () => m.core.recover());
      },
    },
    {
      name: 'time passes',
      can: (a) => a.isQuiet && a.ticksLeft > 0,
      run: (a) => {
        a.ticksLeft--;
        for (let i = 0; i < TICK_STEPS && a.isQuiet; i++) m.act(a, () => m.core.tick(TICK_MS));
      },
    },
  ];
}

/** What an end can send: its next element, unacknowledged ones again, and an acknowledgement. */
function sendings(
  m: Moves,
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
  const sends = losable(
    `${name} sends`,
    (a) => isUp(a) && hasNext(a),
    (a, isLost) => {
      send(a, make(a, peer(a).next++, 1), isLost);
    },
    (a) => name !== 'primary' || (m.streams.isCopied && peer(a).next < m.setting.serverBytes),
  );
  return [
    ...sends,
    ...losable(
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

function losable(
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
