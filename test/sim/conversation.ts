/**
 * What client and server say to each other, and the two applications that say it. The server's is a function of how much
 * it has read and written, so that a replica told both can go on where the primary stopped.
 */
import type { Clock, Timer } from './clock';
import type { Endpoint, User } from './endpoint';
import { StreamCheck, streamBytes } from './stream';

export interface Conversation {
  readonly id: number;
  readonly clientPort: number;
  /** Index of the service it belongs to. */
  readonly service: number;
  readonly startMs: number;
  /** Bytes each way. */
  readonly up: number;
  readonly down: number;
  /** Answers of `response` bytes after each `request` bytes; undefined: both sides write as they please. */
  readonly exchange: { readonly request: number; readonly response: number } | undefined;
  /** Who closes first, as soon as its own side is written; the others close when they have read the end. */
  readonly closer: 'client' | 'server' | 'both';
  /** The client writes its last byte, and anybody closes, not before. */
  readonly holdUntilMs: number;
  /** How fast either side writes. */
  readonly chunk: number;
  readonly everyMs: number;
  /** When the client, or the server, does not read: from, to. */
  readonly clientPause: readonly [number, number];
  readonly serverPause: readonly [number, number];
}

/** Where a server application takes over: bytes read and written before it. */
export interface Base {
  readonly up: number;
  readonly down: number;
}

abstract class Application implements User {
  endpoint: Endpoint | undefined;
  error: string | undefined;
  /** The peer's stream ended, and all of it was read. */
  ended = false;
  readonly conversation: Conversation;
  readonly check: StreamCheck;
  protected readonly clock: Clock;
  protected written: number;
  #timer: Timer | undefined;
  #nextWriteMs = 0;

  protected constructor(clock: Clock, conversation: Conversation, check: StreamCheck, written: number) {
    this.clock = clock;
    this.conversation = conversation;
    this.check = check;
    this.written = written;
  }

  abstract readonly source: User['source'];
  /** Bytes that may have been written by now. */
  protected abstract allowed(): number;
  protected abstract mayClose(): boolean;
  protected abstract readonly pause: readonly [number, number];

  bind(endpoint: Endpoint): void {
    this.endpoint = endpoint;
    this.onEvent();
  }

  readonly onError = (why: string): void => {
    this.error = why;
    this.clock.cancel(this.#timer);
  };

  readonly onEvent = (): void => {
    const { endpoint } = this;
    if (endpoint === undefined || endpoint.state === 'SYN-SENT' || this.error !== undefined) return;
    this.#read(endpoint);
    if (endpoint.state === 'CLOSED') return;
    this.#write(endpoint);
    if (!endpoint.sender.closed && this.mayClose()) endpoint.close();
  };

  #read(endpoint: Endpoint): void {
    const [from, to] = this.pause;
    const { nowMs } = this.clock;
    if (nowMs >= from && nowMs < to) return this.#wake(to);
    for (const bytes of endpoint.receiver.read()) this.check.take(bytes);
    if (endpoint.receiver.atEnd) this.ended = true;
  }

  #write(endpoint: Endpoint): void {
    const { chunk, everyMs, holdUntilMs } = this.conversation;
    const { nowMs } = this.clock;
    if (nowMs < holdUntilMs) this.#wake(holdUntilMs);
    if (endpoint.sender.closed) return;
    const left = this.allowed() - this.written;
    if (left <= 0) return;
    if (nowMs < this.#nextWriteMs) return this.#wake(this.#nextWriteMs);
    const n = everyMs === 0 ? left : Math.min(left, chunk);
    this.#nextWriteMs = nowMs + everyMs;
    this.written += n;
    endpoint.write(n);
    if (n < left) this.#wake(this.#nextWriteMs);
  }

  #wake(atMs: number): void {
    if (this.#timer?.action !== undefined && this.#timer.timeMs <= atMs) return;
    this.clock.cancel(this.#timer);
    this.#timer = this.clock.after(atMs - this.clock.nowMs, this.onEvent);
  }
}

export class Client extends Application {
  constructor(clock: Clock, conversation: Conversation) {
    super(clock, conversation, new StreamCheck(conversation.id, 'down'), 0);
  }

  readonly source = (position: number, length: number): Uint8Array =>
    streamBytes(this.conversation.id, 'up', position, length);

  protected get pause(): readonly [number, number] {
    return this.conversation.clientPause;
  }

  protected allowed(): number {
    const { up, exchange, holdUntilMs } = this.conversation;
    const answered = exchange ? (Math.floor(this.check.position / exchange.response) + 1) * exchange.request : up;
    return Math.min(this.clock.nowMs < holdUntilMs ? up - 1 : up, answered);
  }

  protected mayClose(): boolean {
    const { closer, up } = this.conversation;
    return this.written === up && (closer !== 'server' || this.ended);
  }
}

export class Server extends Application {
  readonly base: Base;

  constructor(clock: Clock, conversation: Conversation, base: Base = { up: 0, down: 0 }) {
    const { id, up, down } = conversation;
    super(clock, conversation, new StreamCheck(id, 'up', Math.min(base.up, up)), Math.min(base.down, down));
    this.base = base;
  }

  readonly source = (position: number, length: number): Uint8Array =>
    streamBytes(this.conversation.id, 'down', this.base.down + position, length);

  protected get pause(): readonly [number, number] {
    return this.conversation.serverPause;
  }

  protected allowed(): number {
    const { down, exchange } = this.conversation;
    if (!exchange) return down;
    return Math.min(down, Math.floor(this.check.position / exchange.request) * exchange.response);
  }

  protected mayClose(): boolean {
    const { closer, down, holdUntilMs } = this.conversation;
    if (this.written < down || this.clock.nowMs < holdUntilMs) return false;
    return closer !== 'client' || this.ended;
  }
}
