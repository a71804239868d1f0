/**
 * The daemon's end of the control socket. It runs in the process that forwards packets, so a long answer is given in
 * parts, and between two parts the packets have their turn.
 */
import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { EnvironmentError, MigwareError } from '../errors';
import { codeOf, reasonOf } from '../reason';
import { ControlError, LineSplitter } from './control-protocol';
import type { Reply } from './control-protocol';
import type { ConnectionReport, DaemonControl, StartControl } from './contract';
import { alternatives } from './schema';

/** Only the owner may connect: whoever does may move connections. */
const OWNER_ONLY = 0o600;
/** A request is a command and a name. */
const LONGEST_REQUEST = 4096;
/** Connections in one part: some 100 KiB of text, about a millisecond's work. */
const PART_LENGTH = 200;

export const startControl: StartControl = async (path, daemon) => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket, daemon);
  });
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    await clear(path);
    await listen(server, path);
  } catch (error) {
    if (error instanceof MigwareError) throw error;
    throw new EnvironmentError(`control socket ${path} cannot be made: ${reasonOf(error)}`, { cause: error });
  }
  return {
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        // What was answered is still sent; who asks no more is not waited for.
        for (const socket of sockets) socket.destroySoon();
      }),
  };
};

/** Removes the socket of a daemon that was killed. A living daemon's, and a file that is no socket, stay. */
async function clear(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new EnvironmentError(`control socket ${path}: there is a file of this name; remove it`);
  if (await isServed(path)) {
    throw new ControlError(`control socket ${path}: another daemon answers there; stop it, or set another control`);
  }
  unlinkSync(path);
}

/** Whether a process listens on the socket. */
export function isServed(path: string): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      answer(true);
    });
    // Refused means nobody listens. Anything else, such as a full queue, is somebody.
    socket.once('error', (error) => answer(codeOf(error) !== 'ECONNREFUSED' && codeOf(error) !== 'ENOENT'));
  });
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    // The socket is bound within listen(), so the mask applies to it and to nothing else.
    const umask = process.umask(0o777 & ~OWNER_ONLY);
    server.listen(path, listening);
    process.umask(umask);
  });
  chmodSync(path, OWNER_ONLY);
}

function serve(socket: Socket, daemon: DaemonControl): void {
  const splitter = new LineSplitter(LONGEST_REQUEST);
  let last = Promise.resolve();
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    try {
      for (const line of splitter.push(chunk)) last = last.then(() => answer(socket, daemon, line));
    } catch {
      socket.destroy();
    }
  });
}

async function answer(socket: Socket, daemon: DaemonControl, line: string): Promise<void> {
  try {
    const { command, service } = parseRequest(line);
    switch (command) {
      case 'status':
        return await reply(socket, { result: daemon.status() });
      case 'connections':
        return await sendConnections(socket, daemon);
      case 'failover':
        return await reply(socket, { result: await daemon.failover(service) });
      case 'stop':
        await reply(socket, { result: true });
        return await daemon.stop();
    }
  } catch (error) {
    const code = error instanceof MigwareError ? error.code : 'MIGWARE_INTERNAL';
    await reply(socket, { error: { code, message: error instanceof Error ? error.message : String(error) } });
  }
}

const COMMANDS = ['status', 'connections', 'failover', 'stop'] as const;

function parseRequest(line: string): { command: (typeof COMMANDS)[number]; service: string } {
  let request: unknown;
  try {
    request = JSON.parse(line);
  } catch (cause) {
    throw new ControlError('the request is not JSON', { cause });
  }
  const { command, service = '' } = (request ?? {}) as Partial<Record<string, unknown>>;
  const known = COMMANDS.find((name) => name === command);
  if (known === undefined) throw new ControlError(`unknown command, expected ${alternatives(COMMANDS)}`);
  if (typeof service !== 'string' || (known === 'failover' && service === '')) {
    throw new ControlError('failover needs the name of a service');
  }
  return { command: known, service };
}

async function sendConnections(socket: Socket, daemon: DaemonControl): Promise<void> {
  let part: ConnectionReport[] = [];
  let count = 0;
  for (const connection of daemon.connections()) {
    part.push(connection);
    count++;
    if (part.length < PART_LENGTH) continue;
    await reply(socket, { part });
    if (!socket.writable) return;
    part = [];
    await setImmediate();
  }
  if (part.length > 0) await reply(socket, { part });
  await reply(socket, { result: count });
}

/** Returns when there is room for more, or nobody left who reads. */
function reply(socket: Socket, message: Reply): Promise<void> {
  if (!socket.writable || socket.write(`${JSON.stringify(message)}\n`)) return Promise.resolve();
  return new Promise((done) => {
    const end = () => {
      socket.off('drain', end);
      socket.off('close', end);
      done();
    };
    socket.on('drain', end);
    socket.on('close', end);
  });
}
