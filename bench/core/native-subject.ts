/** bench/native: the same algorithm in C, compiled by gcc -O3 and run as a process that is told what to do line by line. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Counter, Reason } from '../../assembly/abi/codes';
import {
  CONNECTION_BYTES,
  CONNECTION_FLOWS,
  CONNECTION_RECORD,
  CONNECTION_STRAYS,
  FLOW_BYTES,
  SERVICE_BYTES,
  SERVICE_DIVERGENCES,
} from '../../assembly/abi/layout';
import {
  HASH_KEY,
  NOW_MS,
  RETAINED_BYTES,
  RETAINED_PER_CONNECTION,
  SCENE_CONNECTIONS,
  STACK_MTU,
  type Scene,
  type Step,
  type Subject,
  type Timed,
} from './subject';

const SOURCES = 'bench/native';
const FOLDER = 'build/bench/native';

/** What the C has to know of the memory: of records it does not compile when it thinks otherwise. */
const LAYOUT = {
  CONNECTION_BYTES,
  CONNECTION_FLOWS,
  CONNECTION_RECORD,
  CONNECTION_STRAYS,
  FLOW_BYTES,
  SERVICE_BYTES,
  SERVICE_DIVERGENCES,
  REASONS: Reason.Count,
  COUNTERS: Counter.Count,
};

/** Exit code 3 is the project's for what the machine lacks. */
export class NoCompiler extends Error {}

export interface Compiled {
  readonly program: string;
  /** First line of `gcc --version`. */
  readonly compiler: string;
}

/** @param name of the program: tests may compile while a benchmark does */
export function compileNative(name = 'steps'): Compiled {
  const version = spawnSync('gcc', ['--version'], { encoding: 'utf8' });
  if (version.status !== 0)
    throw new NoCompiler('gcc is needed to compile bench/native: apt-get install gcc libc6-dev');
  mkdirSync(FOLDER, { recursive: true });
  const program = join(FOLDER, name);
  const defines = Object.entries(LAYOUT).map(([constant, value]) => `-D${constant}=${value}`);
  const warnings = ['-Wall', '-Wextra', '-Werror'];
  const args = ['-std=gnu11', '-O3', ...warnings, ...defines, '-o', program, join(SOURCES, 'main.c')];
  const { status, stderr } = spawnSync('gcc', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${stderr}\ngcc could not compile ${join(SOURCES, 'main.c')}`);
  return { program, compiler: version.stdout.split('\n')[0] ?? '' };
}

/** `x` and hex digits are bytes. */
type Word = string | number;

export function bytesWord(bytes: Uint8Array): string {
  return `x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;
}

/** Bytes in one command: its buffer for a line has twice that and some. */
const PIECE_BYTES = 1 << 16;

export class NativeSubject implements Subject {
  readonly name = 'native';
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  /** Settles when all that the process wrote has been read. */
  readonly #closed: Promise<unknown>;
  #complaints = '';
  #ring = 0;

  private constructor(program: string) {
    this.#child = spawn(program, { stdio: 'pipe' });
    this.#closed = once(this.#child, 'close');
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#complaints += text));
    // A process that has ended says why on stderr; the write that follows is not the news.
    this.#child.stdin.on('error', () => undefined);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** @param links of the private link: own address and peer's, 6 bytes each */
  static async start(program: string, scene: Scene, link: Uint8Array): Promise<NativeSubject> {
    const subject = new NativeSubject(program);
    await subject.load(scene, link);
    return subject;
  }

  /** Forgets the state it had. */
  async load({ arena, slot, services, connections, fill }: Scene, link: Uint8Array): Promise<void> {
    this.#ring = 0;
    await this.ask('key', ...HASH_KEY);
    await this.ask('port', 1, STACK_MTU, bytesWord(link));
    const capacity = Math.max(SCENE_CONNECTIONS, connections.length + (fill?.count ?? 0));
    await this.ask('state', capacity, RETAINED_BYTES, RETAINED_PER_CONNECTION);
    await this.write(0, arena);
    for (const image of services) await this.ask('service', bytesWord(image));
    for (const [i, image] of connections.entries()) await this.ask('connection', i, bytesWord(image));
    if (slot.length > 0) await this.ask('slot', bytesWord(slot));
    if (fill !== undefined) await this.ask('fill', fill.server, fill.port, fill.count);
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      await this.ask('write', offset + at, bytesWord(bytes.subarray(at, at + PIECE_BYTES)));
    }
  }

  /** One command, one line for an answer. */
  async ask(command: string, ...words: readonly Word[]): Promise<string> {
    this.#child.stdin.write(`${[command, ...words].join(' ')}\n`);
    const line = await this.#lines.next();
    if (line.done !== true) return line.value;
    await this.#closed;
    throw new Error(`bench/native ended at "${command}": ${this.#complaints.trim()}`);
  }

  async run(step: Step, args: readonly number[], repetitions: number): Promise<Timed> {
    const [ring = 0, count = 1] = args;
    const words = step === 'receive' ? [ring, count, this.#ring, repetitions, NOW_MS] : [...args, repetitions];
    const [ns = NaN, result = NaN] = (await this.ask(step, ...words)).split(' ').map(Number);
    if (step === 'receive') this.#ring = (this.#ring + repetitions) % count;
    return { ns, result };
  }

  async stop(): Promise<void> {
    this.#child.stdin.end();
    await this.#closed;
  }
}
