/** The core's tracker over a capture: what is known of each connection, and of the frames that are of none. */
import {
  Core,
  FrameExchange,
  Loss,
  Port,
  Risk,
  RX_FRAME_BYTES,
  type WatchedConnection,
  formatEndpoint,
  lossName,
  reasonName,
  riskName,
  tcpStateName,
} from 'migware/core';
import type { Capture } from './capture';
import { type Segment, readSegment } from './segment';

export type Verdict = 'recoverable' | 'at-risk' | 'lost';

export interface Mark {
  readonly atMs: number;
  readonly fromClient: boolean;
  readonly bytes: number;
}

export interface Connection {
  readonly client: string;
  readonly server: string;
  readonly serverAddress: string;
  readonly vlan: string;
  readonly state: string;
  readonly handshake: boolean;
  /** What both ends agreed on, and what each announced, in words. */
  readonly options: readonly string[];
  readonly verdict: Verdict;
  /** Why not, with the hole if that is why. */
  readonly reason: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Frames that carry payload or a flag, for the timeline. */
  readonly marks: readonly Mark[];
}

export interface Analysis {
  readonly connections: readonly Connection[];
  readonly durationMs: number;
  /** Frames that moved no connection, by reason, most first. */
  readonly refused: readonly (readonly [reason: string, count: number])[];
}

/** Records for a capture: one for each frame that can begin a connection, and not fewer than half-open ones need. */
const LEAST_CONNECTIONS = 1024;
const MOST_CONNECTIONS = 65_536;
const TICK_MS = 100;
/** Ticks after which no record is left that the core's timers have not looked at. */
const MOST_TICKS = MOST_CONNECTIONS / 1024;
/** The core may drop a record 30 s after its end. */
const LOOK_EVERY_MS = 10_000;

export function newCore(module: Uint8Array<ArrayBuffer>, connections: number, retainedBytes: number): Core {
  const capacity = { connections, retainedBytes, retainedPerConnectionBytes: 1 << 20 };
  return Core.load(module, capacity, crypto.getRandomValues(new Uint32Array(4)));
}

export function capacityFor({ frames }: Capture): number {
  return Math.min(MOST_CONNECTIONS, Math.max(LEAST_CONNECTIONS, frames.length));
}

export function analyse(module: Uint8Array<ArrayBuffer>, capture: Capture): Analysis {
  const core = newCore(module, capacityFor(capture), 0);
  core.trackAll(true);
  const exchange = new FrameExchange(core);
  const watch = core.watch();
  const marks = new Map<string, Mark[]>();
  const clock = new CaptureClock(capture);
  let tickedMs = 0;
  let lookedMs = 0;
  for (const { bytes, wireLength, timeMs } of capture.frames) {
    const nowMs = clock.at(timeMs);
    if (nowMs - lookedMs >= LOOK_EVERY_MS) watch.look(clock.beforeMs);
    if (nowMs - lookedMs >= LOOK_EVERY_MS) lookedMs = nowMs;
    const ticks = Math.min(MOST_TICKS, Math.floor((nowMs - tickedMs) / TICK_MS));
    for (let n = ticks; n > 0; n--) exchange.tick(nowMs);
    if (ticks > 0) tickedMs = nowMs;
    exchange.receive(Port.Wire, bytes.subarray(0, RX_FRAME_BYTES), nowMs, wireLength);
    if (core.connectionsUsed() < 256) watch.look(nowMs);
    const segment = readSegment(bytes);
    if (segment !== undefined) addMark(marks, segment, nowMs);
  }
  watch.look(clock.nowMs, true);
  const refused = core.counters().filter(({ kind, value }) => kind === 'refused' && value > 0n);
  return {
    connections: Array.from(watch.connections(), (connection) => describe(connection, marks)),
    durationMs: clock.nowMs,
    refused: refused.map(({ name, value }) => [name, Number(value)] as const).sort(([, a], [, b]) => b - a),
  };
}

/** Time since the first frame; a frame with a wrong time turns no clock back. */
export class CaptureClock {
  readonly #fromMs: number;
  nowMs = 0;
  beforeMs = 0;

  constructor({ frames: [first] }: Capture) {
    this.#fromMs = first?.timeMs ?? 0;
  }

  at(timeMs: number): number {
    this.beforeMs = this.nowMs;
    this.nowMs = Math.max(this.nowMs, Math.floor(timeMs - this.#fromMs));
    return this.nowMs;
  }
}

/** By its ends; a tuple that is used again shows the marks of its time only. */
function addMark(marks: Map<string, Mark[]>, segment: Segment, atMs: number): void {
  const from = formatEndpoint(segment.src, segment.srcPort);
  const to = formatEndpoint(segment.dst, segment.dstPort);
  if (segment.payloadLength === 0 && !/[SFR]/.test(segment.flags)) return;
  for (const [key, fromClient] of [
    [`${from} ${to}`, true],
    [`${to} ${from}`, false],
  ] as const) {
    const list = marks.get(key) ?? [];
    list.push({ atMs, fromClient, bytes: segment.payloadLength });
    marks.set(key, list);
  }
}

function describe({ record, ...watched }: WatchedConnection, marks: ReadonlyMap<string, readonly Mark[]>): Connection {
  const client = formatEndpoint(record.client, record.clientPort);
  const server = formatEndpoint(record.server, record.serverPort);
  const { firstMs, lastMs } = watched;
  const own = marks.get(`${client} ${server}`) ?? [];
  return {
    client,
    server,
    serverAddress: record.server,
    vlan: [record.vlan, record.innerVlan].filter((vlan) => vlan !== 0).join('.'),
    state: tcpStateName(record.state),
    handshake: record.handshakeSeen,
    options: optionsOf(record),
    ...verdictOf(record),
    startMs: firstMs,
    endMs: lastMs,
    sentBytes: watched.inboundBytes,
    receivedBytes: watched.outboundBytes,
    marks: own.filter(({ atMs }) => atMs >= firstMs && atMs <= lastMs),
  };
}

function optionsOf({ handshakeSeen, options, inbound, outbound }: WatchedConnection['record']): string[] {
  if (!handshakeSeen) return ['handshake not seen'];
  const bothWays = (name: string, client: number | undefined, server: number | undefined): string[] =>
    client === undefined && server === undefined ? [] : [`${name} ${client ?? '–'}/${server ?? '–'}`];
  return [
    ...bothWays('MSS', inbound.mss, outbound.mss),
    ...options.map((name) =>
      name === 'window-scale' ? `window scale ${inbound.windowShift}/${outbound.windowShift}` : (WORDS[name] ?? name),
    ),
  ];
}

const WORDS: Readonly<Record<string, string>> = { sack: 'SACK', ecn: 'ECN', mptcp: 'MPTCP', tfo: 'fast open' };

function verdictOf({ loss, risk, holeSeq, holeBytes }: WatchedConnection['record']) {
  if (loss !== Loss.None) return { verdict: 'lost', reason: lossName(loss) } as const;
  if (risk === Risk.None) return { verdict: 'recoverable', reason: '' } as const;
  const hole = holeBytes === 0 ? '' : `: ${holeBytes} bytes at ${holeSeq}`;
  return { verdict: 'at-risk', reason: `${riskName(risk)}${hole}` } as const;
}

/** What became of a frame, in words. */
export function frameVerdict(reason: number): string {
  return reasonName(reason);
}
