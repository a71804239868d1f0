/** Random segments of both ends of a connection that has moved: what stacks send, and what they might. */
import fc from 'fast-check';
import type { End } from '../support/flow';
import { type TcpOptions, endOfOptions, hopByHop, nop, sack, tcpOption, timestamps } from '../support/frames';
import type { Moved } from './connections';
import { cut, nearest } from './reference';

/** A number by where it lies from what would be right. */
const place = fc.oneof(
  { arbitrary: fc.constant(0), weight: 4 },
  { arbitrary: fc.integer({ min: -1000, max: -1 }), weight: 2 },
  { arbitrary: fc.integer({ min: 1, max: 2000 }), weight: 1 },
  { arbitrary: fc.integer({ min: -(2 ** 30), max: 2 ** 30 }), weight: 1 },
);

/** What stands in the list of options, in this order. */
const option = fc.oneof(
  fc.constant({ kind: 'nop' as const }),
  fc.constant({ kind: 'end' as const }),
  fc.record({
    kind: fc.constant('times' as const),
    older: fc.nat(500),
    echoOlder: fc.oneof(fc.nat(50), fc.nat(2 ** 20)),
  }),
  fc.record({
    kind: fc.constant('sack' as const),
    // Around what is expected next, or the first byte of the replica.
    isAtBase: fc.boolean(),
    blocks: fc.array(fc.tuple(fc.oneof(fc.integer({ min: 1, max: 5000 }), place), fc.nat(5000)), {
      minLength: 1,
      maxLength: 4,
    }),
  }),
  fc.record({ kind: fc.constant('other' as const), length: fc.nat(5) }),
);
type Option = typeof option extends fc.Arbitrary<infer T> ? T : never;

const NOP_NOP = [{ kind: 'nop' }, { kind: 'nop' }] as const;

export const step = fc.record({
  from: fc.constantFrom('client' as const, 'replica' as const),
  flags: fc.constantFrom('A', 'A', 'PA', 'PA', 'FA', 'FPA', 'UA', 'UPA', 'AE', 'AC', 'PAEC', 'FPAC', 'R', 'RA'),
  seq: place,
  ack: place,
  window: fc.oneof(fc.nat(0xffff), fc.constant(0), fc.nat(10)),
  length: fc.oneof(fc.constant(0), fc.nat(100), fc.nat(1500), fc.nat(4000), fc.nat(20_000)),
  // As stacks write them, or any.
  options: fc.oneof(
    fc.tuple(option).map(([one]): readonly Option[] => [...NOP_NOP, one]),
    fc.tuple(option, option).map(([one, two]): readonly Option[] => [...NOP_NOP, one, ...NOP_NOP, two]),
    fc.array(option, { maxLength: 5 }),
  ),
  urgent: fc.nat(0xffff),
  isPartial: fc.oneof({ arbitrary: fc.constant(false), weight: 5 }, { arbitrary: fc.constant(true), weight: 1 }),
  tos: fc.nat(255),
  ttl: fc.integer({ min: 1, max: 255 }),
  id: fc.nat(0xffff),
  hasIpOptions: fc.oneof({ arbitrary: fc.constant(false), weight: 7 }, { arbitrary: fc.constant(true), weight: 1 }),
  isOtherMac: fc.boolean(),
  ticks: fc.nat(300),
});
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const OPTION_ROOM = 40;
/** Of a frame that is split, with what is left beside all options of the smallest MSS: the core queues no more at a time. */
const PARTS = 40;
const LEAST_MSS = 48;
/** IPv6 and TCP. */
const HEADER_BYTES = 60;
const ROUTER_ALERT = Uint8Array.of(148, 4, 0, 0);

