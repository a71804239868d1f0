/** The commands and what they have in common. */
import { Command } from 'commander';
import { registerCheck } from './check';
import { registerConnections } from './connections';
import { registerDemo } from './demo';
import { EXIT_HELP } from './exit';
import { registerFailover } from './failover';
import { registerGuard } from './guard';
import { registerInspect } from './inspect';
import { registerRun } from './run';
import { registerStatus } from './status';
import { VERSION } from './version';

export function createProgram(): Command {
  const program = new Command('migware')
    .description('Continues the TCP connections of a dead primary on a replica, without the clients noticing.')
    .version(VERSION)
    .addHelpText('after', EXIT_HELP)
    .showHelpAfterError('(see "migware --help")')
    // Instead of ending the process, so that main.ts decides on the exit code. Commands made from here on inherit it.
    .exitOverride();
  registerRun(program);
  registerCheck(program);
  registerStatus(program);
  registerConnections(program);
  registerFailover(program);
  registerGuard(program);
  registerInspect(program);
  registerDemo(program);
  return program;
}
