/** `migware status` for people. Its JSON form is the status report itself. */
import Table from 'cli-table3';
import type { FailoverReport, RecordReport, ServiceReport, StatusReport } from '../daemon/contract';
import { bytes, count, duration } from './text';
import { troubles } from './troubles';

export function statusText(status: StatusReport): string {
  const { version, pid, uptimeMs, capture, memory, record } = status;
  const sections = [
    [
      `migware ${version}, process ${pid}, up ${duration(uptimeMs)}`,
      `captured ${count(capture.received)} frames, dropped ${count(capture.dropped)}; ` +
        `${count(memory.connectionsUsed)} of ${count(memory.connections)} records used, ` +
        `${bytes(memory.retainedBytes)} retained`,
      ...recordLines(record),
    ].join('\n'),
    servicesTable(status.services),
    failoversTable(status.services),
    troubles(status)
      .map(({ text, remedy }) => `warning: ${text}\n         ${remedy}`)
      .join('\n'),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function recordLines({ memoryBytes, memoryLimit, diskBytes, diskLimit, dropped }: RecordReport): string[] {
  if (memoryLimit === 0) return [];
  const disk = diskLimit === 0 ? 'none' : `${bytes(diskBytes)} of ${bytes(diskLimit)}`;
  const memory = `${bytes(memoryBytes)} of ${bytes(memoryLimit)}`;
  return [`recorded streams: ${memory} in memory, ${disk} on the disk; ${count(dropped)} given up`];
}

function servicesTable(services: readonly ServiceReport[]): string {
  // Only where the replica's output is compared.
  const compared = services.some(({ recovery }) => recovery !== 'resume');
  return plainTable(
    [
      ...[
        'service',
        'state',
        'primary',
        'replica',
        'tracked',
        'recoverable',
        'at risk',
        'recovered',
        'proxied',
        'lost',
      ],
      ...(compared ? ['diverged'] : []),
    ],
    services.map(({ name, state, address, replica, primary, connections, divergences }) => [
      name,
      state,
      `${address} ${primary.alive ? primary.verdict : `not ${primary.verdict === 'dead' ? 'alive' : 'seen'}`}`,
      replica,
      ...[
        connections.tracked,
        connections.recoverable,
        connections.atRisk,
        connections.recovered,
        connections.proxied,
        connections.lost,
        ...(compared ? [divergences] : []),
      ].map(count),
    ]),
    4,
  );
}

function failoversTable(services: readonly ServiceReport[]): string {
  const rows = services.flatMap(({ name, failovers }) => failovers.map((failover) => failoverRow(name, failover)));
  if (rows.length === 0) return '';
  return plainTable(['failover', 'at', 'detected in', 'recovered in', 'recovered', 'lost', 'reason'], rows, 2, 6);
}

function failoverRow(
  service: string,
  { at, reason, detectionMs, recoveryMs, recovered, lost }: FailoverReport,
): string[] {
  return [service, at, duration(detectionMs), duration(recoveryMs), count(recovered), count(lost), reason];
}

const NO_LINES = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '' },
  middle: '  ',
};

/** Columns without lines; from `numbersFrom` up to `numbersTo` they hold numbers, aligned to the right. */
function plainTable(head: string[], rows: string[][], numbersFrom: number, numbersTo = head.length): string {
  const table = new Table({
    head: head.map((title) => title.toUpperCase()),
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    colAligns: head.map((_, index) => (index >= numbersFrom && index < numbersTo ? 'right' : 'left')),
  });
  table.push(...rows);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
