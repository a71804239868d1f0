/**
 * The record of one connection. Both directions live in it, each as a Flow named by its sender. Sequence numbers are
 * always those of the wire side (what client and primary agreed); the replica's own numbers exist only as deltas.
 *
 *   0 ┌ key: client, server, ports, vlan ┐ 40 ┌ state, flags, links ┐ 96 ┌ Flow inbound ┐ 192 ┌ Flow outbound ┐
 * 288 ┌ replica ┐ 340 ┌ a replica that reads from the first byte ┐ 488 ┌ run passed on ┐ 496 ┌ strays ┐ 512
 *
 * Invariants: state is Free exactly when the record is on the free list; `list` says which list next/prev belong to;
 * a flag bit says whether a value is present, never the value 0.
 */
import { Dir, Loss, Phase, RecordState, Risk, TcpState } from '../abi/codes';
import {
  CONNECTION_BYTES,
  CONNECTION_CLIENT_PORT,
  CONNECTION_DIVERGED_FIRST,
  CONNECTION_DIVERGED_LAST,
  CONNECTION_FLAGS,
  CONNECTION_FLAG_HANDSHAKE,
  CONNECTION_FLAG_MPTCP,
  CONNECTION_FLOWS,
  CONNECTION_GENERATION,
  CONNECTION_HOLE_SEQ,
  CONNECTION_RECORD,
  CONNECTION_SEEN_MS,
  CONNECTION_SERVICE,
  CONNECTION_SPILL_END,
  CONNECTION_STACK_PORT,
  CONNECTION_STATE,
  CONNECTION_STRAYS,
  CONNECTION_VLAN,
  FLOW_BYTES,
  FLOW_FLAGS,
  FLOW_MSS,
  FLOW_PASSED,
  FLOW_RETAINED_BYTES,
  FLOW_TS_MS,
  FLOW_WINDOW_SHIFT,
} from '../abi/layout';
import { connectionsBase, Ptr } from '../memory/regions';
import { Chain } from './blocks';

/** One direction of a connection: what its sender sent and what its receiver has granted. */
@unmanaged
export class Flow {
  /** Initial sequence number of the sender; valid with FLOW_FLAG_ISN. */
  isn: u32;
  /** One past the highest sequence number seen from the sender, SYN and FIN included. */
  end: u32;
  /** Highest acknowledgement number seen from the receiver. */
  acked: u32;
  /** Highest right edge (acknowledgement + window) the receiver has granted. */
  edge: u32;
  /** Largest window this sender has itself offered for the other direction, bytes. */
  maxWindow: u32;
  /** Sequence number of the FIN; valid with FLOW_FLAG_FIN. */
  finSeq: u32;
  /** Latest TSval of this sender as the wire side sees it; valid with FLOW_FLAG_TS (RFC 7323). */
  tsval: u32;
  /** When tsval was seen, ms. */
  tsMs: u32;
  /** MSS option of this sender's SYN, bytes; 0 when it had none (RFC 9293 3.7.1: then 536 or 1220). */
  mss: u16;
  /** Window scale option of this sender's SYN, or the guess for a connection picked up while running. */
  windowShift: u8;
  /** FLOW_FLAG_*. */
  flags: u8;
  private chain0: u32;
  private chain1: u32;
  private chain2: u32;
  private chain3: u32;
  private chain4: u32;
  private chain5: u32;
  private chain6: u32;
  /** Next sequence number the core will send from the store; valid while FLOW_FLAG_FEEDING. */
  feedNext: u32;
  /** How far the core may be ahead of `acked` when it sends from the store, bytes. */
  feedWindow: u32;
  /** When the core last saw progress of the feed, ms. */
  feedMs: u32;
  /** Retransmission timeout of the feed, ms. */
  feedRtoMs: u32;
  /** Feeding ends when the receiver has acknowledged this number. */
  feedMark: u32;
  /** When the receiver was last heard while it is fed, ms. */
  feedHeardMs: u32;
  /** Sequence numbers the receiver has acknowledged in all, the SYN's included: `acked` without its modulus. */
  passed: u64;

  /** Payload of this sender that is kept. */
  get kept(): Chain {
    return changetype<Chain>(changetype<usize>(this) + offsetof<Flow>('chain0'));
  }

