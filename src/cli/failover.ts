import type { Command } from 'commander';
import { askDaemon } from '../daemon/control-client';
import { count, duration, plural } from '../report/text';
import { controlPath, daemonConfig, json } from './options';
import type { DaemonOptions } from './options';
import { print, printJson } from './output';

export function registerFailover(program: Command): void {
  program
    .command('failover')
    .description('move the connections of a service to its replica now; its fencing command applies')
    .argument('<service>', 'its name in the configuration')
    .addOption(daemonConfig())
    .addOption(json('print the report of the fail-over as JSON'))
    .action(async (service: string, options: DaemonOptions) => {
      const failover = await askDaemon(controlPath(options), 'failover', { service });
      if (options.json === true) return printJson(failover);
      const { recovered, lost, recoveryMs } = failover;
      await print(
        `${service}: ${plural(recovered, 'connection')} continued on the replica, ${count(lost)} lost, ` +
          `in ${duration(recoveryMs)}\n`,
      );
    });
}
