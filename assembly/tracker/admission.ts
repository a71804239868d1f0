/**
 * Who gets a record. Half-open connections have a budget of their own and make room among themselves, oldest first, so
 * a flood costs other half-open connections their record but never an established one. Half-open are those whose handshake
 * is not complete, and those picked up while running of which only one side has been seen: anybody can send a
 * SYN, or an ACK out of nowhere. In a full table those that are over go first.
 */
import { Dir, Reason, TcpState } from '../abi/codes';
import { CONNECTION_FLAG_HANDSHAKE, FLOW_FLAG_SPOKE, NONE } from '../abi/layout';
import { refuse } from '../memory/counters';
import { connectionCapacity, Ptr } from '../memory/regions';
import { Packet } from '../parser/packet';
import { Connection, connectionAt, flowOf, stateOf } from './connection';
import { CONN_COPY } from './marks';
import { halfOpenCount, ListId, listHalfOpen, oldestHalfOpen, unlist } from './lists';
import { addConnection, isOver, removeConnection, serviceOf, usedRecords } from './table';

/** Half-open records: an eighth of the table. Arbitrary: some thousand, as a listener's SYN queue. */
const HALF_OPEN_SHIFT: u32 = 3;

/** Records looked at for one that is over, when the table is full. Arbitrary: what a frame may cost at worst. */
const RECLAIM_STEPS: u32 = 64;

let reclaimAt: u32 = 0;

/** A new record for this tuple, NONE when the table is full of established connections. */
export function admit(client: Ptr, clientPort: u32, server: Ptr, serverPort: u32, p: Packet, service: u32): u32 {
  if (halfOpenCount() >= max<u32>(connectionCapacity >>> HALF_OPEN_SHIFT, 1)) evictHalfOpen();
  let i = addConnection(client, clientPort, server, serverPort, p.vlan, service, p.ipVersion);
  if (i == NONE && (reclaimOver() || evictHalfOpen())) {
    i = addConnection(client, clientPort, server, serverPort, p.vlan, service, p.ipVersion);
  }
  return i;
}

function evictHalfOpen(): bool {
  const i = oldestHalfOpen();
  if (i == NONE) return false;
  removeConnection(connectionAt(i));
  refuse(Reason.HalfOpenBudget);
  return true;
}

/** Gives back one of the next few records when its connection is over: the sweep would have, some seconds later. */
function reclaimOver(): bool {
  for (let n = min<u32>(usedRecords(), RECLAIM_STEPS); n > 0; n--) {
    if (reclaimAt >= usedRecords()) reclaimAt = 0;
    const c = connectionAt(reclaimAt++);
    if (stateOf(c) == TcpState.Free || !isOver(c) || c.ready != 0 || c.marked(CONN_COPY)) continue;
    removeConnection(c);
    return true;
  }
  return false;
}

/** Whether only one end of a connection picked up while running has been seen. */
function isOneSided(c: Connection): bool {
  if (c.has(CONNECTION_FLAG_HANDSHAKE) || isOver(c)) return false;
  return !flowOf(c, Dir.Inbound).has(FLOW_FLAG_SPOKE) || !flowOf(c, Dir.Outbound).has(FLOW_FLAG_SPOKE);
}

/** Puts the record on the list of half-open ones, or takes it off, as its state says. */
export function settleHalfOpen(c: Connection): void {
  const isHalfOpen = stateOf(c) < TcpState.Established || isOneSided(c);
  const s = serviceOf(c);
  if (isHalfOpen) {
    if (c.list == <u8>ListId.None) listHalfOpen(c, s);
  } else if (c.list == <u8>ListId.HalfOpen) {
    unlist(c, s);
  }
}
