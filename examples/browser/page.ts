/** The page: a capture in, its connections out, and a crash of one of their servers. */
import { Core } from 'migware/core';
import module from 'migware/core.wasm';
import example from '../example.pcap';
import { type VectorFile, runVectors } from '../vectors.mjs';
import { type Analysis, type Connection, analyse } from './analysis';
import { type Capture, CaptureError, readCapture } from './capture';
import { rehearse } from './crash';
import { byId, make } from './dom';
import { Story } from './story';
import { Timeline } from './timeline';
import { bytes, count, duration, plural } from './words';

/** Rows of the table; arbitrary, a page nobody scrolls through. */
const MOST_ROWS = 500;
/** Ports of a service (docs/abi.md). */
const MOST_PORTS = 64;
const MOMENTS = 1000;

const drop = byId('open', HTMLElement);
const file = byId('file', HTMLInputElement);
const status = byId('status', HTMLElement);
const error = byId('error', HTMLElement);
const server = byId('server', HTMLSelectElement);
const moment = byId('moment', HTMLInputElement);
const story = new Story();

interface Shown {
  readonly capture: Capture;
  readonly analysis: Analysis;
  readonly timeline: Timeline;
}
let shown: Shown | undefined;

// --- what is opened -----------------------------------------------------------------------------------------------

async function open(chosen: File): Promise<void> {
  show(chosen.name, new Uint8Array(await chosen.arrayBuffer()));
}

function show(name: string, content: Uint8Array): void {
  error.textContent = '';
  status.textContent = '';
  try {
    if (content[0] === '{'.charCodeAt(0)) showVectors(name, content);
    else showCapture(name, readCapture(content));
  } catch (cause) {
    if (!(cause instanceof CaptureError || cause instanceof SyntaxError || cause instanceof TypeError)) throw cause;
    error.textContent = `${name}: ${cause.message}`;
  }
}

/** examples/vectors.json: whether this page's core does what the vectors say. */
function showVectors(name: string, content: Uint8Array): void {
  const vectors = JSON.parse(new TextDecoder().decode(content)) as VectorFile;
  const { vectors: number, calls, failures } = runVectors((capacity, key) => Core.load(module, capacity, key), vectors);
  status.textContent = `${name}: ${number} vectors, ${calls} calls: ${failures.length} failed`;
  const [first] = failures;
  if (first !== undefined)
    error.textContent = `${first.vector}: ${first.at}: expected ${first.expected}, got ${first.got}`;
}

function showCapture(name: string, capture: Capture): void {
  const analysis = analyse(module, capture);
  story.hide();
  byId('capture', HTMLElement).hidden = false;
  showOverview(name, capture, analysis);
  showConnections(analysis.connections);
  const timeline = new Timeline(byId('timeline', HTMLElement), analysis.connections, analysis.durationMs);
  shown = { capture, analysis, timeline };
  offerCrash(analysis);
  status.textContent = `${name}: ${plural(analysis.connections.length, 'connection')}`;
  if (capture.problem !== undefined) error.textContent = `${capture.problem} What came before is shown.`;
  byId('overview-title', HTMLElement).focus();
}

// --- what is shown ------------------------------------------------------------------------------------------------

function showOverview(name: string, capture: Capture, { connections, durationMs, refused }: Analysis): void {
  byId('overview-title', HTMLElement).textContent = name;
  const number = (verdict: string): number => connections.filter((one) => one.verdict === verdict).length;
  const total = (value: number, word: string, kind = ''): Node =>
    make('li', { class: kind }, make('b', {}, count(value)), word);
  byId('totals', HTMLElement).replaceChildren(
    total(connections.length, connections.length === 1 ? 'connection' : 'connections'),
    total(number('recoverable'), 'recoverable', 'recoverable'),
    total(number('at-risk'), 'at risk', 'at-risk'),
    total(number('lost'), 'lost', 'lost'),
  );
  const onLink = capture.frames.reduce((sum, { wireLength }) => sum + wireLength, 0);
  byId('facts', HTMLElement).textContent =
    `${plural(capture.frames.length, 'frame')}, ${bytes(onLink)} in ${duration(durationMs)}`;
  const details = byId('refused', HTMLDetailsElement);
  const sum = refused.reduce((all, [, one]) => all + one, 0);
  details.hidden = sum === 0;
  const [summary, list] = [details.querySelector('summary'), details.querySelector('ul')];
  if (summary !== null) summary.textContent = `${plural(sum, 'frame')} moved no connection`;
  list?.replaceChildren(...refused.map(([reason, times]) => make('li', {}, `${count(times)} × ${reason}`)));
}

