/**
 * The connection tracker: one segment moves one record.
 *
 * Theory of operation. A segment is judged in three steps: the state table (can this event happen now?), the window
 * check (are its numbers believable?), and only then the record moves. Every number is the wire side's; for a segment
 * of the replica the caller has translated them first, so one tracker serves all phases.
 *
 * A flow's `end`, `acked` and `edge` only ever go forward. What was sent and not acknowledged is kept in the store,
 * in both directions, as long as the core may have to send it again. What should be there and is not, is named: the
 * server acknowledged client bytes the tap never saw (InboundHole), server bytes that the client still lacks were
 * not seen (OutboundHole) or had no room (RetainedBudget). The last two end when the client has acknowledged them.
 */
import { Dir, Phase, Reason, Risk, TcpEvent, TcpState } from '../abi/codes';
import {
  CONNECTION_FLAG_HANDSHAKE,
  CONNECTION_FLAG_PROXIED,
  CONNECTION_FLAG_SACK,
  CONNECTION_FLAG_TIMESTAMPS,
  CONNECTION_FLAG_WINDOW_SCALE,
  FLOW_FLAG_FEEDING,
  FLOW_FLAG_FIN,
  FLOW_FLAG_FIN_ACKED,
  FLOW_FLAG_FIN_PENDING,
  FLOW_FLAG_SEEN,
  FLOW_FLAG_SPOKE,
  FLOW_FLAG_TS,
  SERVICE_FLAG_DIVERGED_RESET,
} from '../abi/layout';
import { OptionBit, Packet, TcpFlag } from '../parser/packet';
import { seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax } from '../parser/seq';
import { Connection, Flow, flowOf, NO_SERVICE, otherFlow, phaseOf, stateOf } from './connection';
import { CONN_COPY } from './marks';
import { dropRecord, isRecording, keep, noteHeard, onAcknowledged } from './record';
import { releaseAll } from './retained';
import { forgetStrays, noteStray } from './resync';
import { serviceOf } from './table';
import { acknowledgesSyn, missedSynAck, notePendingSyn, onSyn, onSynAck } from './opening';
import { GUESSED_SHIFT, isShiftGuessed, withLowerShift } from './scale';
import { eventOf, transition } from './tcp-state';
import { checkRst, checkWindow } from './window';

/** The window field of a segment in bytes, as the wire side has agreed to read it. */
export function wireWindow(c: Connection, sender: Flow, p: Packet): u32 {
  if (p.flags & TcpFlag.Syn) return p.window;
  const scaled = !c.has(CONNECTION_FLAG_HANDSHAKE) || c.has(CONNECTION_FLAG_WINDOW_SCALE);
  return scaled ? p.window << sender.windowShift : p.window;
}

/**
 * Judges a segment and moves the record. `window` is its window in bytes. `trusted`: it comes from the replica's
 * stack through the translator, so its numbers need no check. Reason.None when the record was moved.
 */
export function track(c: Connection, dir: Dir, p: Packet, window: u32, trusted: bool, nowMs: u32): Reason {
  const sender = flowOf(c, dir);
  const receiver = otherFlow(c, sender);
  const event = eventOf(p.flags);
  const next = transition(dir, event, stateOf(c));
  if (next <= 0) {
    if (-next == <i32>Reason.SynOnLive) notePendingSyn(c, p);
    return <Reason>-next;
  }
  let reason = Reason.None;
  switch (event) {
    case TcpEvent.Syn:
      reason = onSyn(c, sender, p, window);
      break;
    case TcpEvent.SynAck:
      reason = onSynAck(c, sender, receiver, p, window);
      break;
    case TcpEvent.Rst:
      if (!trusted) reason = believeRst(c, sender, receiver, p);
      if (reason == Reason.None) {
        c.state = <u8>next;
        // Nobody asks for its bytes any more, but a replica that still reads along when client and primary are done. A live
        // connection's own feed ends by itself.
        if (phaseOf(c) != Phase.Live && !(stateOf(c) == TcpState.TimeWait && c.marked(CONN_COPY))) {
          forget(sender);
          forget(receiver);
          endRecordOf(c);
        }
      }
      break;
    default:
      if (!trusted) reason = judgeWindow(c, dir, sender, receiver, p);
      if (reason == Reason.None) {
        if (stateOf(c) == TcpState.SynSent) missedSynAck(c, sender, receiver);
        c.state = <u8>next;
        onSegment(c, dir, sender, receiver, p, window, nowMs);
      }
      break;
  }
  if (reason != Reason.None) return reason;
  c.seenMs = nowMs;
  // The SYNs' too: a server that has said nothing since has still promised timestamps from that one on.
  if (event == TcpEvent.Syn || event == TcpEvent.SynAck) noteTimestamp(sender, p, nowMs);
  return Reason.None;
}

