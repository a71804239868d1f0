import { getSystemErrorMap } from 'node:util';

/** What went wrong in a few words for a message: the system's own text for a system error, else the error's. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node raises an AggregateError without a message when every address of a host failed.
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  if (first !== undefined) return reasonOf(first);
  const { errno } = error as NodeJS.ErrnoException;
  const [, text] = (errno === undefined ? undefined : getSystemErrorMap().get(errno)) ?? [];
  return text ?? error.message;
}

/** `ENOENT`, `EADDRINUSE`, ...; `undefined` if the system had nothing to do with it. */
export function codeOf(error: unknown): string | undefined {
  const { code } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  return typeof code === 'string' ? code : undefined;
}
