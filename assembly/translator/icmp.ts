/**
 * ICMP errors that quote a segment of a live connection (RFC 792, RFC 4443, RFC 5927). The sender of the quoted segment
 * must recognise it, so the quote is turned back into what it sent: addresses, ports and sequence number. Path MTU
 * discovery works through the translator that way (RFC 1191, RFC 8201). The quoted TCP checksum is left: a
 * quote is cut short and no receiver checks it. The ICMP checksum is computed anew; such messages are short and rare.
 */
import { Counter, Dir, Port, Reason } from '../abi/codes';
import { NONE } from '../abi/layout';
import { count, refuse } from '../memory/counters';
import { Ptr } from '../memory/regions';
import { txPush } from '../memory/transmit';
import { icmpChecksumFull, patch32 } from '../parser/checksum';
import {
  ICMP_CHECKSUM,
  ICMP_REDIRECT,
  IPV4_CHECKSUM,
  IPV4_DST,
  IPV4_SRC,
  IPV6_DST,
  IPV6_SRC,
  TCP_DST_PORT,
  TCP_SEQ,
  TCP_SRC_PORT,
} from '../parser/headers';
import { copyAddress, Packet } from '../parser/packet';
import { Connection, connectionAt } from '../tracker/connection';
import { CONN_BOUND, CONN_COPY } from '../tracker/marks';
import { serviceAt, Service } from '../tracker/service';
import { findOnStack, findOnWire, stackPeerPtr } from '../tracker/table';
import { headerBytes, linkBytes, putLink, replicaPort } from './segment';

/** A path cannot have a smaller MTU (RFC 791 3.2: 68 for IPv4; RFC 8200 5: 1280 for IPv6). */
const MIN_MTU_IPV4: u32 = 68;
const MIN_MTU_IPV6: u32 = 1280;

/** An error that came by the wire about a segment of the service: for the replica. */
export function icmpToReplica(p: Packet): Reason {
  // A redirect is for a host's routes (RFC 792), and the replica's are not those of the service address.
  if (p.ipVersion == 4 && p.icmpType == ICMP_REDIRECT) return refuse(Reason.IcmpNotOurs);
  const i = findOnWire(p.quotedDstPtr, p.quotedDstPort, p.quotedSrcPtr, p.quotedSrcPort, p.vlan);
  if (i == NONE) return refuse(Reason.IcmpNotOurs);
  const c = connectionAt(i);
  // Beside the primary it is the primary's.
  if (!c.marked(CONN_BOUND) || c.marked(CONN_COPY)) return refuse(Reason.IcmpNotOurs);
  const s = serviceAt(<u32>c.service);
  if (p.icmpMtu != 0) notePathMtu(c, p);
  setAddress(p.l3, p.ipVersion, IPV4_DST, IPV6_DST, s.replicaPtr);
  quote(p, s.replicaPtr, <u32>c.serverPort, stackPeerPtr(c, s), <u32>c.stackPort, p.quotedSeq + c.d2);
  return send(c, s, p, Dir.Inbound, replicaPort(s));
}

/** An error of the replica's host about a segment of the client: for the client. */
export function icmpToClient(p: Packet): Reason {
  const i = findOnStack(p.quotedSrcPtr, p.quotedSrcPort, p.quotedDstPtr, p.quotedDstPort);
  if (i == NONE) return refuse(Reason.IcmpNotOurs);
  const c = connectionAt(i);
  if (c.marked(CONN_COPY)) return refuse(Reason.Withheld);
  const s = serviceAt(<u32>c.service);
  setAddress(p.l3, p.ipVersion, IPV4_SRC, IPV6_SRC, c.serverPtr);
  setAddress(p.l3, p.ipVersion, IPV4_DST, IPV6_DST, c.clientPtr);
  quote(p, c.clientPtr, <u32>c.clientPort, c.serverPtr, <u32>c.serverPort, p.quotedSeq - c.d1);
  return send(c, s, p, Dir.Outbound, Port.Wire);
}

/** Segments that the core itself sends obey the path too. */
function notePathMtu(c: Connection, p: Packet): void {
  const least = p.ipVersion == 6 ? MIN_MTU_IPV6 : MIN_MTU_IPV4;
  const payload = max<u32>(p.icmpMtu, least) - headerBytes(c);
  if (c.pathMss == 0 || payload < <u32>c.pathMss) c.pathMss = <u16>min<u32>(payload, 0xffff);
}

function setAddress(l3: Ptr, version: u32, at4: usize, at6: usize, address: Ptr): void {
  if (version == 6) {
    copyAddress(l3 + at6, address);
    return;
  }
  const old = load<u32>(l3 + at4);
  const now = load<u32>(address, 12);
  store<u32>(l3 + at4, now);
  patch32(l3 + IPV4_CHECKSUM, old, now);
}

/** Rewrites the quoted packet: source, destination, sequence number. */
function quote(p: Packet, source: Ptr, sourcePort: u32, destination: Ptr, destinationPort: u32, seq: u32): void {
  setAddress(p.quotedL3, p.ipVersion, IPV4_SRC, IPV6_SRC, source);
  setAddress(p.quotedL3, p.ipVersion, IPV4_DST, IPV6_DST, destination);
  store<u16>(p.quotedL4, bswap<u16>(<u16>sourcePort), TCP_SRC_PORT);
  store<u16>(p.quotedL4, bswap<u16>(<u16>destinationPort), TCP_DST_PORT);
  store<u32>(p.quotedL4, bswap<u32>(seq), TCP_SEQ);
}

function send(c: Connection, s: Service, p: Packet, toward: Dir, port: Port): Reason {
  if (p.l4Length < p.l4Wire) return refuse(Reason.TruncatedPayload);
  store<u16>(p.l4, <u16>icmpChecksumFull(p), ICMP_CHECKSUM);
  const frame = p.l3 - linkBytes(c, port);
  putLink(frame, c, s, toward, port, p.ipVersion == 6);
  if (!txPush(frame, <u32>(p.l4 - frame) + p.l4Wire, port, c.index)) return refuse(Reason.TxQueueFull);
  count(Counter.IcmpTranslated);
  return Reason.None;
}