/** The window check, and its second thoughts about a record that has lost its connection. */
function judgeWindow(c: Connection, dir: Dir, sender: Flow, receiver: Flow, p: Packet): Reason {
  const reason = checkWindow(c, sender, receiver, p);
  if (reason == Reason.None) {
    forgetStrays(c);
    return reason;
  }
  if (reason != Reason.SeqAboveWindow && reason != Reason.AckAboveWindow) return reason;
  return phaseOf(c) == Phase.Direct && noteStray(c, dir, sender, receiver, p) ? Reason.None : reason;
}

/** The connection is over. A replica that reads along may not be done with it: then its copy ends the record. */
function endRecordOf(c: Connection): void {
  if (!c.marked(CONN_COPY)) dropRecord(c);
}

function forget(f: Flow): void {
  f.clear(FLOW_FLAG_FEEDING);
  releaseAll(f.kept);
}

/** First segment of a connection that was running before the daemon: what it says is all that is known. */
export function pickUp(c: Connection, dir: Dir, p: Packet, nowMs: u32): void {
  const sender = flowOf(c, dir);
  const receiver = otherFlow(c, sender);
  c.state = <u8>TcpState.Established;
  sender.windowShift = GUESSED_SHIFT;
  receiver.windowShift = GUESSED_SHIFT;
  sender.end = p.seq;
  sender.acked = p.seq;
  sender.edge = p.seq;
  sender.set(FLOW_FLAG_SEEN);
  receiver.end = p.ack;
  receiver.acked = p.ack;
  receiver.edge = p.ack;
  c.putAtRisk(Risk.WindowScaleUnknown, 0, 0);
  onSegment(c, dir, sender, receiver, p, wireWindow(c, sender, p), nowMs);
  c.seenMs = nowMs;
}

function noteTimestamp(f: Flow, p: Packet, nowMs: u32): void {
  if ((p.options & OptionBit.Timestamps) == 0) return;
  if (f.has(FLOW_FLAG_TS) && seqLt(p.tsval, f.tsval)) return;
  f.tsval = p.tsval;
  f.tsMs = nowMs;
  f.set(FLOW_FLAG_TS);
}

/**
 * A client echoes the latest TSval it has of the server, and drops what is older (RFC 7323 5.3). One later than the tap
 * has seen is as good as seen; on a replica's clock that has already been moved, all that follows moves with it.
 */
function noteEcho(c: Connection, server: Flow, p: Packet, nowMs: u32): void {
  if ((p.options & OptionBit.Timestamps) == 0 || (p.flags & TcpFlag.Ack) == 0 || c.has(CONNECTION_FLAG_PROXIED)) return;
  if (server.has(FLOW_FLAG_TS)) {
    if (!seqGt(p.tsecr, server.tsval)) return;
    c.tsDelta += p.tsecr - server.tsval;
  }
  server.tsval = p.tsecr;
  server.tsMs = nowMs;
  server.set(FLOW_FLAG_TS);
}

function believeRst(c: Connection, sender: Flow, receiver: Flow, p: Packet): Reason {
  if (stateOf(c) == TcpState.SynSent && !sender.has(FLOW_FLAG_SEEN)) {
    return acknowledgesSyn(receiver, p) ? Reason.None : Reason.RstOutOfWindow;
  }
  return checkRst(sender, p);
}

// --- data, acknowledgements, FIN -----------------------------------------------------------------------------

