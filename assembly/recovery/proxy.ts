/**
 * Live connections: every segment of client and replica passes here, is tracked in the wire side's numbers, and is
 * handed to the translator in those of the side it goes to. New connections to the service address begin here too.
 */
import { Dir, Phase, Reason, TcpState } from '../abi/codes';
import {
  CONNECTION_FLAG_PROXIED,
  CONNECTION_FLAG_RECOVERED,
  FLOW_FLAG_FIN,
  FLOW_FLAG_FIN_ACKED,
  FLOW_FLAG_FIN_PENDING,
} from '../abi/layout';
import { refuse } from '../memory/counters';
import { OptionBit, Packet, TcpFlag } from '../parser/packet';
import { seqDiff, seqGe, seqLe, seqLt, seqMax } from '../parser/seq';
import { Connection, flowOf, phaseOf, stateOf } from '../tracker/connection';
import { CONN_ACK_CLIENT, CONN_ACK_REPLICA, CONN_REPLICA_WS } from '../tracker/marks';
import { makeReady } from '../tracker/lists';
import { Service } from '../tracker/service';
import { track, wireWindow } from '../tracker/track';
import { bindStack } from '../tracker/table';
import { replicaEcho, sendSegment } from '../translator/segment';
import { forward } from '../translator/tcp';
import { windowForClient, windowForReplica } from '../translator/window-field';
import { isUnderWay, watch } from './copy';
import { isFeeding, onFeedProgress, readOfReplica, stepFeed } from './feed';
import { isBehindGap, noteProof, settleGap } from './gap';
import { moveBaseBehindFin } from './base';
import { noteReplicaEdge, replicaWindow } from './handshake';
import { sendResets } from './loss';
import { notePassed, tellPassed } from './selective';

/** Whether the primary had closed its side: what the replica sends is of no interest to the client any more. */
function serverHadClosed(c: Connection): bool {
  const f = flowOf(c, Dir.Outbound);
  return c.has(CONNECTION_FLAG_RECOVERED) && f.has(FLOW_FLAG_FIN) && f.finSeq + 1 == c.serverBase;
}

/** A segment of the client, wire-side numbers. */
export function fromClient(c: Connection, s: Service, p: Packet, nowMs: u32): Reason {
  const inbound = flowOf(c, Dir.Inbound);
  const outbound = flowOf(c, Dir.Outbound);
  const before = outbound.acked;
  const window = wireWindow(c, inbound, p);
  const finPending = outbound.has(FLOW_FLAG_FIN_PENDING);
  const behindGap = c.has(CONNECTION_FLAG_RECOVERED) && isBehindGap(c, s, p, nowMs);
  const reason = track(c, Dir.Inbound, p, window, false, nowMs);
  if (finPending && !outbound.has(FLOW_FLAG_FIN_PENDING)) moveBaseBehindFin(c);
  if (reason == Reason.None) {
    onFeedProgress(c, Dir.Outbound, before, nowMs);
    // Every SYN with a new number begins a connection anew: see beginIncarnation.
    if (stateOf(c) == TcpState.SynSent && !c.has(CONNECTION_FLAG_PROXIED) && !beginProxied(c, s)) {
      return refuse(Reason.NoConnection);
    }
  }
  if (!c.has(CONNECTION_FLAG_RECOVERED)) return forward(c, s, p, Dir.Inbound, p.window);
  // A client that has closed and forgotten resets whatever comes late. It has all it wanted; the replica may still have
  // to read what the client had sent.
  if (p.flags & TcpFlag.Rst && stateOf(c) == TcpState.TimeWait) return refuse(Reason.Absorbed);

  if (behindGap) return settleGap(c, s, nowMs);
  if (isFeeding(c, Dir.Inbound) && reason == Reason.None && p.segmentLength > 0 && seqGe(p.seq, inbound.feedNext)) {
    // The store sends it in its turn, with the acknowledgement that came with it.
    c.mark(CONN_ACK_REPLICA);
    makeReady(c);
    return Reason.None;
  }
  const ack = seqMax(p.ack, c.serverBase);
  const field = p.flags & TcpFlag.Rst ? 0 : fieldForReplica(c, p, ack, window);
  const seq = p.seq;
  p.seq += c.d1;
  if (p.flags & TcpFlag.Ack) p.ack = ack + c.d2;
  if (p.options & OptionBit.Timestamps) p.tsecr = replicaEcho(c, p.tsecr);
  const refused = forward(c, s, p, Dir.Inbound, field);
  if (reason == Reason.None && refused == Reason.None) notePassed(c, seq, seq + p.segmentLength);
  return refused;
}

/** The client's window in this very segment, moved to where the replica's numbers begin. */
function fieldForReplica(c: Connection, p: Packet, ack: u32, window: u32): u32 {
  const shift = c.marked(CONN_REPLICA_WS) ? <u32>flowOf(c, Dir.Inbound).windowShift : 0;
  const edge = p.ack + window;
  return seqLt(edge, ack) ? 0 : min<u32>((edge - ack) >>> shift, 0xffff);
}

