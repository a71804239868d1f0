/**
 * Copies of connection records, so that a connection is not forgotten when the core gives its record to another one or
 * drops it: for reports about all connections there ever were. The core calls nobody, so the watch looks at the records
 * in use, from time to time, and keeps a copy of what is told of each as it was. A record that has become another
 * connection's leaves its copy behind.
 *
 * Limit: a look takes time in proportion to the records in use. Whoever looks after each frame misses nothing; of a
 * connection whose record was used anew between two looks the last frames are missing, or all if it also began then.
 */
import {
  CONNECTION_BYTES,
  CONNECTION_FLOWS,
  CONNECTION_GENERATION,
  CONNECTION_SEEN_MS,
  CONNECTION_SERVICE,
  CONNECTION_STATE,
  FLOW_ACKED,
  FLOW_BYTES,
  FLOW_END,
  FLOW_FLAGS,
  FLOW_FLAG_FIN,
  FLOW_FLAG_ISN,
  FLOW_FLAG_SEEN,
  FLOW_ISN,
} from '../../assembly/abi/layout';
import { Dir, TcpState } from './names';
import { TRACKED_WORDS, type TrackedConnection, readTracked } from './records';

export interface WatchedConnection {
  readonly record: TrackedConnection;
  /** Payload bytes each way, retransmissions once, missed ones included; from the pick-up on if no SYN was seen. */
  readonly inboundBytes: number;
  readonly outboundBytes: number;
  /** Of the last frame before the first look that found it, and of its last frame, on the clock of the looks, ms. */
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Where in a copy the word of a record lies. */
const copied = (offset: number): number => TRACKED_WORDS.indexOf(offset / 4);
/** Of the record; the doubles behind them want an even number. */
const COPY_WORDS = TRACKED_WORDS.length + (TRACKED_WORDS.length % 2);
/** Behind the copy: sequence numbers used by each sender, first and last ms, and how many were found before. */
const DOUBLES = 5;
const INBOUND = 0;
const OUTBOUND = 1;
const FIRST_MS = 2;
const LAST_MS = 3;
const ORDINAL = 4;
const COPY_DOUBLES = COPY_WORDS / 2;
const ENTRY_DOUBLES = COPY_DOUBLES + DOUBLES;
const ENTRY_WORDS = ENTRY_DOUBLES * 2;
const ENTRY_BYTES = ENTRY_DOUBLES * 8;
const ENTRIES_PER_CHUNK = 1024;

const RECORD_WORDS = CONNECTION_BYTES / 4;
const STATE_WORD = CONNECTION_STATE / 4;
/** The service in its lower half, the generation in its upper half. */
const GENERATION_WORD = CONNECTION_SERVICE / 4;
const SEEN_WORD = CONNECTION_SEEN_MS / 4;
const STATE_MASK = 0xff;
const FREE: number = TcpState.Free;
/** This state and the one after it: the connection has ended. */
const FIRST_ENDED_STATE: number = TcpState.TimeWait;

const flowAt = (dir: Dir): number => CONNECTION_FLOWS + dir * FLOW_BYTES;
const INBOUND_END_WORD = (flowAt(Dir.Inbound) + FLOW_END) / 4;
const OUTBOUND_END_WORD = (flowAt(Dir.Outbound) + FLOW_END) / 4;
const COPIED_STATE = copied(CONNECTION_STATE);
const COPIED_GENERATION = copied(CONNECTION_SERVICE);
const COPIED_SEEN = copied(CONNECTION_SEEN_MS);
const COPIED_INBOUND_END = copied(flowAt(Dir.Inbound) + FLOW_END);
const COPIED_OUTBOUND_END = copied(flowAt(Dir.Outbound) + FLOW_END);

interface Chunk {
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
}

/** One copy where its words lie as in a record, to be read as one. */
class Unfolded {
  readonly #words = new Uint32Array(Math.max(...TRACKED_WORDS) + 1);
  readonly view = new DataView(this.#words.buffer);

  put(words: Uint32Array, at: number): DataView {
    for (let i = 0; i < TRACKED_WORDS.length; i++) this.#words[TRACKED_WORDS[i] ?? 0] = words[at + i] ?? 0;
    return this.view;
  }
}

/** Entries of fixed size in blocks, so that a million of them neither is one allocation nor a million objects. */
class EntryStore {
  length = 0;
  readonly #chunks: Chunk[] = [];
  readonly #unfolded = new Unfolded();

  get bytes(): number {
    return this.#chunks.length * ENTRIES_PER_CHUNK * ENTRY_BYTES;
  }