function onSegment(c: Connection, dir: Dir, sender: Flow, receiver: Flow, p: Packet, window: u32, nowMs: u32): void {
  if (!c.has(CONNECTION_FLAG_HANDSHAKE)) learnOptions(c, p);
  noteTimestamp(sender, p, nowMs);
  if (dir == Dir.Inbound) noteEcho(c, receiver, p, nowMs);
  const end = p.seq + p.segmentLength;
  if (!sender.has(FLOW_FLAG_SEEN)) {
    sender.end = p.seq;
    sender.acked = p.seq;
    sender.edge = end;
    sender.set(FLOW_FLAG_SEEN);
  }
  if (dir == Dir.Inbound && !sender.has(FLOW_FLAG_SPOKE)) noteEarlierBytes(c, receiver, p);
  sender.set(FLOW_FLAG_SPOKE);
  if (dir == Dir.Inbound && p.segmentLength > 0 && seqGt(end, sender.end))
    noteHeard(c, seqMax(p.seq, sender.end), p.ack);
  // Without payload too: an acknowledgement of the server that lies ahead tells of bytes that were not seen.
  keepPayload(c, dir, sender, p);
  if (p.flags & TcpFlag.Fin) noteFin(sender, end - 1);
  if (seqGt(end, sender.end)) {
    sender.end = end;
    if (dir == Dir.Outbound) c.unseen = p.segmentLength == 0 ? 1 : 0;
  }
  if (window > sender.maxWindow) sender.maxWindow = window;
  if (p.flags & TcpFlag.Ack) onAck(c, dir, receiver, p.ack, window);
}

/**
 * The first words of the client of a connection that was picked up at a server's segment: what it has acknowledged may
 * lie before that, and the bytes between were never seen.
 */
function noteEarlierBytes(c: Connection, server: Flow, p: Packet): void {
  if (c.has(CONNECTION_FLAG_HANDSHAKE) || (p.flags & TcpFlag.Ack) == 0 || !server.has(FLOW_FLAG_SPOKE)) return;
  if (!seqLt(p.ack, server.acked)) return;
  c.putAtRisk(Risk.OutboundHole, p.ack, <u32>seqDiff(server.acked, p.ack));
  server.acked = p.ack;
}

/** Options seen in the middle of a connection whose SYNs were not. */
function learnOptions(c: Connection, p: Packet): void {
  if (p.options & OptionBit.Timestamps) c.flags |= CONNECTION_FLAG_TIMESTAMPS;
  if (p.options & OptionBit.Sack) c.flags |= CONNECTION_FLAG_SACK;
}

/** The sender ends its stream, as its replica has said in its stead. */
export function closeFlow(c: Connection, dir: Dir, finSeq: u32): void {
  noteFin(flowOf(c, dir), finSeq);
  const next = transition(dir, TcpEvent.Fin, stateOf(c));
  if (next > 0) c.state = <u8>next;
}

function noteFin(sender: Flow, finSeq: u32): void {
  sender.finSeq = finSeq;
  sender.set(FLOW_FLAG_FIN);
}

/** A FIN the primary sent while it was under suspicion: see onAck. */
export function notePendingFin(server: Flow, finSeq: u32): void {
  if (server.has(FLOW_FLAG_FIN)) return;
  server.finSeq = finSeq;
  server.set(FLOW_FLAG_FIN_PENDING);
}

/** Whether the store still has to keep what this sender sends. */
function mustRetain(c: Connection, sender: Flow): bool {
  if (c.service == NO_SERVICE) return false;
  return phaseOf(c) != Phase.Live || sender.has(FLOW_FLAG_FEEDING);
}