function showConnections(connections: readonly Connection[]): void {
  const rows = connections.slice(0, MOST_ROWS).map((connection) => {
    const { client, vlan, verdict, reason } = connection;
    const cell = (title: string, ...content: (Node | string)[]): Node =>
      make('td', { 'data-title': title }, make('div', {}, ...content));
    const chips = connection.options.map((option) => make('span', { class: 'chip' }, option));
    const words = verdict === 'at-risk' ? 'at risk' : verdict;
    return make(
      'tr',
      {},
      cell('Client', vlan === '' ? client : `${client} (VLAN ${vlan})`),
      cell('Server', connection.server),
      cell('State', connection.state),
      cell('Sent', bytes(connection.sentBytes)),
      cell('Received', bytes(connection.receivedBytes)),
      cell('Handshake', ...(chips.length === 0 ? ['no options'] : chips)),
      cell('Crash', make('span', { class: `chip ${verdict}` }, words), reason === '' ? '' : ` ${reason}`),
    );
  });
  const more = connections.length - rows.length;
  if (more > 0) rows.push(make('tr', {}, make('td', { colspan: '7' }, `and ${plural(more, 'more connection')}`)));
  byId('connections', HTMLTableElement).tBodies[0]?.replaceChildren(...rows);
}

// --- the crash ------------------------------------------------------------------------------------------------------

function offerCrash({ connections, durationMs }: Analysis): void {
  const servers = new Map<string, number>();
  for (const { serverAddress } of connections) servers.set(serverAddress, (servers.get(serverAddress) ?? 0) + 1);
  const offered = [...servers].sort(([, a], [, b]) => b - a);
  server.replaceChildren(
    ...offered.map(([address, number]) =>
      make('option', { value: address }, `${address} (${plural(number, 'connection')})`),
    ),
  );
  moment.max = `${durationMs}`;
  moment.step = `${Math.max(1, Math.floor(durationMs / MOMENTS))}`;
  moment.value = `${Math.floor(durationMs / 2)}`;
  byId('crash', HTMLFormElement).hidden = offered.length === 0;
  showMoment();
}

function showMoment(): void {
  const atMs = moment.valueAsNumber;
  byId('moment-text', HTMLOutputElement).textContent = duration(atMs);
  moment.setAttribute('aria-valuetext', duration(atMs));
  shown?.timeline.setMoment(atMs);
}

function crash(): void {
  if (shown === undefined) return;
  const { capture, analysis } = shown;
  const own = analysis.connections.filter(({ serverAddress }) => serverAddress === server.value);
  const ports = new Set(own.map((connection) => Number(connection.server.split(':').at(-1))));
  const atMs = moment.valueAsNumber;
  story.open(rehearse(module, capture, server.value, [...ports].slice(0, MOST_PORTS), atMs), server.value, atMs);
}

// --- what people do -------------------------------------------------------------------------------------------------

file.addEventListener('change', () => {
  const [chosen] = file.files ?? [];
  file.value = ''; // so that the same file can be chosen again
  if (chosen !== undefined) void open(chosen);
});
byId('example', HTMLButtonElement).addEventListener('click', () => show('example.pcap', example));
moment.addEventListener('input', showMoment);
byId('crash', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  crash();
});
document.addEventListener('dragover', (event) => {
  event.preventDefault();
  drop.classList.add('over');
});
document.addEventListener('dragleave', () => drop.classList.remove('over'));
document.addEventListener('drop', (event) => {
  event.preventDefault();
  drop.classList.remove('over');
  const [dropped] = event.dataTransfer?.files ?? [];
  if (dropped !== undefined) void open(dropped);
});