  chunk(index: number): Chunk {
    const number = Math.floor(index / ENTRIES_PER_CHUNK);
    return this.#chunks[number] ?? this.#grow(number);
  }

  push(from: Chunk, at: number): void {
    const index = this.length++;
    this.chunk(index).words.set(from.words.subarray(at, at + ENTRY_WORDS), slot(index) * ENTRY_WORDS);
  }

  double(index: number, which: number): number {
    return double(this.chunk(index), slot(index), which);
  }

  #grow(number: number): Chunk {
    let chunk = newChunk();
    while (this.#chunks.push(chunk) <= number) chunk = newChunk();
    return chunk;
  }

  /** `undefined` when the entry is not in use. */
  read(index: number): WatchedConnection | undefined {
    const chunk = this.chunk(index);
    const entry = slot(index);
    const view = this.#unfolded.put(chunk.words, entry * ENTRY_WORDS);
    const record = readTracked(view, 0, index);
    if (record === undefined) return undefined;
    const used = (which: number): number => double(chunk, entry, which);
    return {
      record,
      inboundBytes: payloadBytes(used(INBOUND), view, flowAt(Dir.Inbound)),
      outboundBytes: payloadBytes(used(OUTBOUND), view, flowAt(Dir.Outbound)),
      firstMs: used(FIRST_MS),
      lastMs: used(LAST_MS),
    };
  }
}

function newChunk(): Chunk {
  const buffer = new ArrayBuffer(ENTRIES_PER_CHUNK * ENTRY_BYTES);
  return { words: new Uint32Array(buffer), doubles: new Float64Array(buffer) };
}

function slot(index: number): number {
  return index % ENTRIES_PER_CHUNK;
}

function double(chunk: Chunk, entry: number, which: number): number {
  return chunk.doubles[entry * ENTRY_DOUBLES + COPY_DOUBLES + which] ?? 0;
}

/** SYN and FIN use a sequence number each (RFC 9293 3.4). */
function payloadBytes(sequenceNumbers: number, view: DataView, flow: number): number {
  const flags = view.getUint8(flow + FLOW_FLAGS);
  const syn = (flags & FLOW_FLAG_ISN) === 0 ? 0 : 1;
  const fin = (flags & FLOW_FLAG_FIN) === 0 ? 0 : 1;
  return Math.max(0, sequenceNumbers - syn - fin);
}

/** The copy of no connection. */
const NOTHING = new Unfolded().view;

export class ConnectionWatch {
  /** Entry i is the copy of record i. */
  readonly #present = new EntryStore();
  readonly #gone = new EntryStore();
  readonly #copy = new Unfolded();
  readonly #records: DataView;
  readonly #words: Uint32Array;
  readonly #used: () => number;
  #found = 0;

  /** @param base address of the first record */
  constructor(memory: ArrayBuffer, base: number, used: () => number) {
    this.#records = new DataView(memory, base);
    this.#words = new Uint32Array(memory, base);
    this.#used = used;
  }

  /** The memory of the copies. */
  get bytes(): number {
    return this.#present.bytes + this.#gone.bytes;
  }

