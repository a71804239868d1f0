/**
 * The bounds. Every setting is explored completely; what differs is how long the streams are, whether both sides close,
 * how many segments get lost, how many retransmissions come without need, and whether a segment can overtake another.
 * States seen on the day this was written, two examples: 57,040 (resume, one byte each way, 1 repeated without need,
 * overtaking), 813,235 (resume, two bytes each way, both close). Each run says its own.
 */
import type { Policy } from './core';
import type { Setting } from './setting';

const POLICIES = ['resume', 'replay', 'shadow'] as const satisfies readonly Policy[];

type Bounds = Omit<Setting, 'policy' | 'build' | 'sabotage'>;

export const PLAIN: Bounds = {
  clientBytes: 1,
  serverBytes: 1,
  close: false,
  losses: 0,
  spurious: 0,
  overtaking: false,
};

function each(policies: readonly Policy[], bounds: Partial<Bounds>): Setting[] {
  return policies.map((policy) => ({ policy, ...PLAIN, ...bounds }));
}

/** A part of the tests: 250,000 states. */
export const SHORT: readonly Setting[] = [
  ...each(POLICIES, { losses: 1 }),
  ...each(['resume', 'replay'], { spurious: 1, overtaking: true }),
  ...each(['shadow'], { overtaking: true }),
  ...each(['resume', 'replay'], { close: true }),
  ...each(['resume', 'replay'], { clientBytes: 2, serverBytes: 2 }),
];

/** `npm run model`: some millions of states, up to a gigabyte of memory, some minutes. */
export const LONG: readonly Setting[] = [
  ...SHORT,
  ...each(['shadow'], { spurious: 1, overtaking: true }),
  ...each(['shadow'], { close: true }),
  ...each(['shadow'], { clientBytes: 2, serverBytes: 2 }),
  ...each(POLICIES, { losses: 2, spurious: 1, overtaking: true }),
  ...each(['resume', 'replay'], { close: true, losses: 1 }),
  ...each(POLICIES, { clientBytes: 2, serverBytes: 2, losses: 1 }),
  ...each(['resume', 'replay'], { clientBytes: 2, serverBytes: 2, close: true }),
  ...each(['replay'], { clientBytes: 3, serverBytes: 3 }),
  ...each(['shadow'], { close: true, losses: 1 }),
];

export function nameOf({ policy, clientBytes, serverBytes, close, losses, spurious, overtaking }: Setting): string {
  return [
    policy,
    `${clientBytes} bytes there, ${serverBytes} back`,
    close ? 'both close' : '',
    losses > 0 ? `${losses} lost` : '',
    spurious > 0 ? `${spurious} repeated without need` : '',
    overtaking ? 'overtaking' : '',
  ]
    .filter(Boolean)
    .join(', ');
}
