/** The program programs/exchange.c in a lab: a service that answers requests of any size, and clients of it. */
import type { Host } from '../../src/demo/network';
import type { Message, Program } from '../../src/demo/program';
import type { Lab } from '../../test/lab/lab';
import { options } from '../../test/lab/programs';
import { compile } from './programs';

export const EXCHANGE_PORT = 7001;

export type Way = 'upload' | 'download';

export interface Pace {
  /** Mbit/s that each connection sends at most; absent: as fast as it goes. */
  readonly pace?: number | undefined;
}

export async function serve(host: Host, pace: Pace = {}): Promise<void> {
  const args = options({ listen: '0.0.0.0', port: EXCHANGE_PORT, ...pace });
  const service = host.start('exchange', compile('exchange'), ...args);
  await service.next('listening');
}

export interface Connecting extends Pace {
  readonly connections?: number;
}

/** Connects from a host and waits until all connections are there. */
export async function connect(host: Host, to: string, choices: Connecting = {}): Promise<Program> {
  const args = options({ connect: to, port: EXCHANGE_PORT, ...choices });
  const client = host.start('exchange', compile('exchange'), ...args);
  await client.next('connected');
  return client;
}

export function clientHost(lab: Lab): Host {
  const [host] = lab.clientHosts;
  if (host === undefined) throw new Error('the lab has no client host');
  return host;
}

/** Lets the first connection carry so many bytes; how many seconds it took, up to the answer's last byte. */
export async function carry(client: Program, way: Way, bytes: number): Promise<number> {
  const { seconds } = await client.ask<Message & { seconds: number }>(`${way} ${bytes}`);
  return seconds;
}

export function gigabits(bytes: number, seconds: number): number {
  return (bytes * 8) / seconds / 1e9;
}