/** Options of a segment, as far as they fit, each kind once: of two the standards do not say which counts. */
function optionBytes({ reference, flow }: Moved, drawn: Step, end: End, isFresh: boolean): Uint8Array[] {
  const isClient = end === flow.client;
  const { setting, memory } = reference;
  const hasTimes = isClient ? setting.client.timestamps && setting.primary.timestamps : setting.replica.timestamps;
  const seen = new Set<string>();
  const list: Uint8Array[] = [];
  for (const one of drawn.options) {
    if (one.kind !== 'nop' && seen.has(one.kind)) continue;
    seen.add(one.kind);
    const bytes = ((): Uint8Array => {
      switch (one.kind) {
        case 'nop':
          return nop();
        case 'end':
          return endOfOptions();
        case 'other':
          return tcpOption(77, new Array<number>(one.length).fill(0xee));
        case 'sack': {
          const isAtBase = isClient && one.isAtBase;
          const near = isAtBase ? setting.serverBase : end.received;
          const edge = (from: number): number => near + (isAtBase ? from % 3 : from);
          return sack(
            ...one.blocks.map(([from, length]): [number, number] => [cut(edge(from)), cut(edge(from) + length)]),
          );
        }
        case 'times': {
          if (!hasTimes) return nop();
          const echoed = isClient ? memory.serverTsval : memory.clientTsval;
          // What may be somebody else's knows no later time than the client has told.
          const latest = isFresh || !isClient ? end.tsval : memory.clientTsval;
          return timestamps(cut(latest - (isFresh ? 0 : one.older)), cut(echoed - one.echoOlder));
        }
      }
    })();
    if (list.reduce((length, { length: n }) => length + n, bytes.length) <= OPTION_ROOM) list.push(bytes);
  }
  return list;
}

export interface Drawn {
  readonly end: End;
  readonly flags: string;
  readonly overrides: Partial<TcpOptions>;
}

/** The segment that a step means for the connection as it is now. */
export function segmentOf(moved: Moved, drawn: Step): Drawn {
  const { flow, reference } = moved;
  const end = drawn.from === 'client' ? flow.client : flow.stack;
  const isClient = end === flow.client;
  const isReset = drawn.flags.includes('R');
  // What follows a FIN has no number of its own.
  const isNext = drawn.seq === 0 && end.finished === undefined;
  // A replica is trusted: it neither acknowledges what was never sent nor says anything before its first byte.
  const ack = isClient ? drawn.ack : Math.min(Math.max(drawn.ack, -1000), 0);
  const spoken = cut(end.next - (end.offer.isn + 1));
  const seq = isClient ? drawn.seq : Math.max(Math.min(drawn.seq, 2000), -Math.min(spoken, 1000));
  // A client keeps to its window; what lies beyond is somebody else's.
  const granted = isClient ? reference.memory.told - nearest(end.next, reference.memory.told) : Infinity;
  const announced = reference.setting[isClient ? 'replica' : 'client'].mss ?? LEAST_MSS;
  const path = (isClient ? undefined : reference.setting.pathMtu) ?? Infinity;
  const size = Math.max(Math.min(announced, path - HEADER_BYTES, 536), LEAST_MSS);
  // What a replica says when the primary has closed is swallowed, and answered by the core itself: no translation.
  const isDone = !isClient && reference.setting.isClosed;
  const most = isDone ? 0 : Math.min(drawn.length, size * PARTS);
  const length = isNext ? Math.max(Math.min(most, granted - 1), 0) : most;
  const isOld = isNext || isReset;
  const flags = isReset || (isNext && !isDone) || isClient ? drawn.flags : drawn.flags.replace('F', '');
  const isFresh = isNext && ack <= 0 && ack >= -1000;
  if (isFresh) end.tsval = cut(end.tsval + drawn.ticks);
  const at = cut(end.next + (isOld ? 0 : seq));
  if (isNext && flags.includes('F')) end.finished = { seq: cut(at + length), ack: end.received };
  const isIpv6 = flow.options.client.includes(':');
  const overrides: Partial<TcpOptions> = {
    ...(isOld ? {} : { seq: at }),
    ack: flags.includes('A') ? cut(end.received + ack) : 0,
    window: drawn.window,
    urgent: flags.includes('U') ? drawn.urgent : 0,
    payload: isReset ? new Uint8Array(0) : end.pattern(at, length),
    options: optionBytes(moved, drawn, end, isFresh),
    checksum: drawn.isPartial ? 'partial' : 'full',
    tos: drawn.tos,
    ttl: drawn.ttl,
    id: drawn.id,
    ...(drawn.hasIpOptions && isIpv6 ? { extensions: [hopByHop()] } : {}),
    ...(drawn.hasIpOptions && !isIpv6 ? { ipOptions: ROUTER_ALERT } : {}),
    ...(isClient && drawn.isOtherMac ? { srcMac: '02:00:00:00:00:77' } : {}),
  };
  return { end, flags, overrides };
}
