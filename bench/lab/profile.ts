/** Where the daemon's thread spends its time, by V8's sampling profiler, in a window of the wall clock. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Share of the time, by what the thread was doing; together 1. */
export type Profile = Readonly<Record<Activity, number>>;

/**
 * inject     sending frames: the system call, and what the kernel does with a frame before the call returns, which on
 *            the private link is all the replica's stack has to do, up to the answer
 * capture    the system calls that read frames, and copying them
 * core       the WASM module
 * collector  the garbage collector
 * host       other JavaScript
 * other      native code that is none of these: timers, epoll, the log
 * idle       nothing to do
 * A thread that waits for a CPU does so in what it was doing.
 */
export const ACTIVITIES = ['inject', 'capture', 'core', 'collector', 'host', 'other', 'idle'] as const;
export type Activity = (typeof ACTIVITIES)[number];

/** The only functions that make system calls per frame; the profiler counts a native callee to its caller. */
const BY_FUNCTION: Readonly<Record<string, Activity>> = {
  inject: 'inject',
  '#dispatch': 'capture',
  '(garbage collector)': 'collector',
  '(program)': 'other',
  '(root)': 'other',
  '(idle)': 'idle',
};

/** Of the .cpuprofile format. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  /** us of CLOCK_MONOTONIC. */
  readonly startTime: number;
  readonly samples: readonly number[];
  /** us since the last sample, the first one's since the start. */
  readonly timeDeltas: readonly number[];
}

const RECORDER = pathToFileURL(resolve('bench/lab/record-profile.mjs')).href;

/** Lets the Node program that `start` starts write a profile when it ends. */
export async function recordProfile(file: string, start: () => Promise<void>): Promise<void> {
  const before = process.env['NODE_OPTIONS'];
  process.env['MIGWARE_PROFILE'] = file;
  process.env['NODE_OPTIONS'] = `--import ${RECORDER}`;
  try {
    await start();
  } finally {
    delete process.env['MIGWARE_PROFILE'];
    if (before === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = before;
  }
}

/** On a busy machine the profiler's own thread may not get to run: so few samples say nothing. */
const SAMPLES_MIN = 20;

/** Between two instants of the wall clock, ms; `undefined` when it was hardly sampled. */
export function profileOf(file: string, fromMs: number, toMs: number): Profile | undefined {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
  const activities = new Map(profile.nodes.map(({ id, callFrame }) => [id, activityOf(callFrame)]));
  const wallToMonotonicUs = Number(process.hrtime.bigint() / 1000n) - Date.now() * 1000;
  const fromUs = fromMs * 1000 + wallToMonotonicUs;
  const toUs = toMs * 1000 + wallToMonotonicUs;
  const spent = new Map<Activity, number>();
  let atUs = profile.startTime;
  let totalUs = 0;
  let samples = 0;
  profile.samples.forEach((node, i) => {
    // A sample stands for the time up to the next one.
    atUs += profile.timeDeltas[i] ?? 0;
    const untilUs = atUs + (profile.timeDeltas[i + 1] ?? 0);
    const withinUs = Math.min(untilUs, toUs) - Math.max(atUs, fromUs);
    if (withinUs <= 0) return;
    const activity = activities.get(node) ?? 'other';
    spent.set(activity, (spent.get(activity) ?? 0) + withinUs);
    totalUs += withinUs;
    samples++;
  });
  if (samples < SAMPLES_MIN) return undefined;
  const shares = ACTIVITIES.map((activity) => [activity, (spent.get(activity) ?? 0) / totalUs] as const);
  return Object.fromEntries(shares) as Record<Activity, number>;
}

function activityOf({ functionName, url }: { functionName: string; url: string }): Activity {
  return url.startsWith('wasm:') ? 'core' : (BY_FUNCTION[functionName] ?? 'host');
}
