/**
 * What the guard believes about a service address, and what changes its mind.
 *
 * Theory of operation. A primary that comes back, or was only cut off, must not speak for an address that the backup
 * has taken: its stack would reset connections it knows nothing of, or knows old numbers of. Whether the backup has the
 * address shows in one way only, that somebody else answers for it. So the guard asks all the time, and lets its host
 * speak only while nobody answers and a silence can be trusted.
 *
 * `asking` and `silent` both block the host; the first does not know yet, the second does. What it cannot know: a frame
 * that the stack sends between the moment the backup takes the address and the moment it says so.
 */

export type GuardState = 'asking' | 'silent' | 'passing';

export type GuardEvent =
  /** Another host has shown that it holds the address. */
  | 'claimed'
  /** So many probes in a row have not been answered that nobody holds it. */
  | 'unclaimed'
  /** Probes do not get out or answers do not get in, or did not for a while: a silence says nothing. */
  | 'deaf';

interface Cell {
  readonly to: GuardState;
  readonly reason: string;
}

export const TRANSITIONS: Readonly<Record<GuardState, Readonly<Record<GuardEvent, Cell>>>> = {
  asking: {
    claimed: { to: 'silent', reason: 'another host holds the address: its connections have moved there' },
    unclaimed: { to: 'passing', reason: 'nobody else answers for the address' },
    deaf: { to: 'asking', reason: 'still not known who holds the address' },
  },
  silent: {
    claimed: { to: 'silent', reason: 'another host still holds the address' },
    unclaimed: { to: 'passing', reason: 'the other host has given the address up' },
    deaf: { to: 'silent', reason: 'who held the address when last heard may hold it still' },
  },
  passing: {
    claimed: { to: 'silent', reason: 'another host has taken the address' },
    unclaimed: { to: 'passing', reason: 'still nobody else answers for the address' },
    deaf: { to: 'asking', reason: 'another host may have taken the address unheard' },
  },
};

/** Whether the host may not speak for the address. */
export function isBlocked(state: GuardState): boolean {
  return state !== 'passing';
}
