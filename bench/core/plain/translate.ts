/** A client's segment edited in place for a replica on this host, in plain TypeScript. */
import { Reason } from '../../../assembly/abi/codes';
import { CONNECTION_FLAG_ECN, CONNECTION_FLAG_PROXIED } from '../../../assembly/abi/layout';
import { OptionBit, TcpFlag } from '../../../assembly/parser/packet-codes';
import { finish, fold, patch, sum, turned } from './checksum';
import type { Connection, Service } from './connection';
import type { Packet } from './packet';
import { seqLt, unmeasured } from './track';

/** Bits of the core's Connection.marks (tracker/connection.ts). */
export const REPLICA_TS = 2;
export const REPLICA_WS = 4;
const REPLICA_ECN = 8;
const NOP = 1;

export interface StackPort {
  readonly mtu: number;
  /** Addresses of both ends, peer's first: the 12 bytes that begin a frame. */
  readonly link: readonly [number, number, number];
}

/** A frame to send: where it lies in the memory that it was parsed from. */
export interface Sent {
  readonly frame: number;
  readonly length: number;
  readonly connection: Connection;
}

/** Sums of what was taken out of a segment, and of what was put in. */
class Change {
  removed = 0;
  added = 0;

  constructor(private readonly view: DataView) {}

  replace32(at: number, value: number): void {
    this.removed += this.view.getUint32(at);
    this.view.setUint32(at, value);
    this.added += value;
  }

  replace16(at: number, value: number): void {
    this.removed += this.view.getUint16(at);
    this.view.setUint16(at, value);
    this.added += value;
  }

  /** A field of an option, which may begin at an odd offset of the segment. */
  replaceOption(segment: number, at: number, value: number): void {
    if (((at - segment) & 1) === 0) return this.replace32(at, value);
    this.removed += turned(this.view.getUint32(at));
    this.view.setUint32(at, value);
    this.added += turned(value);
  }

  blank(segment: number, at: number, length: number): void {
    for (let i = at; i < at + length; i++) {
      const weight = ((i - segment) & 1) === 0 ? 256 : 1;
      this.removed += this.view.getUint8(i) * weight;
      this.added += NOP * weight;
      this.view.setUint8(i, NOP);
    }
  }
}

export function pseudoSum(view: DataView, p: Packet): number {
  const tail = p.l4Wire + p.protocol;
  return p.ipVersion === 4 ? sum(view, p.l3 + 12, 8, tail) : sum(view, p.l3 + 8, 32, tail);
}

export function isPartialChecksum(view: DataView, p: Packet): boolean {
  return view.getUint16(p.l4 + 16) === fold(pseudoSum(view, p));
}

/** The frame for the replica, its numbers given; `field` is its window. */
export function forward(
  view: DataView,
  c: Connection,
  s: Service,
  p: Packet,
  numbers: { seq: number; ack: number; tsecr: number; field: number },
  port: StackPort,
): Sent | Reason {
  if (p.payloadLength < p.payloadWire) return Reason.TruncatedPayload;
  if (p.ipHeaderLength + p.l4Wire > port.mtu) return Reason.TooBig;
  const isPartial = isPartialChecksum(view, p);
  const change = new Change(view);
  putAddress(view, change, s, p);
  const tcp = p.l4;
  change.replace16(tcp, c.stackPort);
  change.replace16(tcp + 2, c.serverPort);
  change.replace32(tcp + 4, numbers.seq);
  change.replace32(tcp + 8, numbers.ack);
  change.replace16(tcp + 14, numbers.field);
  if ((c.flags & CONNECTION_FLAG_PROXIED) === 0) putOptions(view, change, c, p, numbers.tsecr);
  if (isPartial) {
    view.setUint16(tcp + 16, 0);
    view.setUint16(tcp + 16, finish(sum(view, tcp, p.l4Wire, pseudoSum(view, p))));
  } else {
    patch(view, tcp + 16, change.removed, change.added);
  }
  const frame = p.l3 - 14;
  view.setUint32(frame, port.link[0]);
  view.setUint32(frame + 4, port.link[1]);
  view.setUint32(frame + 8, port.link[2]);
  view.setUint16(frame + 12, p.ipVersion === 6 ? 0x86dd : 0x0800);
  return { frame, length: tcp - frame + p.l4Wire, connection: c };
}

/** The source stays the client's own: the replica is on this host. */
function putAddress(view: DataView, change: Change, s: Service, p: Packet): void {
  if (p.ipVersion === 6) {
    view.setUint16(p.l3 + 4, p.ipHeaderLength - 40 + p.l4Wire);
    const replica = String(s.replica);
    for (let i = 0; i < 4; i++) {
      change.replace32(p.l3 + 24 + 4 * i, parseInt(replica.slice(8 * i, 8 * i + 8), 16));
    }
    return;
  }
  if (view.getUint16(p.l3 + 2) === 0) unmeasured('a merged frame without its length');
  change.replace32(p.l3 + 16, s.replica as number);
  patch(view, p.l3 + 10, change.removed, change.added);
}

function putOptions(view: DataView, change: Change, c: Connection, p: Packet, tsecr: number): void {
  if (p.options & OptionBit.Timestamps) {
    if ((c.marks & REPLICA_TS) === 0) {
      change.blank(p.l4, p.ts - 2, 10);
    } else {
      change.replaceOption(p.l4, p.ts, p.tsval);
      change.replaceOption(p.l4, p.ts + 4, tsecr);
    }
  }
  if (p.options & OptionBit.Sack) putSack(view, change, c, p);
  if (c.flags & CONNECTION_FLAG_ECN && (c.marks & REPLICA_ECN) === 0) {
    change.replace16(p.l4 + 12, view.getUint16(p.l4 + 12) & ~(TcpFlag.Ece | TcpFlag.Cwr));
  }
}

function putSack(view: DataView, change: Change, c: Connection, p: Packet): void {
  for (let i = 0; i < p.sackCount; i++) {
    if (seqLt(view.getUint32(p.sack + 8 * i), c.serverBase)) {
      change.blank(p.l4, p.sack - 2, 2 + 8 * p.sackCount);
      return;
    }
  }
  for (let at = p.sack; at < p.sack + 8 * p.sackCount; at += 4) {
    change.replaceOption(p.l4, at, (view.getUint32(at) + c.d2) >>> 0);
  }
}