  /** The receiver has acknowledged all before `ack`. */
  passTo(ack: u32): void {
    this.passed += <u64>(ack - this.acked);
    this.acked = ack;
  }

  has(flag: u32): bool {
    return (this.flags & flag) != 0;
  }

  set(flag: u32): void {
    this.flags = <u8>(this.flags | flag);
  }

  clear(flag: u32): void {
    this.flags = <u8>(this.flags & ~flag);
  }
}

@unmanaged
export class Connection {
  /** The key: addresses in network order (IPv4 as ::ffff:a.b.c.d), ports in host order. */
  private client0: u64;
  private client1: u64;
  private server0: u64;
  private server1: u64;
  clientPort: u16;
  serverPort: u16;
  /** Outer VLAN id << 16 | inner VLAN id. */
  vlan: u32;
  /** TcpState. */
  state: u8;
  /** Phase. */
  phase: u8;
  /** Risk. */
  risk: u8;
  /** Loss. */
  loss: u8;
  /** CONNECTION_FLAG_*. */
  flags: u32;
  /** Index of the service, NO_SERVICE when everything is tracked. */
  service: u16;
  generation: u16;
  /** The port the replica sees as its peer's: the client's own, or the one mapped for a remote replica. */
  stackPort: u16;
  /** Where frames to the client go: the source of its last frame (the client's or its router's MAC address). */
  clientMacHi: u16;
  clientMacLo: u32;
  /** When the last frame passed the window check, ms. */
  seenMs: u32;
  /** First byte and length of the hole that `risk` speaks of. */
  holeSeq: u32;
  holeBytes: u32;
  /** Tags of the wire side as they stand in the frame (TPID << 16 | TCI), 0 when absent. */
  outerTag: u32;
  innerTag: u32;
  /** Links of the list named by `list`. */
  next: u32;
  prev: u32;
  /** Link of the ready queue; meaningful while `ready`. */
  readyNext: u32;
  /** ListId. */
  list: u8;
  /** Whether the connection waits in the ready queue. */
  ready: u8;
  private pad0: u16;
  private flows0: u64;
  private flows1: u64;
  private flows2: u64;
  private flows3: u64;
  private flows4: u64;
  private flows5: u64;
  private flows6: u64;
  private flows7: u64;
  private flows8: u64;
  private flows9: u64;
  private flows10: u64;
  private flows11: u64;
  private flows12: u64;
  private flows13: u64;
  private flows14: u64;
  private flows15: u64;
  private flows16: u64;
  private flows17: u64;
  private flows18: u64;
  private flows19: u64;
  private flows20: u64;
  private flows21: u64;
  private flows22: u64;
  private flows23: u64;
  /** D1: what is added to the client's numbers on the way to the replica. */
  d1: u32;
  /** D2: what is subtracted from the replica's numbers on the way to the client. */
  d2: u32;
  /** What is added to the replica's TSval for the client, and subtracted from the client's TSecr. */
  tsDelta: u32;
  /** First server number that is the replica's; what lies before it is the primary's. */
  serverBase: u32;
  /** First client number that the replica reads. */
  clientBase: u32;
  /** The replica's first TSval, its own clock: a client's TSecr is never translated to before it. */
  replicaTs: u32;
  /** When the next step of the handshake is due, ms. */
  timerMs: u32;
  /** When the recovery of this connection began, ms. */
  startedMs: u32;
  /** Right edge that the client was last told, wire side. */
  toldEdge: u32;
  /** Sequence number of a SYN that came for the live connection; valid with CONN_PENDING_SYN in `marks`. */
  pendingIsn: u32;
  /** MSS of the replica, bytes. */
  replicaMss: u16;
  /** Largest payload for the client by path MTU discovery, bytes; 0 when no limit was learned. */
  pathMss: u16;
  /** CONN_*, see marks.ts. */
  marks: u16;
  /** The replica's own window shift. */
  replicaShift: u8;
  /** Attempts of the current handshake step. */
  attempts: u8;
  /** Right edge that the replica has granted, wire side. */
  replicaEdge: u32;
  /** Next client byte the replica has to acknowledge; valid, as what follows up to `copyOffset`, with CONN_COPY in `marks`. */
  copyRead: u32;
  /** Next server number the replica has to send, and the offset of that byte in its stream. */
  copyNext: u32;
  /** Right edge for the server's bytes that the replica was last told. */
  copyEdge: u32;
  copyOffset: u64;
  /** Offsets in the server's stream: the first byte that differed, and one past the last. 0, 0: none did. */
  divergedFirst: u64;
  divergedLast: u64;
  /** Offset in the server's stream that the last mark in `causes` speaks of. */
  lastCause: u64;
  private uncompared0: u32;
  private uncompared1: u32;
  private uncompared2: u32;
  private uncompared3: u32;
  private uncompared4: u32;
  private uncompared5: u32;
  private uncompared6: u32;
  private ahead0: u32;
  private ahead1: u32;
  private ahead2: u32;
  private ahead3: u32;
  private ahead4: u32;
  private ahead5: u32;
  private ahead6: u32;
  private causes0: u32;
  private causes1: u32;
  private causes2: u32;
  private causes3: u32;
  private causes4: u32;
  private causes5: u32;
  private causes6: u32;
  /** Where the next mark for the copy lies in `causes`, and where the next one goes; bytes. */
  causeNext: u32;
  causeEnd: u32;
  /** The host keeps the recorded bytes before this number; valid with CONN_SPILLED. */
  spillEnd: u32;
  /** When the copy is looked at again: its next attempt, or the end of patience with it, ms. */
  copyMs: u32;
  /** Attempts at a copy that the replica has ended. */
  copyTries: u8;
  /** RecordState. */
  record: u8;
  /** How often the client has repeated the first segment behind a possible gap: see recovery/gap.ts. */
  repeats: u8;
  /** Whether the server's last number was never seen, only acknowledged: of a byte, or of its FIN. */
  unseen: u8;
  /**
   * The run of the client's numbers that was last passed on to the replica; valid with CONNECTION_FLAG_SACK_FORGED. See
   * recovery/selective.ts.
   */
  passedLeft: u32;
  passedRight: u32;
  /** Last segment above the windows: its end, what it acknowledged, its Dir, and how often the ends took turns. */
  strayEnd: u32;
  strayAck: u32;
  strayDir: u8;
  strayTurns: u8;
  private pad2: u16;
  /** When the last of `repeats` was counted, ms. */
  repeatMs: u32;

