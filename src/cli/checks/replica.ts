/** The replica: does it listen, and how many connections can it take at a time? */
import { connect } from 'node:net';
import { backlogFor, parseListeners } from '../../daemon/backlog';
import type { Config, ServiceConfig } from '../../daemon/contract';
import { shadowProblem } from '../../daemon/shadow';
import { reasonOf } from '../../reason';
import { plural } from '../../report/text';
import { run } from '../../takeover/command';
import { readLocalAddresses } from '../../takeover/discover';
import { fail, ok, warn } from './finding';
import type { Finding } from './finding';

/**
 * A smaller queue makes recovery slow, since handshakes are paced to half of it. 512 is what common services ask for
 * (511 in Node, nginx and redis).
 */
const GOOD_BACKLOG = 511;
const CONNECT_TIMEOUT_MS = 2000;

export async function* replicas({ services }: Config): AsyncIterable<Finding> {
  const local = await readLocalAddresses();
  for (const service of services) {
    const isLocal = local.has(service.replica);
    const problem = shadowProblem(service, isLocal);
    if (problem !== undefined) yield fail(`replica of ${service.name}`, problem.text, problem.remedy);
    else yield* isLocal ? localReplica(service) : remoteReplica(service);
  }
}

async function* localReplica({ name, replica, ports }: ServiceConfig): AsyncIterable<Finding> {
  const check = `replica of ${name}`;
  const listeners = parseListeners(await run('ss', ['-ltnH']));
  const { backlog, silent } = backlogFor(listeners, replica, ports);
  if (silent.length > 0) {
    const elsewhere = listeners.filter(({ port }) => silent.includes(port)).map(({ address }) => address);
    const hint = elsewhere.length === 0 ? '' : ` (only ${[...new Set(elsewhere)].join(', ')})`;
    yield fail(
      check,
      `nothing listens on ${replica} port ${silent.join(', ')}${hint}`,
      'start the service there: without it every connection is lost with the primary',
    );
  }
  if (backlog === undefined) return;
  const text = `listens on ${replica}, backlog ${backlog}`;
  if (backlog >= GOOD_BACKLOG) yield ok(check, text);
  else {
    yield warn(
      check,
      `${text}: ${plural(Math.max(1, Math.floor(backlog / 2)), 'connection')} at a time`,
      'raise the backlog of the service, and net.core.somaxconn if it is the lower one, for a faster recovery',
    );
  }
}

async function* remoteReplica({ name, replica, ports }: ServiceConfig): AsyncIterable<Finding> {
  const check = `replica of ${name}`;
  const results = await Promise.all(ports.map((port) => tryConnect(replica, port)));
  let refused = false;
  for (const [index, error] of results.entries()) {
    if (error === undefined) continue;
    refused = true;
    yield fail(
      check,
      `${replica} port ${ports[index]}: ${error}`,
      'start the service there: without it every connection is lost with the primary',
    );
  }
  if (!refused) {
    yield ok(
      check,
      `listens on ${replica}; its backlog cannot be seen from here and should be ${GOOD_BACKLOG} or more`,
    );
  }
}

/** @returns why not */
export function tryConnect(host: string, port: number): Promise<string | undefined> {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    const end = (why?: string) => {
      socket.destroy();
      done(why);
    };
    socket.once('connect', () => end());
    socket.once('timeout', () => end(`no answer in ${CONNECT_TIMEOUT_MS / 1000} s`));
    socket.once('error', (error) => end(reasonOf(error)));
  });
}
