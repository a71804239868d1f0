/**
 * Intrusive lists of connections: no allocation, O(1) insert and remove. A record is on at most one of them; the
 * record's `list` says which.
 *   Free       records not in use (singly linked)
 *   HalfOpen   handshake not complete, oldest first: the one to give way under a SYN flood
 *   Queued     waits for its turn in the handshakes with the replica (one list per service)
 *   Active     handshake under way or store being sent: what the short timer looks at
 *   None       everything else
 */
import { NONE } from '../abi/layout';
import { Connection, connectionAt } from './connection';
import { Service } from './service';

export const enum ListId {
  None = 0,
  Free = 1,
  HalfOpen = 2,
  Queued = 3,
  Active = 4,
}

let halfOpenHead: u32 = NONE;
let halfOpenTail: u32 = NONE;
let halfOpenLength: u32 = 0;
let activeHead: u32 = NONE;
let activeTail: u32 = NONE;
let activeLength: u32 = 0;

export function resetLists(): void {
  halfOpenHead = NONE;
  halfOpenTail = NONE;
  halfOpenLength = 0;
  activeHead = NONE;
  activeTail = NONE;
  activeLength = 0;
  readyHead = NONE;
  readyTail = NONE;
}

export function oldestHalfOpen(): u32 {
  return halfOpenHead;
}

export function halfOpenCount(): u32 {
  return halfOpenLength;
}

export function firstActive(): u32 {
  return activeHead;
}

export function activeCount(): u32 {
  return activeLength;
}

/** Links c behind `tail`; the new tail. The caller keeps head and count. */
function linkLast(c: Connection, tail: u32, list: ListId): u32 {
  const i = c.index;
  c.prev = tail;
  c.next = NONE;
  c.list = <u8>list;
  if (tail != NONE) connectionAt(tail).next = i;
  return i;
}

/** Takes c out of its neighbours' links. */
function unlink(c: Connection): void {
  if (c.prev != NONE) connectionAt(c.prev).next = c.next;
  if (c.next != NONE) connectionAt(c.next).prev = c.prev;
  c.list = <u8>ListId.None;
}

export function listHalfOpen(c: Connection, s: Service | null): void {
  halfOpenTail = linkLast(c, halfOpenTail, ListId.HalfOpen);
  if (halfOpenHead == NONE) halfOpenHead = halfOpenTail;
  halfOpenLength++;
  if (s != null) s.halfOpen++;
}

export function listActive(c: Connection): void {
  activeTail = linkLast(c, activeTail, ListId.Active);
  if (activeHead == NONE) activeHead = activeTail;
  activeLength++;
}

/** Puts c into the queue of its service: in front when somebody waits for its bytes. */
export function listQueued(c: Connection, s: Service, inFront: bool): void {
  const i = c.index;
  if (!inFront) {
    s.queueTail = linkLast(c, s.queueTail, ListId.Queued);
    if (s.queueHead == NONE) s.queueHead = i;
    return;
  }
  c.prev = NONE;
  c.next = s.queueHead;
  c.list = <u8>ListId.Queued;
  if (s.queueHead != NONE) connectionAt(s.queueHead).prev = i;
  s.queueHead = i;
  if (s.queueTail == NONE) s.queueTail = i;
}

/** Takes c off the list it is on, if any. `s` is its service, null for none. */
export function unlist(c: Connection, s: Service | null): void {
  const i = c.index;
  switch (<ListId>c.list) {
    case ListId.HalfOpen:
      if (halfOpenHead == i) halfOpenHead = c.next;
      if (halfOpenTail == i) halfOpenTail = c.prev;
      halfOpenLength--;
      if (s != null) s.halfOpen--;
      unlink(c);
      break;
    case ListId.Active:
      if (activeHead == i) activeHead = c.next;
      if (activeTail == i) activeTail = c.prev;
      activeLength--;
      unlink(c);
      break;
    case ListId.Queued:
      if (s != null) {
        if (s.queueHead == i) s.queueHead = c.next;
        if (s.queueTail == i) s.queueTail = c.prev;
      }
      unlink(c);
      break;
    default:
      break;
  }
}

// The ready queue: connections that have segments to send as soon as the transmit queue has room. First in, first
// out, so that one connection with a full store does not hold up the others.

let readyHead: u32 = NONE;
let readyTail: u32 = NONE;

export function makeReady(c: Connection): void {
  if (c.ready) return;
  const i = c.index;
  c.ready = 1;
  c.readyNext = NONE;
  if (readyTail != NONE) connectionAt(readyTail).readyNext = i;
  else readyHead = i;
  readyTail = i;
}

/** The next ready connection, taken off the queue, or NONE. */
export function takeReady(): u32 {
  const i = readyHead;
  if (i == NONE) return NONE;
  const c = connectionAt(i);
  readyHead = c.readyNext;
  if (readyHead == NONE) readyTail = NONE;
  c.ready = 0;
  return i;
}
