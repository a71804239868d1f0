/**
 * The judge: what primary and replica read, put together, is what the clients wrote; every byte the clients read is right; no
 * client saw an error, and no RST reached one.
 *
 * The primary's part is what it acknowledged: behind its pulled cable it goes on reading what its kernel has taken, and each
 * acknowledged byte must be among that. What it took but could not acknowledge any more is the replica's to read, since nobody
 * but the dead primary can know of it; it is reported, and no fault. Then the sum is exact: no byte may be missing, none
 * may be there twice. A replica that is given the whole stream must have read the whole stream, and what the primary read is
 * its beginning. Nothing here depends on how long something took.
 */
import { readFileSync } from 'node:fs';
import type { Frame } from './pcap';
import { ACK, FIN, RST, SYN } from './pcap';
import { pattern } from './pattern';

/** One connection of programs/client.c at its end. */
export interface ClientConnection {
  readonly stream: number;
  /** `address:port`. */
  readonly local: string;
  readonly sent: number;
  readonly acknowledged: number;
  readonly asked: number;
  readonly received: number;
  readonly goodbye: number;
  /** First wrong byte of what it read, or -1. */
  readonly wrongAt: number;
  /** It read the end of the service's stream. */
  readonly ended: boolean;
  readonly silenceMs: number;
  /** Wall clock, ms. */
  readonly silenceAt: number;
  /** errno, or empty. */
  readonly error: string;
  readonly errorAt: number;
}

/** One connection of programs/service.c. */
export interface ServiceConnection {
  readonly peer: string;
  /** Every byte it read. */
  readonly file: string;
  readonly read: number;
  readonly written: number;
  readonly ended: boolean;
  readonly open: boolean;
  readonly error: string;
}

/** What a set of clients was told to do. */
export interface ClientPlan {
  readonly mode: 'push' | 'echo' | 'get' | 'memory';
  /** Bytes asked for at a time, when the mode is `get`. */
  readonly record: number;
  /** `get`: bytes asked for in all; 0: no limit. */
  readonly total: number;
  /** Bytes the service says before it closes. */
  readonly goodbye: number;
}

export interface Evidence {
  readonly clients: readonly { readonly plan: ClientPlan; readonly connections: readonly ClientConnection[] }[];
  /** In the order in which they served. */
  readonly services: readonly { readonly name: string; readonly connections: readonly ServiceConnection[] }[];
  /** Captured where the clients are. */
  readonly frames: readonly Frame[];
  /** What the replica is given of a connection: what the primary left over, or all of it. */
  readonly replicaReads?: 'rest' | 'all';
  /** The primary's frames, captured on the segment; absent when the primary did not die. */
  readonly fromPrimary?: readonly Frame[];
  /**
   * The same as the backup's port showed them, when it was made to miss some. What was acknowledged out of its sight is the
   * replica's to read again if it can have it, and nobody's fault if it begins behind it.
   */
  readonly seenByTap?: readonly Frame[];
}

export interface Verdict {
  /** What is wrong, one sentence each; none if nothing broke. */
  readonly problems: readonly string[];
  readonly connections: number;
  /** Connections about which there is nothing to complain. */
  readonly kept: number;
  readonly lostBytes: number;
  readonly doubledBytes: number;
  /** Bytes that the primary took without having acknowledged them on the wire. */
  readonly unacknowledgedBytes: number;
  readonly resets: number;
  readonly longestSilenceMs: number;
}

/** What the judge found out about one connection's bytes on their way to the services. */
interface Upload {
  readonly lost: number;
  readonly doubled: number;
  readonly problems: readonly string[];
}

export function judge({ clients, services, frames, replicaReads = 'rest', fromPrimary, seenByTap }: Evidence): Verdict {
  const problems: string[] = [];
  let kept = 0;
  let lostBytes = 0;
  let doubledBytes = 0;
  const all = clients.flatMap(({ plan, connections }) => connections.map((connection) => ({ plan, connection })));
  const acknowledged = fromPrimary && acknowledgedBytes(fromPrimary);
  const locals = new Set(all.map(({ connection }) => connection.local));
  const seen = seenByTap && acknowledgedBytes(seenByTap);
  const parts = new Parts(services, replicaReads, locals, acknowledged, seen);
  for (const { plan, connection } of all) {
    const expected = written(plan, connection);
    const own = parts.take(connection.local, expected);
    const upload = replicaReads === 'rest' ? compare(expected, own) : compareWhole(expected, own);
    lostBytes += upload.lost;
    doubledBytes += upload.doubled;
    const found = [...complaints(plan, connection), ...upload.problems];
    if (found.length === 0) kept++;
    else problems.push(`${connection.local || 'unconnected'} (stream ${connection.stream}): ${found.join('; ')}`);
  }
  for (const { service, peer, read } of parts.unclaimed()) {
    problems.push(`${service} read ${read} bytes of ${peer}, which is no client`);
  }

  const resets = resetsOfLiveConnections(frames, locals);
  if (resets.length > 0) problems.push(`${resets.length} RST in the capture, the first: ${describe(resets[0])}`);
  const openings = frames.filter(({ tcp }) => tcp !== undefined && (tcp.flags & SYN) !== 0).length;
  if (openings < all.length)
    problems.push(`the capture shows ${openings} SYN of ${all.length} connections: it is blind`);
  return {
    problems,
    connections: all.length,
    kept,
    lostBytes,
    doubledBytes,
    unacknowledgedBytes: parts.unacknowledged,
    resets: resets.length,
    longestSilenceMs: Math.max(0, ...all.map(({ connection }) => connection.silenceMs)),
  };
}

