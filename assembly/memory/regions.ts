/**
 * Every region of linear memory, in one place.
 *
 *   0                static: tables of constants (placed by asc)
 *   RX_SLOT          headroom | one captured frame
 *   TX_TABLE         TX_MAX descriptors of frames to send
 *   TX_ARENA         bytes of the frames the core made itself
 *   SERVICES         MAX_SERVICES records; SERVICE_SCRATCH is where a host writes a new one
 *   COUNTERS         u64 each: refusals, then the rest
 *   __heap_base      sized by init from the configured capacities:
 *     index          hash index of the connection table, a power of two of 8-byte entries
 *     connections    CONNECTION_BYTES each
 *     blocks         BLOCK_BYTES each: retained and recorded bytes
 *
 * The host grows the memory before init; the core never does, so no view of it is ever detached.
 */
import {
  BLOCK_BYTES,
  CONNECTION_BYTES,
  COUNTER_BYTES,
  MAX_SERVICES,
  RX_FRAME_BYTES,
  RX_HEADROOM,
  SERVICE_BYTES,
  TX_ARENA_BYTES,
  TX_DESC_BYTES,
  TX_MAX,
} from '../abi/layout';
import { Counter, Reason } from '../abi/codes';

export type Ptr = usize;

export const RX_SLOT: Ptr = memory.data(RX_HEADROOM + RX_FRAME_BYTES, 16) + RX_HEADROOM;
export const TX_TABLE: Ptr = memory.data(TX_MAX * TX_DESC_BYTES, 16);
export const TX_ARENA: Ptr = memory.data(TX_ARENA_BYTES, 16);
export const SERVICES: Ptr = memory.data(MAX_SERVICES * SERVICE_BYTES, 16);
export const SERVICE_SCRATCH: Ptr = memory.data(SERVICE_BYTES, 16);
export const COUNTERS: Ptr = memory.data((<u32>Reason.Count + <u32>Counter.Count) * COUNTER_BYTES, 16);

const INDEX_ENTRY_BYTES: u32 = 8;
const PAGE_BYTES: u64 = 65536;

export let indexBase: Ptr = 0;
export let indexMask: u32 = 0;
export let connectionsBase: Ptr = 0;
export let connectionCapacity: u32 = 0;
export let blocksBase: Ptr = 0;
export let blockCapacity: u32 = 0;

/**
 * Entries of the index: two tuples per connection (wire side, stack side), at most half full, so that a probe
 * sequence stays short.
 */
function indexEntries(connections: u32): u32 {
  let n: u32 = 1024;
  while (n < connections * 4) n <<= 1;
  return n;
}

/** Bytes of linear memory that these capacities need, static regions included. */
function bytesNeeded(connections: u32, retainedBytes: u32, recordBytes: u32): u64 {
  return (
    <u64>__heap_base +
    64 +
    <u64>indexEntries(connections) * INDEX_ENTRY_BYTES +
    <u64>connections * CONNECTION_BYTES +
    <u64>blocksFor(retainedBytes, recordBytes) * BLOCK_BYTES
  );
}

/** Both budgets together, so that what is recorded and what is not yet acknowledged never have to be moved. */
function blocksFor(retainedBytes: u32, recordBytes: u32): u32 {
  return retainedBytes / BLOCK_BYTES + recordBytes / BLOCK_BYTES;
}

/** Pages of 64 KiB that the memory must have before layOut. */
export function pagesFor(connections: u32, retainedBytes: u32, recordBytes: u32): u32 {
  return <u32>((bytesNeeded(connections, retainedBytes, recordBytes) + PAGE_BYTES - 1) / PAGE_BYTES);
}

/**
 * Places the dynamic regions; false when the memory is too small. Records and blocks are cleared when they are first used:
 * room for a million connections costs no memory before there are as many.
 */
export function layOut(connections: u32, retainedBytes: u32, recordBytes: u32): bool {
  if (<u32>memory.size() < pagesFor(connections, retainedBytes, recordBytes)) return false;
  const entries = indexEntries(connections);
  indexBase = (__heap_base + 63) & ~(<usize>63);
  indexMask = entries - 1;
  connectionsBase = indexBase + <usize>entries * INDEX_ENTRY_BYTES;
  connectionCapacity = connections;
  blocksBase = connectionsBase + <usize>connections * CONNECTION_BYTES;
  blockCapacity = blocksFor(retainedBytes, recordBytes);
  memory.fill(indexBase, 0, <usize>entries * INDEX_ENTRY_BYTES);
  memory.fill(SERVICES, 0, MAX_SERVICES * SERVICE_BYTES);
  memory.fill(COUNTERS, 0, (<u32>Reason.Count + <u32>Counter.Count) * COUNTER_BYTES);
  return true;
}
