/** A service with a memory: each of its answers depends on everything that the connection has said before. */
import type { ClientOptions } from '../vocabulary';
import type { CrashOptions } from '../scenario';
import { uploads } from '../scenario';

export const LONGEST_ANSWER = 2000;
const SIZES = { mode: 'memory', record: 1000, answer: LONGEST_ANSWER } as const;
/** Records per second of all connections together: what two CPUs can keep up with, beside everything else. */
const RECORDS_PER_S = 2000;

/** Uploads of some 16 MB/s each: what is sent until the cut has room in a record. */
export function pacedUploads(bytes: number): CrashOptions {
  const plan = uploads(bytes);
  return { ...plan, client: { ...plan.client, interval: 4 } };
}

/** Clients of it, one question after the other. */
export function conversations(connections: number, client: ClientOptions = {}): CrashOptions {
  const interval = Math.ceil((1000 * connections) / RECORDS_PER_S);
  return { service: SIZES, client: { ...SIZES, connections, interval, ...client } };
}
