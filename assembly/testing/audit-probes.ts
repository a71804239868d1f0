/**
 * Test build only: an audit of what the core keeps. The books are what is written down in one place and can be counted in
 * another; a digest is everything that belongs to one connection, as one number.
 */
import { Counter, Loss, Phase, Reason, TcpState } from '../abi/codes';
import { BLOCK_BYTES, CONNECTION_BYTES, CONNECTION_FLOWS, COUNTER_BYTES, NONE, SERVICE_LOSSES } from '../abi/layout';
import { blocksBase, connectionCapacity, COUNTERS } from '../memory/regions';
import { seqGt } from '../parser/seq';
import { Connection, connectionAt, NO_SERVICE, phaseOf, stateOf } from '../tracker/connection';
import { CONN_BOUND, CONN_RECOVERING } from '../tracker/marks';
import { activeCount, halfOpenCount, ListId } from '../tracker/lists';
import { Budget, Chain, recordedBytes, retainedBytes } from '../tracker/blocks';
import { Service, serviceAt, serviceCount } from '../tracker/service';
import { findOnStack, findOnWire, stackPeerPtr, usedRecords } from '../tracker/table';
import { probeChain } from './model-probes';

const CHAINS: u32 = 5;
/** FNV-1a (Fowler, Noll, Vo), 32 bits. */
const FNV_OFFSET: u32 = 2166136261;
const FNV_PRIME: u32 = 16777619;

function chainOf(connection: u32, which: u32): Chain {
  return changetype<Chain>(probeChain(connection, which));
}

function digest(start: u32, at: usize, bytes: u32): u32 {
  let hash = start;
  for (let i: u32 = 0; i < bytes; i++) hash = (hash ^ (<u32>load<u8>(at + i))) * FNV_PRIME;
  return hash;
}

/** Records that there are, in use or not. */
export function probeCapacity(): u32 {
  return connectionCapacity;
}

/** The record without its links, which are its neighbours' business, and its bytes in the store. */
export function probeDigest(connection: u32): u32 {
  const at = changetype<usize>(connectionAt(connection));
  const links = <u32>offsetof<Connection>('next');
  let hash = digest(FNV_OFFSET, at, links);
  hash = digest(hash, at + CONNECTION_FLOWS, CONNECTION_BYTES - CONNECTION_FLOWS);
  for (let which: u32 = 0; which < CHAINS; which++) {
    for (let i = chainOf(connection, which).head; i != NONE; i = blockNext(i)) {
      hash = digest(hash, blockAt(i), 8);
      hash = digest(hash, blockAt(i) + 12, blockLength(i));
    }
  }
  return hash;
}

function blockAt(i: u32): usize {
  return blocksBase + <usize>i * BLOCK_BYTES;
}

function blockLength(i: u32): u32 {
  return load<u32>(blockAt(i), 4);
}

function blockNext(i: u32): u32 {
  return load<u32>(blockAt(i), 8);
}

/** The first book that does not add up, 0 when all do; BOOKS in test/fuzz/rig.ts has their names. */
export function probeBooks(): u32 {
  let halfOpen: u32 = 0;
  let active: u32 = 0;
  let blocks: u32 = 0;
  let recorded: u32 = 0;
  for (let i: u32 = 0; i < usedRecords(); i++) {
    const c = connectionAt(i);
    if (stateOf(c) == TcpState.Free) continue;
    if (c.list == <u8>ListId.HalfOpen) halfOpen++;
    if (c.list == <u8>ListId.Active) active++;
    for (let which: u32 = 0; which < CHAINS; which++) {
      const chain = chainOf(i, which);
      if (!isSound(chain)) return 1;
      blocks += chain.blocks;
      if (chain.budget != <u32>Budget.Retained) recorded += chain.blocks;
    }
    if (!isIndexed(c)) return 2;
  }
  if (blocks * BLOCK_BYTES != retainedBytes()) return 3;
  if (recorded * BLOCK_BYTES != recordedBytes()) return 4;
  if (halfOpen != halfOpenCount()) return 5;
  if (active != activeCount()) return 6;
  let divergences: u64 = 0;
  for (let service: u32 = 0; service < serviceCount(); service++) {
    const wrong = wrongBook(serviceAt(service), service);
    if (wrong != 0) return wrong;
    divergences += serviceAt(service).divergences;
  }
  const at = COUNTERS + (<usize>Reason.Count + <usize>Counter.Divergences) * COUNTER_BYTES;
  return load<u64>(at) == divergences ? 0 : 13;
}

/** Whether the blocks are in order, do not overlap, and are as many and as full as the chain says. */
function isSound(chain: Chain): bool {
  let bytes: u32 = 0;
  let blocks: u32 = 0;
  let last: u32 = NONE;
  for (let i = chain.head; i != NONE; i = blockNext(i)) {
    if (last != NONE && seqGt(load<u32>(blockAt(last)) + blockLength(last), load<u32>(blockAt(i)))) return false;
    bytes += blockLength(i);
    blocks++;
    last = i;
  }
  return bytes == chain.bytes && blocks == chain.blocks && last == chain.tail;
}

/** Whether the record is found by the tuples it has. */
function isIndexed(c: Connection): bool {
  const onWire = findOnWire(c.clientPtr, <u32>c.clientPort, c.serverPtr, <u32>c.serverPort, c.vlan);
  if (onWire != c.index) return false;
  if (!c.marked(CONN_BOUND)) return true;
  if (c.service == NO_SERVICE) return false;
  const s = serviceAt(<u32>c.service);
  return findOnStack(stackPeerPtr(c, s), <u32>c.stackPort, s.replicaPtr, <u32>c.serverPort) == c.index;
}

function wrongBook(s: Service, service: u32): u32 {
  let tracked: u32 = 0;
  let halfOpen: u32 = 0;
  let queued: u32 = 0;
  let recovering: u32 = 0;
  let inFlight: u32 = 0;
  for (let i: u32 = 0; i < usedRecords(); i++) {
    const c = connectionAt(i);
    if (stateOf(c) == TcpState.Free || <u32>c.service != service) continue;
    const phase = phaseOf(c);
    tracked++;
    if (c.list == <u8>ListId.HalfOpen) halfOpen++;
    if (c.list == <u8>ListId.Queued) queued++;
    if (c.marked(CONN_RECOVERING)) recovering++;
    if (phase == Phase.SynSent || phase == Phase.Confirming) inFlight++;
  }
  if (tracked != s.tracked) return 7;
  if (halfOpen != s.halfOpen) return 8;
  if (queued != queueLength(s, queued + 1)) return 9;
  if (recovering != s.recovering) return 10;
  if (inFlight != s.inFlight) return 11;
  let lost: u32 = 0;
  for (let loss: u32 = 0; loss < <u32>Loss.Count; loss++) {
    lost += load<u32>(changetype<usize>(s) + SERVICE_LOSSES + loss * 4);
  }
  return lost == s.lost ? 0 : 12;
}

/** Links of the queue from its head on; at most `limit` of them are followed. */
function queueLength(s: Service, limit: u32): u32 {
  let n: u32 = 0;
  let last: u32 = NONE;
  for (let i = s.queueHead; i != NONE && n < limit; i = connectionAt(i).next) {
    last = i;
    n++;
  }
  return last == s.queueTail ? n : limit;
}
