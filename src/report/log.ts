/** The log: lines for people when stderr is a terminal, else JSON, one object a line. */
import { destination, pino } from 'pino';
import type { Level, LoggerOptions } from 'pino';
import pretty from 'pino-pretty';
import type { Logger } from '../daemon/contract';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies readonly Level[];
export type LogLevel = (typeof LOG_LEVELS)[number];

const STDERR = 2;

export function openLog(level: LogLevel, isTerminal = process.stderr.isTTY): Logger {
  // Not synchronous: whoever reads the log must not be able to hold up the packets by reading slowly.
  const stream = isTerminal
    ? pretty({ destination: STDERR, colorize: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' })
    : destination({ dest: STDERR, sync: false });
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  };
  return pino(options, stream);
}
