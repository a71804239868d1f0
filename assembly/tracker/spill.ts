/**
 * Records that outgrow the memory: the host keeps their oldest bytes, and gives them back when the replica is to read
 * them. The core does no input or output, so both go through the receive slot, between two frames.
 *
 *   records are tight   spillNext()    bytes in the slot, of connection spilledConnection(), from spilledOffset() on
 *   a feed runs dry     wanted()       a connection whose bytes the host has; from wantedOffset() on
 *                       supply(...)    these bytes, put into the slot
 *
 * Offsets count from the first byte of the client's stream. Of one connection bytes are handed out in order and without a
 * gap, whole blocks that the primary has acknowledged and a replica that reads along has read.
 */
import { Counter, Dir, RecordState, TcpState } from '../abi/codes';
import { NONE, RX_FRAME_BYTES } from '../abi/layout';
import { countBy } from '../memory/counters';
import { RX_SLOT } from '../memory/regions';
import { seqDiff, seqLt, seqMin } from '../parser/seq';
import { Connection, connectionAt, flowOf, recordOf, stateOf } from './connection';
import { CONN_ASKED, CONN_COPY, CONN_SPILLED } from './marks';
import { recordsAreTight } from './blocks';
import { contiguous, firstOf, readRetained, releaseBefore, restore, wholeBefore } from './retained';
import { usedRecords } from './table';

/** Bytes worth handing out, as long as any connection has so many. Arbitrary: half a slot. */
const WORTHWHILE_BYTES: u32 = RX_FRAME_BYTES >>> 1;
/** Records looked at in one call. Arbitrary: some microseconds. */
const LOOK: u32 = 1024;
/**
 * Bytes kept in front of a feed that goes on with the host's. With more the next gap is farther to look for, and less stays in the
 * CPU's cache [256 MB from the disk: 121 ms of CPU with this, 128 with 256 KiB, 150 with 512].
 */
const AHEAD_BYTES: u32 = 163840;

let cursor: u32 = 0;
/** Records looked at since one was worthwhile. */
let looked: u32 = 0;

export let spilledConnection: u32 = NONE;
export let spilledOffset: u32 = 0;

/** Ring of connections that ask for bytes: a power of two. */
const ASKING: u32 = 1024;
const RING: usize = memory.data(ASKING * 4, 16);
let asked: u32 = 0;
let answered: u32 = 0;
/** The connection that `wanted` has named last, until it is answered, and the first number that it lacks. */
let named: u32 = NONE;
let namedFrom: u32 = 0;

export function resetSpill(): void {
  cursor = 0;
  looked = 0;
  asked = 0;
  answered = 0;
  named = NONE;
}

/** Number of the first byte of the client's stream. */
function firstByte(c: Connection): u32 {
  return flowOf(c, Dir.Inbound).isn + 1;
}

/** Hands the oldest bytes of some record out, into the receive slot. Their number, 0 when there is no need. */
export function spillNext(): u32 {
  if (!recordsAreTight()) return 0;
  const used = usedRecords();
  for (let n = min<u32>(LOOK, used); n > 0; n--) {
    if (cursor >= used) cursor = 0;
    const c = connectionAt(cursor++);
    const least: u32 = looked > used ? 1 : WORTHWHILE_BYTES;
    looked++;
    const bytes = spillable(c);
    if (bytes < least) continue;
    if (bytes >= WORTHWHILE_BYTES) looked = 0;
    handOut(c, bytes);
    return bytes;
  }
  return 0;
}

function spillable(c: Connection): u32 {
  if (stateOf(c) == TcpState.Free || recordOf(c) != RecordState.Complete) return 0;
  const inbound = flowOf(c, Dir.Inbound);
  const from = c.marked(CONN_SPILLED) ? c.spillEnd : firstByte(c);
  // What was given back lies before that, and is handed out already.
  if (firstOf(inbound.kept, from) != from) return 0;
  const read = c.marked(CONN_COPY) ? seqMin(c.copyRead, inbound.acked) : inbound.acked;
  return wholeBefore(inbound.kept, read, RX_FRAME_BYTES);
}

function handOut(c: Connection, bytes: u32): void {
  const kept = flowOf(c, Dir.Inbound).kept;
  const from = firstOf(kept, 0);
  readRetained(kept, from, RX_SLOT, bytes);
  releaseBefore(kept, from + bytes);
  c.spillEnd = from + bytes;
  c.mark(CONN_SPILLED);
  spilledConnection = c.index;
  spilledOffset = from - firstByte(c);
  countBy(Counter.SpilledBytes, bytes);
}

/** Asks the host for what the feed at `next` will need soon, if the host has it. */
export function askAhead(c: Connection, next: u32): void {
  if (!c.marked(CONN_SPILLED) || c.marked(CONN_ASKED)) return;
  const missing = missingFrom(c, next);
  if (!seqLt(missing, c.spillEnd) || missing - next >= AHEAD_BYTES || asked - answered >= ASKING) return;
  c.mark(CONN_ASKED);
  store<u32>(RING + ((<usize>(asked++ & (ASKING - 1))) << 2), c.index);
}

/** The first number at or after `next` that is not in memory. */
function missingFrom(c: Connection, next: u32): u32 {
  return next + contiguous(flowOf(c, Dir.Inbound).kept, next, AHEAD_BYTES);
}

/** A connection that waits for bytes the host has, or NONE. Each is named once, and to be answered with supply. */
export function wanted(): u32 {
  while (asked != answered) {
    const i = load<u32>(RING + ((<usize>(answered++ & (ASKING - 1))) << 2));
    const c = connectionAt(i);
    if (!c.marked(CONN_ASKED)) continue;
    const from = missingFrom(c, flowOf(c, Dir.Inbound).feedNext);
    if (c.marked(CONN_SPILLED) && seqLt(from, c.spillEnd)) {
      named = i;
      namedFrom = from;
      return i;
    }
    c.unmark(CONN_ASKED);
  }
  return NONE;
}

/** Of the connection that was named last that is known: what it lacks it lacks until it is answered. */
function wantedFrom(c: Connection): u32 {
  return c.index == named ? namedFrom : missingFrom(c, flowOf(c, Dir.Inbound).feedNext);
}

export function wantedOffset(c: Connection): u32 {
  return wantedFrom(c) - firstByte(c);
}

/** How many bytes the host has from wantedOffset on, at most as many as the slot takes. */
export function wantedBytes(c: Connection): u32 {
  const from = wantedFrom(c);
  if (!seqLt(from, c.spillEnd)) return 0;
  return min<u32>(<u32>seqDiff(c.spillEnd, from), RX_FRAME_BYTES);
}

/** Takes `length` bytes in the receive slot, of those wanted. */
export function supply(c: Connection, length: u32): void {
  // The record may have been dropped since it was asked for.
  if (!c.marked(CONN_ASKED) || !c.marked(CONN_SPILLED)) return;
  c.unmark(CONN_ASKED);
  restore(flowOf(c, Dir.Inbound).kept, wantedFrom(c), RX_SLOT, min<u32>(length, wantedBytes(c)));
  named = NONE;
  countBy(Counter.SuppliedBytes, length);
}
