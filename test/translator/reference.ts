/**
 * The translation of a live connection once more, slow and from the standards: what has to come out on the other side for
 * a frame that goes in. It shares no code with the core. Numbers are whole ones: those of the wire are taken to the
 * nearest one to a number of the connection, compared as they are, and cut to 32 bits when they are written.
 *
 *   numbers      RFC 9293 3.4: client to replica +D1 and +D2, back -D2 and -D1
 *   window       RFC 7323 2: each side reads the field with the shift it agreed to
 *   timestamps   RFC 7323 3: the replica's clock is moved; who has agreed to none gets none, who has gets them always
 *   SACK         RFC 2018 3: edges follow the numbers they speak of
 *   ECN          RFC 3168 6.1: no signals to an end that has not agreed; a mark of the network arrives
 *   sizes        RFC 9293 3.7.1: payload and options together fit the receiver's MSS, and the path to it (RFC 1191, 8201)
 *
 * A connection made while the replica serves has one handshake: client and replica have agreed with each other, and
 * all but addresses, and sizes, is passed on as it is.
 */
import { Reason } from '../../assembly/abi/codes';
import { concat } from '../support/checksum';
import { TCP_FLAG, be32 } from '../support/frames';
import { type Frame, isIpv6, packetBytes } from './wire';

/** What an end said in its SYN; of primary and replica: as far as they could, for they only answer. */
export interface Agreed {
  readonly mss: number | undefined;
  readonly shift: number | undefined;
  readonly timestamps: boolean;
  readonly ecn: boolean;
}

export interface Setting {
  /** Made through the core, after the crash: the primary is the replica. */
  readonly isProxied: boolean;
  /** The client has read the primary's FIN: nothing of the server can follow it. */
  readonly isClosed: boolean;
  readonly client: Agreed;
  readonly primary: Agreed;
  readonly replica: Agreed;
  readonly d1: number;
  readonly d2: number;
  /** First number of the server that is the replica's. */
  readonly serverBase: number;
  /** What is added to the replica's clock, and its first time by itself. */
  readonly clock: number;
  readonly firstTsval: number;
  /** On the wire, and at the replica: which peer that sees. */
  readonly clientAddress: Uint8Array;
  readonly clientPort: number;
  readonly serverAddress: Uint8Array;
  readonly replicaAddress: Uint8Array;
  readonly peerAddress: Uint8Array;
  readonly peerPort: number;
  /** MAC addresses of frames to the client and to the replica: source, and the replica's destination. */
  readonly macToClient: Uint8Array;
  readonly macToReplica: Uint8Array;
  readonly replicaMac: Uint8Array;
  /** The replica is on the wire too. */
  readonly isRemote: boolean;
  readonly wireMtu: number;
  readonly stackMtu: number;
  /** What a router has said of the path to the client. */
  readonly pathMtu: number | undefined;
}

/** What the translation has to remember of earlier segments. */
export interface Memory {
  /** Right edge that the replica has granted at most, and the one the client was told; the client's numbers. */
  granted: number;
  told: number;
  /** Latest times of both ends as the client knows them. */
  serverTsval: number;
  clientTsval: number;
  /** Where the client's last frame came from. */
  clientMac: Uint8Array;
  tags: readonly Uint8Array[];
}

export type Outcome = readonly Frame[] | { readonly refused: Reason };

type Side = 'client' | 'replica';

const TWO_32 = 2 ** 32;
const NOP = 1;
const KIND_SACK = 5;
const KIND_TIMESTAMPS = 8;
const TIMESTAMPS_BYTES = 12;
/** Smaller ones only serve to make many segments: what Linux takes for the least (TCP_MIN_SND_MSS). */
const LEAST_MSS = 48;
/** No path has less (RFC 791 3.2, RFC 8200 5). */
const LEAST_MTU = { 4: 68, 6: 1280 } as const;
const HOP_LIMIT = 64;

export function cut(n: number): number {
  return ((n % TWO_32) + TWO_32) % TWO_32;
}

/** The whole number nearest to `near` that is `n` on the wire. */
export function nearest(n: number, near: number): number {
  const ahead = cut(n - near);
  return near + (ahead >= TWO_32 / 2 ? ahead - TWO_32 : ahead);
}

