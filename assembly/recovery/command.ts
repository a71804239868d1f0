/**
 * What the host tells of a service, and what follows for each of its connections: its primary is dead, under suspicion or
 * back, or the host is about to stop.
 */
import { Loss, Phase, ServiceState, TcpState } from '../abi/codes';
import { CONNECTION_FLAG_RST_PENDING } from '../abi/layout';
import { Connection, connectionAt, phaseOf, stateOf } from '../tracker/connection';
import { Service, serviceAt } from '../tracker/service';
import { isOver, removeConnection } from '../tracker/table';
import { takeOverCopy } from './copy';
import { enqueue, noteRecovering } from './handshake';
import { endCopy, lose } from './loss';

/** The primary is dead (Recovery), its connections have moved (Proxy), or it has its address again (Normal). */
export function changeState(service: u32, state: ServiceState, used: u32, nowMs: u32): void {
  const s = serviceAt(service);
  const wasTakenOver = s.isTakenOver;
  s.state = <u32>state;
  if (state != ServiceState.Recovery || wasTakenOver) return;
  s.pace = s.handshakeWindow;
  for (let i: u32 = 0; i < used; i++) {
    const c = connectionAt(i);
    if (c.state == <u8>TcpState.Free || <u32>c.service != service) continue;
    // A client that has not been answered repeats its SYN, and begins anew on the replica.
    if (stateOf(c) == TcpState.SynSent) removeConnection(c);
    else if (phaseOf(c) == Phase.Direct) enqueue(c, s, nowMs);
    else if (phaseOf(c) != Phase.Live && !isOver(c)) keepMoving(c, s, nowMs);
  }
}

/** The replica has a copy of the connection, or is getting one. */
function keepMoving(c: Connection, s: Service, nowMs: u32): void {
  noteRecovering(c, s);
  takeOverCopy(c, s, nowMs);
}

/** The host is about to stop: what the replica serves through the core ends now, and both sides are told. */
export function dismissAll(service: u32, used: u32, nowMs: u32): void {
  const s = serviceAt(service);
  for (let i: u32 = 0; i < used; i++) {
    const c = connectionAt(i);
    if (c.state == <u8>TcpState.Free || <u32>c.service != service) continue;
    if (phaseOf(c) == Phase.Direct) continue;
    if (phaseOf(c) != Phase.Live && (!s.isTakenOver || isOver(c))) {
      endCopy(c, s);
      continue;
    }
    if (isOver(c)) continue;
    c.seenMs = nowMs;
    lose(c, s, Loss.Dismissed);
  }
}

/** Suspicion against the primary begins or ends; what was held back counts once it has proved to live. */
export function changeQuarantine(service: u32, on: bool, used: u32): void {
  const s = serviceAt(service);
  const was = s.quarantine != 0;
  s.quarantine = on ? 1 : 0;
  if (on || !was || s.isTakenOver) return;
  for (let i: u32 = 0; i < used; i++) {
    const c = connectionAt(i);
    if (c.state == <u8>TcpState.Free || <u32>c.service != service) continue;
    if ((c.flags & CONNECTION_FLAG_RST_PENDING) == 0) continue;
    c.flags &= ~CONNECTION_FLAG_RST_PENDING;
    // One that had moved since is the replica's.
    if (phaseOf(c) == Phase.Live) continue;
    if (phaseOf(c) != Phase.Direct) endCopy(c, s);
    c.state = <u8>TcpState.Closed;
  }
}
