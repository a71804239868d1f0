/**
 * What the wire says about the clients' connections, read from the frames that their host sends and receives: who
 * acknowledged how much and when, and who was reset. No clock and no I/O in here: frames and their times come from outside.
 *
 * Silence is counted as a client sees it: from the moment it waits for an acknowledgement, or from the last one that
 * came forward, to the next that does. A client with nothing outstanding is not waiting.
 */

/** One connection, as its client's wire shows it. */
export interface WireConnection {
  /** `address:port` of the client. */
  readonly client: string;
  /** Bytes that the primary acknowledged; the client's FIN counts as one. */
  readonly primaryAcknowledged: number;
  /** Longest silence that the primary and that the replica ended, ms. */
  readonly primarySilenceMs: number;
  readonly replicaSilenceMs: number;
}

export interface WireReport {
  readonly connections: readonly WireConnection[];
  /** RSTs of connections that not both ends had closed, in words. */
  readonly resets: readonly string[];
  /** Median time from a line to its acknowledgement by the replica, ms; absent when none could be measured. */
  readonly roundTripMs?: number | undefined;
}

export type Server = 'primary' | 'replica';

export interface WireOptions {
  /** MAC addresses, as twelve hexadecimal digits. */
  readonly primaryMac: string;
  readonly replicaMac: string;
  /** The service's port. */
  readonly port: number;
  /** An acknowledgement of the server came forward for the `times`th time. */
  readonly onProgress: (server: Server, times: number) => void;
}

const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;

const ETHERNET_BYTES = 14;
const TCP = 6;

interface Side {
  times: number;
  silenceMs: number;
}

interface Connection {
  readonly client: string;
  /** The client's initial sequence number. */
  readonly isn: number;
  /** One past the highest byte sent, and the highest acknowledged: offsets from `isn`. */
  sent: number;
  acknowledged: number;
  primaryAcknowledged: number;
  /** Since when the client has waited; meaningless while nothing is outstanding. */
  waitingSinceMs: number;
  /** A segment whose acknowledgement is awaited: its end and when it was sent. */
  timed: { readonly end: number; readonly atMs: number } | undefined;
  readonly primary: Side;
  readonly replica: Side;
  clientFinished: boolean;
  serverFinished: boolean;
}

export class WireWatch {
  private readonly connections = new Map<string, Connection>();
  private readonly resets: string[] = [];
  private readonly roundTripsMs: number[] = [];

  constructor(private readonly options: WireOptions) {}

  /**
   * An Ethernet frame with an IPv4 header; others are none of the demo's.
   * @param nowMs the same for frames of which it is unknown how long after each other they came
   */
  frame(bytes: Buffer, nowMs: number): void {
    const ip = ETHERNET_BYTES;
    if (bytes.length < ip + 20 || bytes.readUInt16BE(12) !== 0x0800 || bytes[ip + 9] !== TCP) return;
    const tcp = ip + ((bytes[ip] ?? 0) & 15) * 4;
    if (bytes.length < tcp + 20) return;
    const flags = bytes[tcp + 13] ?? 0;
    if (bytes.readUInt16BE(tcp + 2) === this.options.port) {
      const client = `${address(bytes, ip + 12)}:${bytes.readUInt16BE(tcp)}`;
      const headers = tcp - ip + ((bytes[tcp + 12] ?? 0) >> 4) * 4;
      this.fromClient(client, flags, bytes.readUInt32BE(tcp + 4), bytes.readUInt16BE(ip + 2) - headers, nowMs);
    } else {
      const client = `${address(bytes, ip + 16)}:${bytes.readUInt16BE(tcp + 2)}`;
      this.fromServer(client, flags, bytes.readUInt32BE(tcp + 8), bytes.toString('hex', 6, 12), nowMs);
    }
  }

