/**
 * The store of retained bytes: payload seen on the tap and not yet acknowledged end to end.
 *
 *   block   0 ┌ seq u32 ┐ 4 ┌ length u32 ┐ 8 ┌ next u32 ┐ 12 ┌ bytes ... ┐ BLOCK_BYTES
 *
 * Each flow has a list of blocks sorted by sequence number; blocks do not overlap, a gap between two is a hole. In
 * order, a segment is appended to the last block without a search. A segment that fills a hole is put in its place by
 * a walk from the head, bounded by the blocks one connection may have (retainedPerConnection / BLOCK_DATA). The first
 * copy of a byte stays: a retransmission must carry the same byte (RFC 9293 3.8.1), and what the receiver may already
 * have read must not change.
 *
 * One pool for all connections; a flow may hold at most `perFlow` bytes, and the blocks these need in order: a peer that
 * sends single bytes with gaps between them fills its own budget, not the pool. Nothing is evicted: what does not fit
 * is refused, and the caller says what that means for the connection.
 */
import { BLOCK_BYTES, NONE } from '../abi/layout';
import { Counter } from '../abi/codes';
import { blockCapacity, blocksBase, Ptr } from '../memory/regions';
import { countBy } from '../memory/counters';
import { seqDiff, seqGe, seqGt, seqLt } from '../parser/seq';
import { Flow } from './connection';

const HEADER: u32 = 12;
export const BLOCK_DATA: u32 = BLOCK_BYTES - HEADER;

let perFlow: u32 = 0;
let blocksPerFlow: u32 = 0;
let freeBlocks: u32 = NONE;
let usedBlocks: u32 = 0;
let blocksInUse: u32 = 0;

export function resetRetained(bytesPerFlow: u32): void {
  perFlow = bytesPerFlow;
  // One more than its bytes fill: the first block may be partly released.
  blocksPerFlow = bytesPerFlow / BLOCK_DATA + 2;
  freeBlocks = NONE;
  usedBlocks = 0;
  blocksInUse = 0;
}

/** Bytes of the pool in use, headers and unused ends of blocks included. */
export function retainedBytes(): u32 {
  return blocksInUse * BLOCK_BYTES;
}

function blockPtr(i: u32): Ptr {
  return blocksBase + <usize>i * BLOCK_BYTES;
}

function blockSeq(i: u32): u32 {
  return load<u32>(blockPtr(i));
}

function blockLength(i: u32): u32 {
  return load<u32>(blockPtr(i), 4);
}

function blockEnd(i: u32): u32 {
  return blockSeq(i) + blockLength(i);
}

function blockNext(i: u32): u32 {
  return load<u32>(blockPtr(i), 8);
}

function setNext(i: u32, next: u32): void {
  store<u32>(blockPtr(i), next, 8);
}

function allocBlock(f: Flow, seq: u32, next: u32): u32 {
  if (f.blocks >= blocksPerFlow) return NONE;
  let i = freeBlocks;
  if (i != NONE) {
    freeBlocks = blockNext(i);
  } else {
    if (usedBlocks >= blockCapacity) return NONE;
    i = usedBlocks++;
  }
  blocksInUse++;
  f.blocks++;
  const b = blockPtr(i);
  store<u32>(b, seq);
  store<u32>(b, 0, 4);
  store<u32>(b, next, 8);
  return i;
}

function freeBlock(f: Flow, i: u32): void {
  setNext(i, freeBlocks);
  freeBlocks = i;
  blocksInUse--;
  f.blocks--;
}

/** The last block that begins at or before seq, NONE when there is none. */
function blockBefore(f: Flow, seq: u32): u32 {
  if (f.tail != NONE && seqGe(seq, blockSeq(f.tail))) return f.tail;
  let found: u32 = NONE;
  let i = f.head;
  while (i != NONE && !seqGt(blockSeq(i), seq)) {
    found = i;
    i = blockNext(i);
  }
  return found;
}

