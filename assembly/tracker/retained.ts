/**
 * The store: bytes seen on the tap that somebody may have to be given again, in chains of blocks (blocks.ts) sorted by
 * sequence number. Blocks do not overlap, a gap between two is a hole. In order, a segment is appended to the last block
 * without a search. A segment that fills a hole is put in its place by a walk from where the last one was, or from `floor`,
 * bounded by the blocks of one window. The first copy of a byte stays: a retransmission must carry the same byte (RFC 9293
 * 3.8.1), and what the receiver may already have read must not change.
 */
import { Counter } from '../abi/codes';
import { NONE } from '../abi/layout';
import { countBy } from '../memory/counters';
import { Ptr } from '../memory/regions';
import { sum, turned } from '../parser/checksum';
import { seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from '../parser/seq';
import {
  allocBlock,
  BLOCK_DATA,
  blockEnd,
  blockLength,
  blockNext,
  blockPtr,
  blockSeq,
  blockSum,
  bytesAllowed,
  Chain,
  freeBlock,
  handOver,
  hasSum,
  HEADER,
  noteBytes,
  setNext,
} from './blocks';

/** The last block that begins at or before seq, NONE when there is none. */
function blockBefore(chain: Chain, seq: u32): u32 {
  if (chain.tail != NONE && seqGe(seq, blockSeq(chain.tail))) return chain.tail;
  let found: u32 = NONE;
  let i = seekBlock(chain, seq);
  while (i != NONE && !seqGt(blockSeq(i), seq)) {
    found = i;
    i = blockNext(i);
  }
  return found;
}

/** The same for a number at the end of block `i`: that one, or the next. */
function nextBefore(i: u32, seq: u32): u32 {
  const next = blockNext(i);
  return next != NONE && blockSeq(next) == seq ? next : i;
}

/** Keeps a payload. The number of bytes that were refused for want of room: 0 when all is kept. */
export function retain(chain: Chain, seq: u32, bytes: Ptr, length: u32): u32 {
  const left = put(chain, seq, bytes, length, true);
  if (left > 0) countBy(Counter.RetainedDropped, left);
  return left;
}

/** Puts bytes back that were in the chain before: no budget, it has been granted already, only the pool. */
export function restore(chain: Chain, seq: u32, bytes: Ptr, length: u32): void {
  put(chain, seq, bytes, length, false);
}

function put(chain: Chain, seq: u32, bytes: Ptr, length: u32, bounded: bool): u32 {
  let at = seq;
  let from = bytes;
  let left = length;
  let before = blockBefore(chain, at);
  while (left > 0) {
    if (before != NONE && seqLt(at, blockEnd(before))) {
      // Already here: skip what the block covers.
      const known = min<u32>(left, <u32>seqDiff(blockEnd(before), at));
      at += known;
      from += known;
      left -= known;
      before = nextBefore(before, at);
      continue;
    }
    const after = before == NONE ? chain.head : blockNext(before);
    let n = left;
    if (after != NONE) n = min<u32>(n, <u32>seqDiff(blockSeq(after), at));
    if (bounded && chain.bytes + n > bytesAllowed(chain.budget)) break;
    let target = before;
    if (before == NONE || blockEnd(before) != at || blockLength(before) == BLOCK_DATA) {
      target = allocBlock(chain, at, after, bounded);
      if (target == NONE) break;
      if (before == NONE) chain.head = target;
      else setNext(before, target);
      if (after == NONE) chain.tail = target;
    }
    const filled = blockLength(target);
    n = min<u32>(n, BLOCK_DATA - filled);
    memory.copy(blockPtr(target) + HEADER + filled, from, n);
    noteBytes(target, n);
    chain.bytes += n;
    at += n;
    from += n;
    left -= n;
    before = nextBefore(target, at);
  }
  return left;
}

/** Lets go of every byte before `seq`; a block goes when all of it is. */
export function releaseBefore(chain: Chain, seq: u32): void {
  let i = chain.head;
  while (i != NONE && !seqGt(blockEnd(i), seq)) {
    const next = blockNext(i);
    chain.bytes -= blockLength(i);
    if (chain.hint == i) chain.hint = NONE;
    if (chain.floor == i) chain.floor = NONE;
    freeBlock(chain, i);
    i = next;
  }
  chain.head = i;
  if (i == NONE) chain.tail = NONE;
}

/**
 * As releaseBefore, but what can still be compared goes to the end of `into`, as far as its budget allows and without a
 * gap: from `wanted` on.
 */
export function moveBefore(chain: Chain, seq: u32, into: Chain, wanted: u32): void {
  let i = chain.head;
  while (i != NONE && !seqGt(blockEnd(i), seq)) {
    const next = blockNext(i);
    chain.bytes -= blockLength(i);
    if (chain.hint == i) chain.hint = NONE;
    if (chain.floor == i) chain.floor = NONE;
    const follows = into.tail == NONE ? seqGt(blockEnd(i), wanted) : blockEnd(into.tail) == blockSeq(i);
    if (!follows || !appendBlock(into, i, chain)) freeBlock(chain, i);
    i = next;
  }
  chain.head = i;
  if (i == NONE) chain.tail = NONE;
}

/** Puts a block of `from` behind the last one of `into`; bytes that fit into that one go there. False: no room. */
function appendBlock(into: Chain, i: u32, from: Chain): bool {
  const length = blockLength(i);
  if (into.bytes + length > bytesAllowed(into.budget)) return false;
  const tail = into.tail;
  if (tail != NONE && blockLength(tail) + length <= BLOCK_DATA) {
    memory.copy(blockPtr(tail) + HEADER + blockLength(tail), blockPtr(i) + HEADER, length);
    noteBytes(tail, length);
    freeBlock(from, i);
  } else {
    if (!handOver(from, into)) return false;
    if (tail == NONE) into.head = i;
    else setNext(tail, i);
    setNext(i, NONE);
    into.tail = i;
  }
  into.bytes += length;
  return true;
}

/** Late segments are looked for from the block of `seq` on: what lies before it is complete. */
export function raiseFloor(chain: Chain, seq: u32): void {
  let i = chain.floor == NONE ? chain.head : chain.floor;
  while (i != NONE && seqLe(blockEnd(i), seq) && blockNext(i) != NONE) i = blockNext(i);
  chain.floor = i;
}

/** Copies all of `from` into `to` where `to` has nothing. The number of bytes that were refused. */
export function fillFrom(to: Chain, from: Chain): u32 {
  let refused: u32 = 0;
  for (let i = from.head; i != NONE; i = blockNext(i)) {
    refused += retain(to, blockSeq(i), blockPtr(i) + HEADER, blockLength(i));
  }
  return refused;
}

/** The first number kept, `otherwise` when nothing is. */
export function firstOf(chain: Chain, otherwise: u32): u32 {
  return chain.head == NONE ? otherwise : blockSeq(chain.head);
}

/** Bytes of whole blocks from the head on that end at or before `seq`, at most `limit`. */
export function wholeBefore(chain: Chain, seq: u32, limit: u32): u32 {
  let n: u32 = 0;
  for (let i = chain.head; i != NONE && seqLe(blockEnd(i), seq); i = blockNext(i)) {
    if (n + blockLength(i) > limit || blockSeq(i) != blockSeq(chain.head) + n) break;
    n += blockLength(i);
  }
  return n;
}

export function releaseAll(chain: Chain): void {
  let i = chain.head;
  while (i != NONE) {
    const next = blockNext(i);
    freeBlock(chain, i);
    i = next;
  }
  chain.head = NONE;
  chain.tail = NONE;
  chain.bytes = 0;
  chain.hint = NONE;
  chain.floor = NONE;
}

/** The first sequence number at or after `seq` that is kept; `end` when there is none before it. */
export function firstRetained(chain: Chain, seq: u32, end: u32): u32 {
  let i = seekBlock(chain, seq);
  while (i != NONE && !seqGt(blockEnd(i), seq)) i = blockNext(i);
  if (i == NONE) return end;
  const at = blockSeq(i);
  if (seqGe(seq, at)) return seq;
  return seqLt(at, end) ? at : end;
}

/** Where to start to look for `seq`: the hint or the floor, whichever is nearer and not past it, or the head. */
function seekBlock(chain: Chain, seq: u32): u32 {
  const hint = chain.hint;
  const floor = chain.floor;
  const hinted = hint != NONE && !seqGt(blockSeq(hint), seq);
  if (floor != NONE && !seqGt(blockSeq(floor), seq) && !(hinted && seqGt(blockSeq(hint), blockSeq(floor))))
    return floor;
  return hinted ? hint : chain.head;
}

/** Bytes kept without a hole from `seq` on, at most `limit`. */
export function contiguous(chain: Chain, seq: u32, limit: u32): u32 {
  let i = seekBlock(chain, seq);
  let n: u32 = 0;
  while (i != NONE && n < limit) {
    const at = seq + n;
    if (seqGt(blockSeq(i), at)) break;
    if (seqGt(blockEnd(i), at)) n += <u32>seqDiff(blockEnd(i), at);
    i = blockNext(i);
  }
  return min<u32>(n, limit);
}

/** Copies `length` bytes from `seq` on, all of which must be kept (see contiguous). Their sum, for a checksum. */
export function readRetained(chain: Chain, seq: u32, to: Ptr, length: u32): u64 {
  let acc: u64 = 0;
  let i = seekBlock(chain, seq);
  let at = seq;
  let into = to;
  let left = length;
  while (left > 0 && i != NONE) {
    const end = blockEnd(i);
    if (seqGt(end, at)) {
      const n = min<u32>(left, <u32>seqDiff(end, at));
      memory.copy(into, blockPtr(i) + HEADER + (at - blockSeq(i)), n);
      const added = n == blockLength(i) && hasSum(i) ? blockSum(i) : sum(into, n, 0);
      acc += ((into - to) & 1) == 0 ? added : turned(added);
      at += n;
      into += n;
      left -= n;
      chain.hint = i;
    }
    i = blockNext(i);
  }
  return acc;
}

/** First and last number at which the bytes at `bytes` differ from those kept; valid after `differs` said true. */
export let differenceFirst: u32 = 0;
export let differenceLast: u32 = 0;

/** Compares `length` bytes from `seq` on with what is kept of them. */
export function differs(chain: Chain, seq: u32, bytes: Ptr, length: u32): bool {
  const end = seq + length;
  let found = false;
  for (let i = seekBlock(chain, seq); i != NONE && seqLt(blockSeq(i), end); i = blockNext(i)) {
    const from = seqMax(seq, blockSeq(i));
    const to = seqMin(end, blockEnd(i));
    if (!seqLt(from, to)) continue;
    chain.hint = i;
    const mine = blockPtr(i) + HEADER + (from - blockSeq(i));
    const theirs = bytes + (from - seq);
    const n = to - from;
    const at = firstDifference(mine, theirs, n);
    if (at == n) continue;
    if (!found) differenceFirst = from + at;
    differenceLast = from + lastDifference(mine, theirs, n);
    found = true;
  }
  return found;
}

/** Index of the first byte that differs, n when none does. */
function firstDifference(a: Ptr, b: Ptr, n: u32): u32 {
  let i: u32 = 0;
  while (i + 8 <= n && load<u64>(a + i) == load<u64>(b + i)) i += 8;
  while (i < n && load<u8>(a + i) == load<u8>(b + i)) i++;
  return i;
}

/** Index of the last byte that differs; there is one. */
function lastDifference(a: Ptr, b: Ptr, n: u32): u32 {
  let i = n - 1;
  while (load<u8>(a + i) == load<u8>(b + i)) i--;
  return i;
}