  /** The primary's output that the client has and the replica has not yet sent. */
  get uncompared(): Chain {
    return changetype<Chain>(changetype<usize>(this) + offsetof<Connection>('uncompared0'));
  }

  /** Marks beside the record: see causes.ts. */
  get causes(): Chain {
    return changetype<Chain>(changetype<usize>(this) + offsetof<Connection>('causes0'));
  }

  /** The replica's output that the client has not acknowledged. */
  get ahead(): Chain {
    return changetype<Chain>(changetype<usize>(this) + offsetof<Connection>('ahead0'));
  }

  get clientPtr(): Ptr {
    return changetype<usize>(this);
  }

  get serverPtr(): Ptr {
    return changetype<usize>(this) + 16;
  }

  get index(): u32 {
    return <u32>((changetype<usize>(this) - connectionsBase) / CONNECTION_BYTES);
  }

  has(flag: u32): bool {
    return (this.flags & flag) != 0;
  }

  marked(mark: u32): bool {
    return (this.marks & mark) != 0;
  }

  mark(mark: u32): void {
    this.marks = <u16>(this.marks | mark);
  }

  unmark(mark: u32): void {
    this.marks = <u16>(this.marks & ~mark);
  }

  /** What is uncertain about the connection for its whole life: what its SYNs said. */
  get lastingRisk(): Risk {
    if ((this.flags & CONNECTION_FLAG_HANDSHAKE) == 0) return Risk.WindowScaleUnknown;
    return this.flags & CONNECTION_FLAG_MPTCP ? Risk.Mptcp : Risk.None;
  }

  /** Notes why the connection may not survive. The first reason stays, but a missing byte outweighs a missing option. */
  putAtRisk(risk: Risk, seq: u32, bytes: u32): void {
    if (this.risk != <u8>Risk.None && this.risk != <u8>this.lastingRisk) return;
    this.risk = <u8>risk;
    this.holeSeq = seq;
    this.holeBytes = bytes;
  }
}

