/** Frames of one connection as a tap shows them, in small steps; both ends know their own numbers. */
import { type TcpOptions, mss, sackPermitted, tcpFrame, timestamps, windowScale } from '../support/frames';
import type { Shot } from './capture-writer';

export const START_MS = Date.parse('2024-02-29T12:00:00Z');

export interface ConversationOptions {
  readonly client?: string;
  readonly clientPort?: number;
  readonly server?: string;
  readonly serverPort?: number;
  readonly tags?: TcpOptions['tags'];
  readonly clientIsn?: number;
  readonly serverIsn?: number;
  readonly clientOptions?: readonly Uint8Array[];
  readonly serverOptions?: readonly Uint8Array[];
  readonly synFlags?: string;
  readonly synAckFlags?: string;
}

export const USUAL_OPTIONS = [mss(1460), sackPermitted(), timestamps(1, 0), windowScale(7)];

export class Conversation {
  #clientNext: number;
  #serverNext: number;

  /** @param shots where the frames go; several conversations may share it */
  constructor(
    readonly shots: Shot[],
    private readonly options: ConversationOptions = {},
    public nowMs = START_MS,
  ) {
    this.#clientNext = options.clientIsn ?? 1000;
    this.#serverNext = options.serverIsn ?? 5000;
  }

  wait(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  syn(): this {
    this.client(this.options.synFlags ?? 'S', { options: this.options.clientOptions ?? [], ack: 0 });
    return this;
  }

  synAck(): this {
    return this.server(this.options.synAckFlags ?? 'SA', { options: this.options.serverOptions ?? [] });
  }

  open(): this {
    return this.syn().synAck().client('A');
  }

  close(): this {
    return this.client('FA').server('FA').client('A');
  }

  client(flags: string, more: Partial<TcpOptions> = {}): this {
    const { client = '10.0.0.9', clientPort = 40000, server = '10.0.0.2', serverPort = 7000 } = this.options;
    const ends = { src: client, srcPort: clientPort, dst: server, dstPort: serverPort };
    this.#shoot({ ...ends, seq: this.#clientNext, ack: this.#serverNext, flags, ...more });
    this.#clientNext = (this.#clientNext + numbers(flags, more)) >>> 0;
    return this;
  }

  server(flags: string, more: Partial<TcpOptions> = {}): this {
    const { client = '10.0.0.9', clientPort = 40000, server = '10.0.0.2', serverPort = 7000 } = this.options;
    const ends = { src: server, srcPort: serverPort, dst: client, dstPort: clientPort };
    this.#shoot({ ...ends, seq: this.#serverNext, ack: this.#clientNext, flags, ...more });
    this.#serverNext = (this.#serverNext + numbers(flags, more)) >>> 0;
    return this;
  }

  /** What the tap misses: the client's numbers move on without a frame. */
  clientUnseen(bytes: number): this {
    this.#clientNext = (this.#clientNext + bytes) >>> 0;
    return this;
  }

  #shoot(options: TcpOptions): void {
    const { tags } = this.options;
    this.shots.push({ frame: tcpFrame({ ...options, ...(tags === undefined ? {} : { tags }) }), atMs: this.nowMs });
  }
}

function numbers(flags: string, { payload = '' }: Partial<TcpOptions>): number {
  return payload.length + (/[SF]/.test(flags) ? 1 : 0);
}