  /** @param nowMs until when a silence that nobody has ended has lasted */
  report(nowMs: number): WireReport {
    return {
      connections: [...this.connections.values()].map((connection) => {
        const { client, primaryAcknowledged, primary, replica } = connection;
        const open = connection.sent > connection.acknowledged ? nowMs - connection.waitingSinceMs : 0;
        return {
          client,
          primaryAcknowledged,
          primarySilenceMs: primary.silenceMs,
          replicaSilenceMs: Math.max(replica.silenceMs, open),
        };
      }),
      resets: this.resets,
      roundTripMs: median(this.roundTripsMs),
    };
  }

  private fromClient(client: string, flags: number, seq: number, payload: number, nowMs: number): void {
    if ((flags & SYN) !== 0) {
      if (!this.connections.has(client)) this.connections.set(client, opened(client, seq));
      return;
    }
    const connection = this.connections.get(client);
    if (connection === undefined) return;
    if ((flags & RST) !== 0) return this.reset(connection, 'the client');
    if ((flags & FIN) !== 0) connection.clientFinished = true;
    const end = forward(connection, seq) + payload + ((flags & FIN) === 0 ? 0 : 1);
    if (end <= connection.sent) {
      // Sent again: an acknowledgement would not say which of the two it answers.
      if (payload > 0) connection.timed = undefined;
      return;
    }
    if (connection.sent === connection.acknowledged) connection.waitingSinceMs = nowMs;
    connection.sent = end;
    if ((flags & FIN) === 0) connection.timed ??= { end, atMs: nowMs };
  }

  private fromServer(client: string, flags: number, ack: number, mac: string, nowMs: number): void {
    const connection = this.connections.get(client);
    if (connection === undefined) return;
    if ((flags & RST) !== 0) return this.reset(connection, `the service (${mac})`);
    if ((flags & FIN) !== 0) connection.serverFinished = true;
    const server = this.serverAt(mac);
    if ((flags & ACK) === 0 || server === undefined) return;
    const acknowledged = forward(connection, ack);
    if (server === 'primary') connection.primaryAcknowledged = Math.max(connection.primaryAcknowledged, acknowledged);
    if (acknowledged <= connection.acknowledged) return;
    const { timed } = connection;
    const side = connection[server];
    connection.acknowledged = acknowledged;
    side.silenceMs = Math.max(side.silenceMs, nowMs - connection.waitingSinceMs);
    connection.waitingSinceMs = nowMs;
    if (timed !== undefined && acknowledged >= timed.end) {
      // What was on its way when the primary died says nothing about the replica; what the clock cannot tell apart would
      // make the figure better than it is.
      if (server === 'replica' && side.times > 0 && nowMs > timed.atMs) this.roundTripsMs.push(nowMs - timed.atMs);
      connection.timed = undefined;
    }
    this.options.onProgress(server, ++side.times);
  }

  private serverAt(mac: string): Server | undefined {
    if (mac === this.options.primaryMac) return 'primary';
    return mac === this.options.replicaMac ? 'replica' : undefined;
  }

  /** An end that is gone may answer a late acknowledgement so (RFC 9293 3.10.7.1): that ends nothing. */
  private reset({ client, clientFinished, serverFinished }: Connection, from: string): void {
    if (!clientFinished || !serverFinished) this.resets.push(`${client} was reset by ${from}`);
  }
}

function opened(client: string, isn: number): Connection {
  return {
    client,
    isn,
    // The SYN is no byte of the stream: the first one is at offset 0, one past it.
    sent: 0,
    acknowledged: 0,
    primaryAcknowledged: 0,
    waitingSinceMs: 0,
    timed: undefined,
    primary: { times: 0, silenceMs: 0 },
    replica: { times: 0, silenceMs: 0 },
    clientFinished: false,
    serverFinished: false,
  };
}

/** Offset in the client's stream; the numbers wrap (RFC 9293 3.4), a stream of the demo stays far below 2 GiB. */
function forward({ isn }: Connection, seq: number): number {
  return (seq - isn - 1) | 0;
}

function address(bytes: Buffer, at: number): string {
  return bytes.subarray(at, at + 4).join('.');
}

function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