/** A segment of the replica, its own numbers. */
export function fromReplica(c: Connection, s: Service, p: Packet, nowMs: u32): Reason {
  const inbound = flowOf(c, Dir.Inbound);
  const before = inbound.acked;
  if (!c.has(CONNECTION_FLAG_RECOVERED)) {
    track(c, Dir.Outbound, p, wireWindow(c, flowOf(c, Dir.Outbound), p), true, nowMs);
    return forward(c, s, p, Dir.Outbound, p.window);
  }
  if ((p.flags & (TcpFlag.Syn | TcpFlag.Ack)) == (TcpFlag.Syn | TcpFlag.Ack)) {
    // The third step was lost in a full accept queue: once more.
    sendSegment(c, s, Dir.Inbound, TcpFlag.Ack, p.ack, p.seq + 1, windowForReplica(c, c.serverBase));
    return refuse(Reason.Absorbed);
  }
  const window = replicaWindow(c, p);
  const hasAck = (p.flags & TcpFlag.Ack) != 0;
  if (hasAck) noteReplicaEdge(c, p, window);
  if (serverHadClosed(c)) {
    if ((p.flags & TcpFlag.Rst) == 0) return swallow(c, s, p, window, before, nowMs);
    // With the client's FIN read too, the replica is done and may have forgotten the connection. The client may still
    // lack bytes of the primary: its acknowledgements of these are what the replica answers so.
    if (inbound.has(FLOW_FLAG_FIN_ACKED)) return refuse(Reason.ServerClosed);
  }
  p.seq -= c.d2;
  if (hasAck) p.ack -= c.d1;
  if (p.options & OptionBit.Timestamps) p.tsval += c.tsDelta;
  // The number of the primary's FIN is now the replica's: what the client acknowledges there is not the FIN.
  if (p.segmentLength > 0) flowOf(c, Dir.Outbound).clear(FLOW_FLAG_FIN_PENDING);
  track(c, Dir.Outbound, p, window, true, nowMs);
  noteProof(c, before);
  onFeedProgress(c, Dir.Inbound, before, nowMs);
  const field = hasAck ? windowForClient(c, p.ack, c.replicaEdge) : 0;
  return forward(c, s, p, Dir.Outbound, field, tellPassed(c, p, before));
}

/**
 * The client has read the primary's FIN: nothing can follow it. What the replica sends is acknowledged in the client's
 * name and dropped; D2 moves with it, so that both sides' next numbers keep meeting at serverBase. What only acknowledges
 * goes on to the client.
 */
function swallow(c: Connection, s: Service, p: Packet, window: u32, before: u32, nowMs: u32): Reason {
  const isAck = p.segmentLength == 0 && (p.flags & TcpFlag.Ack) != 0;
  if (p.segmentLength > 0) {
    // As far as it is new and in order.
    const seq = p.seq - c.d2;
    const fresh = seqDiff(seq + p.segmentLength, c.serverBase);
    if (fresh > 0 && seqLe(seq, c.serverBase)) c.d2 += fresh;
    c.mark(CONN_ACK_REPLICA);
    refuse(Reason.ServerClosed);
  }
  p.seq = c.serverBase;
  p.ack -= c.d1;
  if (p.options & OptionBit.Timestamps) p.tsval += c.tsDelta;
  p.flags = p.flags & ~(<u32>TcpFlag.Fin);
  p.payloadLength = 0;
  p.payloadWire = 0;
  p.segmentLength = 0;
  track(c, Dir.Outbound, p, window, true, nowMs);
  onFeedProgress(c, Dir.Inbound, before, nowMs);
  // With its options: a client that still sends may need the SACK blocks.
  if (isAck) {
    return forward(c, s, p, Dir.Outbound, windowForClient(c, p.ack, c.replicaEdge), tellPassed(c, p, before));
  }
  c.mark(CONN_ACK_CLIENT);
  makeReady(c);
  return Reason.Absorbed;
}

/**
 * A new connection to the service address: it goes to the replica as it is, with zero deltas. False when the replica
 * already has a connection of the same tuple.
 */
function beginProxied(c: Connection, s: Service): bool {
  if (!bindStack(c, s)) return false;
  c.phase = <u8>Phase.Live;
  c.flags = (c.flags & ~CONNECTION_FLAG_RECOVERED) | CONNECTION_FLAG_PROXIED;
  c.d1 = 0;
  c.d2 = 0;
  c.tsDelta = 0;
  c.pathMss = 0;
  s.proxied++;
  return true;
}

/** Sends what a ready connection has to send. True when the transmit queue stopped it. */
export function flush(c: Connection, s: Service): bool {
  if (sendResets(c, s)) return true;
  if (stepFeed(c, s, Dir.Inbound) || stepFeed(c, s, Dir.Outbound)) return true;
  if (phaseOf(c) == Phase.Withheld && isUnderWay(c)) watch(c);
  const inbound = flowOf(c, Dir.Inbound);
  const outbound = flowOf(c, Dir.Outbound);
  if (c.marked(CONN_ACK_REPLICA)) {
    c.unmark(CONN_ACK_REPLICA);
    const ack = readOfReplica(c);
    const next = isFeeding(c, Dir.Inbound) ? inbound.feedNext : inbound.end;
    sendSegment(c, s, Dir.Inbound, TcpFlag.Ack, next + c.d1, ack + c.d2, windowForReplica(c, ack));
  }
  if (c.marked(CONN_ACK_CLIENT)) {
    c.unmark(CONN_ACK_CLIENT);
    const ack = inbound.acked;
    sendSegment(c, s, Dir.Outbound, TcpFlag.Ack, outbound.end, ack, windowForClient(c, ack, c.replicaEdge));
  }
  return false;
}
