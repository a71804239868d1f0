import type { Command } from 'commander';
import { askDaemon } from '../daemon/control-client';
import { statusText } from '../report/status-text';
import { controlPath, daemonConfig, json } from './options';
import type { DaemonOptions } from './options';
import { print, printJson } from './output';

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('show the services, their primaries and what has happened to them')
    .addOption(daemonConfig())
    .addOption(json('print the whole report as JSON'))
    .action(async (options: DaemonOptions) => {
      const status = await askDaemon(controlPath(options), 'status', {});
      await (options.json === true ? printJson(status) : print(statusText(status)));
    });
}
