/**
 * What recording and shadowing cost while the primary serves: the daemon's CPU under a load that is the same whatever it
 * does with it, and the memory that a record takes. A replica that shadows is this host's, and its stack works in the
 * system call that gives it a frame: that part of its work is counted here too.
 */
import { Network } from '../../src/demo/network';
import type { Recovery as Policy } from '../../test/lab/daemon';
import { Lab, PORT } from '../../test/lab/lab';
import { CpuShare, daemonPid } from './counters';
import { EXCHANGE_PORT, type Way, carry, clientHost, connect, serve } from './exchange';

/** In the order in which a round measures them. */
export const POLICIES = ['resume', 'replay', 'shadow'] as const satisfies readonly Policy[];

/** Mbit/s. */
export const PACE = 200;

export interface Load {
  readonly policy: Policy;
  readonly way: Way;
  readonly seconds: number;
  /** ms that the daemon computed for each Mbit that passed. */
  readonly cpuMsPerMbit: number;
}

export interface Footprint {
  readonly what: string;
  readonly connections: number;
  /** Payload recorded. */
  readonly bytes: number;
  readonly memoryBytes: number;
}

/** Room for any of the loads: what is spilled would cost more. */
const RECORD = { memory: '1GiB', disk: '0', per_connection: '1GiB' } as const;

/** One paced connection for so many seconds, each way. */
export async function measureLoad(policy: Policy, seconds: number): Promise<Load[]> {
  return withLab(new Network(), async (lab) => {
    await serve(lab.primary, { pace: PACE });
    await serve(lab.replicaHost, { pace: PACE });
    const daemon = lab.daemon({ ports: [PORT, EXCHANGE_PORT], recovery: policy, record: RECORD });
    await daemon.start();
    const client = await connect(clientHost(lab), lab.address(), { pace: PACE });
    await carry(client, 'upload', 1);
    const ready = policy === 'shadow' ? 'reading' : null;
    await daemon.untilConnections('the connection is followed', (all) => all.some(({ shadow }) => shadow === ready));

    const loads: Load[] = [];
    for (const way of ['upload', 'download'] as const) {
      const bytes = (PACE * 1e6 * seconds) / 8;
      const cpu = new CpuShare(daemonPid(lab.backup));
      const fromMs = Date.now();
      const took = await carry(client, way, bytes);
      const toMs = Date.now();
      cpu.stop();
      const { runMs } = cpu.between(fromMs, toMs);
      loads.push({ policy, way, seconds: took, cpuMsPerMbit: runMs / ((bytes * 8) / 1e6) });
    }
    const all = await daemon.connections();
    const broken = all.filter(({ recoverable }) => recoverable !== 'recoverable');
    if (broken.length > 0) throw new Error(`a connection at risk: ${broken[0]?.reason ?? 'nothing is said of why'}`);
    await daemon.stop();
    return loads;
  });
}

/** One upload in whole segments, and many connections with a few small ones. */
export async function measureFootprints(): Promise<Footprint[]> {
  const footprints = [await footprintOfUpload(64e6)];
  for (const [record, total] of [
    [16, 160],
    [16, 1600],
    [200, 20_000],
  ] as const) {
    footprints.push(await footprintOfPushes(200, record, total));
  }
  return footprints;
}

function footprintOfUpload(bytes: number): Promise<Footprint> {
  return withLab(new Network(), async (lab) => {
    await serve(lab.primary);
    const daemon = lab.daemon({ ports: [PORT, EXCHANGE_PORT], recovery: 'replay', record: RECORD });
    await daemon.start();
    const client = await connect(clientHost(lab), lab.address(), { pace: PACE * 4 });
    await carry(client, 'upload', bytes);
    return footprint('one upload in whole segments', daemon, bytes);
  });
}

function footprintOfPushes(connections: number, record: number, total: number): Promise<Footprint> {
  return withLab(new Network(), async (lab) => {
    const daemon = lab.daemon({ recovery: 'replay', record: RECORD });
    await daemon.start();
    const clients = await lab.connect({ connections, record, total, interval: 20 });
    await lab.until(clients, 'all is sent', ({ acknowledgedMin }) => acknowledgedMin >= total);
    return footprint(`${total} bytes each, pushed ${record} at a time`, daemon, connections * total);
  });
}

async function footprint(what: string, daemon: ReturnType<Lab['daemon']>, least: number): Promise<Footprint> {
  const all = await daemon.untilConnections(
    'everything is recorded',
    (connections) => connections.reduce((sum, { recordedBytes }) => sum + recordedBytes, 0) >= least,
  );
  const { record } = await daemon.wholeStatus();
  await daemon.stop();
  const bytes = all.reduce((sum, { recordedBytes }) => sum + recordedBytes, 0);
  return { what, connections: all.length, bytes, memoryBytes: record.memoryBytes };
}

async function withLab<T>(network: Network, measure: (lab: Lab) => Promise<T>): Promise<T> {
  try {
    const lab = new Lab(network, {});
    await lab.open();
    return await measure(lab);
  } finally {
    network.close();
  }
}
