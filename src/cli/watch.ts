/** The daemon's troubles, written to the log for as long as they last. */
import type { Config, DaemonControl, Logger, StatusReport } from '../daemon/contract';
import { reasonOf } from '../reason';
import { troubles } from '../report/troubles';
import type { Trouble } from '../report/troubles';
import { replicas } from './checks/replica';

/** The first time when everything has had time to show itself. */
const FIRST_MS = 5000;
/** Arbitrary: often enough to be on the screen of who looks, seldom enough not to fill the disk. */
const EVERY_MS = 30_000;

/** @returns how to stop */
export function watchTroubles(config: Config, daemon: Pick<DaemonControl, 'status'>, log: Logger): () => void {
  let last: readonly Trouble[] = [];
  const idle = new Set(config.services.map(({ name }) => name));
  let timer = setTimeout(look, FIRST_MS);
  let stopped = false;

  function look(): void {
    void findTroubles(config, daemon.status(), idle).then(
      (found) => {
        if (stopped) return;
        tell(last, found, log);
        last = found;
        timer = setTimeout(look, EVERY_MS);
      },
      (error: unknown) => log.error({ reason: reasonOf(error) }, 'the daemon cannot look after itself any more'),
    );
  }

  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** @param idle services that have not been seen with a connection yet */
async function findTroubles(config: Config, status: StatusReport, idle: Set<string>): Promise<Trouble[]> {
  for (const { name, connections } of status.services) if (connections.tracked > 0) idle.delete(name);
  const found = troubles(status, idle);
  for await (const { level, check, text, remedy = '' } of replicas(config)) {
    if (level === 'fail') found.push({ id: check, text: `${check}: ${text}`, remedy });
  }
  return found;
}

/** What is wrong again and again, what is mended once. */
function tell(before: readonly Trouble[], now: readonly Trouble[], log: Logger): void {
  for (const { text, remedy } of now) log.warn({ remedy }, text);
  for (const { id, text } of before) {
    if (!now.some((trouble) => trouble.id === id)) log.info({ was: text }, 'mended');
  }
}
