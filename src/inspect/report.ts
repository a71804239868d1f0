/** What `migware inspect` tells; the keys of its JSON are those of these types (docs/inspect.md). */
import { formatEndpoint } from '../core/address';
import type { WatchedConnection } from '../core/connection-watch';
import type { CounterValue } from '../core/core';
import { Loss, Reason, Risk, lossName, reasonName, riskName, tcpStateName } from '../core/names';
import type { FlowRecord } from '../core/records';

export interface InspectedConnection {
  /** `address:port`, `[address]:port` for IPv6. Without a SYN the end with the higher port is taken for the client. */
  readonly client: string;
  readonly server: string;
  /** Outer VLAN id; absent when untagged. */
  readonly vlan?: number;
  readonly innerVlan?: number;
  readonly state: string;
  /** Both SYNs were seen, so what they agreed on is known. */
  readonly handshake: boolean;
  /** What both ends agreed on: `window-scale`, `sack`, `timestamps`, `ecn`, `mptcp`, `tfo`. */
  readonly options: readonly string[];
  readonly recoverable: 'recoverable' | 'at-risk' | 'lost';
  /** Why not; absent when recoverable. */
  readonly reason?: string;
  /** Bytes that the capture has not shown, when they are the reason. */
  readonly hole?: { readonly seq: number; readonly bytes: number };
  /** Of its first and last frame, since the first frame of the capture, ms. */
  readonly startMs: number;
  readonly endMs: number;
  /** Client to server. */
  readonly inbound: InspectedFlow;
  /** Server to client. */
  readonly outbound: InspectedFlow;
}

export interface InspectedFlow {
  /** Of payload, each counted once; from the first frame on if the SYN was not seen. */
  readonly bytes: number;
  /** Of the SYN; absent when it was not seen, or had no such option. */
  readonly isn?: number;
  readonly mss?: number;
  /** Absent when no window scale was agreed, or it is not known. */
  readonly windowShift?: number;
  readonly fin: boolean;
}

export interface Inspection {
  readonly file: string;
  readonly format: 'pcap' | 'pcapng';
  /** The file was read to its end. */
  readonly complete: boolean;
  readonly warnings: readonly string[];
  readonly frames: number;
  /** That the frames had, the headers of their link types included. */
  readonly bytes: number;
  /** Times of the first and the latest frame, ISO 8601; absent when there is none, or none with a time. */
  readonly from?: string;
  readonly to?: string;
  /** Frames that moved no connection, by reason; only reasons that occurred. */
  readonly refused: Readonly<Record<string, number>>;
}

/** How a list of connections came out. */
export interface Totals {
  readonly connections: number;
  readonly recoverable: number;
  readonly atRisk: number;
  readonly lost: number;
  readonly inboundBytes: number;
  readonly outboundBytes: number;
  readonly states: Readonly<Record<string, number>>;
}

export class TotalsCounter {
  readonly #verdicts = { recoverable: 0, 'at-risk': 0, lost: 0 };
  readonly #states: Record<string, number> = {};
  #inboundBytes = 0;
  #outboundBytes = 0;

  add({ recoverable, state, inbound, outbound }: InspectedConnection): void {
    this.#verdicts[recoverable]++;
    this.#states[state] = (this.#states[state] ?? 0) + 1;
    this.#inboundBytes += inbound.bytes;
    this.#outboundBytes += outbound.bytes;
  }

  get totals(): Totals {
    const { recoverable, 'at-risk': atRisk, lost } = this.#verdicts;
    const bytes = { inboundBytes: this.#inboundBytes, outboundBytes: this.#outboundBytes };
    const connections = recoverable + atRisk + lost;
    return { connections, recoverable, atRisk, lost, ...bytes, states: { ...this.#states } };
  }
}

export interface FrameCounts {
  readonly frames: number;
  /** That the frames had, the headers of their link types included. */
  readonly bytes: number;
  /** Since 1970, ms; `undefined` without a frame that has a time. */
  readonly fromMs: number | undefined;
  /** The latest, whichever frame has it. */
  readonly toMs: number | undefined;
}

export interface FileReport {
  readonly path: string;
  readonly format: 'pcap' | 'pcapng';
  readonly problem: string | undefined;
  /** Frames of link types that cannot be read, and a sentence for each type. */
  readonly unreadableFrames: number;
  unreadable(): readonly string[];
}

/** Stands beside the reasons of the core, which is never shown these frames. */
const LINK_TYPE = 'link-type';

export function inspectionReport(
  file: FileReport,
  { frames, bytes, fromMs, toMs }: FrameCounts,
  counters: readonly CounterValue[],
): Inspection {
  const refused = counters.filter(({ kind, value }) => kind === 'refused' && value > 0n);
  const full = refused.find(({ name }) => name === reasonName(Reason.TableFull));
  const { path, format, problem, unreadableFrames } = file;
  const warnings = [
    ...(problem === undefined ? [] : [problem]),
    ...file.unreadable(),
    ...(full === undefined ? [] : [`the table was full: ${full.value} segments of connections without a record`]),
  ];
  return {
    file: path,
    format,
    complete: problem === undefined,
    warnings,
    frames,
    bytes,
    ...(fromMs === undefined ? {} : { from: isoTime(fromMs), to: isoTime(toMs ?? fromMs) }),
    refused: {
      ...Object.fromEntries(refused.map(({ name, value }) => [name, Number(value)])),
      ...(unreadableFrames === 0 ? {} : { [LINK_TYPE]: unreadableFrames }),
    },
  };
}

/** A damaged file may have times that are none. */
function isoTime(ms: number): string {
  return new Date(Math.max(-MAX_DATE_MS, Math.min(ms, MAX_DATE_MS))).toISOString();
}

/** ECMA-262 21.4.1.1 */
const MAX_DATE_MS = 8.64e15;

export function connectionReport(connection: WatchedConnection): InspectedConnection {
  const { record, inboundBytes, outboundBytes, firstMs, lastMs } = connection;
  const hasScale = record.handshakeSeen && record.options.includes('window-scale');
  return {
    client: formatEndpoint(record.client, record.clientPort),
    server: formatEndpoint(record.server, record.serverPort),
    ...(record.vlan === 0 ? {} : { vlan: record.vlan }),
    ...(record.innerVlan === 0 ? {} : { innerVlan: record.innerVlan }),
    state: tcpStateName(record.state),
    handshake: record.handshakeSeen,
    options: record.options,
    ...verdict(record),
    startMs: firstMs,
    endMs: lastMs,
    inbound: flowReport(record.inbound, inboundBytes, hasScale),
    outbound: flowReport(record.outbound, outboundBytes, hasScale),
  };
}

function verdict({
  loss,
  risk,
  holeSeq,
  holeBytes,
}: WatchedConnection['record']): Pick<InspectedConnection, 'recoverable' | 'reason' | 'hole'> {
  if (loss !== Loss.None) return { recoverable: 'lost', reason: lossName(loss) };
  if (risk === Risk.None) return { recoverable: 'recoverable' };
  const hole = holeBytes === 0 ? {} : { hole: { seq: holeSeq, bytes: holeBytes } };
  return { recoverable: 'at-risk', reason: riskName(risk), ...hole };
}

function flowReport({ isn, mss, windowShift, finSent }: FlowRecord, bytes: number, hasScale: boolean): InspectedFlow {
  return {
    bytes,
    ...(isn === undefined ? {} : { isn }),
    ...(mss === undefined ? {} : { mss }),
    ...(hasScale ? { windowShift } : {}),
    fin: finSent,
  };
}
