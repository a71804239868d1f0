/**
 * What the way through the daemon costs: round trips and bulk transfers on connections that were begun on the primary and
 * have been moved to the replica, beside connections of the same client to the replica's own address, which pass the
 * daemon by. Both in one run and in turns, since the machine's speed drifts; the difference and the ratio are the result.
 */
import { Network } from '../../src/demo/network';
import type { Message, Program } from '../../src/demo/program';
import { Lab, PORT } from '../../test/lab/lab';
import { EXCHANGE_PORT, type Way, carry, clientHost, connect, gigabits, serve } from './exchange';
import { median } from './statistics';

/** Bytes of a request, and of an answer. */
export const ECHO_BYTES = 64;
const SLICE_MS = 500;
/**
 * Ports of the client by the address it connects to. A moved connection keeps the client's address and port, and must
 * not meet one that the client has made to the replica's own address from the same port.
 */
const PORTS_SERVED = '1024 32767';
const PORTS_DIRECT = '32768 60999';
/** Past the daemon: both kinds together must stay within what one process may open. */
const DIRECT_CONNECTIONS_MAX = 5000;

/** us. */
export interface RoundTrips {
  readonly p50: number;
  readonly p99: number;
}

export interface Latency {
  readonly connections: number;
  /** To the primary, in normal state: the daemon only listens. */
  readonly primary: RoundTrips;
  /** To the replica's own address. */
  readonly direct: RoundTrips;
  /** Through the daemon, in proxy state. */
  readonly proxied: RoundTrips;
  /** Medians over the pairs of slices of what the one was more than the other. */
  readonly added: RoundTrips;
}

/** Gbit/s. */
export interface Throughput {
  readonly direct: number;
  readonly proxied: number;
  /** Median over the pairs. */
  readonly ratio: number;
}

export interface Transfers {
  readonly bytes: number;
  readonly upload: Throughput;
  readonly download: Throughput;
}

interface Paths {
  readonly lab: Lab;
  /** Connected to the service address, and to the replica's own. */
  readonly served: Program;
  readonly direct: Program;
  /** Lets the replica take over. */
  readonly failOver: () => Promise<void>;
}

/** @param slices how often each path is measured */
export async function measureLatency(connections: number, slices: number): Promise<Latency> {
  return withPaths(connections, async ({ served, direct, failOver }) => {
    const primary = await repeat(slices, () => echo(served));
    await failOver();
    const pairs = await repeat(slices, async () => ({ direct: await echo(direct), proxied: await echo(served) }));
    const added = pairs.map((pair) => ({
      p50: pair.proxied.p50 - pair.direct.p50,
      p99: pair.proxied.p99 - pair.direct.p99,
    }));
    return {
      connections,
      primary: middle(primary),
      direct: middle(pairs.map((pair) => pair.direct)),
      proxied: middle(pairs.map((pair) => pair.proxied)),
      added: middle(added),
    };
  });
}

/** @param rounds how often each path carries `bytes` each way */
export async function measureTransfers(bytes: number, rounds: number): Promise<Transfers> {
  return withPaths(1, async ({ served, direct, failOver }) => {
    await failOver();
    const measure = async (way: Way): Promise<Throughput> => {
      const rate = async (program: Program) => gigabits(bytes, await carry(program, way, bytes));
      const pairs = await repeat(rounds, async () => ({ direct: await rate(direct), proxied: await rate(served) }));
      return {
        direct: median(pairs.map((pair) => pair.direct)),
        proxied: median(pairs.map((pair) => pair.proxied)),
        ratio: median(pairs.map((pair) => pair.proxied / pair.direct)),
      };
    };
    return { bytes, upload: await measure('upload'), download: await measure('download') };
  });
}

async function withPaths<T>(connections: number, measure: (paths: Paths) => Promise<T>): Promise<T> {
  const network = new Network();
  try {
    const lab = new Lab(network, {});
    await lab.open();
    await serve(lab.primary);
    await serve(lab.replicaHost);
    const daemon = lab.daemon({ ports: [PORT, EXCHANGE_PORT] });
    await daemon.start();
    const host = clientHost(lab);
    host.sysctl({ 'net.ipv4.ip_local_port_range': PORTS_SERVED });
    const served = await connect(host, lab.address(), { connections });
    host.sysctl({ 'net.ipv4.ip_local_port_range': PORTS_DIRECT });
    const direct = await connect(host, lab.replicaAddress, {
      connections: Math.min(connections, DIRECT_CONNECTIONS_MAX),
    });
    const failOver = async () => {
      await echo(served); // no connection is idle from its start
      await daemon.until('all connections tracked', (status) => status.connections.tracked === connections);
      lab.cut();
      await daemon.until('all connections moved', ({ state, connections: { recovered } }) => {
        return state === 'proxy' && recovered === connections;
      });
      await echo(served);
    };
    return await measure({ lab, served, direct, failOver });
  } finally {
    network.close();
  }
}

function echo(program: Program): Promise<Message & RoundTrips> {
  return program.ask<Message & RoundTrips>(`echo ${ECHO_BYTES} ${SLICE_MS}`);
}

async function repeat<T>(times: number, action: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  while (results.length < times) results.push(await action());
  return results;
}

function middle(slices: readonly RoundTrips[]): RoundTrips {
  return { p50: median(slices.map(({ p50 }) => p50)), p99: median(slices.map(({ p99 }) => p99)) };
}