function keepPayload(c: Connection, dir: Dir, sender: Flow, p: Packet): void {
  // What the server's stream lacks, a replica that reads from the first byte sends again.
  const direct = phaseOf(c) != Phase.Live && !isRecording(c);
  if (direct && dir == Dir.Outbound && seqGt(p.seq, sender.end)) {
    c.putAtRisk(Risk.OutboundHole, sender.end, <u32>seqDiff(p.seq, sender.end));
  }
  if (!mustRetain(c, sender)) return;
  const end = p.seq + p.payloadWire;
  if (seqLe(end, sender.acked)) return;
  const skip = seqLt(p.seq, sender.acked) ? <u32>seqDiff(sender.acked, p.seq) : 0;
  let missing = p.payloadWire - p.payloadLength;
  if (skip < p.payloadLength) {
    missing += keep(c, sender, p.seq + skip, p.payload + skip, p.payloadLength - skip);
  }
  if (!direct || dir == Dir.Inbound) return;
  if (missing > 0) {
    c.putAtRisk(p.payloadLength < p.payloadWire ? Risk.OutboundHole : Risk.RetainedBudget, end - missing, missing);
  } else if (c.risk == <u8>Risk.OutboundHole && seqLe(p.seq, c.holeSeq) && seqGe(end, c.holeSeq + c.holeBytes)) {
    c.risk = <u8>c.lastingRisk;
  }
}

/** The receiver of a flow acknowledged `ack` and offers `window` bytes from there on. */
function onAck(c: Connection, dir: Dir, receiver: Flow, ack: u32, window: u32): void {
  if (!receiver.has(FLOW_FLAG_SEEN)) {
    // The peer of a connection picked up while running: its own first segment will say more.
    receiver.end = ack;
    receiver.acked = ack;
    receiver.edge = ack;
    receiver.set(FLOW_FLAG_SEEN);
  }
  if (receiver.has(FLOW_FLAG_FIN_PENDING) && seqGt(ack, receiver.finSeq)) {
    receiver.clear(FLOW_FLAG_FIN_PENDING);
    receiver.set(FLOW_FLAG_FIN);
    const next = transition(dir == Dir.Inbound ? Dir.Outbound : Dir.Inbound, TcpEvent.Fin, stateOf(c));
    if (next > 0) c.state = <u8>next;
    if (seqGt(receiver.finSeq + 1, receiver.end)) receiver.end = receiver.finSeq + 1;
  }
  if (seqGt(ack, receiver.end)) {
    if (dir == Dir.Outbound) c.putAtRisk(Risk.InboundHole, receiver.end, <u32>seqDiff(ack, receiver.end));
    else c.unseen = 1;
    receiver.end = ack;
  }
  if (seqGt(ack, receiver.acked)) {
    if (phaseOf(c) == Phase.Direct && isShiftGuessed(c, dir)) {
      window = withLowerShift(flowOf(c, dir), receiver, ack, window);
    }
    const before = receiver.acked;
    receiver.passTo(ack);
    onAcknowledged(c, dir == Dir.Inbound ? Dir.Outbound : Dir.Inbound, receiver, before);
    forgiveHole(c, dir, ack);
    noteFinAcked(c, receiver);
  }
  if (seqGt(ack + window, receiver.edge)) receiver.edge = ack + window;
}

/** What `flow.acked` says of its FIN, and of the connection. */
export function noteFinAcked(c: Connection, flow: Flow): void {
  if (!flow.has(FLOW_FLAG_FIN) || !seqGt(flow.acked, flow.finSeq)) return;
  flow.set(FLOW_FLAG_FIN_ACKED);
  if (
    stateOf(c) == TcpState.BothFin &&
    flowOf(c, Dir.Inbound).has(FLOW_FLAG_FIN_ACKED) &&
    flowOf(c, Dir.Outbound).has(FLOW_FLAG_FIN_ACKED)
  ) {
    c.state = <u8>TcpState.TimeWait;
    endRecordOf(c);
  }
}

/** Server bytes that were missing, or differed, are of no interest any more once the client has them. */
function forgiveHole(c: Connection, dir: Dir, ack: u32): void {
  if (dir != Dir.Inbound || c.holeBytes == 0) return;
  if (c.risk != <u8>Risk.OutboundHole && c.risk != <u8>Risk.RetainedBudget && c.risk != <u8>Risk.Diverged) return;
  const s = serviceOf(c);
  // Whatever the client has, the service has chosen not to go on.
  if (c.risk == <u8>Risk.Diverged && s != null && (s.flags & SERVICE_FLAG_DIVERGED_RESET) != 0) return;
  if (seqGe(ack, c.holeSeq + c.holeBytes)) c.risk = <u8>c.lastingRisk;
}
