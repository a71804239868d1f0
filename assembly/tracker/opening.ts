/**
 * How a connection begins: what its SYNs offer and agree on (RFC 9293 3.5), and what can be known when one of them was not
 * seen. Each SYN with a new number is a new incarnation of the tuple.
 */
import { Dir, Reason, Risk, TcpState } from '../abi/codes';
import {
  CONNECTION_FLAG_ECN,
  CONNECTION_FLAG_HANDSHAKE,
  CONNECTION_FLAG_IPV6,
  CONNECTION_FLAG_MPTCP,
  CONNECTION_FLAG_SACK,
  CONNECTION_FLAG_TFO,
  CONNECTION_FLAG_TIMESTAMPS,
  CONNECTION_FLAG_WINDOW_SCALE,
  FLOW_FLAG_ISN,
  FLOW_FLAG_SEEN,
  FLOW_FLAG_SPOKE,
} from '../abi/layout';
import { OptionBit, Packet, TcpFlag } from '../parser/packet';
import { seqGt, seqLe } from '../parser/seq';
import { Connection, Flow, flowOf, stateOf } from './connection';
import { CONN_PENDING_SYN } from './marks';
import { beginRecord, dropRecord, keep, loseRecord } from './record';
import { releaseAll } from './retained';
import { GUESSED_SHIFT } from './scale';
import { clearFlows } from './table';

/** Options of the client's SYN, kept in the upper half of `flags` until the SYN-ACK says what was agreed. */
const OFFER_SHIFT: u32 = 16;
/** CONNECTION_FLAG_* that live for the whole life of a record, not of an incarnation. */
const LASTING_FLAGS: u32 = CONNECTION_FLAG_IPV6;

function offerOf(p: Packet): u32 {
  let offer: u32 = 0;
  if (p.options & OptionBit.WindowScale) offer |= CONNECTION_FLAG_WINDOW_SCALE;
  if (p.options & OptionBit.SackPermitted) offer |= CONNECTION_FLAG_SACK;
  if (p.options & OptionBit.Timestamps) offer |= CONNECTION_FLAG_TIMESTAMPS;
  if (p.options & OptionBit.Mptcp) offer |= CONNECTION_FLAG_MPTCP;
  return offer;
}

/** What a SYN says of its sender. Data in it (TCP Fast Open) counts as sent. */
function openFlow(f: Flow, p: Packet): void {
  f.isn = p.seq;
  f.end = p.seq + p.segmentLength;
  f.acked = p.seq;
  f.set(FLOW_FLAG_ISN | FLOW_FLAG_SEEN | FLOW_FLAG_SPOKE);
  f.mss = p.options & OptionBit.Mss ? <u16>p.mss : 0;
  f.windowShift = p.options & OptionBit.WindowScale ? <u8>p.windowShift : 0;
}

export function onSyn(c: Connection, client: Flow, p: Packet, window: u32): Reason {
  const state = stateOf(c);
  if (state == TcpState.SynReceived) return p.seq == client.isn ? Reason.None : Reason.SynOnLive;
  if (state == TcpState.SynSent && p.seq == client.isn) return Reason.None;
  beginIncarnation(c);
  const server = flowOf(c, Dir.Outbound);
  openFlow(client, p);
  beginRecord(c);
  client.edge = client.end;
  client.maxWindow = max<u32>(window, 1);
  server.edge = 0;
  c.flags |= offerOf(p) << OFFER_SHIFT;
  if ((p.flags & (TcpFlag.Ece | TcpFlag.Cwr)) == (TcpFlag.Ece | TcpFlag.Cwr)) {
    c.flags |= CONNECTION_FLAG_ECN << OFFER_SHIFT;
  }
  if (p.payloadWire > 0) {
    c.flags |= CONNECTION_FLAG_TFO;
    keep(c, client, p.seq + 1, p.payload, p.payloadLength);
  }
  c.state = <u8>TcpState.SynSent;
  return Reason.None;
}

