/** What the lab's C programs are told and what they answer; programs/client.c and programs/service.c say what it means. */
import type { Message } from '../../src/demo/program';

export interface ServiceOptions {
  readonly mode?: 'sink' | 'echo' | 'get' | 'memory';
  readonly backlog?: number;
  readonly maxseg?: number;
  readonly rcvbuf?: number;
  readonly sndbuf?: number;
  readonly goodbye?: number;
  readonly holdGoodbye?: boolean;
  readonly holdReading?: boolean;
  readonly closeFirst?: boolean;
  /** `memory`: longest record and longest answer, the same for the clients. */
  readonly record?: number;
  readonly answer?: number;
  /** ms before each answer. */
  readonly slow?: number;
  readonly greet?: boolean;
  /** `memory`: records after which the answers are wrong, or end. */
  readonly errorAfter?: number;
  readonly closeAfter?: number;
}

export interface ClientOptions {
  readonly mode?: 'push' | 'echo' | 'get' | 'memory';
  readonly connections?: number;
  /** Connections set up at a time. */
  readonly burst?: number;
  readonly record?: number;
  /** `memory`: the longest answer. */
  readonly answer?: number;
  /** ms between the records of a connection; 0: as fast as it goes. */
  readonly interval?: number;
  /** Bytes to send, or ask for; 0: until told to finish. */
  readonly total?: number;
  readonly greeting?: number;
  readonly goodbye?: number;
  readonly serverClosesFirst?: boolean;
  readonly rcvbuf?: number;
  readonly sndbuf?: number;
  readonly maxseg?: number;
  readonly recordRoute?: boolean;
}

/** What programs/service.c says when clients may come. */
export interface Listening extends Message {
  readonly greeting: string;
}

/** Bytes of the greeting of a service that greets. */
export const GREETING_BYTES = 32;

/** What programs/client.c and programs/service.c answer to `stat` and other commands. */
export interface ClientStat extends Message {
  readonly connected: number;
  readonly done: number;
  readonly ended: number;
  readonly errors: number;
  /** errno of one of them. */
  readonly error: string;
  readonly waiting: number;
  readonly sent: number;
  readonly acknowledged: number;
  readonly acknowledgedMin: number;
  readonly acknowledgedMax: number;
  readonly received: number;
  readonly receivedMin: number;
  readonly receivedMax: number;
}

export interface ServiceStat extends Message {
  readonly accepted: number;
  readonly open: number;
  readonly ended: number;
  readonly errors: number;
  readonly read: number;
  readonly readMin: number;
  readonly written: number;
  readonly unacknowledged: number;
  /** Connections with bytes on their way. */
  readonly unheard: number;
  readonly unsent: number;
}