function has(frame: Frame, letter: keyof typeof TCP_FLAG): boolean {
  return (frame.flags & TCP_FLAG[letter]) !== 0;
}

function without(flags: number, letters: string): number {
  return Array.from(letters).reduce((left, letter) => left & ~TCP_FLAG[letter as keyof typeof TCP_FLAG], flags);
}

interface Option {
  readonly kind: number;
  /** Where it begins and ends in the list. */
  readonly at: number;
  readonly end: number;
}

/** Options but NOP, up to the end of the list. */
function optionsOf(list: Uint8Array): Option[] {
  const found: Option[] = [];
  for (let at = 0; at < list.length && list[at] !== 0;) {
    const kind = list[at] ?? 0;
    const end = kind === NOP ? at + 1 : at + (list[at + 1] ?? 0);
    if (kind !== NOP) found.push({ kind, at, end });
    at = end;
  }
  return found;
}

/** The 32-bit words behind kind and length. */
function wordsOf(list: Uint8Array, option: Option | undefined): number[] {
  if (option === undefined) return [];
  const body = Buffer.from(list.subarray(option.at + 2, option.end));
  return Array.from({ length: body.length / 4 }, (_, i) => body.readUInt32BE(4 * i));
}

interface Spoken {
  readonly timestamps: readonly [tsval: number, tsecr: number] | undefined;
  /** Edges, left and right by turns. */
  readonly sack: readonly number[];
}

export class Reference {
  constructor(
    readonly setting: Setting,
    readonly memory: Memory,
  ) {}

  /** A frame of the client, and what the replica gets for it. */
  toReplica(frame: Frame): Outcome {
    const { setting, memory } = this;
    const { client, primary, replica, d1, d2, serverBase } = setting;
    const v6 = isIpv6(frame);
    memory.clientMac = frame.srcMac;
    memory.tags = frame.tags;
    const said = read(frame.options);
    if (said.timestamps !== undefined) {
      memory.clientTsval = Math.max(memory.clientTsval, nearest(said.timestamps[0], memory.clientTsval));
    }
    const spoken: Spoken = setting.isProxied
      ? said
      : {
          timestamps: replica.timestamps && said.timestamps ? this.#echoed(said.timestamps) : undefined,
          // An edge before the base is of a byte that the replica never sent. SACK is advice (RFC 2018 8): all of it goes.
          sack: said.sack.some((edge, i) => i % 2 === 0 && nearest(edge, serverBase) < serverBase)
            ? []
            : said.sack.map((edge) => edge + d2),
        };
    const isEcn = client.ecn && primary.ecn;
    const { isProxied } = setting;
    const acked = Math.max(nearest(frame.ack, serverBase), serverBase);
    const translated: Frame = {
      ...frame,
      dstMac: setting.replicaMac,
      srcMac: setting.macToReplica,
      tags: setting.isRemote ? frame.tags : [],
      src: setting.peerAddress,
      dst: setting.replicaAddress,
      srcPort: setting.peerPort,
      seq: cut(frame.seq + d1),
      ack: has(frame, 'A') && !isProxied ? cut(acked + d2) : frame.ack,
      flags: isEcn && !replica.ecn ? without(frame.flags, 'EC') : frame.flags,
      window: isProxied ? frame.window : has(frame, 'R') ? 0 : this.#windowForReplica(frame, acked),
      options: write(frame.options, spoken),
    };
    const mtu = setting.isRemote ? setting.wireMtu : setting.stackMtu;
    const latest = (): readonly [number, number] => this.#echoed([memory.clientTsval, memory.serverTsval]);
    const times = replica.timestamps ? (spoken.timestamps ?? latest()) : undefined;
    if (setting.isRemote && frame.payload.length > room('replica', v6, setting, times !== undefined, spoken.sack)) {
      return split(translated, { timestamps: times, sack: spoken.sack }, 'replica', setting);
    }
    return packetBytes(translated) > mtu ? { refused: Reason.TooBig } : [translated];
  }

