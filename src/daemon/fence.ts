/** The fencing command: makes sure that a primary called dead cannot come back to life beside its replica. */
import { type ChildProcess, spawn } from 'node:child_process';
import { MigwareError } from '../errors';
import { reasonOf } from '../reason';
import type { ServiceConfig } from './contract';

/** The fencing command failed, so the primary may live, and nothing was taken over. */
export class FenceError extends MigwareError {
  readonly code = 'MIGWARE_FENCE';
}

/** Of what it writes to its standard error, for the message. */
const KEPT_TEXT = 500;

/**
 * Runs the service's fencing command, if it has one. It sees the service as MIGWARE_SERVICE and MIGWARE_ADDRESS.
 *
 * The command gets a process group of its own, so that when its time is up all of it is killed: of `ssh ... ; ...` the
 * shell alone would die, and the rest go on.
 */
export function fence({ name, address, fence: command, fenceTimeoutMs }: ServiceConfig): Promise<void> {
  if (command === undefined) return Promise.resolve();
  const env = { ...process.env, MIGWARE_SERVICE: name, MIGWARE_ADDRESS: address };
  return new Promise((done, failed) => {
    const fail = (why: string, cause?: unknown) =>
      failed(new FenceError(`fencing of ${name} failed (${why})`, { cause }));
    // The user's own words, so a shell may read them.
    const child = spawn('/bin/sh', ['-c', command], { env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    let isLate = false;
    child.stderr.on('data', (text: Buffer) => (said = (said + text.toString()).slice(0, KEPT_TEXT)));
    const timer = setTimeout(() => {
      isLate = true;
      killGroup(child);
    }, fenceTimeoutMs);
    child.once('error', (cause) => {
      clearTimeout(timer);
      fail(reasonOf(cause), cause);
    });
    // Not `close`: that would wait for whatever the command has left running.
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      child.stderr.destroy();
      if (code === 0) return done();
      if (isLate) return fail(`no end after ${fenceTimeoutMs} ms`);
      fail([signal ?? `exit code ${code ?? '?'}`, said.trim()].filter((part) => part !== '').join(': '));
    });
  });
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended by itself.
  }
}