/** Forgets what the last use of the tuple left, the way to the client excepted. */
function beginIncarnation(c: Connection): void {
  releaseAll(flowOf(c, Dir.Inbound).kept);
  releaseAll(flowOf(c, Dir.Outbound).kept);
  dropRecord(c);
  clearFlows(c);
  c.copyTries = 0;
  c.divergedFirst = 0;
  c.divergedLast = 0;
  c.unseen = 0;
  c.flags &= LASTING_FLAGS;
  c.risk = <u8>Risk.None;
  c.loss = 0;
  c.unmark(CONN_PENDING_SYN);
}

export function onSynAck(c: Connection, server: Flow, client: Flow, p: Packet, window: u32): Reason {
  const state = stateOf(c);
  const unseen = state >= TcpState.Established;
  if (unseen) {
    if (!c.marked(CONN_PENDING_SYN) || p.ack != c.pendingIsn + 1) {
      return p.seq == server.isn && server.has(FLOW_FLAG_ISN) ? Reason.None : Reason.UnsolicitedSynAck;
    }
    // The server accepted a SYN for what we held for a live connection: it had lost the old one.
    const isn = c.pendingIsn;
    beginIncarnation(c);
    client.isn = isn;
    client.end = isn + 1;
    client.acked = isn;
    client.edge = isn + 1;
    client.set(FLOW_FLAG_ISN | FLOW_FLAG_SEEN);
    c.putAtRisk(Risk.WindowScaleUnknown, 0, 0);
  } else if (!acknowledgesSyn(client, p)) {
    return Reason.AckAboveWindow;
  }
  if (state == TcpState.SynReceived && p.seq == server.isn) return Reason.None;
  openFlow(server, p);
  server.edge = server.end + client.maxWindow;
  server.maxWindow = max<u32>(window, 1);
  client.passTo(p.ack);
  client.edge = p.ack + window;
  if (unseen) assume(c, p, client);
  else agree(c, p, client, server);
  c.state = <u8>TcpState.SynReceived;
  return Reason.None;
}

export function acknowledgesSyn(client: Flow, p: Packet): bool {
  return (p.flags & TcpFlag.Ack) != 0 && seqGt(p.ack, client.isn) && seqLe(p.ack, client.end);
}

function answerOf(p: Packet): u32 {
  const ecn = (p.flags & (TcpFlag.Ece | TcpFlag.Cwr)) == TcpFlag.Ece;
  return offerOf(p) | (ecn ? CONNECTION_FLAG_ECN : 0);
}

/** The SYN was passed over: it offered what its SYN-ACK answers, but nobody knows the client's window shift. */
function assume(c: Connection, p: Packet, client: Flow): void {
  c.flags |= answerOf(p);
  if (p.options & OptionBit.WindowScale) client.windowShift = GUESSED_SHIFT;
}

/** An option holds when both SYNs carried it (RFC 7323 2.2, 3.2; RFC 2018 2; RFC 3168 6.1.1; RFC 8684 3.1). */
function agree(c: Connection, p: Packet, client: Flow, server: Flow): void {
  const agreed = answerOf(p) & (c.flags >>> OFFER_SHIFT);
  c.flags |= agreed | CONNECTION_FLAG_HANDSHAKE;
  if ((agreed & CONNECTION_FLAG_WINDOW_SCALE) == 0) {
    client.windowShift = 0;
    server.windowShift = 0;
  }
  if (agreed & CONNECTION_FLAG_MPTCP) c.putAtRisk(Risk.Mptcp, 0, 0);
}

/**
 * The client goes on although the tap saw no SYN-ACK: what the server answered is not known, but that it scales nothing when
 * nothing was offered. A guess that is too high would leave the client a window of a few bytes.
 */
export function missedSynAck(c: Connection, client: Flow, server: Flow): void {
  client.passTo(client.isn + 1);
  server.windowShift = ((c.flags >>> OFFER_SHIFT) & CONNECTION_FLAG_WINDOW_SCALE) != 0 ? GUESSED_SHIFT : 0;
  c.putAtRisk(Risk.WindowScaleUnknown, 0, 0);
  loseRecord(c, Risk.WindowScaleUnknown, 0, 0);
}

export function notePendingSyn(c: Connection, p: Packet): void {
  c.pendingIsn = p.seq;
  c.mark(CONN_PENDING_SYN);
}
