/** A shadow reads what the client sends to the primary, frame by frame: only a stack on this host can be shown it. */
import type { ServiceConfig } from './contract';

/** @returns why the replica cannot shadow, and what to do; `undefined` when it can, or does not have to */
export function shadowProblem(
  { recovery, replica }: ServiceConfig,
  isLocal: boolean,
): { readonly text: string; readonly remedy: string } | undefined {
  if (recovery !== 'shadow' || isLocal) return undefined;
  return {
    text: `${replica} is not an address of this host, and recovery = "shadow" needs the replica here`,
    remedy: 'use recovery = "replay" or "resume", or run the replica on this host',
  };
}
