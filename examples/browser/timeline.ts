/** Connections as lines over time, with what each side sent as marks above and below. Only for the eye: the table says the same. */
import type { Connection } from './analysis';
import { duration } from './words';

const WIDTH = 900;
const LABEL = 190;
const ROW = 22;
const TOP = 24;
const BAR = 7;
/** Lines that are drawn; arbitrary, a page nobody scrolls through. */
const MOST_ROWS = 200;
const MOST_MARKS = 4000;

const NS = 'http://www.w3.org/2000/svg';

function shape(name: string, attributes: Readonly<Record<string, string | number>>, text = ''): SVGElement {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, `${value}`);
  element.textContent = text;
  return element;
}

export class Timeline {
  readonly #moment = shape('line', { class: 'moment', y1: TOP - 6 });
  readonly #durationMs: number;

  constructor(where: Element, connections: readonly Connection[], durationMs: number) {
    const rows = connections.slice(0, MOST_ROWS);
    const height = TOP + rows.length * ROW + 8;
    this.#durationMs = Math.max(1, durationMs);
    const hidden = connections.length - rows.length;
    const label = `${connections.length} connections over ${duration(durationMs)}${hidden > 0 ? `, ${hidden} of them not drawn` : ''}`;
    const svg = shape('svg', { viewBox: `0 0 ${WIDTH} ${height}`, role: 'img', 'aria-label': label });
    for (let i = 0; i <= 4; i++) {
      const atMs = (this.#durationMs * i) / 4;
      const x = this.#x(atMs);
      const anchor = i === 0 ? 'start' : i === 4 ? 'end' : 'middle';
      svg.append(shape('line', { class: 'grid', x1: x, x2: x, y1: TOP - 6, y2: height }));
      svg.append(shape('text', { x, y: 12, 'text-anchor': anchor }, duration(atMs)));
    }
    let marks = 0;
    for (const [i, connection] of rows.entries()) {
      const y = TOP + i * ROW + ROW / 2;
      const group = shape('g', { class: connection.verdict });
      group.append(shape('text', { x: 0, y: y + 4 }, shortened(connection.client)));
      const [from, to] = [this.#x(connection.startMs), this.#x(connection.endMs)];
      group.append(shape('line', { class: 'row', x1: from, x2: Math.max(to, from + 3), y1: y, y2: y }));
      for (const mark of connection.marks) {
        if (marks++ > MOST_MARKS) break;
        const size = mark.bytes === 0 ? 3 : Math.min(BAR, 3 + Math.log2(mark.bytes + 1) / 2.5);
        const top = mark.fromClient ? y - size : y;
        group.append(shape('rect', { class: 'mark', x: this.#x(mark.atMs) - 1, y: top, width: 2, height: size }));
      }
      svg.append(group);
    }
    this.#moment.setAttribute('y2', `${height}`);
    svg.append(this.#moment);
    where.replaceChildren(svg);
  }

  setMoment(atMs: number): void {
    const x = `${this.#x(atMs)}`;
    this.#moment.setAttribute('x1', x);
    this.#moment.setAttribute('x2', x);
  }

  #x(atMs: number): number {
    return LABEL + (atMs / this.#durationMs) * (WIDTH - LABEL - 4);
  }
}

function shortened(text: string): string {
  return text.length > 29 ? `${text.slice(0, 12)}…${text.slice(-16)}` : text;
}
