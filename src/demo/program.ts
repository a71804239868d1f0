/**
 * A program that runs in a host of the network and talks in lines: commands on its stdin, one JSON object a line on its
 * stdout. Whoever waits, waits for a line or for the end of the program, never for time to pass.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { SYSTEM_PATH } from '../system-path';

/** A line of a program's output. */
export interface Message {
  readonly event: string;
}

/** How long a wait may last before it is called a hang. No result depends on it. */
const HANG_MS = 120_000;
/** Lines kept to tell what a program said before it went wrong. */
const KEPT_LINES = 40;

interface Waiter {
  /** True when the line was what it waited for. */
  hear(line: string, message: Message | undefined): boolean;
  reject(error: Error): void;
}

export class Program {
  readonly name: string;
  /** Exit code, or the name of the signal. */
  readonly ended: Promise<number | string>;
  /** What it wrote to stderr, and to stdout beside JSON: the last lines. */
  readonly said: string[] = [];
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiters = new Set<Waiter>();
  private end: number | string | undefined;

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name;
    this.child = spawn(command, args, { stdio: 'pipe', env: { ...process.env, PATH: SYSTEM_PATH } });
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.hear(line);
    });
    createInterface({ input: this.child.stderr }).on('line', (line) => {
      this.hear(line);
    });
    // A program that has ended takes no more commands; its end is what the waiters are told.
    this.child.stdin.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => {
        this.keep(error.message);
        this.finish(error.message, resolve);
      });
      this.child.once('close', (code, signal) => {
        this.finish(code ?? signal ?? 'unknown', resolve);
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get running(): boolean {
    return this.end === undefined;
  }

  /** The next line that says `event`, and of these the first that is right. */
  next<M extends Message>(event: string, isRight: (message: M) => boolean = () => true): Promise<M> {
    return this.expect(`"${event}"`, (_line, message) => {
      if (message?.event !== event) return undefined;
      // The caller knows what the program answers with.
      const said = message as M;
      return isRight(said) ? said : undefined;
    });
  }

  /** A line of text, of the past or to come. */
  async hears(text: RegExp): Promise<void> {
    if (this.said.some((line) => text.test(line))) return;
    await this.expect(String(text), (line) => (text.test(line) ? line : undefined));
  }

  /** Sends a command; its answer is the line whose event is the command's first word. */
  ask<M extends Message>(command: string): Promise<M> {
    const answer = this.next<M>(command.split(' ', 1)[0] ?? command);
    this.tell(command);
    return answer;
  }

  /** Sends a command and does not care for its answer. */
  tell(command: string): void {
    this.child.stdin.write(`${command}\n`);
  }

  /** Asks again and again until the answer is right; gives that answer. */
  async until<M extends Message>(command: string, what: string, isRight: (answer: M) => boolean): Promise<M> {
    const deadline = Date.now() + HANG_MS;
    for (;;) {
      const answer = await this.ask<M>(command);
      if (isRight(answer)) return answer;
      if (Date.now() > deadline) throw this.failure(`${what} did not come; last: ${JSON.stringify(answer)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Ends its stdin: no more commands. */
  endInput(): void {
    this.child.stdin.end();
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    if (this.running) this.child.kill(signal);
  }

  private expect<T>(what: string, accept: (line: string, message: Message | undefined) => T | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!this.running) return reject(this.failure(`ended (${String(this.end)}) before ${what}`));
      const hang = setTimeout(() => {
        waiter.reject(this.failure(`${what} did not come`));
      }, HANG_MS);
      const done = () => {
        clearTimeout(hang);
        this.waiters.delete(waiter);
      };
      const waiter: Waiter = {
        hear: (line, message) => {
          const found = accept(line, message);
          if (found === undefined) return false;
          done();
          resolve(found);
          return true;
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      this.waiters.add(waiter);
    });
  }

  private hear(line: string): void {
    const message = parse(line);
    if (message === undefined) this.keep(line);
    for (const waiter of [...this.waiters]) waiter.hear(line, message);
  }

  private keep(line: string): void {
    this.said.push(line);
    if (this.said.length > KEPT_LINES) this.said.shift();
  }

  private finish(end: number | string, resolve: (end: number | string) => void): void {
    if (this.end !== undefined) return;
    this.end = end;
    for (const waiter of [...this.waiters]) waiter.reject(this.failure(`ended (${String(end)}) too early`));
    resolve(end);
  }

  private failure(what: string): Error {
    const said = this.said.length > 0 ? `\nit said:\n  ${this.said.join('\n  ')}` : '';
    return new Error(`${this.name}: ${what}${said}`);
  }
}

function parse(line: string): Message | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    const isMessage =
      typeof value === 'object' && value !== null && 'event' in value && typeof value.event === 'string';
    return isMessage ? (value as Message) : undefined;
  } catch {
    return undefined;
  }
}
