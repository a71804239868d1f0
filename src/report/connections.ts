/**
 * `migware connections`, line by line: there may be a million, so no form of the output needs all of them at once, and
 * the columns of the text are as wide as what is usually in them.
 */
import type { ConnectionReport, DivergenceReport } from '../daemon/contract';
import { bytes, duration } from './text';

/** How a list is written: a beginning, each connection, an end that knows how many there were. */
export interface ListFormat {
  begin(): string;
  item(connection: ConnectionReport, index: number): string;
  end(total: number): string;
}

/** An array with one connection a line. */
export const connectionsJson: ListFormat = {
  begin: () => '[',
  item: (connection, index) => `${index === 0 ? '' : ','}\n${JSON.stringify(connection)}`,
  end: (total) => (total === 0 ? ']\n' : '\n]\n'),
};

type Column = readonly [title: string, width: number, value: (connection: ConnectionReport) => string];

const COLUMNS: readonly Column[] = [
  ['SERVICE', 12, ({ service = '' }) => service],
  ['CLIENT', 21, ({ client }) => client],
  ['SERVER', 21, ({ server }) => server],
  ['STATE', 12, ({ state }) => state],
  ['SERVED BY', 12, servedBy],
  ['IDLE', 8, ({ idleMs }) => duration(idleMs)],
  ['RETAINED', 9, ({ inbound, outbound }) => bytes(inbound.retainedBytes + outbound.retainedBytes)],
  ['RECORDED', 9, ({ recordedBytes }) => bytes(recordedBytes)],
  ['RECOVERABLE', 0, recoverable],
];

export const connectionsText: ListFormat = {
  begin: () => row(COLUMNS.map(([title, width]) => title.padEnd(width))),
  item: (connection) => row(COLUMNS.map(([, width, value]) => value(connection).padEnd(width))),
  end: (total) => (total === 0 ? 'no connections\n' : ''),
};

function row(cells: readonly string[]): string {
  return `${cells.join('  ').trimEnd()}\n`;
}

/** The primary, the replica, or how far the connection has come on its way from the one to the other. */
function servedBy({ phase, shadow }: ConnectionReport): string {
  return phase === 'direct' || shadow !== null ? 'primary' : phase === 'live' ? 'replica' : phase;
}

function recoverable({ recoverable: verdict, reason, hole, divergence }: ConnectionReport): string {
  const where = hole === undefined ? '' : `, ${hole.bytes} bytes at ${hole.seq}`;
  const why = reason === undefined ? '' : ` (${reason}${where})`;
  return `${verdict}${why}${divergence === null ? '' : differs(divergence)}`;
}

function differs({ offset, delivered }: DivergenceReport): string {
  return `, replica differs at ${offset}${delivered ? ' in what the client has' : ''}`;
}
