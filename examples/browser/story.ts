/** The steps of a crash, one at a time, with what the core changed in each segment. */
import type { Crash, Step } from './crash';
import { byId, make } from './dom';
import type { Segment } from './segment';
import { duration, plural } from './words';

const ALL = '';
/** Of a payload, shown; arbitrary. */
const SHOWN_BYTES = 240;

/** A field before and after; the difference is that of 32-bit numbers. */
interface Field {
  readonly name: string;
  readonly before: string;
  readonly after: string;
  readonly delta: string;
}

export class Story {
  readonly #section = byId('story', HTMLElement);
  readonly #list = byId('steps', HTMLOListElement);
  readonly #detail = byId('step', HTMLElement);
  readonly #position = byId('position', HTMLOutputElement);
  readonly #whose = byId('whose', HTMLSelectElement);
  readonly #previous = byId('previous', HTMLButtonElement);
  readonly #next = byId('next', HTMLButtonElement);
  #all: readonly Step[] = [];
  #steps: readonly Step[] = [];
  #at = 0;

  constructor() {
    this.#previous.addEventListener('click', () => this.#show(this.#at - 1));
    this.#next.addEventListener('click', () => this.#show(this.#at + 1));
    this.#whose.addEventListener('change', () => this.#choose(this.#whose.value));
    this.#section.addEventListener('keydown', (event) => {
      // The arrows of a select or a range are its own.
      if (event.target instanceof HTMLSelectElement) return;
      const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      this.#show(this.#at + by);
    });
  }

  hide(): void {
    this.#section.hidden = true;
  }

  open({ steps, fates, same }: Crash, server: string, momentMs: number): void {
    const moved = fates.filter(({ kind }) => kind === 'moved').length;
    byId('story-about', HTMLElement).textContent =
      `${server} dies ${duration(momentMs)} after the first frame. ` +
      `${plural(moved, 'connection')} of ${fates.length} ${moved === 1 ? 'is' : 'are'} served by the replica from then on. ` +
      `The replica, with numbers of its own, says what the primary went on to say: ` +
      `${plural(same, 'segment')} reached the client with the very numbers that the capture has.`;
    byId('fates', HTMLElement).replaceChildren(
      ...fates.map(({ client, kind, about }) => make('li', { class: kind }, `${client}: ${about}`)),
    );
    this.#all = steps;
    const clients = [...new Set(steps.map(({ client }) => client))];
    this.#whose.replaceChildren(
      make('option', { value: ALL }, 'all connections'),
      ...clients.map((client) => make('option', { value: client }, client)),
    );
    this.#section.hidden = false;
    this.#choose(ALL);
    byId('story-title', HTMLElement).focus();
    this.#section.scrollIntoView({ block: 'start' });
  }

  #choose(client: string): void {
    this.#steps = this.#all.filter((step) => client === ALL || step.client === client);
    this.#list.replaceChildren(
      ...this.#steps.map(({ title, client: whose, atMs }, i) => {
        const button = make('button', { type: 'button' }, title, make('span', {}, `${duration(atMs)} · ${whose}`));
        button.addEventListener('click', () => this.#show(i));
        return make('li', {}, button);
      }),
    );
    this.#show(0);
  }

  #show(at: number): void {
    const step = this.#steps[at];
    this.#previous.disabled = at <= 0;
    this.#next.disabled = at >= this.#steps.length - 1;
    if (this.#steps.length === 0) {
      this.#position.textContent = 'No steps';
      this.#detail.replaceChildren(make('p', {}, 'Nothing had to be sent: no connection was open then.'));
      return;
    }
    if (step === undefined) return;
    this.#list.querySelector('[aria-current]')?.removeAttribute('aria-current');
    this.#at = at;
    this.#position.textContent = `Step ${at + 1} of ${this.#steps.length}`;
    const button = this.#list.children[at]?.querySelector('button');
    button?.setAttribute('aria-current', 'step');
    // Within the list only: the page itself stays where the reader is.
    if (button !== null && button !== undefined)
      this.#list.scrollTop = button.offsetTop - this.#list.offsetTop - this.#list.clientHeight / 2;
    this.#detail.replaceChildren(...detailOf(step));
  }
}

function detailOf(step: Step): Node[] {
  const { before, after, from, to } = step;
  const payload = (after ?? before)?.payload ?? new Uint8Array();
  return [
    make('h3', {}, step.title),
    make('p', {}, step.about),
    way(from, to),
    table(fieldsOf(before, after), before, after),
    ...(payload.length === 0 ? [] : [make('pre', { 'aria-label': 'Payload' }, printable(payload))]),
  ];
}

