/**
 * A line in the log for each connection whose replica says something else than the primary did. The core only counts, so
 * the records are looked through when a count has changed; not more often than the timer, whatever the replicas do.
 */
import { formatEndpoint } from '../core/address';
import type { Core } from '../core/core';
import type { Logger } from './contract';

/** Often enough that the record is still there, which it is for seconds after its connection has ended. */
const LOOK_MS = 500;
/** In one look; the rest is told as a number. Arbitrary. */
const MOST_LINES = 100;

export class DivergenceLog {
  readonly #timer: NodeJS.Timeout;
  readonly #counts: number[];
  /** Incarnations that were told, by the index of their record. */
  #told = new Map<number, number>();

  /** @param services their names, by index */
  constructor(
    private readonly core: Pick<Core, 'divergences' | 'diverged'>,
    private readonly services: readonly string[],
    private readonly log: Logger,
  ) {
    this.#counts = services.map(() => 0);
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  look(): void {
    let news = 0;
    for (const [index, before] of this.#counts.entries()) {
      const now = this.core.divergences(index);
      news += now - before;
      this.#counts[index] = now;
    }
    if (news !== 0) this.#tell(news);
  }

  /** With a last look. */
  close(): void {
    clearInterval(this.#timer);
    this.look();
  }

  #tell(news: number): void {
    const seen = new Map<number, number>();
    let lines = 0;
    for (const { index, incarnation, service, client, clientPort, divergence } of this.core.diverged()) {
      seen.set(index, incarnation);
      if (this.#told.get(index) === incarnation || lines === MOST_LINES) continue;
      lines++;
      const name = service === undefined ? undefined : this.services[service];
      this.log.warn(
        { service: name, client: formatEndpoint(client, clientPort), ...divergence },
        'the replica says something else than the primary',
      );
    }
    this.#told = seen;
    if (news > lines) this.log.warn({ connections: news - lines }, 'replicas say something else, on more connections');
  }
}