/** One mark of causes.ts. */
export const CAUSE_BYTES: u32 = 16;

/** `service` of a connection that belongs to none. */
export const NO_SERVICE: u16 = 0xffff;

export function connectionAt(index: u32): Connection {
  return changetype<Connection>(connectionsBase + <usize>index * CONNECTION_BYTES);
}

export function flowOf(c: Connection, dir: Dir): Flow {
  return changetype<Flow>(changetype<usize>(c) + CONNECTION_FLOWS + <usize>dir * FLOW_BYTES);
}

/** The other direction's flow: both lie side by side, so their addresses have the same sum whichever is given. */
export function otherFlow(c: Connection, flow: Flow): Flow {
  const both = (changetype<usize>(c) << 1) + 2 * CONNECTION_FLOWS + FLOW_BYTES;
  return changetype<Flow>(both - changetype<usize>(flow));
}

export function stateOf(c: Connection): TcpState {
  return <TcpState>c.state;
}

export function phaseOf(c: Connection): Phase {
  return <Phase>c.phase;
}

export function recordOf(c: Connection): RecordState {
  return <RecordState>c.record;
}

export function lossOf(c: Connection): Loss {
  return <Loss>c.loss;
}

if (offsetof<Flow>() != FLOW_BYTES) ERROR('Flow: size');
if (offsetof<Flow>('mss') != FLOW_MSS) ERROR('Flow: mss');
if (offsetof<Flow>('windowShift') != FLOW_WINDOW_SHIFT) ERROR('Flow: windowShift');
if (offsetof<Flow>('flags') != FLOW_FLAGS) ERROR('Flow: flags');
if (offsetof<Flow>('tsMs') != FLOW_TS_MS) ERROR('Flow: tsMs');
if (offsetof<Flow>('chain0') + offsetof<Chain>('bytes') != FLOW_RETAINED_BYTES) ERROR('Flow: kept');
if (offsetof<Flow>('passed') != FLOW_PASSED) ERROR('Flow: passed');
if (offsetof<Flow>('feedNext') - offsetof<Flow>('chain0') != offsetof<Chain>()) ERROR('Flow: chain');
if (offsetof<Connection>() != CONNECTION_BYTES) ERROR('Connection: size');
if (offsetof<Connection>('clientPort') != CONNECTION_CLIENT_PORT) ERROR('Connection: clientPort');
if (offsetof<Connection>('vlan') != CONNECTION_VLAN) ERROR('Connection: vlan');
if (offsetof<Connection>('state') != CONNECTION_STATE) ERROR('Connection: state');
if (offsetof<Connection>('flags') != CONNECTION_FLAGS) ERROR('Connection: flags');
if (offsetof<Connection>('service') != CONNECTION_SERVICE) ERROR('Connection: service');
if (offsetof<Connection>('generation') != CONNECTION_GENERATION) ERROR('Connection: generation');
if (offsetof<Connection>('stackPort') != CONNECTION_STACK_PORT) ERROR('Connection: stackPort');
if (offsetof<Connection>('seenMs') != CONNECTION_SEEN_MS) ERROR('Connection: seenMs');
if (offsetof<Connection>('holeSeq') != CONNECTION_HOLE_SEQ) ERROR('Connection: holeSeq');
if (offsetof<Connection>('flows0') != CONNECTION_FLOWS) ERROR('Connection: flows');
if (offsetof<Connection>('divergedFirst') != CONNECTION_DIVERGED_FIRST) ERROR('Connection: divergedFirst');
if (offsetof<Connection>('divergedLast') != CONNECTION_DIVERGED_LAST) ERROR('Connection: divergedLast');
if (offsetof<Connection>('spillEnd') != CONNECTION_SPILL_END) ERROR('Connection: spillEnd');
if (offsetof<Connection>('record') != CONNECTION_RECORD) ERROR('Connection: record');
if (offsetof<Connection>('strayEnd') != CONNECTION_STRAYS) ERROR('Connection: strays');
if (offsetof<Connection>('d1') != CONNECTION_FLOWS + 2 * FLOW_BYTES) ERROR('Connection: d1');
