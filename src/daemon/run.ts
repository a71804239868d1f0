/** The daemon as a process: from start to the signal that stops it. */
import type { Config } from './contract';
import { Daemon, type DaemonParts } from './daemon';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

export interface RunningDaemon {
  readonly daemon: Daemon;
  /** Settles when the daemon has stopped and the host is as it was. */
  readonly stopped: Promise<void>;
}

/**
 * Starts the daemon and stops it, in order, at SIGTERM or SIGINT; a signal during the start too, when that is through. A
 * second signal does nothing more: what is being undone must not be left half undone.
 */
export async function runDaemon(config: Config, parts: DaemonParts): Promise<RunningDaemon> {
  let stop: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => (stop = resolve));
  const onSignal = (signal: NodeJS.Signals) => {
    parts.log.info({ signal }, 'stopping');
    stop();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const daemon = await Daemon.start(config, parts);
  const stopped = Promise.race([asked.then(() => daemon.stop()), daemon.stopped]);
  return { daemon, stopped };
}
