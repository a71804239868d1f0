/** What one check has to say. */
import type { Config } from '../../daemon/contract';

export type Level = 'ok' | 'warn' | 'fail';

export interface Finding {
  readonly level: Level;
  /** What was looked at: `privileges`, `replica of telemetry`. */
  readonly check: string;
  readonly text: string;
  /** What to do about it; present unless all is well. */
  readonly remedy?: string;
  /** A failure of the world around (the primary does not answer) and not of this machine. */
  readonly elsewhere?: boolean;
}

/** Looks at one matter. Yields as it goes, so that slow checks show that they are running. */
export type Check = (config: Config) => AsyncIterable<Finding> | Iterable<Finding>;

export function ok(check: string, text: string): Finding {
  return { level: 'ok', check, text };
}

export function warn(check: string, text: string, remedy: string): Finding {
  return { level: 'warn', check, text, remedy };
}

export function fail(check: string, text: string, remedy: string): Finding {
  return { level: 'fail', check, text, remedy };
}

export function failElsewhere(check: string, text: string, remedy: string): Finding {
  return { level: 'fail', check, text, remedy, elsewhere: true };
}
