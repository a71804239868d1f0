/**
 * How far a file has been read, in one line on a terminal. Drawn by whoever reads, not by a timer: reading leaves the
 * event loop no turn.
 */
import type { WriteStream } from 'node:tty';
import { bytes, duration } from '../report/text';

/** Nothing is said of what takes less: arbitrary, before people wonder. */
const SILENT_MS = 500;
/** Faster than reading, slower than flicker; arbitrary. */
const REDRAW_MS = 100;
const BAR_COLUMNS = 30;
/** Of a terminal that does not say how wide it is. */
const USUAL_COLUMNS = 80;
/** ECMA-48 EL: erases from the cursor to the end of the line. */
const CLEAR_LINE = '\u001b[K';

export class ProgressBar {
  readonly #terminal: Pick<WriteStream, 'columns' | 'write'>;
  readonly #now: () => number;
  readonly #startMs: number;
  #drawAtMs: number;
  #isDrawn = false;

  constructor(terminal: Pick<WriteStream, 'columns' | 'write'>, now: () => number = () => performance.now()) {
    this.#terminal = terminal;
    this.#now = now;
    this.#startMs = now();
    this.#drawAtMs = this.#startMs + SILENT_MS;
  }

  /** @param total 0 when it is not known */
  readonly update = (done: number, total: number): void => {
    const nowMs = this.#now();
    if (nowMs < this.#drawAtMs) return;
    this.#drawAtMs = nowMs + REDRAW_MS;
    this.#isDrawn = true;
    this.#terminal.write(`\r${this.#line(done, total, nowMs - this.#startMs)}${CLEAR_LINE}`);
  };

  /** Leaves the line empty. */
  end(): void {
    if (this.#isDrawn) this.#terminal.write(`\r${CLEAR_LINE}`);
  }

  get #columns(): number {
    return this.#terminal.columns > 0 ? this.#terminal.columns : USUAL_COLUMNS;
  }

  #line(done: number, total: number, elapsedMs: number): string {
    const speed = `${bytes((done / elapsedMs) * 1000)}/s`;
    if (total === 0) return this.#fit(`${bytes(done)}, ${speed}`);
    // A file that is being written may have grown.
    const part = Math.min(done / total, 1);
    const leftMs = part === 0 ? 0 : (elapsedMs * (1 - part)) / part;
    const text = `${Math.floor(part * 100)} % of ${bytes(total)}, ${speed}, ${duration(Math.max(1, Math.ceil(leftMs / 1000)) * 1000)} left`;
    const filled = Math.round(part * BAR_COLUMNS);
    const bar = `[${'#'.repeat(filled)}${' '.repeat(BAR_COLUMNS - filled)}] `;
    return this.#fit(bar.length + text.length < this.#columns ? bar + text : text);
  }

  /** A line that is wrapped could not be drawn over. */
  #fit(text: string): string {
    return text.slice(0, this.#columns - 1);
  }
}