/** What a client has against its connection, as far as it can know. */
function complaints(plan: ClientPlan, connection: ClientConnection): string[] {
  const found: string[] = [];
  if (connection.error !== '') found.push(`error ${connection.error}`);
  if (!connection.ended) found.push('never came to its end');
  if (connection.wrongAt >= 0) found.push(`byte ${connection.wrongAt} read by the client is wrong`);
  if (connection.received < connection.asked)
    found.push(`${connection.asked - connection.received} of ${connection.asked} bytes missing at the client`);
  if (connection.goodbye !== plan.goodbye) found.push(`goodbye of ${connection.goodbye} bytes, not ${plan.goodbye}`);
  return found;
}

/** Every byte the client wrote. */
function written(plan: ClientPlan, connection: ClientConnection): Buffer {
  if (plan.mode !== 'get') return pattern(connection.stream, 0, connection.sent);
  let text = '';
  for (let offset = 0; offset < connection.asked;) {
    const length = plan.total > 0 ? Math.min(plan.record, plan.total - offset) : plan.record;
    text += `GET ${connection.stream} ${offset} ${length}\n`;
    offset += length;
  }
  return Buffer.from(text, 'latin1').subarray(0, connection.sent);
}

/** What the services read, one after the other, against what was written. */
function compare(expected: Buffer, parts: readonly Buffer[]): Upload {
  let at = 0;
  let lost = 0;
  let doubled = 0;
  const notes: string[] = [];
  for (const [index, part] of parts.entries()) {
    const start = expected.subarray(at, at + part.length).equals(part) ? at : locate(expected, part, at);
    if (start === undefined) {
      lost += part.length;
      notes.push(`part ${index + 1} is not what was written at ${at}`);
    } else {
      lost += Math.max(0, start - at);
      doubled += Math.max(0, at - start);
      if (start !== at) notes.push(`part ${index + 1} starts at ${start} instead of ${at}`);
      at = start + part.length;
    }
  }
  if (at < expected.length) {
    lost += expected.length - at;
    notes.push(`${expected.length - at} bytes at the end were read by nobody`);
  }
  if (notes.length === 0) return { lost, doubled, problems: [] };
  const sizes = parts.map((part) => part.length).join(' + ') || 'nothing';
  const sum = `${lost} bytes lost, ${doubled} doubled; read ${sizes} of ${expected.length}`;
  return { lost, doubled, problems: [`${sum}: ${notes.join(', ')}`] };
}

/** Each of what the services read is the beginning of what was written, and one is all of it. */
function compareWhole(expected: Buffer, parts: readonly Buffer[]): Upload {
  const longest = Math.max(0, ...parts.map(({ length }) => length));
  const lost = Math.max(0, expected.length - longest);
  const problems = parts.flatMap((part, index) =>
    expected.subarray(0, part.length).equals(part)
      ? []
      : [`part ${index + 1} is not the beginning of what was written`],
  );
  if (lost > 0) problems.push(`nobody read the last ${lost} of ${expected.length} bytes`);
  return { lost, doubled: 0, problems };
}

