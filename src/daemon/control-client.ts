/** The other end of the control socket: what the command line asks of a running daemon. */
import { connect } from 'node:net';
import { codeOf, reasonOf } from '../reason';
import { ControlError, DaemonRefusal, LineSplitter } from './control-protocol';
import type { CommandName, Commands, Reply } from './control-protocol';
import type { ConnectionReport } from './contract';

/**
 * Asks once.
 * @param onPart takes connections as they come; when it returns a promise, the next wait for it
 */
export async function askDaemon<C extends CommandName>(
  path: string,
  command: C,
  args: Commands[C]['args'],
  onPart?: (part: readonly ConnectionReport[]) => void | Promise<void>,
): Promise<Commands[C]['result']> {
  const socket = connect(path);
  const splitter = new LineSplitter();
  try {
    socket.write(`${JSON.stringify({ command, ...args })}\n`);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      for (const line of splitter.push(chunk)) {
        const reply = JSON.parse(line) as Reply;
        if ('error' in reply) throw new DaemonRefusal(reply.error.code, reply.error.message);
        if ('result' in reply) return reply.result;
        await onPart?.(reply.part);
      }
    }
  } catch (error) {
    if (error instanceof DaemonRefusal) throw error;
    throw new ControlError(unreachable(path, error), { cause: error });
  } finally {
    socket.destroy();
  }
  throw new ControlError(`control socket ${path}: the daemon ended before it had answered; see its log`);
}

function unreachable(path: string, error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return `no daemon answers at ${path}: start it with "migware run -c FILE", or name its configuration with -c`;
    case 'EACCES':
      return `control socket ${path}: permission denied; ask as the user the daemon runs as`;
    default:
      return `control socket ${path}: ${reasonOf(error)}`;
  }
}