  /**
   * Brings the copies up to date. At most 2^32 sequence numbers of a connection may pass between two looks.
   * @param nowMs the time the core was given last, before it was wrapped
   * @param all also records that seem not to have changed: two frames within a millisecond may differ only in what they
   *   acknowledge
   */
  look(nowMs: number, all = false): void {
    const used = this.#used();
    this.#present.length = Math.max(this.#present.length, used);
    for (let i = 0; i < used; i++) {
      const chunk = this.#present.chunk(i);
      const copy = slot(i) * ENTRY_WORDS;
      const record = i * RECORD_WORDS;
      if (all || this.#hasChanged(record, chunk.words, copy)) this.#update(i, chunk, nowMs);
    }
  }

  /** All connections so far, in the order in which the looks have found them. */
  *connections(): Generator<WatchedConnection> {
    const gone = this.#gone.length;
    const order = Uint32Array.from({ length: gone + this.#present.length }, (_, i) => i);
    const value = (i: number, which: number): number =>
      i < gone ? this.#gone.double(i, which) : this.#present.double(i - gone, which);
    order.sort((a, b) => value(a, FIRST_MS) - value(b, FIRST_MS) || value(a, ORDINAL) - value(b, ORDINAL));
    for (const i of order) {
      const connection = i < gone ? this.#gone.read(i) : this.#present.read(i - gone);
      if (connection !== undefined) yield connection;
    }
  }

  /** On the way of every look at every record: no call, no object. */
  #hasChanged(record: number, copies: Uint32Array, copy: number): boolean {
    const words = this.#words;
    return (
      words[record + STATE_WORD] !== copies[copy + COPIED_STATE] ||
      words[record + GENERATION_WORD] !== copies[copy + COPIED_GENERATION] ||
      words[record + SEEN_WORD] !== copies[copy + COPIED_SEEN] ||
      words[record + INBOUND_END_WORD] !== copies[copy + COPIED_INBOUND_END] ||
      words[record + OUTBOUND_END_WORD] !== copies[copy + COPIED_OUTBOUND_END]
    );
  }

  #update(index: number, chunk: Chunk, nowMs: number): void {
    const entry = slot(index);
    const at = index * CONNECTION_BYTES;
    const copy = this.#copy.put(chunk.words, entry * ENTRY_WORDS);
    const was = (chunk.words[entry * ENTRY_WORDS + COPIED_STATE] ?? 0) & STATE_MASK;
    const isFree = this.#records.getUint8(at + CONNECTION_STATE) === FREE;
    const isSame = was !== FREE && !isFree && this.#isSameConnection(at, copy);
    if (was !== FREE && !isSame) this.#gone.push(chunk, entry * ENTRY_WORDS);

    const doubles = entry * ENTRY_DOUBLES + COPY_DOUBLES;
    if (!isSame) chunk.words.fill(0, entry * ENTRY_WORDS, (entry + 1) * ENTRY_WORDS);
    if (isFree) return;
    for (const [dir, which] of [
      [Dir.Inbound, INBOUND],
      [Dir.Outbound, OUTBOUND],
    ] as const) {
      const flow = flowAt(dir);
      const progress = isSame ? this.#progress(at + flow, copy, flow) : this.#progress(at + flow, NOTHING, flow);
      const before = progress.anew ? 0 : (chunk.doubles[doubles + which] ?? 0);
      chunk.doubles[doubles + which] = before + progress.numbers;
    }
    const record = index * RECORD_WORDS;
    for (let i = 0; i < TRACKED_WORDS.length; i++) {
      chunk.words[entry * ENTRY_WORDS + i] = this.#words[record + (TRACKED_WORDS[i] ?? 0)] ?? 0;
    }
    const seenMs = this.#words[record + SEEN_WORD] ?? 0;
    const lastMs = nowMs - (((nowMs >>> 0) - seenMs) >>> 0);
    chunk.doubles[doubles + LAST_MS] = lastMs;
    if (isSame) return;
    chunk.doubles[doubles + FIRST_MS] = lastMs;
    chunk.doubles[doubles + ORDINAL] = this.#found++;
  }

  /**
   * Whether the record is still that of the connection in the copy: it may have been given to another one, or its
   * client may have opened anew with the same ports.
   */
  #isSameConnection(at: number, copy: DataView): boolean {
    const records = this.#records;
    if (records.getUint16(at + CONNECTION_GENERATION, true) !== copy.getUint16(CONNECTION_GENERATION, true))
      return false;
    const isOver = records.getUint8(at + CONNECTION_STATE) >= FIRST_ENDED_STATE;
    const wasOver = copy.getUint8(CONNECTION_STATE) >= FIRST_ENDED_STATE;
    if (wasOver && !isOver) return false;
    const flow = flowAt(Dir.Inbound);
    return initialNumber(records, at + flow) === initialNumber(copy, flow);
  }

  /** Sequence numbers that the sender has used since the copy, or in all if what the copy counted is void. */
  #progress(flow: number, copy: DataView, copyFlow: number): { numbers: number; anew: boolean } {
    const records = this.#records;
    if ((records.getUint8(flow + FLOW_FLAGS) & FLOW_FLAG_SEEN) === 0) return { numbers: 0, anew: true };
    const end = records.getUint32(flow + FLOW_END, true);
    const isn = initialNumber(records, flow);
    const wasSeen = (copy.getUint8(copyFlow + FLOW_FLAGS) & FLOW_FLAG_SEEN) !== 0;
    if (wasSeen && isn === initialNumber(copy, copyFlow)) {
      return { numbers: (end - copy.getUint32(copyFlow + FLOW_END, true)) >>> 0, anew: false };
    }
    // Picked up while running: what came before it is not known, and nothing after it has been acknowledged yet.
    return { numbers: (end - (isn ?? records.getUint32(flow + FLOW_ACKED, true))) >>> 0, anew: true };
  }
}

/** `undefined`: the SYN was not seen. */
function initialNumber(view: DataView, flow: number): number | undefined {
  const isKnown = (view.getUint8(flow + FLOW_FLAGS) & FLOW_FLAG_ISN) !== 0;
  return isKnown ? view.getUint32(flow + FLOW_ISN, true) : undefined;
}
