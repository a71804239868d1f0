/** The fencing command: makes sure that a primary called dead cannot come back to life beside its replica. */
import { execFile } from 'node:child_process';
import { MigwareError } from '../errors';
import type { ServiceConfig } from './contract';

/** The fencing command failed, so the primary may live, and nothing was taken over. */
export class FenceError extends MigwareError {
  readonly code = 'MIGWARE_FENCE';
}

/** Runs the service's fencing command, if it has one. It sees the service as MIGWARE_SERVICE and MIGWARE_ADDRESS. */
export function fence({ name, address, fence: command, fenceTimeoutMs }: ServiceConfig): Promise<void> {
  if (command === undefined) return Promise.resolve();
  const env = { ...process.env, MIGWARE_SERVICE: name, MIGWARE_ADDRESS: address };
  const options = { env, timeout: fenceTimeoutMs, killSignal: 'SIGKILL' as const };
  return new Promise((done, failed) => {
    // The user's own words, so a shell may read them.
    execFile('/bin/sh', ['-c', command], options, (cause, _stdout, stderr) => {
      if (cause === null) return done();
      const why = cause.killed === true ? `no end after ${fenceTimeoutMs} ms` : `exit code ${cause.code ?? '?'}`;
      const said = stderr.trim() === '' ? '' : `: ${stderr.trim()}`;
      failed(new FenceError(`fencing of ${name} failed (${why})${said}`, { cause }));
    });
  });
}
