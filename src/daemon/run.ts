/** The daemon as a process: from start to the signal that stops it. */
import type { Config } from './contract';
import { Daemon, type DaemonParts } from './daemon';

/** What each signal does. */
const SIGNALS = {
  SIGTERM: 'stop',
  SIGINT: 'stop',
  /** For the exchange of the daemon itself while a replica serves. */
  SIGHUP: 'leave',
} as const;

export interface RunningDaemon {
  readonly daemon: Daemon;
  /** Settles when the daemon has stopped and the host is as it was. */
  readonly stopped: Promise<void>;
}

/**
 * Starts the daemon and stops it, in order, at SIGTERM or SIGINT; at SIGHUP it ends and leaves everything in place for the
 * next one. A signal during the start counts when that is through. A second signal does nothing more: what is
 * being undone must not be left half undone.
 */
export async function runDaemon(config: Config, parts: DaemonParts): Promise<RunningDaemon> {
  let end: (how: 'stop' | 'leave') => void = () => undefined;
  const asked = new Promise<'stop' | 'leave'>((resolve) => (end = resolve));
  for (const [signal, how] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      parts.log.info({ signal }, 'stopping');
      end(how);
    });
  }
  const daemon = await Daemon.start(config, parts);
  const stopped = Promise.race([asked.then((how) => daemon[how]()), daemon.stopped]);
  return { daemon, stopped };
}
