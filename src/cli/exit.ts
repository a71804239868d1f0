/** Exit codes: a contract, see `migware --help`. */
import { CommanderError } from 'commander';
import { MigwareError } from '../errors';

export const EXIT = {
  done: 0,
  failed: 1,
  /** Usage, or the configuration file. */
  usage: 2,
  /** The machine lacks something. */
  environment: 3,
} as const;

export const EXIT_HELP = `
Exit codes: 0 done, 1 failed, 2 usage or configuration error, 3 the environment lacks something.`;

/** By the code of a MigwareError; every other one is a plain failure. */
const BY_CODE: Readonly<Record<string, number>> = {
  MIGWARE_CONFIG: EXIT.usage,
  MIGWARE_ENVIRONMENT: EXIT.environment,
  // A port that cannot be opened, since a daemon outlives one that fails later.
  MIGWARE_PORT: EXIT.environment,
};

export interface Ending {
  readonly exitCode: number;
  /** For stderr; empty when everything is said. */
  readonly message: string;
}

export function endingOf(error: unknown): Ending {
  if (error instanceof CommanderError) {
    // Commander has written its message, or the help or version that was asked for (exit code 0), by itself.
    return { exitCode: error.exitCode === 0 ? EXIT.done : EXIT.usage, message: '' };
  }
  if (error instanceof MigwareError) {
    return { exitCode: BY_CODE[error.code] ?? EXIT.failed, message: error.message };
  }
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { exitCode: EXIT.failed, message: `This is a bug in migware:\n${trace}` };
}
