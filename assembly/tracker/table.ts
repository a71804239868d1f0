/**
 * The connection table: an array of records and a hash index over it.
 *
 * Theory of operation. The index is open addressing with linear probing over 8-byte entries {hash, reference}; a
 * reference is record index * 2 + side + 1, 0 is empty. A connection has up to two entries: side 0 is the tuple of the
 * wire (client and service address), side 1 the tuple its replica sees, known once the connection has moved. The hash
 * is kept in the entry, so that a probe reads the record only on a match, and so that removal can shift the rest of
 * the cluster back (no tombstones: a table that has seen a million connections searches as fast as a new one). The
 * index is at most half full, whatever the records do.
 *
 * A reader that holds an index across calls must compare the generation: records are used again.
 */
import { Dir, Phase, TcpState } from '../abi/codes';
import { CONNECTION_BYTES, CONNECTION_FLAG_IPV6, NONE } from '../abi/layout';
import { connectionCapacity, indexBase, indexMask, Ptr } from '../memory/regions';
import { copyAddress, Packet } from '../parser/packet';
import { Connection, connectionAt, flowOf, NO_SERVICE, stateOf } from './connection';
import { CONN_BOUND } from './marks';
import { hashTuple } from './key';
import { ListId, resetLists, unlist } from './lists';
import { Budget, emptyChain } from './blocks';
import { releaseAll } from './retained';
import { sameAddress, Service, serviceAt } from './service';

const WIRE_SIDE: u32 = 0;
const STACK_SIDE: u32 = 1;

let freeHead: u32 = NONE;
let used: u32 = 0;

/** Records 0 .. usedRecords() - 1 have been in use at some time. */
export function usedRecords(): u32 {
  return used;
}

export function resetTable(): void {
  freeHead = NONE;
  used = 0;
  resetLists();
}

export function serviceOf(c: Connection): Service | null {
  return c.service == NO_SERVICE ? null : serviceAt(<u32>c.service);
}

// --- index ---------------------------------------------------------------------------------------------------

function entryHash(slot: u32): u32 {
  return load<u32>(indexBase + ((<usize>slot) << 3));
}

function entryRef(slot: u32): u32 {
  return load<u32>(indexBase + ((<usize>slot) << 3), 4);
}

function setEntry(slot: u32, hash: u32, ref: u32): void {
  store<u32>(indexBase + ((<usize>slot) << 3), hash);
  store<u32>(indexBase + ((<usize>slot) << 3), ref, 4);
}

function insertEntry(hash: u32, ref: u32): void {
  let slot = hash & indexMask;
  while (entryRef(slot) != 0) slot = (slot + 1) & indexMask;
  setEntry(slot, hash, ref);
}

/** Removes the entry and closes the gap: an entry moves back when its home is not behind the gap. */
function removeEntry(hash: u32, ref: u32): void {
  let slot = hash & indexMask;
  while (entryRef(slot) != ref) {
    if (entryRef(slot) == 0) return;
    slot = (slot + 1) & indexMask;
  }
  let gap = slot;
  let next = (gap + 1) & indexMask;
  while (entryRef(next) != 0) {
    const home = entryHash(next) & indexMask;
    if (((next - home) & indexMask) >= ((next - gap) & indexMask)) {
      setEntry(gap, entryHash(next), entryRef(next));
      gap = next;
    }
    next = (next + 1) & indexMask;
  }
  setEntry(gap, 0, 0);
}

// --- find ----------------------------------------------------------------------------------------------------

/** The connection of this client and server on the wire, or NONE. */
export function findOnWire(client: Ptr, clientPort: u32, server: Ptr, serverPort: u32, vlan: u32): u32 {
  const hash = hashTuple(client, clientPort, server, serverPort, vlan);
  let slot = hash & indexMask;
  let ref = entryRef(slot);
  while (ref != 0) {
    if (entryHash(slot) == hash && ((ref - 1) & 1) == WIRE_SIDE) {
      const i = (ref - 1) >>> 1;
      const c = connectionAt(i);
      if (
        <u32>c.clientPort == clientPort &&
        <u32>c.serverPort == serverPort &&
        c.vlan == vlan &&
        sameAddress(c.clientPtr, client) &&
        sameAddress(c.serverPtr, server)
      ) {
        return i;
      }
    }
    slot = (slot + 1) & indexMask;
    ref = entryRef(slot);
  }
  return NONE;
}

/** The peer's address as the replica of this connection sees it. */
export function stackPeerPtr(c: Connection, s: Service): Ptr {
  return s.isRemote ? s.addressPtr : c.clientPtr;
}

/** The connection whose replica (address, port) talks to this peer, or NONE. */
export function findOnStack(peer: Ptr, peerPort: u32, replica: Ptr, replicaPort: u32): u32 {
  const hash = hashTuple(peer, peerPort, replica, replicaPort, STACK_SIDE);
  let slot = hash & indexMask;
  let ref = entryRef(slot);
  while (ref != 0) {
    if (entryHash(slot) == hash && ((ref - 1) & 1) == STACK_SIDE) {
      const i = (ref - 1) >>> 1;
      const c = connectionAt(i);
      const s = serviceAt(<u32>c.service);
      if (
        <u32>c.stackPort == peerPort &&
        <u32>c.serverPort == replicaPort &&
        sameAddress(stackPeerPtr(c, s), peer) &&
        sameAddress(s.replicaPtr, replica)
      ) {
        return i;
      }
    }
    slot = (slot + 1) & indexMask;
    ref = entryRef(slot);
  }
  return NONE;
}

