/**
 * The shape that most tests of the lab share: clients at work, the primary's cable pulled, the replica goes on, and in the end
 * the judge has nothing to say. What a test is about is a difference from that.
 */
import type { ExecutionContext } from 'ava';
import type { ServiceReport } from '../../src/daemon/contract';
import type { Program } from '../../src/demo/program';
import type { Daemon, DaemonOptions } from './daemon';
import type { Verdict } from './judge';
import type { Lab, LabOptions } from './lab';
import { openLab } from './lab';
import type { ClientOptions, ClientStat, ServiceStat } from './vocabulary';

/** A fail-over under way. */
export interface Crash {
  readonly lab: Lab;
  readonly daemon: Daemon;
  readonly clients: Program;
}

export type Step = (crash: Crash) => Promise<void> | void;

export interface CrashOptions extends LabOptions {
  readonly client?: ClientOptions;
  readonly daemon?: Partial<DaemonOptions>;
  /** What the replica is given of a connection that goes on; by default what follows from the recovery policy. */
  readonly replicaReads?: 'rest' | 'all';
  /** Connections that the daemon must know of before the cut; default: those of `client`. */
  readonly tracked?: number;
  /** Until the cut; by default every connection makes progress. */
  readonly before?: Step;
  /** By default the cable is pulled. */
  readonly cut?: Step;
  /** Between the take-over and the end; by default every connection makes progress. */
  readonly after?: Step;
  /** The end; by default all clients end their streams and wait for the end of the service's. */
  readonly finish?: Step;
}

export interface Outcome {
  readonly verdict: Verdict;
  /** When the fail-over was done. */
  readonly taken: ServiceReport;
}

/** Runs a fail-over that nobody may notice. */
export async function crash(t: ExecutionContext, choices: CrashOptions = {}): Promise<Outcome> {
  const { client = {}, daemon: config, before, cut, after, finish, tracked, ...topology } = choices;
  const { replicaReads = (config?.recovery ?? 'resume') === 'resume' ? 'rest' : 'all' } = choices;
  const connections = client.connections ?? 20;
  const lab = await openLab(t, topology);
  const daemon = lab.daemon(config);
  await daemon.start();
  const clients = await lab.connect({ ...client, connections });
  const running: Crash = { lab, daemon, clients };
  t.teardown(async () => {
    if (!t.passed) await explain(t, running);
  });

  await (before ?? workAll)(running);
  await daemon.until('all connections tracked', (status) => status.connections.tracked === (tracked ?? connections));
  await (cut ?? pullCable)(running);
  const taken = await daemon.until('the replica has taken over', ({ state }) => state === 'proxy');
  await (after ?? workAll)(running);
  await (finish ?? finishAll)(running);

  const verdict = await lab.judge(replicaReads);
  const [failover] = taken.failovers;
  t.log(summary(verdict, taken));
  t.deepEqual(verdict.problems, [], daemon.log);
  t.is(taken.failovers.length, 1);
  t.is(failover?.lost, 0);
  t.deepEqual(await daemon.stop(), [], 'the backup is as it was before');
  return { verdict, taken };
}

export const nothing: Step = () => undefined;

/** Every connection makes progress. */
export async function workAll({ lab, clients }: Crash): Promise<void> {
  await lab.allProgress(clients);
}

/** The clients start nothing new, and everything on its way arrives. */
export async function fallSilent({ lab, clients }: Crash): Promise<void> {
  await clients.ask('pause');
  await lab.until(clients, 'silence', ({ waiting }) => waiting === 0);
}

export async function goOn(running: Crash): Promise<void> {
  await running.clients.ask('go');
  await workAll(running);
}

/** Of one connection that downloads, at most. */
const BYTES_PER_MS = 8192;

/**
 * A download in which each client has asked for `record` bytes, all of which have left the primary and none of which has arrived
 * when the cable is pulled; afterwards the clients ask for more.
 */
export function answersUnderWay(record: number, connections = 10): CrashOptions {
  return {
    service: { mode: 'get' },
    // Some 80 MB/s in all: faster, two busy CPUs drop so much that one connection may time out again and again.
    client: { mode: 'get', connections, record, interval: Math.ceil(record / BYTES_PER_MS) },
    before: async (running) => {
      const { lab, clients } = running;
      await answered(running, 16 * record);
      // The congestion window has to grow until it lets a whole answer go.
      await lab.weather('calm');
      await answered(running, 16 * record);
      await fallSilent(running);
      const primary = lab.service('primary');
      const { written } = await primary.ask<ServiceStat>('stat');
      lab.deafen();
      await clients.ask('go');
      await primary.until<ServiceStat>('stat', 'answers under way', (stat) => {
        const bytes = connections * record;
        return stat.written === written + bytes && stat.unsent === 0 && stat.unacknowledged >= bytes;
      });
    },
    cut: async ({ lab }) => {
      lab.cut();
      lab.undeafen();
      await lab.weather('rough');
    },
    after: (running) => answered(running, 2 * record),
  };
}

/** Waits until every client has received that many more bytes than any had. */
export async function answered({ lab, clients }: Crash, bytes: number): Promise<void> {
  const { receivedMax } = await clients.ask<ClientStat>('stat');
  await lab.until(clients, 'more answers', ({ receivedMin }) => receivedMin > receivedMax + bytes);
}

/** Uploads as fast as they go, cut when `bytes` of each have been read, ended when as many more have been acknowledged. */
export function uploads(bytes: number, connections = 4): CrashOptions {
  return {
    client: { connections, interval: 0, record: 65536 },
    before: async ({ lab }) => {
      const primary = lab.service('primary');
      await primary.until<ServiceStat>('stat', 'bytes of each upload', ({ readMin }) => readMin > bytes);
    },
    after: async ({ lab, clients }) => {
      const { acknowledgedMax } = await clients.ask<ClientStat>('stat');
      await lab.until(
        clients,
        'more of each upload',
        ({ acknowledgedMin }) => acknowledgedMin > acknowledgedMax + bytes,
      );
    },
  };
}

/** Clients end their streams one after the other: some before the cable is pulled, some while nobody serves, some afterwards. */
export function endsAroundTheCut(): CrashOptions {
  let finished: Promise<void> | undefined;
  return {
    cut: async ({ lab, clients }) => {
      finished = lab.finish(clients, 600);
      await lab.until(clients, 'the first ends', ({ done }) => done > 30);
      lab.cut();
    },
    after: nothing,
    finish: async () => finished,
  };
}

function pullCable({ lab }: Crash): void {
  lab.cut();
}

async function finishAll({ lab, clients }: Crash): Promise<void> {
  await lab.finish(clients);
}

/** What there is to know about a fail-over that went wrong. */
async function explain(t: ExecutionContext, { daemon }: Crash): Promise<void> {
  t.log(daemon.log);
  t.log(await daemon.status().catch(String));
  const connections = await daemon.connections().catch(() => []);
  t.log(connections.length, 'connections, the first:', connections[0]);
}

function summary(
  { kept, connections, longestSilenceMs, unacknowledgedBytes }: Verdict,
  { failovers }: ServiceReport,
): string {
  const [failover] = failovers;
  const ms = (value = NaN) => `${value.toFixed(0)} ms`;
  return (
    `${kept} of ${connections} kept, detected in ${ms(failover?.detectionMs)}, recovered in ${ms(failover?.recoveryMs)}, ` +
    `longest silence ${ms(longestSilenceMs)}, ${unacknowledgedBytes} bytes taken by the primary and not acknowledged`
  );
}
