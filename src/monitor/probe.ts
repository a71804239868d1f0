/** What every probe is: one attempt to get a sign of life from the primary, begun on demand, settled once. */
import type { ProbeConfig } from '../daemon/contract';

/** What an attempt says about the primary. */
export type Outcome =
  | { readonly kind: 'answer' }
  /** No answer, or not the right one. */
  | { readonly kind: 'miss'; readonly why: string }
  /** Nothing: this host could not ask. */
  | { readonly kind: 'void'; readonly why: string };

export const ANSWER: Outcome = { kind: 'answer' };

export interface Probe {
  readonly kind: ProbeConfig['kind'];
  /** Address, `address:port`, URL or command. */
  readonly target: string;
  /**
   * Asks once. `settle` is called at most once, and not after the returned function, which gives the attempt up.
   * There may be several attempts at a time. How long to wait is not the probe's business.
   */
  begin(settle: (outcome: Outcome) => void): () => void;
  /** Gives up all attempts. */
  close(): void;
}

/**
 * Codes of system errors that mean this host, not the primary, is in trouble: no route out, no descriptors, no
 * memory, no permission. Everything else that goes wrong while asking is a miss.
 */
const LOCAL_TROUBLE = new Set([
  'EACCES',
  'EADDRNOTAVAIL',
  'EAGAIN',
  'EMFILE',
  'ENETDOWN',
  'ENETUNREACH',
  'ENFILE',
  'ENOBUFS',
  'ENODEV',
  'ENOMEM',
  'ENOENT',
  'EPERM',
]);

export function failure(code: string | undefined, why: string): Outcome {
  return { kind: code !== undefined && LOCAL_TROUBLE.has(code) ? 'void' : 'miss', why };
}

/** `address:port`, in the way a URL writes it. */
export function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
