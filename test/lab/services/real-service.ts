/**
 * What a table of real services says about each: how an instance of it is started, and what its clients do. Services and
 * clients are the unmodified programs of their packages; what is right is their output, their files and their exit codes.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import type { Host } from '../../../src/demo/network';
import type { Program } from '../../../src/demo/program';
import { PORT, reached } from '../lab';
import { pattern } from '../pattern';

/** What a client is about when the primary dies. */
export type Moment = 'idle' | 'in the middle of an answer' | 'in the middle of a request';

/** A client's whole life. It says when the primary may die, and throws when anything is not as it should be. */
export type Use = (client: Client) => Promise<void>;

/** Where an instance of a service lives. */
export interface Place {
  readonly host: Host;
  /** Its own. */
  readonly directory: string;
  /** Both instances'. */
  readonly shared: string;
}

export interface RealService {
  readonly name: string;
  /** Makes what both instances need: contents, keys. */
  readonly prepare?: (shared: string) => void;
  readonly start: (place: Place) => Program;
  /** What it says when it serves; one that says nothing has a socket that listens. */
  readonly ready?: RegExp;
  /** Bytes of a connection that pass before the cut; default: half of a transfer. */
  readonly passing?: number;
  /** How many clients at a time are a crowd, with one process each. */
  readonly crowd: number;
  readonly uses: Partial<Readonly<Record<Moment, Use>>>;
}

/** Bytes of a transfer in the middle of which the primary dies; larger than what any of the services says by the way. */
export const TRANSFER_BYTES = 1 << 20;
/** In the middle: so many have passed. More is lost and repeated on the way, so less than the half that may pass. */
export const MIDDLE_BYTES = TRANSFER_BYTES / 16;

/** Bytes sent and acknowledged, and bytes received. */
export interface Traffic {
  readonly sent: number;
  readonly received: number;
}

/** What the lab is to a client. */
export interface Surroundings {
  readonly host: Host;
  /** Of the service. */
  readonly address: string;
  readonly shared: string;
  /** Of the instance that serves now. */
  readonly serving: Place;
  /** Of the connections of a program. */
  traffic(program: Program): Traffic;
  /** Resolves when all clients have come to this point and the primary is dead. */
  cut(): Promise<void>;
  /** Resolves when the replica has taken over. */
  over(): Promise<void>;
}

/**
 * How long a program may take to its end before that is called a hang. A crowd comes together in up to a minute, and whoever had
 * his segments held up all that time repeats them after as long again, 120 s at most (RFC 6298 2.5 allows 60 s or more).
 */
const HANG_MS = 150_000;

export class Client {
  constructor(
    readonly index: number,
    private readonly directory: string,
    private readonly lab: Surroundings,
  ) {
    mkdirSync(directory, { recursive: true });
  }

  get address(): string {
    return this.lab.address;
  }

  /** The service in a URL. */
  get authority(): string {
    return `${isIPv6(this.address) ? `[${this.address}]` : this.address}:${PORT}`;
  }

  get shared(): string {
    return this.lab.shared;
  }

  get serving(): Place {
    return this.lab.serving;
  }

  /** A file of its own. */
  file(name: string): string {
    return `${this.directory}/${name}`;
  }

  start(command: string, ...args: string[]): Program {
    return this.lab.host.start(command, command, ...args);
  }

  /** Starts a program by the shell, which sends its output, or its input, to a file. */
  redirect(way: '<' | '>', file: string, command: string, ...args: string[]): Program {
    return this.lab.host.start(command, 'sh', '-c', `exec "$@" ${way} ${file}`, 'sh', command, ...args);
  }

  /** The primary dies now; see `over`. */
  async cut(): Promise<void> {
    await this.lab.cut();
  }

  async over(): Promise<void> {
    await this.lab.over();
  }

  /** The primary dies when the program has sent, or received, so many bytes. */
  async dies(program: Program, way: keyof Traffic, bytes: number): Promise<void> {
    await this.passed(program, way, bytes);
    await this.cut();
    await this.over();
  }

  /** Waits until the program has sent, or received, so many bytes. */
  async passed(program: Program, way: keyof Traffic, bytes: number): Promise<void> {
    await reached(`${bytes} bytes ${way} by ${program.name}`, () => {
      if (!program.running) throw new Error(`${program.name} has ended\n  ${program.said.join('\n  ')}`);
      return this.lab.traffic(program)[way] >= bytes;
    });
  }
}

/** Sends a line, and waits for one. */
export async function exchange(program: Program, line: string, answer: RegExp): Promise<void> {
  program.tell(line);
  await program.hears(answer);
}

/** The program has nothing more to read, and ends well. */
export async function succeeds(program: Program): Promise<void> {
  program.endInput();
  let hang: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => (hang = setTimeout(resolve, HANG_MS, 'nothing: it hangs')));
  const end = await Promise.race([program.ended, late]);
  clearTimeout(hang);
  if (end !== 0) throw new Error(`${program.name} ended with ${String(end)}\n  ${program.said.join('\n  ')}`);
}

export function equal(what: string, actual: string, expected: string): void {
  if (actual !== expected) throw new Error(`${what}: ${shortened(actual)} instead of ${shortened(expected)}`);
}

function shortened(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}... (${text.length})` : text;
}

export function digest(bytes: Buffer, algorithm = 'sha256'): string {
  return createHash(algorithm).update(bytes).digest('hex');
}

export function sameFile(actual: string, expected: string): void {
  equal(actual, digest(readFileSync(actual)), digest(readFileSync(expected)));
}

/** Bytes that nobody else has. */
export function contents(client: Client, bytes = TRANSFER_BYTES): Buffer {
  return pattern(1000 + client.index, 0, bytes);
}

/** The same as text, in lines of 64 characters. */
export function textLines(client: Client, bytes = TRANSFER_BYTES): string[] {
  return (
    contents(client, bytes / 2)
      .toString('hex')
      .match(/.{1,64}/g) ?? []
  );
}

/** Waits until a program listens at the service's port. */
export async function listens(host: Host, program: Program): Promise<void> {
  await reached(`${program.name} listens`, () => {
    if (!program.running) throw new Error(`${program.name} has ended\n  ${program.said.join('\n  ')}`);
    return host.run('ss', '-Htln', `sport = :${PORT}`) !== '';
  });
}
