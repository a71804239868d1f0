/** Programs of the system, run without a shell: an argument is an argument, whatever characters it has. */
import { execFile } from 'node:child_process';
import { EnvironmentError } from '../errors';
import { codeOf } from '../reason';
import { SYSTEM_PATH } from '../system-path';

/** A program of the system refused to do what it was told; the message is its own. */
export class CommandError extends EnvironmentError {}

/** Arbitrary: these programs answer in milliseconds; one that hangs must not hang the daemon. */
const TIMEOUT_MS = 10_000;
/** Enough for the sockets of a busy host. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/**
 * @param input what the program reads from its standard input
 * @returns what it wrote to its standard output
 */
export function run(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      env: { ...process.env, PATH: SYSTEM_PATH, LC_ALL: 'C' },
      timeout: TIMEOUT_MS,
      maxBuffer: MAX_OUTPUT_BYTES,
    };
    const child = execFile(program, args, options, (cause, stdout, stderr) => {
      if (cause === null) resolve(stdout);
      else if (codeOf(cause) === 'ENOENT') reject(new EnvironmentError(`${program} is not installed`, { cause }));
      else {
        const said = stderr.trim() || (cause.killed === true ? `no answer after ${TIMEOUT_MS} ms` : cause.message);
        reject(new CommandError(`${program} ${args.join(' ')}: ${said}`, { cause }));
      }
    });
    // A program that ends without reading all of its input is its own report of what is wrong.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

/** Runs a program that prints JSON. The caller says what it expects; programs of one name agree on it. */
export async function runJson<T>(program: string, args: readonly string[]): Promise<T> {
  const output = await run(program, args);
  try {
    return JSON.parse(output === '' ? '[]' : output) as T;
  } catch (cause) {
    throw new CommandError(`${program} ${args.join(' ')}: did not print JSON`, { cause });
  }
}
