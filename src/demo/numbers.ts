/** What the clients of the demo push: lines of 16 bytes, each with the number of its connection and its own. */

export const LINE_BYTES = 16;

/** Line `index` of a connection. No two lines of a run are equal, so every byte that is read has one place. */
export function line(connection: number, index: number): string {
  return `${String(connection).padStart(5, '0')} ${String(index).padStart(9, '0')}\n`;
}

/** The first `lines` lines of a connection. */
export function lines(connection: number, count: number): string {
  return Array.from({ length: count }, (_, index) => line(connection, index)).join('');
}
