/** What the daemon's log says of when a fail-over took place. */
import type { Daemon } from '../../test/lab/daemon';
import { reached } from '../../test/lab/lab';

const SERVES = 'the replica serves';
const MOVED = 'no connection is on its way any more';

/** Its log is read and not its status: who asks disturbs. */
export async function untilMoved(daemon: Daemon): Promise<void> {
  await reached('the end of the recovery', () => daemon.log.includes(MOVED));
}

interface LogLine {
  readonly time?: string;
  readonly msg?: string;
  readonly detectionMs?: number;
  readonly recoveryMs?: number;
}

export interface TakeoverTimes {
  readonly detectionMs: number;
  /** Verdict to the address taken. */
  readonly addressMs: number;
  /** Wall clock. */
  readonly verdictMs: number;
  readonly movedMs: number;
}

/** Of a daemon whose log is at the end of the recovery. */
export function takeoverTimes(daemon: Daemon): TakeoverTimes {
  const lines = daemon.log.split('\n').flatMap((line): LogLine[] => {
    const at = line.indexOf('{');
    return at < 0 ? [] : [JSON.parse(line.slice(at)) as LogLine];
  });
  const serves = lines.find(({ msg }) => msg === SERVES);
  const moved = lines.find(({ msg }) => msg === MOVED);
  const { detectionMs = NaN, recoveryMs = NaN } = serves ?? {};
  const servesMs = Date.parse(serves?.time ?? '');
  // The log's clock has whole milliseconds: what is less apart there is one moment, whose figure the report has.
  const restMs = Date.parse(moved?.time ?? '') - servesMs;
  const verdictMs = servesMs - recoveryMs;
  const movedMs = verdictMs + recoveryMs + (restMs > 1 ? restMs : 0);
  return { detectionMs, addressMs: recoveryMs, verdictMs, movedMs };
}
