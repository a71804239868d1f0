/**
 * What the way through the daemon costs: round trips and bulk transfers on connections that were begun on the primary and
 * have been moved to the replica, beside connections of the same client to the replica's own address, which pass the
 * daemon by. Both in one run and in turns, since the machine's speed drifts; the difference and the ratio are the result.
 */
import type { Host } from '../../src/demo/network';
import { Network } from '../../src/demo/network';
import type { Message, Program } from '../../src/demo/program';
import { Lab, PORT } from '../../test/lab/lab';
import { compile } from './programs';
import { median } from './statistics';

const EXCHANGE_PORT = 7001;
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
    const measure = async (way: 'upload' | 'download'): Promise<Throughput> => {
      const gigabits = async (program: Program) => {
        const { seconds } = await program.ask<Message & { seconds: number }>(`${way} ${bytes}`);
        return (bytes * 8) / seconds / 1e9;
      };
      const pairs = await repeat(rounds, async () => ({
        direct: await gigabits(direct),
        proxied: await gigabits(served),
      }));
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
    const program = compile('exchange');
    await serve(lab.primary, program);
    await serve(lab.replicaHost, program);
    const daemon = lab.daemon({ ports: [PORT, EXCHANGE_PORT] });
    await daemon.start();
    const served = await connect(lab, program, lab.address(), connections, PORTS_SERVED);
    const direct = await connect(
      lab,
      program,
      lab.replicaAddress,
      Math.min(connections, DIRECT_CONNECTIONS_MAX),
      PORTS_DIRECT,
    );
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

async function serve(host: Host, program: string): Promise<void> {
  const service = host.start('exchange', program, '--listen', '0.0.0.0', '--port', String(EXCHANGE_PORT));
  await service.next('listening');
}

async function connect(lab: Lab, program: string, to: string, connections: number, ports: string): Promise<Program> {
  const [host] = lab.clientHosts;
  if (host === undefined) throw new Error('the lab has no client host');
  host.sysctl({ 'net.ipv4.ip_local_port_range': ports });
  const args = ['--connect', to, '--port', String(EXCHANGE_PORT), '--connections', String(connections)];
  const client = host.start('exchange', program, ...args);
  await client.next('connected');
  return client;
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