  /** A frame of the replica, and what the client gets for it. */
  toClient(frame: Frame): Outcome {
    const { setting, memory } = this;
    const { client, primary, d1, d2, clock } = setting;
    const said = read(frame.options);
    const own: Spoken['timestamps'] = said.timestamps && [cut(said.timestamps[0] + clock), said.timestamps[1]];
    if (own !== undefined) memory.serverTsval = Math.max(memory.serverTsval, nearest(own[0], memory.serverTsval));
    const spoken: Spoken = { timestamps: own, sack: said.sack.map((edge) => edge - d1) };
    const window = has(frame, 'A') ? this.#windowForClient(frame) : 0;
    const translated: Frame = {
      ...frame,
      dstMac: memory.clientMac,
      srcMac: setting.macToClient,
      tags: memory.tags,
      src: setting.serverAddress,
      dst: setting.clientAddress,
      dstPort: setting.clientPort,
      seq: setting.isClosed && !has(frame, 'R') ? cut(setting.serverBase) : cut(frame.seq - d2),
      ack: has(frame, 'A') ? cut(frame.ack - d1) : frame.ack,
      window: setting.isProxied ? frame.window : window,
      options: write(frame.options, spoken),
    };
    const isTimed = client.timestamps && primary.timestamps;
    // A client that has agreed to timestamps may drop every segment without (RFC 7323 3.2), but a reset.
    const lacks = isTimed && own === undefined && !has(frame, 'R');
    const times = isTimed ? (own ?? ([memory.serverTsval, memory.clientTsval] as const)) : undefined;
    if (lacks || frame.payload.length > room('client', isIpv6(frame), setting, times !== undefined, spoken.sack)) {
      return split(translated, { timestamps: times, sack: spoken.sack }, 'client', setting);
    }
    return packetBytes(translated) > setting.wireMtu ? { refused: Reason.TooBig } : [translated];
  }

  /** The client repeats the replica's clock, or the primary's: then it is the replica's first time. */
  #echoed([tsval, tsecr]: readonly [number, number]): readonly [number, number] {
    const { clock, firstTsval, isProxied } = this.setting;
    if (isProxied) return [tsval, tsecr];
    return [tsval, cut(Math.max(nearest(tsecr - clock, firstTsval), firstTsval))];
  }

  /** The client's edge stays where it is when its acknowledgement is moved to where the replica begins. */
  #windowForReplica(frame: Frame, acked: number): number {
    const { client, primary, replica, serverBase } = this.setting;
    const isScaled = client.shift !== undefined && primary.shift !== undefined;
    const clientShift = isScaled ? client.shift : 0;
    const readShift = isScaled && replica.shift !== undefined ? clientShift : 0;
    const edge = nearest(frame.ack, serverBase) + frame.window * 2 ** clientShift;
    return Math.min(Math.floor(Math.max(edge - acked, 0) / 2 ** readShift), 0xffff);
  }

  /**
   * In the client's units (RFC 7323 2.3). Less than was told is told only when it is less than a unit less (2.4): the
   * promise is rounded up, as far as the replica has room. A unit is told when there is less than one; none if there is none.
   */
  #windowForClient(frame: Frame): number {
    const { memory } = this;
    const { client, primary, replica, d1 } = this.setting;
    const isScaled = client.shift !== undefined && primary.shift !== undefined;
    const unit = 2 ** (isScaled ? primary.shift : 0);
    const replicaUnit = 2 ** (isScaled ? (replica.shift ?? 0) : 0);
    const acked = nearest(frame.ack - d1, memory.told);
    memory.granted = Math.max(memory.granted, acked + frame.window * replicaUnit);
    const granted = Math.max(memory.granted - acked, 0);
    const promised = Math.max(memory.told - acked, 0);
    let units = granted > 0 ? Math.max(Math.floor(granted / unit), 1) : 0;
    if (promised > units * unit) units = Math.ceil(Math.min(promised, granted) / unit);
    units = Math.min(units, 0xffff);
    memory.told = Math.max(memory.told, acked + units * unit);
    return units;
  }
}

