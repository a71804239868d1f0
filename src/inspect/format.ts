/**
 * An inspection as JSON or for people, piece by piece: there may be a million connections, so no form of the output
 * needs all of them at once, and the columns are as wide as what is usually in them.
 */
import { bytes, count, duration, plural } from '../report/text';
import type { InspectedCapture } from './inspect';
import { type InspectedConnection, type InspectedFlow, type Inspection, type Totals, TotalsCounter } from './report';

/** One object: what is known of the file, `connections`, one a line, and their `totals`. */
export function* inspectionJson(capture: InspectedCapture): Generator<string> {
  const head = JSON.stringify(capture.inspection, null, 2);
  yield `${head.slice(0, head.lastIndexOf('\n'))},\n  "connections": [`;
  const counter = new TotalsCounter();
  let separator = '\n    ';
  for (const connection of capture.connections()) {
    counter.add(connection);
    yield separator + JSON.stringify(connection);
    separator = ',\n    ';
  }
  const totals = JSON.stringify(counter.totals, null, 2).replaceAll('\n', '\n  ');
  yield `${counter.totals.connections === 0 ? '' : '\n  '}],\n  "totals": ${totals}\n}\n`;
}

type Column = readonly [title: string, width: number, value: (connection: InspectedConnection) => string];

const COLUMNS: readonly Column[] = [
  ['CLIENT', 21, ({ client }) => client],
  ['SERVER', 21, ({ server }) => server],
  ['VLAN', 4, vlan],
  ['STATE', 12, ({ state }) => state],
  ['SENT', 9, ({ inbound }) => bytes(inbound.bytes)],
  ['RECEIVED', 9, ({ outbound }) => bytes(outbound.bytes)],
  ['MSS', 9, (connection) => bothWays(connection, ({ mss }) => mss)],
  ['WSCALE', 6, (connection) => bothWays(connection, ({ windowShift }) => windowShift)],
  ['OPTIONS', 16, options],
  ['RECOVERABLE', 0, recoverable],
];

export function* inspectionText(capture: InspectedCapture): Generator<string> {
  const counter = new TotalsCounter();
  let isFirst = true;
  for (const connection of capture.connections()) {
    if (isFirst) yield row(COLUMNS.map(([title, width]) => title.padEnd(width)));
    isFirst = false;
    counter.add(connection);
    yield row(COLUMNS.map(([, width, value]) => value(connection).padEnd(width)));
  }
  yield* summary(capture.inspection, counter.totals);
}

function row(cells: readonly string[]): string {
  return `${cells.join('  ').trimEnd()}\n`;
}

function vlan({ vlan: outer, innerVlan }: InspectedConnection): string {
  if (outer === undefined) return '-';
  return innerVlan === undefined ? `${outer}` : `${outer}.${innerVlan}`;
}

/** What the client announced, and the server. */
function bothWays(connection: InspectedConnection, value: (flow: InspectedFlow) => number | undefined): string {
  const [client, server] = [value(connection.inbound), value(connection.outbound)];
  return client === undefined && server === undefined ? '-' : `${client ?? '-'}/${server ?? '-'}`;
}

/** Names as other tools abbreviate them; the window scale has a column of its own. */
const SHORT: Readonly<Record<string, string>> = { timestamps: 'ts' };

function options({ handshake, options: names }: InspectedConnection): string {
  const shown = names.filter((name) => name !== 'window-scale').map((name) => SHORT[name] ?? name);
  if (!handshake) return ['?', ...shown].join(' ');
  return shown.length === 0 ? '-' : shown.join(' ');
}

function recoverable({ recoverable: verdict, reason, hole }: InspectedConnection): string {
  const where = hole === undefined ? '' : `, ${hole.bytes} bytes at ${hole.seq}`;
  return reason === undefined ? verdict : `${verdict} (${reason}${where})`;
}

function* summary(inspection: Inspection, totals: Totals): Generator<string> {
  const { connections, recoverable: good, atRisk, lost, inboundBytes, outboundBytes, states } = totals;
  if (connections > 0) yield '\n';
  yield `${plural(connections, 'connection')}: ${count(good)} recoverable, ${count(atRisk)} at risk, ${count(lost)} lost\n`;
  if (connections > 0) {
    const list = Object.entries(states).map(([state, number]) => `${count(number)} ${state}`);
    yield `${list.join(', ')}; ${bytes(inboundBytes)} sent by clients, ${bytes(outboundBytes)} received\n`;
  }
  yield `${plural(inspection.frames, 'frame')}, ${bytes(inspection.bytes)}${period(inspection)}\n`;
  const refused = Object.entries(inspection.refused);
  if (refused.length === 0) return;
  yield 'frames that moved no connection:\n';
  for (const [reason, number] of refused.sort(([, a], [, b]) => b - a))
    yield `  ${count(number).padStart(9)}  ${reason}\n`;
}

function period({ from, to }: Inspection): string {
  if (from === undefined || to === undefined) return '';
  return ` in ${duration(Date.parse(to) - Date.parse(from))}, from ${from}`;
}
