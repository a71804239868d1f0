/** What every script needs: where the project is, how to run a program, how to stop with a message. */
import { spawn } from 'node:child_process';
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Exit codes, the same as the command line's. */
export const EXIT = { failed: 1, usage: 2, environment: 3 };

/** Ends a script with a message for its user; anything else that is thrown is a bug and shows its stack. */
export class Stop extends Error {
  /**
   * @param {number} exitCode
   * @param {string} message
   */
  constructor(exitCode, message) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** @param {string} text progress, on stderr: stdout belongs to the program that a script starts */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

/** @param {string} path inside the project */
export function inRoot(path) {
  return resolve(ROOT, path);
}

/**
 * Files under a folder of the project, as sorted paths relative to its root; none if the folder does not exist.
 * @param {string} folder
 * @param {(path: string) => boolean} [accept]
 */
export function filesIn(folder, accept = () => true) {
  const top = inRoot(folder);
  if (!statSync(top, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter(accept)
    .sort();
}

/**
 * Runs a program in the project's root; gives its exit code, or what stopped it, and both its outputs as one text.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<{ status: number | string, output: string }>}
 */
export function collect(command, args, env = process.env) {
  const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (/** @type {string} */ chunk) => (output += chunk));
  }
  return new Promise((done) => {
    child.once('error', (error) => {
      done({ status: error.message, output });
    });
    child.once('close', (code, signal) => {
      done({ status: code ?? signal ?? 'unknown', output });
    });
  });
}

/**
 * Runs a program in the project's root and stops the script if it fails; only then its output is shown.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
export async function must(command, args, env) {
  const { status, output } = await collect(command, args, env);
  if (status !== 0) throw new Stop(EXIT.failed, `${output}\n${[command, ...args].join(' ')} failed: ${status}`);
}

/**
 * Runs a program in the foreground, for as long as it likes, and gives its exit code. The terminal sends an
 * interrupt to it as well as to this script, and it decides what that means; SIGTERM is passed on.
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<number>}
 */
export function foreground(command, args) {
  const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit' });
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('exit', (code) => done(code ?? EXIT.failed));
  });
}

/**
 * The entry of a script: runs `body` if the file was started by the user and not imported by another script.
 * @param {string} url the script's import.meta.url
 * @param {(args: string[]) => unknown} body may return an exit code
 */
export async function main(url, body) {
  if (url !== pathToFileURL(realpathSync(process.argv[1] ?? '')).href) return;
  try {
    const code = await body(process.argv.slice(2));
    process.exitCode = typeof code === 'number' ? code : 0;
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    say(error.message);
    process.exitCode = error.exitCode;
  }
}