/** Client, core and replica in a row, with the part of the way that the step goes. */
function way(from: string, to: string): Node {
  const ends = ['client', 'core', 'replica'];
  const places = [ends.indexOf(from), ends.indexOf(to)];
  const [first, last] = [Math.min(...places), Math.max(...places)];
  const arrow = from === 'replica' || to === 'client' ? '←' : '→';
  const row = make('p', { class: 'way', role: 'img', 'aria-label': `from the ${from} to the ${to}` });
  for (const [i, end] of ends.entries()) {
    if (i > 0) row.append(make('i', i > first && i <= last ? { class: 'on' } : {}));
    if (i > 0 && i > first && i <= last) row.append(arrow, make('i', { class: 'on' }));
    row.append(make('span', i >= first && i <= last ? { class: 'on' } : {}, end));
  }
  return row;
}

function table(fields: readonly Field[], before: Segment | undefined, after: Segment | undefined): Node {
  const titles = before !== undefined && after !== undefined ? ['Field', 'Came', 'Left', 'Change'] : ['Field', 'Value'];
  const cell = (text: string, kind = 'code'): Node => make('td', { class: kind }, text);
  return make(
    'table',
    { class: 'fields' },
    make('thead', {}, make('tr', {}, ...titles.map((title) => make('th', { scope: 'col' }, title)))),
    make(
      'tbody',
      {},
      ...fields.map(({ name, before: was, after: is, delta }) => {
        const head = make('th', { scope: 'row' }, name);
        if (titles.length === 2) return make('tr', {}, head, cell(after === undefined ? was : is));
        return make('tr', was === is ? {} : { class: 'changed' }, head, cell(was), cell(is), cell(delta, 'delta'));
      }),
    ),
  );
}

function fieldsOf(before: Segment | undefined, after: Segment | undefined): Field[] {
  const field = (name: string, of: (segment: Segment) => string | undefined): Field[] => {
    const was = before === undefined ? undefined : of(before);
    const is = after === undefined ? undefined : of(after);
    if (was === undefined && is === undefined) return [];
    const delta = before === undefined || after === undefined || was === is ? '' : 'changed';
    return [{ name, before: was ?? '–', after: is ?? '–', delta }];
  };
  const number = (name: string, of: (segment: Segment) => number | undefined): Field[] => {
    const [first] = field(name, (segment) => of(segment)?.toString());
    if (first === undefined) return [];
    const was = before === undefined ? undefined : of(before);
    const is = after === undefined ? undefined : of(after);
    return [{ ...first, delta: was === undefined || is === undefined ? first.delta : signed((is - was) | 0) }];
  };
  const hasAck = (segment: Segment): boolean => segment.flags.includes('A');
  const blocks = (after ?? before)?.sack ?? [];
  return [
    ...field('From', ({ src, srcPort }) => `${src} port ${srcPort}`),
    ...field('To', ({ dst, dstPort }) => `${dst} port ${dstPort}`),
    ...field('Flags', ({ flags }) => Array.from(flags, (flag) => FLAG_NAMES[flag] ?? flag).join(' ')),
    ...number('Sequence number', ({ seq }) => seq),
    ...number('Acknowledgement', (segment) => (hasAck(segment) ? segment.ack : undefined)),
    ...number('Window', ({ window }) => window),
    ...number('Timestamp', ({ timestamps }) => timestamps?.[0]),
    ...number('Timestamp echo', ({ timestamps }) => timestamps?.[1]),
    ...number('MSS', ({ mss }) => mss),
    ...number('Window scale', ({ windowShift }) => windowShift),
    ...field('SACK permitted', ({ sackPermitted }) => (sackPermitted === true ? 'yes' : undefined)),
    ...blocks.flatMap((_, i) => [
      ...number(`SACK ${i + 1} from`, ({ sack }) => sack?.[i]?.[0]),
      ...number(`SACK ${i + 1} to`, ({ sack }) => sack?.[i]?.[1]),
    ]),
    ...number('Payload, bytes', ({ payloadLength }) => payloadLength),
  ];
}

const FLAG_NAMES: Readonly<Record<string, string>> = {
  S: 'SYN',
  A: 'ACK',
  F: 'FIN',
  R: 'RST',
  P: 'PSH',
  U: 'URG',
  E: 'ECE',
  C: 'CWR',
};

function signed(delta: number): string {
  return delta === 0 ? '' : `${delta > 0 ? '+' : '−'}${Math.abs(delta)}`;
}

function printable(payload: Uint8Array): string {
  const text = Array.from(payload.subarray(0, SHOWN_BYTES), (byte) =>
    byte === 10 || (byte >= 32 && byte < 127) ? String.fromCharCode(byte) : '·',
  ).join('');
  return payload.length > SHOWN_BYTES ? `${text}…` : text;
}
