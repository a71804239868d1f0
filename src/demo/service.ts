/**
 * The service of the demo, the same program on primary and replica: reads what each client pushes, to the last byte,
 * and keeps it for the judge. Plain sockets; it knows nothing of migware.
 */
import { createServer } from 'node:net';
import { codeOf } from '../reason';
import { obey, say } from './part';
import type { Message } from './program';

/** A connection as the service saw it. */
export interface ServiceConnection {
  /** `address:port` of the client. */
  readonly peer: string;
  /** Every byte it read, as Latin-1. */
  readonly text: string;
  /** Code of an error, or empty. */
  readonly error: string;
}

export interface ServiceReport extends Message {
  readonly connections: readonly ServiceConnection[];
}

/** The kernel allows 4096 by default (net.core.somaxconn); Node asks for 511 only. */
const BACKLOG = 4096;

export async function runService(port: number): Promise<void> {
  const connections: { peer: string; chunks: Buffer[]; error: string }[] = [];
  const server = createServer((socket) => {
    const connection = {
      peer: `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`,
      chunks: [] as Buffer[],
      error: '',
    };
    connections.push(connection);
    socket.on('data', (chunk) => connection.chunks.push(chunk));
    socket.on('error', (error) => (connection.error = codeOf(error) ?? error.message));
  });
  server.listen({ host: '0.0.0.0', port, backlog: BACKLOG }, () => say({ event: 'listening' }));
  await obey({
    report: () => {
      const report: ServiceReport = {
        event: 'report',
        connections: connections.map(({ chunks, ...rest }) => ({
          ...rest,
          text: Buffer.concat(chunks).toString('latin1'),
        })),
      };
      say(report);
    },
  });
}
