import type { Command } from 'commander';
import { askDaemon } from '../daemon/control-client';
import { connectionsJson, connectionsText } from '../report/connections';
import { controlPath, daemonConfig, json } from './options';
import type { DaemonOptions } from './options';
import { print } from './output';

export function registerConnections(program: Command): void {
  program
    .command('connections')
    .description('list the connections, and whether they would survive')
    .addOption(daemonConfig())
    .addOption(json('print an array, one connection a line'))
    .action(async (options: DaemonOptions) => {
      const format = options.json === true ? connectionsJson : connectionsText;
      let index = 0;
      const total = await askDaemon(controlPath(options), 'connections', {}, async (part) => {
        const begin = index === 0 ? format.begin() : '';
        await print(begin + part.map((connection) => format.item(connection, index++)).join(''));
      });
      await print((total === 0 ? format.begin() : '') + format.end(total));
    });
}