// --- records -------------------------------------------------------------------------------------------------

/** A record for the tuple, in TcpState.Closed until the tracker says more, or NONE when all are in use. */
export function addConnection(
  client: Ptr,
  clientPort: u32,
  server: Ptr,
  serverPort: u32,
  vlan: u32,
  service: u32,
  ipVersion: u32,
): u32 {
  let i = freeHead;
  let generation: u16 = 0;
  let ready: u8 = 0;
  let readyNext: u32 = 0;
  if (i != NONE) {
    const last = connectionAt(i);
    freeHead = last.next;
    generation = last.generation;
    // The ready queue may still hold the record from its last use; it finds nothing to send then.
    ready = last.ready;
    readyNext = last.readyNext;
  } else {
    if (used >= connectionCapacity) return NONE;
    i = used++;
  }
  const c = connectionAt(i);
  memory.fill(changetype<usize>(c), 0, CONNECTION_BYTES);
  copyAddress(c.clientPtr, client);
  copyAddress(c.serverPtr, server);
  c.clientPort = <u16>clientPort;
  c.serverPort = <u16>serverPort;
  c.vlan = vlan;
  c.service = <u16>service;
  c.generation = generation + 1;
  c.ready = ready;
  c.readyNext = readyNext;
  c.state = <u8>TcpState.Closed;
  c.phase = <u8>Phase.Direct;
  if (ipVersion == 6) c.flags = CONNECTION_FLAG_IPV6;
  clearFlows(c);
  emptyChain(c.uncompared, Budget.Compare);
  emptyChain(c.ahead, Budget.Retained);
  emptyChain(c.causes, Budget.Record);
  insertEntry(hashTuple(client, clientPort, server, serverPort, vlan), (i << 1) + WIRE_SIDE + 1);
  const s = serviceOf(c);
  if (s != null) s.tracked++;
  return i;
}

/** Both flows as before the first segment. */
export function clearFlows(c: Connection): void {
  const inbound = flowOf(c, Dir.Inbound);
  const outbound = flowOf(c, Dir.Outbound);
  memory.fill(changetype<usize>(inbound), 0, offsetof<Connection>('d1') - offsetof<Connection>('flows0'));
  emptyChain(inbound.kept, Budget.Retained);
  emptyChain(outbound.kept, Budget.Retained);
}

/** Gives a record back: its bytes, its entries, its place on a list. */
export function removeConnection(c: Connection): void {
  const i = c.index;
  const s = serviceOf(c);
  releaseAll(flowOf(c, Dir.Inbound).kept);
  releaseAll(flowOf(c, Dir.Outbound).kept);
  releaseAll(c.uncompared);
  releaseAll(c.ahead);
  releaseAll(c.causes);
  unbindStack(c);
  unlist(c, s);
  removeEntry(
    hashTuple(c.clientPtr, <u32>c.clientPort, c.serverPtr, <u32>c.serverPort, c.vlan),
    (i << 1) + WIRE_SIDE + 1,
  );
  if (s != null) s.tracked--;
  c.state = <u8>TcpState.Free;
  c.list = <u8>ListId.Free;
  c.next = freeHead;
  freeHead = i;
}

/**
 * Enters the tuple the replica will see: the client's own for a replica on this host, the service address with a
 * mapped port for a remote one. False when the tuple or all ports are taken.
 */
export function bindStack(c: Connection, s: Service): bool {
  if (s.isRemote) return bindMappedPort(c, s);
  unbindStack(c);
  c.stackPort = c.clientPort;
  return bindStackPort(c, s);
}

/** The same with a port of ours. */
export function bindMappedPort(c: Connection, s: Service): bool {
  unbindStack(c);
  for (let tries = <u32>s.mapLast - <u32>s.mapFirst + 1; tries > 0; tries--) {
    const port = s.mapNext;
    s.mapNext = port >= <u32>s.mapLast ? <u32>s.mapFirst : port + 1;
    if (s.hasPort(port)) continue;
    c.stackPort = <u16>port;
    if (bindStackPort(c, s)) return true;
  }
  return false;
}

/** The same with the port the record already has. */
export function bindStackPort(c: Connection, s: Service): bool {
  if (findOnStack(stackPeerPtr(c, s), <u32>c.stackPort, s.replicaPtr, <u32>c.serverPort) != NONE) return false;
  insertEntry(stackHash(c, s), (c.index << 1) + STACK_SIDE + 1);
  c.mark(CONN_BOUND);
  return true;
}

export function unbindStack(c: Connection): void {
  if (!c.marked(CONN_BOUND)) return;
  c.unmark(CONN_BOUND);
  const s = serviceAt(<u32>c.service);
  removeEntry(stackHash(c, s), (c.index << 1) + STACK_SIDE + 1);
}

function stackHash(c: Connection, s: Service): u32 {
  return hashTuple(stackPeerPtr(c, s), <u32>c.stackPort, s.replicaPtr, <u32>c.serverPort, STACK_SIDE);
}

/** Remembers the way back to the client: MAC address and tags of its frame. */
export function learnLink(c: Connection, p: Packet): void {
  c.clientMacHi = load<u16>(p.frame, 6);
  c.clientMacLo = load<u32>(p.frame, 8);
  c.outerTag = p.outerTag;
  c.innerTag = p.innerTag;
}

/** Whether the record stands for a connection that no longer carries data. */
export function isOver(c: Connection): bool {
  const state = stateOf(c);
  return state == TcpState.TimeWait || state == TcpState.Closed;
}
