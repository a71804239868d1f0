/** `migware run`: the daemon in the foreground, with its log, its metrics and a look at itself now and then. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { loadConfig } from '../daemon/config';
import type { Config, Logger } from '../daemon/contract';
import { startControl } from '../daemon/control';
import { LinuxMachine } from '../daemon/linux-machine';
import { runDaemon } from '../daemon/run';
import { EnvironmentError, MigwareError } from '../errors';
import { monitorOn } from '../monitor/monitor';
import { LOG_LEVELS, openLog } from '../report/log';
import type { LogLevel } from '../report/log';
import { serveMetrics } from '../report/metrics';
import { addresses } from './checks/wire';
import { endingOf } from './exit';
import { requiredConfig } from './options';
import { VERSION } from './version';
import { watchTroubles } from './watch';

interface RunOptions {
  readonly config: string;
  readonly logLevel: LogLevel;
}

export function registerRun(program: Command): void {
  program
    .command('run')
    .description(
      'watch the primaries and take over when they die; ends, and undoes its changes, at SIGTERM or SIGINT; at SIGHUP it ends and leaves everything for the next one to go on with',
    )
    .addOption(requiredConfig())
    .addOption(new Option('--log-level <level>', 'least important lines to log').choices(LOG_LEVELS).default('info'))
    .action(async ({ config: file, logLevel }: RunOptions) => {
      const config = loadConfig(file);
      const log = openLog(logLevel);
      try {
        await run(config, log);
      } catch (error) {
        if (!(error instanceof MigwareError)) throw error;
        log.error({ code: error.code }, error.message);
        process.exitCode = endingOf(error).exitCode;
      }
    });
}

async function run(config: Config, log: Logger): Promise<void> {
  await checkAddresses(config, log);
  const { daemon, stopped } = await runDaemon(config, {
    version: VERSION,
    log,
    machine: new LinuxMachine(config, log),
    startMonitor: monitorOn(config.interface, log),
    startControl,
  });
  try {
    const metrics = config.metrics === undefined ? undefined : await serveMetrics(config.metrics, daemon);
    const stopWatching = watchTroubles(config, daemon, log);
    await stopped;
    stopWatching();
    await metrics?.close();
  } finally {
    await daemon.stop();
  }
}

/** An address that can never be taken is better known now than when it is needed. */
async function checkAddresses(config: Config, log: Logger): Promise<void> {
  for await (const { level, check, text, remedy } of addresses(config)) {
    if (level === 'fail') throw new EnvironmentError(`${check}: ${text}; ${remedy}`);
    if (level === 'warn') log.warn({ check, remedy }, text);
  }
}
