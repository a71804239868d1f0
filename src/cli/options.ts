/** Options that several commands share. */
import { Option } from 'commander';
import { DEFAULT_CONTROL, loadConfig } from '../daemon/config';

/** For commands that cannot do without the configuration. */
export function requiredConfig(): Option {
  return new Option('-c, --config <file>', 'the configuration').makeOptionMandatory();
}

/** For commands that only need to find the daemon. */
export function daemonConfig(): Option {
  return new Option('-c, --config <file>', `the daemon's configuration (default: a daemon at ${DEFAULT_CONTROL})`);
}

export function json(what: string): Option {
  return new Option('--json', what);
}

export interface DaemonOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** The control socket of the daemon that is meant. */
export function controlPath({ config }: DaemonOptions): string {
  return config === undefined ? DEFAULT_CONTROL : loadConfig(config).control;
}
