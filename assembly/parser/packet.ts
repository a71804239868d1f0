/**
 * The parsed view of one frame: what `parse` found, in host order, and where it found it. Knows nothing of
 * connections; holds addresses into the frame, so it is void as soon as the receive slot is used again.
 *
 * Contract: after `parse` returned Reason.None every pointer of the frame's kind is inside the captured bytes and
 * every offset named in headers.ts may be read through it without a check. After a refusal the fields filled
 * before it are still right (a counter or a log may use them). The fields are a snapshot: whoever rewrites the frame
 * does not change them.
 *
 * "wire" lengths are what was on the wire, "captured" ones what the snapshot length left of it. Absent is a bit
 * (`options`, `kind`, `ipVersion`, `fragmentHasPorts`), never the value 0: these alone are emptied for each frame, and
 * what they do not vouch for is void, as an earlier frame has left it. Emptying all of it would be a call out of the
 * module, or 35 stores.
 */

import { OptionBit, PacketKind, TcpFlag } from './packet-codes';

export { OptionBit, PacketKind, TcpFlag };

@unmanaged
export class Packet {
  /** Source and destination, network order, IPv4 as ::ffff:a.b.c.d. See srcPtr, dstPtr. */
  srcHigh: u64;
  srcLow: u64;
  dstHigh: u64;
  dstLow: u64;
  /** The same of the packet quoted by an ICMP error. */
  quotedSrcHigh: u64;
  quotedSrcLow: u64;
  quotedDstHigh: u64;
  quotedDstLow: u64;

  /** First byte of the Ethernet header. */
  frame: usize;
  /** Captured bytes of the frame. */
  length: u32;
  /** Bytes the frame had on the wire, at least `length`. */
  wireLength: u32;

  kind: PacketKind;
  /** OptionBit bits. */
  options: u32;
  /** 4 or 6; 0 when not IP. */
  ipVersion: u32;
  /** With Reason.Fragment: 1 when this is a first fragment of TCP and the ports are filled. */
  fragmentHasPorts: u32;
  /** VLAN tags present, 0 to 2. */
  tagCount: u32;
  /** First tag: TPID << 16 | TCI. */
  outerTag: u32;
  /** Second tag: TPID << 16 | TCI. */
  innerTag: u32;
  /** Outer VLAN id << 16 | inner VLAN id; 0 untagged or priority-tagged. The form of CONNECTION_VLAN. */
  vlan: u32;
  /** After the tags. */
  etherType: u32;
  /** IP or ARP header. */
  l3: usize;

  /** Protocol of what `l4` points at (IANA). */
  protocol: u32;
  /** Bytes of all headers between `l3` and `l4`: IPv4 options and IPv6 extension headers included. */
  ipHeaderLength: u32;
  /** TCP or ICMP header. */
  l4: usize;
  /** Wire bytes from `l4` to the end of the IP packet. */
  l4Wire: u32;
  /** Captured bytes of these. */
  l4Length: u32;

  srcPort: u32;
  dstPort: u32;
  seq: u32;
  ack: u32;
  /** As sent, not scaled. */
  window: u32;
  urgent: u32;
  /** TcpFlag bits. */
  flags: u32;
  /** TCP header with options, bytes. */
  headerLength: u32;
  payload: usize;
  /** Captured payload bytes; Ethernet padding is not payload. */
  payloadLength: u32;
  /** Payload bytes on the wire. More than `payloadLength`: cut by the snapshot length. */
  payloadWire: u32;
  /** Sequence numbers the segment takes up (SEG.LEN): wire payload, SYN and FIN. */
  segmentLength: u32;

  mss: u32;
  /** At most 14 (RFC 7323 2.3). */
  windowShift: u32;
  tsval: u32;
  tsecr: u32;
  /** The TSval field; TSecr is 4 bytes on. May be at an odd offset of the segment. */
  tsPtr: usize;
  /** The first SACK block: left edge, right edge, 4 bytes each. May be at an odd offset of the segment. */
  sackPtr: usize;
  /** SACK blocks, 1 to 4. */
  sackCount: u32;

  icmpType: u32;
  icmpCode: u32;
  /** Next-hop MTU of "fragmentation needed" and "packet too big", bytes; 0 from routers older than RFC 1191. */
  icmpMtu: u32;
  /** Version and addresses of the quoted packet are those of the carrying one's IP version. */
  quotedL3: usize;
  /** Quoted TCP header. Only its first 8 bytes are certain: see quotedLength. */
  quotedL4: usize;
  /** Captured bytes of the quoted segment from `quotedL4` on, at least 8. */
  quotedLength: u32;
  quotedSrcPort: u32;
  quotedDstPort: u32;
  quotedSeq: u32;

  /** ARP_REQUEST or ARP_REPLY; other operations are passed on as they are. Sender and target IP: src, dst. */
  arpOp: u32;
  arpSenderMac: usize;
  /** Target of a neighbour solicitation or advertisement, 16 bytes. */
  ndTarget: usize;

  /** Where the last walk over IPv6 extension headers ended; scratch of ipv6.ts. */
  walkPtr: usize;
  walkProtocol: u32;
  /** With Reason.Fragment: offset of the fragment, bytes. */
  walkFragment: u32;

  /** Nothing is found yet: `kind` to `vlan`. */
  clear(): void {
    const at = changetype<usize>(this) + offsetof<Packet>('kind');
    store<u64>(at, 0);
    store<u64>(at, 0, 8);
    store<u64>(at, 0, 16);
    store<u64>(at, 0, 24);
  }

  get srcPtr(): usize {
    return changetype<usize>(this) + offsetof<Packet>('srcHigh');
  }

  get dstPtr(): usize {
    return changetype<usize>(this) + offsetof<Packet>('dstHigh');
  }

  get quotedSrcPtr(): usize {
    return changetype<usize>(this) + offsetof<Packet>('quotedSrcHigh');
  }

  get quotedDstPtr(): usize {
    return changetype<usize>(this) + offsetof<Packet>('quotedDstHigh');
  }

  /** ARP sender address, 16 bytes mapped. */
  get arpSenderIp(): usize {
    return this.srcPtr;
  }

  /** ARP target address, 16 bytes mapped. */
  get arpTargetIp(): usize {
    return this.dstPtr;
  }

  /** One past the last captured byte. */
  get end(): usize {
    return this.frame + this.length;
  }
}

/** The one packet under work: the core handles one frame at a time. */
const REGION: usize = memory.data(offsetof<Packet>(), 8);

export function packet(): Packet {
  return changetype<Packet>(REGION);
}

/** Bytes 8 to 11 of a mapped address as loaded from memory: 00 00 ff ff (RFC 4291 2.5.5.2). */
const MAPPED_PREFIX: u32 = 0xffff0000;

/** An address of 16 bytes, without a call out of the module: see copyMac of memory/ports.ts. */
export function copyAddress(to: usize, from: usize): void {
  const high = load<u64>(from);
  const low = load<u64>(from, 8);
  store<u64>(to, high);
  store<u64>(to, low, 8);
}

/** Writes the IPv4 address at `from` to the 16 bytes at `to` as ::ffff:a.b.c.d. */
export function storeMapped(to: usize, from: usize): void {
  store<u64>(to, 0);
  store<u32>(to, MAPPED_PREFIX, 8);
  store<u32>(to, load<u32>(from), 12);
}

if (offsetof<Packet>('etherType') - offsetof<Packet>('kind') != 32) ERROR('Packet: clear');
