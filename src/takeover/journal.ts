/**
 * The list of changes to this host, in a file: each is written, and on the disk, before it is made, so that whatever
 * happens to the daemon the next one knows what to undo. A change that is in the file may not have been made; undoing
 * it does no harm (change.ts).
 *
 * One JSON value a line. The first names the boot and the network namespace, in which alone the rest means anything:
 * after a reboot nothing is left to undo, and an old value of a setting would only do damage; and the process, since
 * the lock reaches no further than the namespace. Then `{"id":N,"change":...}` and `{"undone":N}`. A last line cut
 * short by a crash was not followed by its change.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { type Server, createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { EnvironmentError } from '../errors';
import { codeOf, reasonOf } from '../reason';
import { type Change, undo } from './change';

const FILE = 'host-changes.jsonl';

/** What the network of a host lives in; of another one nothing is known or left. */
export interface Habitat {
  /** Of the machine's present boot. */
  readonly boot: string;
  readonly namespace: string;
}

interface Header extends Habitat {
  readonly format: 1;
  /** Process id and start time, which together are never used again within a boot. */
  readonly process: string;
}

type Line = Header | { readonly id: number; readonly change: Change } | { readonly undone: number };

/** A change that could not be undone stays in the file, and the next start tries again. */
export interface UndoFailure {
  readonly change: Change;
  readonly error: unknown;
}

export class Journal {
  readonly #path: string;
  readonly #lock: Server;
  /** Made and not undone, oldest first. */
  readonly #changes = new Map<number, Change>();
  #nextId = 1;
  #fd: number | undefined;

  /**
   * Takes the directory for this process; what an earlier one left behind is in `changes`, to be undone first.
   * @throws EnvironmentError when another process has it, or it cannot be written
   */
  static async open(stateDir: string): Promise<Journal> {
    const directory = resolve(stateDir);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw new EnvironmentError(`state_dir ${directory} cannot be made: ${reasonOf(cause)}`, { cause });
    }
    return new Journal(join(directory, FILE), await lock(directory));
  }

  private constructor(path: string, lock: Server) {
    this.#path = path;
    this.#lock = lock;
    for (const { id, change } of readLeftovers(path)) {
      this.#changes.set(id, change);
      this.#nextId = Math.max(this.#nextId, id + 1);
    }
    // Under this process's name from now on.
    if (this.#changes.size > 0) this.#rewrite();
  }

  /** Oldest first. */
  get changes(): readonly Change[] {
    return [...this.#changes.values()];
  }

  /**
   * Writes the change down, then makes it.
   * @returns what `undo` needs to undo it alone
   */
  async make(change: Change, action: () => unknown): Promise<number> {
    const id = this.#nextId++;
    this.#append({ id, change });
    this.#changes.set(id, change);
    await action();
    return id;
  }

  /**
   * Undoes the changes named, or all, the latest first; one that fails does not stop the others.
   * @returns the failures
   */
  async undo(ids: readonly number[] = [...this.#changes.keys()]): Promise<UndoFailure[]> {
    const failures: UndoFailure[] = [];
    for (const id of [...ids].sort((a, b) => b - a)) {
      const change = this.#changes.get(id);
      if (change === undefined) continue;
      try {
        await undo(change);
        this.#changes.delete(id);
        this.#append({ undone: id });
      } catch (error) {
        failures.push({ change, error });
      }
    }
    if (this.#changes.size === 0) this.#removeFile();
    return failures;
  }

  /** Gives the directory up. Changes that were not undone stay made, and written down. */
  async close(): Promise<void> {
    this.#closeFile();
    await new Promise((done) => this.#lock.close(done));
  }

  #append(line: Line): void {
    const fd = this.#fd ?? this.#rewrite();
    writeLine(fd, line);
    fsyncSync(fd);
  }

  /** Anew, with what is still to be undone: a line cut short by a crash must not swallow the next one. */
  #rewrite(): number {
    const path = `${this.#path}.new`;
    const fd = openSync(path, 'w', 0o600);
    writeLine(fd, { format: 1, ...habitat(), process: processId(process.pid) ?? `${process.pid}` });
    for (const [id, change] of this.#changes) writeLine(fd, { id, change });
    replaceFile(fd, path, this.#path);
    this.#fd = fd;
    return fd;
  }

  #removeFile(): void {
    this.#closeFile();
    rmSync(this.#path, { force: true });
  }

  #closeFile(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

interface Entry {
  readonly id: number;
  readonly change: Change;
}

/** What the file says is still to be undone, here and since this boot. */
function readLeftovers(path: string): Entry[] {
  const lines = readLines(path);
  const [header, ...rest] = lines;
  if (header === undefined || !('format' in header)) return [];
  const { boot, namespace } = habitat();
  if (header.boot !== boot) return [];
  if (header.namespace !== namespace) {
    const pid = Number.parseInt(header.process, 10);
    if (processId(pid) === header.process) {
      throw new EnvironmentError(
        `${path} belongs to process ${pid} in another network namespace: choose another state_dir`,
      );
    }
    return [];
  }
  const left = new Map<number, Change>();
  for (const line of rest) {
    if ('change' in line) left.set(line.id, line.change);
    else if ('undone' in line) left.delete(line.undone);
  }
  return [...left].map(([id, change]) => ({ id, change }));
}

function readLines(path: string): Line[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw new EnvironmentError(`${path} cannot be read: ${reasonOf(error)}`, { cause: error });
  }
  // What follows the last newline was being written when the daemon or the machine died.
  const complete = text.split('\n').slice(0, -1);
  try {
    return complete.map((line) => JSON.parse(line) as Line);
  } catch (cause) {
    throw new EnvironmentError(`${path} is damaged; undo its changes by hand and remove it`, { cause });
  }
}

function writeLine(fd: number, line: Line): void {
  writeSync(fd, `${JSON.stringify(line)}\n`);
}

/** The new file takes the old one's place as a whole, also on the disk. */
function replaceFile(fd: number, from: string, to: string): void {
  fsyncSync(fd);
  renameSync(from, to);
  const directory = openSync(dirname(to), 'r');
  fsyncSync(directory);
  closeSync(directory);
}

/** Where this process lives. */
export function habitat(): Habitat {
  return {
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    namespace: readlinkSync('/proc/self/ns/net'),
  };
}

/** `undefined` when there is no such process. */
function processId(pid: number): string | undefined {
  try {
    // proc(5): the second field is the program's name in parentheses and may hold anything; 22 is the start time.
    const [, fields = ''] = /.*\)\s(.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return `${pid}:${fields.split(' ')[19] ?? ''}`;
  } catch {
    return undefined;
  }
}

/**
 * An abstract Unix socket (unix(7)): only one process can have the name, and the kernel takes it back however that
 * process ends, so there is no stale lock. The name is valid in one network namespace, as the changes are.
 */
function lock(directory: string): Promise<Server> {
  const name = createHash('sha256').update(directory).digest('hex');
  const server = createServer((socket) => socket.destroy());
  server.unref();
  return new Promise((done, failed) => {
    server.once('error', (cause) =>
      failed(new EnvironmentError(`state_dir ${directory} is in use by another migware process`, { cause })),
    );
    server.listen(`\0migware-${name}`, () => done(server));
  });
}