/** Keeps a payload. The number of bytes that were refused for want of room: 0 when all is kept. */
export function retain(f: Flow, seq: u32, bytes: Ptr, length: u32): u32 {
  let at = seq;
  let from = bytes;
  let left = length;
  while (left > 0) {
    const before = blockBefore(f, at);
    if (before != NONE && seqLt(at, blockEnd(before))) {
      // Already here: skip what the block covers.
      const known = min<u32>(left, <u32>seqDiff(blockEnd(before), at));
      at += known;
      from += known;
      left -= known;
      continue;
    }
    const after = before == NONE ? f.head : blockNext(before);
    let n = left;
    if (after != NONE) n = min<u32>(n, <u32>seqDiff(blockSeq(after), at));
    if (f.retained + n > perFlow) break;
    let target = before;
    if (before == NONE || blockEnd(before) != at || blockLength(before) == BLOCK_DATA) {
      target = allocBlock(f, at, after);
      if (target == NONE) break;
      if (before == NONE) f.head = target;
      else setNext(before, target);
      if (after == NONE) f.tail = target;
    }
    const filled = blockLength(target);
    n = min<u32>(n, BLOCK_DATA - filled);
    memory.copy(blockPtr(target) + HEADER + filled, from, n);
    store<u32>(blockPtr(target), filled + n, 4);
    f.retained += n;
    at += n;
    from += n;
    left -= n;
  }
  if (left > 0) countBy(Counter.RetainedDropped, left);
  return left;
}

/** Lets go of every byte before `seq`; a block goes when all of it is. */
export function releaseBefore(f: Flow, seq: u32): void {
  let i = f.head;
  while (i != NONE && !seqGt(blockEnd(i), seq)) {
    const next = blockNext(i);
    f.retained -= blockLength(i);
    if (f.feedBlock == i) f.feedBlock = NONE;
    freeBlock(f, i);
    i = next;
  }
  f.head = i;
  if (i == NONE) f.tail = NONE;
}

export function releaseAll(f: Flow): void {
  let i = f.head;
  while (i != NONE) {
    const next = blockNext(i);
    freeBlock(f, i);
    i = next;
  }
  f.head = NONE;
  f.tail = NONE;
  f.retained = 0;
  f.feedBlock = NONE;
}

/** The first sequence number at or after `seq` that is kept; `end` when there is none before it. */
export function firstRetained(f: Flow, seq: u32, end: u32): u32 {
  let i = seekBlock(f, seq);
  while (i != NONE && !seqGt(blockEnd(i), seq)) i = blockNext(i);
  if (i == NONE) return end;
  const at = blockSeq(i);
  if (seqGe(seq, at)) return seq;
  return seqLt(at, end) ? at : end;
}

/** Where to start to look for `seq`: the hint when it is not past it, the head otherwise. */
function seekBlock(f: Flow, seq: u32): u32 {
  const hint = f.feedBlock;
  return hint != NONE && !seqGt(blockSeq(hint), seq) ? hint : f.head;
}

/** Bytes kept without a hole from `seq` on, at most `limit`. */
export function contiguous(f: Flow, seq: u32, limit: u32): u32 {
  let i = seekBlock(f, seq);
  let n: u32 = 0;
  while (i != NONE && n < limit) {
    const at = seq + n;
    if (seqGt(blockSeq(i), at)) break;
    if (seqGt(blockEnd(i), at)) n += <u32>seqDiff(blockEnd(i), at);
    i = blockNext(i);
  }
  return min<u32>(n, limit);
}

/** Copies `length` bytes from `seq` on, all of which must be kept (see contiguous). */
export function readRetained(f: Flow, seq: u32, to: Ptr, length: u32): void {
  let i = seekBlock(f, seq);
  let at = seq;
  let into = to;
  let left = length;
  while (left > 0 && i != NONE) {
    const end = blockEnd(i);
    if (seqGt(end, at)) {
      const n = min<u32>(left, <u32>seqDiff(end, at));
      memory.copy(into, blockPtr(i) + HEADER + (at - blockSeq(i)), n);
      at += n;
      into += n;
      left -= n;
      f.feedBlock = i;
    }
    i = blockNext(i);
  }
}
