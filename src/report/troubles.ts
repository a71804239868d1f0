/**
 * What is wrong with a running daemon, each with its remedy: shown by `status`, and written to the log again and again
 * until it is mended, since a backup that would fail is noticed by nobody else.
 */
import type { ServiceReport, StatusReport } from '../daemon/contract';
import { count, duration } from './text';

export interface Trouble {
  /** The same trouble has the same id, however its numbers change. */
  readonly id: string;
  readonly text: string;
  readonly remedy: string;
}

/** Share of the connection records in use above which new connections are likely to find none. */
const NEARLY_FULL = 0.9;
/** How long a primary may stay unseen after the daemon's start before that says anything. */
const SETTLING_MS = 2000;

/** @param idle services that have not had a connection since the daemon's start, if that is known */
export function troubles(status: StatusReport, idle: ReadonlySet<string> = new Set()): Trouble[] {
  return [
    ...status.ports.flatMap(({ name, device, up, error = 'no reason given' }) =>
      up ? [] : [{ id: `port ${name}`, text: `${device} is down: ${error}`, remedy: 'bring the interface up' }],
    ),
    ...droppedFrames(status),
    ...nearlyFull(status),
    ...status.services.flatMap((service) => serviceTroubles(service, status, idle.has(service.name))),
  ];
}

function droppedFrames({ capture: { received, dropped } }: StatusReport): Trouble[] {
  if (dropped === 0) return [];
  return [
    {
      id: 'capture drops',
      text: `the capture has dropped ${count(dropped)} frames of ${count(received + dropped)}`,
      remedy: 'connections with holes are at risk; give it more capture.buffer_mb, or this host less other work',
    },
  ];
}

function nearlyFull({ memory: { connectionsUsed, connections } }: StatusReport): Trouble[] {
  if (connectionsUsed < connections * NEARLY_FULL) return [];
  return [
    {
      id: 'connection records',
      text: `${count(connectionsUsed)} of ${count(connections)} connection records are in use`,
      remedy: 'connections beyond that are not tracked; raise connections and restart',
    },
  ];
}

function serviceTroubles(service: ServiceReport, { ports, uptimeMs }: StatusReport, isIdle: boolean): Trouble[] {
  const { name, state, address, primary, refused } = service;
  const found: Trouble[] = [];
  const add = (id: string, text: string, remedy: string) =>
    found.push({ id: `${id} ${name}`, text: `${name}: ${text}`, remedy });

  if (refused !== undefined) add('refused', `the take-over was refused: ${refused}`, 'see the log');
  if (state !== 'normal' || uptimeMs < SETTLING_MS) return found;
  const wire = ports[0]?.device ?? 'the interface';
  if (!primary.alive) {
    add(
      'primary',
      `the primary ${address} does not answer${primary.reason === undefined ? '' : ` (${primary.reason})`}`,
      `if it is up, correct address, interface or the probe; if it is down, "migware failover ${name}"`,
    );
  } else if (primary.heardAgoMs === undefined || isIdle) {
    // A switch delivers what the primary says to this host, the answers to its probes, but not what it says to others.
    const missing = primary.heardAgoMs === undefined ? 'frame of' : 'connection to';
    add(
      'tap',
      `no ${missing} the primary ${address} has been seen on ${wire} in ${duration(uptimeMs)}`,
      `if it has clients: mirror both directions of its switch port to the port of ${wire}, or share a hub`,
    );
  }
  return found;
}
