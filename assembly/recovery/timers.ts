/**
 * Time: the short timers of connections on their way or being fed, and the slow sweep that ends records nobody uses.
 * The host calls tick; nothing here reads a clock.
 */
import { Dir, Loss, Phase, TcpState } from '../abi/codes';
import { NONE } from '../abi/layout';
import { seqDiff } from '../parser/seq';
import { Connection, connectionAt, NO_SERVICE, phaseOf, stateOf } from '../tracker/connection';
import { firstActive, ListId, unlist } from '../tracker/lists';
import { Service, serviceAt } from '../tracker/service';
import { removeConnection, usedRecords } from '../tracker/table';
import { isToBeCopied, tickCopy } from './copy';
import { isFeedDead, isFeeding, tickFeed } from './feed';
import { inHandshake, tickHandshake } from './handshake';
import { abandon, endCopy, isBeingTold, lose, tickLoss } from './loss';

/** Records looked at per tick: at ten ticks a second the default table is swept in 13 s. */
const SWEEP_RECORDS: u32 = 1024;

const SECOND: u32 = 1000;
const HOUR: u32 = 3600 * SECOND;
const DAY: u32 = 24 * HOUR;
/**
 * Idle time after which a record is dropped, by state. The long ones follow Linux conntrack (5 days for
 * established); half-closed connections are legitimate for long (RFC 9293 3.6), so they get a day where conntrack gives
 * minutes; TIME-WAIT is what Linux keeps it for; Closed stays a moment for whoever asks why.
 */
function idleLimit(state: TcpState): u32 {
  switch (state) {
    case TcpState.SynSent:
    case TcpState.SynReceived:
      return 60 * SECOND;
    case TcpState.Established:
      return 5 * DAY;
    case TcpState.ClientFin:
    case TcpState.ServerFin:
      return DAY;
    case TcpState.BothFin:
      return 120 * SECOND;
    case TcpState.TimeWait:
      return 60 * SECOND;
    default:
      return 30 * SECOND;
  }
}

let sweepAt: u32 = 0;

export function resetTimers(): void {
  sweepAt = 0;
}

export function onTick(nowMs: u32): void {
  let i = firstActive();
  while (i != NONE) {
    const c = connectionAt(i);
    i = c.next;
    tickConnection(c, nowMs);
  }
  sweep(nowMs);
}

function tickConnection(c: Connection, nowMs: u32): void {
  const s = serviceAt(<u32>c.service);
  if (inHandshake(c)) {
    tickHandshake(c, s, nowMs);
  } else if (phaseOf(c) == Phase.Withheld || isToBeCopied(c)) {
    tickCopy(c, s, nowMs);
  } else if (phaseOf(c) == Phase.Live && (isFeeding(c, Dir.Inbound) || isFeeding(c, Dir.Outbound))) {
    tickFeeds(c, s, nowMs);
  } else if (isBeingTold(c)) {
    tickLoss(c, nowMs);
  } else {
    unlist(c, s);
  }
}

function tickFeeds(c: Connection, s: Service, nowMs: u32): void {
  const replicaDead = isFeedDead(c, Dir.Inbound, nowMs);
  if (replicaDead || isFeedDead(c, Dir.Outbound, nowMs)) {
    // The sweep is not to take the record before everybody has been told.
    c.seenMs = nowMs;
    if (replicaDead) lose(c, s, Loss.ReplicaSilent);
    else abandon(c, s);
    return;
  }
  tickFeed(c, s, Dir.Inbound, nowMs);
  tickFeed(c, s, Dir.Outbound, nowMs);
}

function sweep(nowMs: u32): void {
  const used = usedRecords();
  for (let n = min<u32>(used, SWEEP_RECORDS); n > 0; n--) {
    if (sweepAt >= used) sweepAt = 0;
    const c = connectionAt(sweepAt++);
    if (c.state == <u8>TcpState.Free) continue;
    if (c.list == <u8>ListId.Active && isBeingTold(c)) continue;
    const phase = phaseOf(c);
    if (c.service != NO_SERVICE && (phase == Phase.Queued || inHandshake(c))) continue;
    if (seqDiff(nowMs, c.seenMs) <= <i32>idleLimit(stateOf(c))) continue;
    // Its replica is told first; the record goes when the sweep comes round again.
    if (phase == Phase.Withheld) endCopy(c, serviceAt(<u32>c.service));
    else removeConnection(c);
  }
}
