/**
 * Blocks of bytes seen on the tap, in one pool, and the chains that they form.
 *
 *   block   0 ┌ seq u32 ┐ 4 ┌ length u32 ┐ 8 ┌ next u32 ┐ 12 ┌ sum u32 ┐ 16 ┌ bytes ... ┐ BLOCK_BYTES
 *
 * A chain has a budget, in bytes and in the blocks these need in order: a peer that sends single bytes with gaps between them
 * fills its own budget, not the pool. What is recorded and what is not yet acknowledged have each their part of the pool.
 * The sum of a record's block is made when its bytes come, and are in the CPU's cache, not when they are sent: a replay sends
 * as fast as the memory goes, and a pass more over all of it is a fifth of its time.
 * Nothing is evicted here: what does not fit is refused, and the caller says what that means for the connection.
 */
import { BLOCK_BYTES, NONE } from '../abi/layout';
import { blockCapacity, blocksBase, Ptr } from '../memory/regions';
import { fold, sum, turned } from '../parser/checksum';

export const HEADER: u32 = 16;
export const BLOCK_DATA: u32 = BLOCK_BYTES - HEADER;

/** In the place of a sum that nobody has made. A sum is folded: 16 bits. */
const NO_SUM: u32 = 0x10000;

/** What a chain's bytes are kept for, and so how many it may have. */
export const enum Budget {
  /** Not yet acknowledged end to end. */
  Retained = 0,
  /** The client's bytes from its SYN on. */
  Record = 1,
  /** The primary's output, until the replica's can be compared with it. */
  Compare = 2,
}

/** Blocks in order of their sequence numbers. */
@unmanaged
export class Chain {
  /** First and last block, NONE when empty. */
  head: u32;
  tail: u32;
  /** Payload bytes kept. */
  bytes: u32;
  /** Blocks that hold them. */
  blocks: u32;
  /** Block that the next read starts to look at, NONE when unknown. */
  hint: u32;
  /** Block that the search for the place of a late segment starts at, NONE: the head. */
  floor: u32;
  /** Budget. */
  budget: u32;
}

let perChain: u32 = 0;
let perRecord: u32 = 0;
let perCompare: u32 = 0;
/** Blocks that records may use in all, of the pool. */
let recordBlocks: u32 = 0;
let freeBlocks: u32 = NONE;
let usedBlocks: u32 = 0;
let blocksInUse: u32 = 0;
let recordInUse: u32 = 0;

/** Bytes: one direction of one connection, a record, the primary's output for one comparison, and all records. */
export function resetRetained(retained: u32, record: u32, compare: u32, allRecords: u32): void {
  perChain = retained;
  perRecord = record;
  perCompare = compare;
  recordBlocks = allRecords / BLOCK_BYTES;
  freeBlocks = NONE;
  usedBlocks = 0;
  blocksInUse = 0;
  recordInUse = 0;
}

/** Bytes of the pool in use, headers and unused ends of blocks included. */
export function retainedBytes(): u32 {
  return blocksInUse * BLOCK_BYTES;
}

/** The same of records alone. */
export function recordedBytes(): u32 {
  return recordInUse * BLOCK_BYTES;
}

function retainedInUse(): u32 {
  return blocksInUse - recordInUse;
}

/** Whether records use more than three quarters of what they may: time to move some of them elsewhere. */
export function recordsAreTight(): bool {
  return recordInUse > recordBlocks - (recordBlocks >>> 2);
}

/** Bytes of the record of one connection, wherever they are. */
export function recordAllowed(): u32 {
  return perRecord;
}

export function bytesAllowed(budget: u32): u32 {
  return budget == <u32>Budget.Record ? perRecord : budget == <u32>Budget.Compare ? perCompare : perChain;
}

/** Whether the chain is kept for longer than until its bytes are acknowledged. */
export function isRecorded(chain: Chain): bool {
  return chain.budget != <u32>Budget.Retained;
}

export function emptyChain(chain: Chain, budget: Budget): void {
  chain.head = NONE;
  chain.tail = NONE;
  chain.bytes = 0;
  chain.blocks = 0;
  chain.hint = NONE;
  chain.floor = NONE;
  chain.budget = <u32>budget;
}

/** From now on the chain is kept for something else. */
export function changeBudget(chain: Chain, budget: Budget): void {
  if (isRecorded(chain)) recordInUse -= chain.blocks;
  chain.budget = <u32>budget;
  if (isRecorded(chain)) recordInUse += chain.blocks;
}

export function blockPtr(i: u32): Ptr {
  return blocksBase + <usize>i * BLOCK_BYTES;
}

export function blockSeq(i: u32): u32 {
  return load<u32>(blockPtr(i));
}

export function blockLength(i: u32): u32 {
  return load<u32>(blockPtr(i), 4);
}

export function blockEnd(i: u32): u32 {
  return blockSeq(i) + blockLength(i);
}

export function blockNext(i: u32): u32 {
  return load<u32>(blockPtr(i), 8);
}

/** Whether `blockSum` has a meaning. */
export function hasSum(i: u32): bool {
  return load<u32>(blockPtr(i), 12) != NO_SUM;
}

/** Of all bytes of the block, the first of which counts as in an even place. */
export function blockSum(i: u32): u64 {
  return <u64>load<u32>(blockPtr(i), 12);
}

/** The block's last `n` bytes have come. */
export function noteBytes(i: u32, n: u32): void {
  const b = blockPtr(i);
  const filled = load<u32>(b, 4);
  store<u32>(b, filled + n, 4);
  if (!hasSum(i)) return;
  const added = sum(b + HEADER + filled, n, 0);
  store<u32>(b, fold(blockSum(i) + ((filled & 1) == 0 ? added : turned(added))), 12);
}

export function setNext(i: u32, next: u32): void {
  store<u32>(blockPtr(i), next, 8);
}

export function allocBlock(chain: Chain, seq: u32, next: u32, bounded: bool): u32 {
  // One more than its bytes fill: the first block may be partly released.
  if (bounded && chain.blocks >= bytesAllowed(chain.budget) / BLOCK_DATA + 2) return NONE;
  const recorded = isRecorded(chain);
  if (bounded && (recorded ? recordInUse >= recordBlocks : retainedInUse() >= blockCapacity - recordBlocks))
    return NONE;
  let i = freeBlocks;
  if (i != NONE) {
    freeBlocks = blockNext(i);
  } else {
    if (usedBlocks >= blockCapacity) return NONE;
    i = usedBlocks++;
  }
  blocksInUse++;
  if (recorded) recordInUse++;
  chain.blocks++;
  const b = blockPtr(i);
  store<u32>(b, seq);
  store<u32>(b, 0, 4);
  store<u32>(b, next, 8);
  store<u32>(b, chain.budget == <u32>Budget.Record ? 0 : NO_SUM, 12);
  return i;
}

export function freeBlock(chain: Chain, i: u32): void {
  setNext(i, freeBlocks);
  freeBlocks = i;
  blocksInUse--;
  if (isRecorded(chain)) recordInUse--;
  chain.blocks--;
}

/** The block goes from one chain to a recorded one. False when records have no room for it. */
export function handOver(from: Chain, into: Chain): bool {
  if (recordInUse >= recordBlocks) return false;
  from.blocks--;
  into.blocks++;
  recordInUse++;
  return true;
}
