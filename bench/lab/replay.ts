/**
 * How fast a long connection is replayed: the client has sent, or been sent, many bytes by the primary, the cable is pulled,
 * and the replica has to read, or say, all of them before the client hears of it. Beside it, in the same run, the same bytes
 * on an ordinary connection to the same program over the replica's own loopback interface: before the fail-over and after
 * it, since the machine's speed drifts.
 */
import { Network } from '../../src/demo/network';
import { Lab, PORT } from '../../test/lab/lab';
import type { Daemon } from '../../test/lab/daemon';
import { CpuShare, daemonPid } from './counters';
import { EXCHANGE_PORT, type Way, carry, clientHost, connect, gigabits, serve } from './exchange';
import { takeoverTimes, untilMoved } from './log';
import { type Profile, profileOf, recordProfile } from './profile';

/** Where the record of the client's stream is when the primary dies. */
export type Place = 'memory' | 'disk';

export interface Replay {
  readonly way: Way;
  readonly place: Place;
  readonly bytes: number;
  /** Of these recorded: bytes on the disk. */
  readonly spilledBytes: number;
  /** Verdict to the moment when the client is served by the replica. */
  readonly replayMs: number;
  /** Gbit/s. */
  readonly replayed: number;
  readonly loopback: number;
  readonly ratio: number;
  /** Meanwhile: the daemon's thread on a CPU, and waiting for one. */
  readonly cpuMs: number;
  readonly cpuWaitMs: number;
  readonly profile: Profile | undefined;
}

/** Mbit/s at which the connection is made long: no faster than two CPUs take it from the tap to the record, and the disk. */
const LOAD_PACE = 800;
/** What the daemon moves to the disk, each 100 ms, has to fit into the last quarter of the memory. */
const RECORD = {
  memory: { memory: '768MiB', disk: '0', per_connection: '1GiB' },
  disk: { memory: '64MiB', disk: '1GiB', per_connection: '1GiB' },
} as const;

/** @param bytes at most half a GiB, which is what the records have room for */
export async function measureReplay(way: Way, place: Place, bytes: number, withProfile = false): Promise<Replay> {
  const network = new Network();
  try {
    const lab = new Lab(network, { service: null });
    await lab.open();
    return await replay(lab, way, place, bytes, withProfile);
  } finally {
    network.close();
  }
}

async function replay(lab: Lab, way: Way, place: Place, bytes: number, withProfile: boolean): Promise<Replay> {
  await serve(lab.primary, { pace: LOAD_PACE });
  await serve(lab.replicaHost);
  const daemon = lab.daemon({ ports: [PORT, EXCHANGE_PORT], recovery: 'replay', record: RECORD[place] });
  const profileFile = `${lab.network.directory}/daemon.cpuprofile`;
  if (withProfile) await recordProfile(profileFile, () => daemon.start());
  else await daemon.start();
  const served = await connect(clientHost(lab), lab.address(), { pace: LOAD_PACE });
  const local = await connect(lab.replicaHost, '127.0.0.1');

  await carry(served, way, bytes);
  const spilledBytes = await recorded(daemon, way === 'upload' ? bytes : 0);
  const before = await carry(local, way, bytes);
  const cpu = new CpuShare(daemonPid(lab.backup));
  lab.cut();
  await untilMoved(daemon);
  cpu.stop();
  const { verdictMs, movedMs } = takeoverTimes(daemon);
  const after = await carry(local, way, bytes);
  await carry(served, way, 1); // the client has noticed nothing
  await complain(daemon);
  const left = await daemon.stop();
  if (left.length > 0) throw new Error(left.join('; '));

  const replayMs = movedMs - verdictMs;
  const replayed = gigabits(bytes, replayMs / 1000);
  const loopback = (gigabits(bytes, before) + gigabits(bytes, after)) / 2;
  const { runMs, waitMs } = cpu.between(verdictMs, movedMs);
  return {
    way,
    place,
    bytes,
    spilledBytes,
    replayMs,
    replayed,
    loopback,
    ratio: replayed / loopback,
    cpuMs: runMs,
    cpuWaitMs: waitMs,
    profile: withProfile ? profileOf(profileFile, verdictMs, movedMs) : undefined,
  };
}

/** Waits until so many bytes of the connection's stream are recorded; how many of them are on the disk. */
async function recorded(daemon: Daemon, bytes: number): Promise<number> {
  const [connection] = await daemon.untilConnections('the stream is recorded', (all) =>
    all.some(({ recoverable, recordedBytes }) => recoverable !== 'recoverable' || recordedBytes >= bytes),
  );
  if (connection?.recoverable !== 'recoverable') {
    throw new Error(`the connection cannot be replayed: ${connection?.reason ?? 'nothing is said of why'}`);
  }
  const { record } = await daemon.wholeStatus();
  return record.diskBytes;
}

/** Throws unless the replica has the connection and has said what the primary did. */
async function complain(daemon: Daemon): Promise<void> {
  const { connections, divergences } = await daemon.status();
  const { recovered, lost } = connections;
  if (recovered === 1 && lost === 0 && divergences === 0) return;
  throw new Error(`recovered ${recovered}, lost ${lost}, divergences ${divergences}\n${daemon.log}`);
}
