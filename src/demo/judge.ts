/**
 * The judge of the demo: what primary and replica read, put together, is what the clients wrote; no client noticed an
 * error, nor did the replica, and no connection was reset.
 *
 * The primary's part is what it acknowledged on the wire: behind its pulled cable it goes on reading what its kernel has
 * taken, and each acknowledged byte must be among that. What it took but could not acknowledge any more is the replica's
 * to read, since nobody but the dead primary can know of it; it is reported, and no fault. Then the sum is exact: no byte
 * may be missing, none may be there twice. How long something took is no fault either.
 *
 * A replica that is given whole streams has to have read every byte by itself, and the primary's part has to be the same.
 */
import type { ClientConnection } from './client';
import { lines } from './numbers';
import type { ServiceConnection } from './service';
import type { WireReport } from './wire';

export interface Evidence {
  readonly clients: readonly ClientConnection[];
  readonly primary: readonly ServiceConnection[];
  readonly replica: readonly ServiceConnection[];
  readonly wire: WireReport;
  /** Frames that the observer has missed: where it is blind it cannot vouch for anything. */
  readonly dropped: number;
  /** What the replica is given of a stream: the rest (default), or all of it. */
  readonly replicaReads?: 'rest' | 'all' | undefined;
}

export interface Bytes {
  readonly written: number;
  readonly primary: number;
  readonly replica: number;
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  /** Read by the primary when it could not acknowledge any more, and again by the replica. */
  readonly unacknowledged: number;
}

export interface Verdict {
  /** What is wrong, one sentence each; none if nothing broke. */
  readonly problems: readonly string[];
  /** Connections about which there is nothing to complain. */
  readonly kept: number;
  readonly bytes: Bytes;
}

type Sums = { -readonly [name in keyof Bytes]: number };

export function judge({ clients, primary, replica, wire, dropped, replicaReads = 'rest' }: Evidence): Verdict {
  const sums: Sums = { written: 0, primary: 0, replica: 0, lost: 0, doubled: 0, wrong: 0, unacknowledged: 0 };
  const problems: string[] = [];
  const acknowledged = new Map(wire.connections.map((each) => [each.client, each.primaryAcknowledged]));
  const resets = new Map(wire.resets.map((text) => [text.split(' ', 1)[0], text]));
  const parts = { primary: byPeer(primary), replica: byPeer(replica) };
  let kept = 0;
  for (const [number, { local, lines: count, error }] of clients.entries()) {
    const found: string[] = [];
    if (error !== '') found.push(error);
    const reset = resets.get(local);
    if (reset !== undefined) found.push(reset);
    if (!acknowledged.has(local)) found.push('the observer has not seen its SYN');

    // What the primary notices behind its pulled cable is of no interest.
    for (const { error: noticed } of parts.replica.get(local) ?? []) {
      if (noticed !== '') found.push(`the replica noticed ${noticed}`);
    }

    const first = join(parts.primary.get(local));
    const claim = first.slice(0, Math.max(0, acknowledged.get(local) ?? 0));
    const second = join(parts.replica.get(local));
    const expected = lines(number, count);
    sums.written += expected.length;
    sums.primary += claim.length;
    sums.replica += second.length;
    sums.unacknowledged += first.length - claim.length;
    if (replicaReads === 'rest') found.push(...compare(expected, [claim, second], sums));
    else found.push(...compare(expected.slice(0, claim.length), [claim], sums), ...compare(expected, [second], sums));
    if (found.length === 0) kept++;
    else problems.push(`${local}: ${found.join('; ')}`);
  }
  problems.push(...strangers(clients, primary, 'primary'), ...strangers(clients, replica, 'replica'));
  if (dropped > 0) problems.push(`the observer missed ${dropped} frames, so nothing is certain: run it again`);
  return { problems, kept, bytes: sums };
}

function byPeer(connections: readonly ServiceConnection[]): Map<string, ServiceConnection[]> {
  const found = new Map<string, ServiceConnection[]>();
  for (const connection of connections) {
    found.set(connection.peer, [...(found.get(connection.peer) ?? []), connection]);
  }
  return found;
}

function join(connections: readonly ServiceConnection[] = []): string {
  return connections.map(({ text }) => text).join('');
}

/** What the services read, one after the other, against what was written. */
function compare(expected: string, parts: readonly string[], sums: Sums): string[] {
  const found: string[] = [];
  let at = 0;
  for (const part of parts) {
    const start = expected.startsWith(part, at) ? at : place(expected, part, at);
    if (start === undefined) {
      const wrong = differences(expected.slice(at), part);
      sums.wrong += wrong;
      found.push(`${wrong} of ${part.length} bytes read at ${at} are not what was written`);
    } else if (start > at) {
      sums.lost += start - at;
      found.push(`${start - at} bytes lost at ${at}`);
    } else if (start < at) {
      const doubled = Math.min(at - start, part.length);
      sums.doubled += doubled;
      found.push(`${doubled} bytes doubled at ${start}`);
    }
    at = Math.max(at, (start ?? at) + part.length);
  }
  if (at < expected.length) {
    sums.lost += expected.length - at;
    found.push(`the last ${expected.length - at} bytes were read by nobody`);
  }
  return found;
}

/** Where a part really comes from: the place nearest to where it should, if there is any. */
function place(expected: string, part: string, near: number): number | undefined {
  const before = expected.lastIndexOf(part, near);
  const after = expected.indexOf(part, near);
  const places = [before, after].filter((at) => at >= 0);
  return places.sort((a, b) => Math.abs(a - near) - Math.abs(b - near))[0];
}

function differences(expected: string, part: string): number {
  let count = 0;
  for (let at = 0; at < part.length; at++) if (part[at] !== expected[at]) count++;
  return count;
}

/** Who pushed something and is no client. */
function strangers(
  clients: readonly ClientConnection[],
  connections: readonly ServiceConnection[],
  name: string,
): string[] {
  const known = new Set(clients.map(({ local }) => local));
  return connections
    .filter(({ peer, text }) => text !== '' && !known.has(peer))
    .map(({ peer, text }) => `the ${name} read ${text.length} bytes of ${peer}, which is no client`);
}
