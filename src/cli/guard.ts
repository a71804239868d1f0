import { Option } from 'commander';
import type { Command } from 'commander';
import { loadConfig } from '../daemon/config';
import { MigwareError } from '../errors';
import { runGuard } from '../guard/host';
import { LOG_LEVELS, openLog } from '../report/log';
import type { LogLevel } from '../report/log';
import { endingOf } from './exit';
import { requiredConfig } from './options';

interface GuardOptions {
  readonly config: string;
  readonly interface?: string;
  readonly serving?: boolean;
  readonly logLevel: LogLevel;
}

export function registerGuard(program: Command): void {
  program
    .command('guard')
    .description('on a primary: keep this host silent about service addresses that another host holds')
    .addOption(requiredConfig())
    .option('--interface <name>', "where this host has the addresses (default: the configuration's interface)")
    .option('--serving', 'this host serves now: do not silence it before another one claims an address')
    .addOption(new Option('--log-level <level>', 'least important lines to log').choices(LOG_LEVELS).default('info'))
    .action(async ({ config: file, interface: device, serving, logLevel }: GuardOptions) => {
      const config = loadConfig(file);
      const log = openLog(logLevel);
      try {
        await runGuard(config, { device: device ?? config.interface, isServing: serving === true }, log);
      } catch (error) {
        if (!(error instanceof MigwareError)) throw error;
        log.error({ code: error.code }, error.message);
        process.exitCode = endingOf(error).exitCode;
      }
    });
}