function read(list: Uint8Array): Spoken {
  const options = optionsOf(list);
  const [tsval, tsecr] = wordsOf(
    list,
    options.find(({ kind }) => kind === KIND_TIMESTAMPS),
  );
  const sack = wordsOf(
    list,
    options.find(({ kind }) => kind === KIND_SACK),
  );
  return { timestamps: tsval === undefined || tsecr === undefined ? undefined : [tsval, tsecr], sack };
}

/** The list with other timestamps and edges at the same places; what is not spoken any more becomes NOPs. */
function write(list: Uint8Array, { timestamps, sack }: Spoken): Uint8Array {
  const written = list.slice();
  for (const { kind, at, end } of optionsOf(list)) {
    if (kind !== KIND_TIMESTAMPS && kind !== KIND_SACK) continue;
    const words = kind === KIND_TIMESTAMPS ? (timestamps ?? []) : sack;
    if (words.length === 0) written.fill(NOP, at, end);
    else written.set(concat(...words.map((word) => be32(cut(word)))), at + 2);
  }
  return written;
}

/** Edges that fit beside timestamps, or alone (RFC 2018 3). */
function edgesThatFit(isTimed: boolean): number {
  return isTimed ? 6 : 8;
}

/** Payload that a segment of these options may carry to this side. */
function room(side: Side, v6: boolean, setting: Setting, isTimed: boolean, sack: readonly number[]): number {
  const announced = setting[side].mss ?? (v6 ? 1220 : 536);
  const path = Math.max(setting.pathMtu ?? setting.wireMtu, LEAST_MTU[v6 ? 6 : 4]);
  const mtu = side === 'client' ? Math.min(setting.wireMtu, path) : setting.wireMtu;
  const mss = Math.max(Math.min(announced, mtu - (v6 ? 60 : 40)), LEAST_MSS);
  const edges = Math.min(sack.length, edgesThatFit(isTimed));
  return mss - (isTimed ? TIMESTAMPS_BYTES : 0) - (edges > 0 ? 4 + 4 * edges : 0);
}

/**
 * Segments of their own for the payload of one. FIN and PSH speak of the end, so the last has them; CWR answers once, in the
 * first (RFC 3168 6.1.2); the urgent pointer is lost. Beside SACK only timestamps are told again.
 */
function split(whole: Frame, { timestamps, sack }: Spoken, side: Side, setting: Setting): Frame[] {
  const v6 = isIpv6(whole);
  const most = room(side, v6, setting, timestamps !== undefined, sack);
  const edges = sack.slice(0, edgesThatFit(timestamps !== undefined));
  const options = concat(
    ...(timestamps === undefined
      ? []
      : [Uint8Array.of(NOP, NOP, KIND_TIMESTAMPS, 10), ...timestamps.map((word) => be32(cut(word)))]),
    ...(edges.length === 0
      ? []
      : [Uint8Array.of(NOP, NOP, KIND_SACK, 2 + 4 * edges.length), ...edges.map((edge) => be32(cut(edge)))]),
  );
  const parts = Math.max(Math.ceil(whole.payload.length / most), 1);
  return Array.from({ length: parts }, (_, i): Frame => {
    const lost = `U${i > 0 ? 'C' : ''}${i < parts - 1 ? 'FP' : ''}`;
    return {
      ...whole,
      network: plainHeader(whole),
      seq: cut(whole.seq + i * most),
      flags: without(whole.flags, lost),
      urgent: 0,
      options,
      payload: whole.payload.slice(i * most, (i + 1) * most),
    };
  });
}

/** An IP header without options, of the same traffic class: a mark of congestion is for whoever gets the bytes. */
function plainHeader(whole: Frame): Uint8Array {
  const v6 = isIpv6(whole);
  const header = new Uint8Array(v6 ? 40 : 20);
  if (v6) {
    header.set([whole.network[0] ?? 0, (whole.network[1] ?? 0) & 0xf0]);
    header.set([6, HOP_LIMIT], 6);
    return header;
  }
  header.set([0x45, whole.network[1] ?? 0]);
  // Don't fragment, and so no identification (RFC 6864 4.1).
  header.set([0x40], 6);
  header.set([HOP_LIMIT, 6], 8);
  return header;
}
