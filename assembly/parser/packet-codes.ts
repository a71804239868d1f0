/** What the fields of a Packet can say. Literals only: the tests read the same file. */

/** What the frame is, after Reason.None. */
export const enum PacketKind {
  /** Nothing the core acts on: other ICMP and ND messages. */
  Other = 0,
  Tcp = 1,
  /** ICMP or ICMPv6 error that quotes a TCP segment; the `quoted` fields are filled. */
  IcmpError = 2,
  /** ICMP or ICMPv6 echo request. */
  IcmpEcho = 3,
  Arp = 4,
  NeighborSolicitation = 5,
  NeighborAdvertisement = 6,
}

/** Control bits (RFC 9293 3.1, RFC 3168 6.1). */
export const enum TcpFlag {
  Fin = 1,
  Syn = 2,
  Rst = 4,
  Psh = 8,
  Ack = 16,
  Urg = 32,
  Ece = 64,
  Cwr = 128,
}

/** Which TCP options are present. */
export const enum OptionBit {
  /** In a SYN only, and not 0. */
  Mss = 1,
  /** In a SYN only. */
  WindowScale = 2,
  /** In a SYN only. */
  SackPermitted = 4,
  Timestamps = 8,
  Sack = 16,
  Md5 = 32,
  Ao = 64,
  Mptcp = 128,
  /** Fast Open, kind 34 or the experimental one (RFC 7413 4.1.1, RFC 6994). */
  Tfo = 256,
}
