/**
 * A command of the operator's: an answer is exit code 0. It runs through /bin/sh in a process group of its own, so
 * that a command which does not end in time is ended with everything it has started.
 */
import { spawn } from 'node:child_process';
import { reasonOf } from '../reason';
import { ANSWER } from './probe';
import type { Outcome, Probe } from './probe';

/** What the shell returns when the command is not executable, or not there. */
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

/** @param env added to this process's own environment */
export function execProbe(command: string, env: Readonly<Record<string, string>> = {}): Probe {
  const running = new Set<() => void>();
  return {
    kind: 'exec',
    target: command,
    begin(settle) {
      const options = { detached: true, stdio: 'ignore', env: { ...process.env, ...env } } as const;
      const child = spawn('/bin/sh', ['-c', command], options);
      const giveUp = () => {
        if (!running.delete(giveUp) || child.pid === undefined) return;
        try {
          process.kill(-child.pid, 'SIGKILL');
        } catch {
          // It has ended by itself.
        }
      };
      running.add(giveUp);
      const end = (outcome: Outcome) => {
        if (running.delete(giveUp)) settle(outcome);
      };
      child.once('error', (error) => end({ kind: 'void', why: reasonOf(error) }));
      child.once('exit', (code, signal) => end(verdict(code, signal)));
      return giveUp;
    },
    close() {
      running.forEach((giveUp) => giveUp());
    },
  };
}

function verdict(code: number | null, signal: string | null): Outcome {
  if (code === 0) return ANSWER;
  if (code === NOT_FOUND || code === NOT_EXECUTABLE) {
    return { kind: 'void', why: `the shell cannot run it (exit code ${code})` };
  }
  return { kind: 'miss', why: code === null ? `ended by ${signal}` : `exit code ${code}` };
}