function totalLength(parts: readonly Buffer[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

/** Everything, unless somebody has read everything. */
function unread(expected: Buffer, parts: readonly Buffer[]): Buffer {
  return parts.some(({ length }) => length >= expected.length) ? Buffer.alloc(0) : expected;
}

/** Where a part really comes from: the place nearest to where it should, if there is any. */
function locate(expected: Buffer, part: Buffer, near: number): number | undefined {
  const places: number[] = [];
  for (let at = expected.indexOf(part); at >= 0; at = expected.indexOf(part, at + 1)) places.push(at);
  return places.sort((a, b) => Math.abs(a - near) - Math.abs(b - near))[0];
}

/** The connections of all services, given out by client. */
class Parts {
  /** Bytes that the first service read and did not acknowledge. */
  unacknowledged = 0;
  private readonly left: { service: string; peer: string; read: number; file: string; taken: boolean }[];

  constructor(
    private readonly services: Evidence['services'],
    private readonly replicaReads: 'rest' | 'all',
    /** Addresses of the clients' own ends. */
    private readonly clients: ReadonlySet<string>,
    /** Bytes that the first service acknowledged, by client. */
    private readonly acknowledged: ReadonlyMap<string, number> | undefined,
    /** Those of them that the backup saw acknowledged. */
    private readonly seen: ReadonlyMap<string, number> | undefined,
  ) {
    this.left = services.flatMap(({ name, connections }) =>
      connections.map(({ peer, read, file }) => ({ service: name, peer, read, file, taken: false })),
    );
  }

  /**
   * What each service read of the client, in the services' order. A replica on another machine sees an address of the
   * daemon's instead of the client's: its part is found by what is missing.
   */
  take(client: string, expected: Buffer): Buffer[] {
    const own = this.services.flatMap(({ name }) =>
      this.left.filter(({ service, peer, taken }) => service === name && peer === client && !taken),
    );
    const others = own.slice(1).reduce((sum, { read }) => sum + read, 0);
    const parts = own.map(({ file, service }) =>
      this.claim(client, service, readFileSync(file), expected.length - others),
    );
    const missing = this.replicaReads === 'rest' ? expected.subarray(totalLength(parts)) : unread(expected, parts);
    const foreign = this.left.find(
      ({ peer, read, file, taken }) =>
        !taken && read > 0 && read === missing.length && !this.clients.has(peer) && readFileSync(file).equals(missing),
    );
    for (const part of foreign === undefined ? own : [...own, foreign]) part.taken = true;
    return foreign === undefined ? parts : [...parts, missing];
  }

  /** Of what a service read, the part that it answers for; `left`: what the others leave to it. */
  private claim(client: string, service: string, bytes: Buffer, left: number): Buffer {
    if (this.acknowledged === undefined || service !== this.services[0]?.name) return bytes;
    const acknowledged = this.acknowledged.get(client) ?? 0;
    const seen = this.seen?.get(client) ?? acknowledged;
    const claimed = bytes.subarray(0, Math.min(acknowledged, Math.max(seen, left)));
    this.unacknowledged += bytes.length - claimed.length;
    return claimed;
  }

  /** Connections that belong to no client and were not silent. */
  unclaimed(): readonly { service: string; peer: string; read: number }[] {
    return this.left.filter(({ taken, read }) => !taken && read > 0);
  }
}

/** Bytes of each client that a service's frames acknowledge: all that were on the wire, in any order. */
function acknowledgedBytes(frames: readonly Frame[]): Map<string, number> {
  const first = new Map<string, number>();
  const bytes = new Map<string, number>();
  for (const frame of frames) {
    const { tcp } = frame;
    if (tcp === undefined || (tcp.flags & ACK) === 0) continue;
    const [, client] = ends(frame);
    if ((tcp.flags & SYN) !== 0) first.set(client, tcp.ack);
    // The client's FIN counts as one: a part is never longer than what was read.
    const count = (tcp.ack - (first.get(client) ?? tcp.ack)) >>> 0;
    bytes.set(client, Math.max(count, bytes.get(client) ?? 0));
  }
  return bytes;
}

/**
 * RSTs of the clients' connections, but for those of connections that both ends had closed: an end that is gone answers a late
 * acknowledgement so, which is ordinary TCP after any retransmitted FIN (RFC 9293 3.10.7.1).
 */
export function resetsOfLiveConnections(frames: readonly Frame[], clients: ReadonlySet<string>): Frame[] {
  const finished = new Set<string>();
  return frames.filter((frame) => {
    const { tcp } = frame;
    const [source, destination] = ends(frame);
    // A hub shows everybody everything.
    if (tcp === undefined || !(clients.has(source) || clients.has(destination))) return false;
    const [thisWay, otherWay] = [`${source} ${destination}`, `${destination} ${source}`];
    if ((tcp.flags & SYN) !== 0) finished.delete(thisWay);
    if ((tcp.flags & FIN) !== 0) finished.add(thisWay);
    return (tcp.flags & RST) !== 0 && !(finished.has(thisWay) && finished.has(otherWay));
  });
}

/** Source and destination as the programs write them, `address:port`. */
export function ends({ ip, ports }: Frame): [string, string] {
  if (ip === undefined || ports === undefined) return ['', ''];
  const host = (address: string) => (address.includes(':') ? `[${address}]` : address);
  return [`${host(ip.source)}:${ports.source}`, `${host(ip.destination)}:${ports.destination}`];
}

export function describe(frame: Frame | undefined): string {
  if (frame === undefined) return '';
  const [source, destination] = ends(frame);
  return `${source} > ${destination} seq ${frame.tcp?.seq ?? 0} from ${frame.source}`;
}
