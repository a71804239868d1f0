/**
 * Codes shared by the core and every host. Compiled by asc and bundled by esbuild from this one file, so a
 * name and its number cannot drift apart. Literals only. Append, never renumber: hosts store these.
 */

/** Where a frame comes from or goes to. */
export const enum Port {
  /** The segment of client and primary. */
  Wire = 0,
  /** The private link to the replica's TCP stack on this host. Unused by services whose replica is remote. */
  Stack = 1,
  Count = 2,
}

/** Result of a call that a correct host never sees fail. */
export const enum Status {
  Ok = 0,
  BadArgument = -1,
  NotInitialised = -2,
  MemoryTooSmall = -3,
  TooManyServices = -4,
  BadSnapshot = -5,
}

/** Who sent it: the direction of a byte stream, named by its sender. */
export const enum Dir {
  /** Client to server. */
  Inbound = 0,
  /** Server to client. */
  Outbound = 1,
  Count = 2,
}

/** State of a service. */
export const enum ServiceState {
  /** The primary serves; the core only watches. */
  Normal = 0,
  /** The primary is dead; connections are being moved to the replica. */
  Recovery = 1,
  /** The replica serves; the core translates. */
  Proxy = 2,
  Count = 3,
}

/** State of a connection as an observer between both ends can know it (RFC 9293 3.3.2). */
export const enum TcpState {
  /** The record is not in use. */
  Free = 0,
  /** A SYN was seen, no answer yet. */
  SynSent = 1,
  /** The server answered with SYN-ACK. */
  SynReceived = 2,
  /** Both directions open. */
  Established = 3,
  /** The client has sent its FIN. */
  ClientFin = 4,
  /** The server has sent its FIN. */
  ServerFin = 5,
  /** Both FINs were sent, not all of them acknowledged. */
  BothFin = 6,
  /** Both FINs were sent and acknowledged. */
  TimeWait = 7,
  /** Reset, or found dead. */
  Closed = 8,
  Count = 9,
}

/** What a segment means to the state machine. */
export const enum TcpEvent {
  Syn = 0,
  SynAck = 1,
  Ack = 2,
  Fin = 3,
  Rst = 4,
  Count = 5,
}

/** How far a connection has come on its way to the replica. */
export const enum Phase {
  /** Served by the primary. */
  Direct = 0,
  /** Waits for its turn in the paced handshakes. */
  Queued = 1,
  /** The forged SYN is out. */
  SynSent = 2,
  /** The handshake's ACK is out; the replica has not yet shown that its accept queue took the connection. */
  Confirming = 3,
  /** Translated. */
  Live = 4,
  /** The replica reads the client's stream from its first byte, and its output is withheld. */
  Withheld = 5,
  Count = 6,
}

/** Why a connection may not survive a crash; the first one found stays. */
export const enum Risk {
  None = 0,
  /** Picked up while running: the window scale was never seen. */
  WindowScaleUnknown = 1,
  /** The server acknowledged client bytes that the tap never saw. */
  InboundHole = 2,
  /** Server bytes that the client has not acknowledged are missing from the store. */
  OutboundHole = 3,
  /** The store's budget was used up while the client still lacked these server bytes. */
  RetainedBudget = 4,
  /** Multipath TCP was agreed: its options will be missing from the replica's segments. */
  Mptcp = 5,
  /** Segments of the connection were seen as IP fragments. */
  Fragmented = 6,
  /** The record of the client's bytes outgrew its budget. */
  RecordBudget = 7,
  /** The replica does not read along (service with shadow). */
  NotShadowed = 8,
  /** The replica's output differs in bytes that the client may not have (see on divergence). */
  Diverged = 9,
  Count = 10,
}

/** Why a connection was given up. */
export const enum Loss {
  None = 0,
  /** TCP MD5 signature (RFC 2385): cannot be forged without the key. */
  Md5 = 1,
  /** TCP-AO (RFC 5925): cannot be forged without the key. */
  Ao = 2,
  /** The replica answered the handshake with RST: it does not run this service. */
  ReplicaRefused = 3,
  /** The replica did not answer the handshake. */
  ReplicaSilent = 4,
  /** Server bytes the client still waits for are gone (see Risk.OutboundHole and RetainedBudget). */
  ServerBytesMissing = 5,
  /** Another connection already uses the tuple that the replica would see. */
  TupleClash = 6,
  /** The replica reset the connection while it was being fed. */
  ReplicaReset = 7,
  /** The daemon stopped while the replica served. */
  Dismissed = 8,
  /** The client's stream is not recorded from its first byte to its last. */
  RecordIncomplete = 9,
  /** The replica's output differs from what the primary had sent. */
  Diverged = 10,
  /** The replica did not produce what the client already has. */
  ReplicaBehind = 11,
  Count = 12,
}

/** What is kept of the client's stream for a replica that has to read it from its first byte. */
export const enum RecordState {
  /** Nothing: the service resumes. */
  None = 0,
  /** All of it. */
  Complete = 1,
  /** What the replica that reads along has not yet read; what it has read was let go of for want of room. */
  Trimmed = 2,
  /** Bytes are missing. */
  Lost = 3,
  Count = 4,
}

/** What became of a frame that was not passed on, each with a counter of the same number. */
export const enum Reason {
  /** Accepted. */
  None = 0,
  TruncatedEthernet = 1,
  UnknownEtherType = 2,
  TooManyTags = 3,
  TruncatedIp = 4,
  BadIpVersion = 5,
  BadIpHeaderLength = 6,
  BadIpTotalLength = 7,
  BadIpChecksum = 8,
  Fragment = 9,
  TooManyExtensionHeaders = 10,
  NotTcp = 11,
  TruncatedTcp = 12,
  BadTcpDataOffset = 13,
  BadTcpFlags = 14,
  BadTcpOption = 15,
  /** Payload cut by the capture's snapshot length. */
  TruncatedPayload = 16,
  BadTcpChecksum = 17,
  TruncatedIcmp = 18,
  /** An ICMP message that quotes nothing of ours. */
  IcmpNotOurs = 19,
  TruncatedArp = 20,
  ArpNotOurs = 21,
  /** Not for a service. */
  NotOurs = 22,
  /** A segment of no known connection. */
  NoConnection = 23,
  /** The event is not possible in the connection's state. */
  InvalidState = 24,
  /** Inequality I: beyond the receiver's window. */
  SeqAboveWindow = 25,
  /** Inequality II: far below what was already sent. */
  SeqBelowWindow = 26,
  /** Inequality III: acknowledges what was never sent. */
  AckAboveWindow = 27,
  /** Inequality IV: acknowledges far less than already acknowledged. */
  AckBelowWindow = 28,
  /** RST that is not exactly at the expected number (RFC 5961 3.2). */
  RstOutOfWindow = 29,
  /** SYN for a live connection (RFC 5961 4.2). */
  SynOnLive = 30,
  /** RST or FIN of a primary under suspicion. */
  Quarantined = 31,
  /** The primary's own frame after its connections have moved. */
  FromPrimary = 32,
  TableFull = 33,
  HalfOpenBudget = 34,
  /** Payload of the replica that the client must not see: the server's side was already closed. */
  ServerClosed = 35,
  /** Held back until the connection is live on the replica. */
  NotLive = 36,
  /** Already known to the client: the replica's own handshake or its probe answers. */
  Absorbed = 37,
  /** The transmit queue was full; TCP repeats it. */
  TxQueueFull = 38,
  /** The frame does not fit the outgoing link and may not be split. */
  TooBig = 39,
  TruncatedNd = 40,
  /** SYN-ACK of the primary for a SYN that nobody sent. */
  UnsolicitedSynAck = 41,
  /** A source route (IPv4) or a routing header with segments left (IPv6): the addresses are not the final ones. */
  BadIpOption = 42,
  /** The replica's output, of which the client is to see nothing yet. */
  Withheld = 43,
  /** The replica's output behind bytes of it that were not seen: it has to repeat it. */
  WithheldGap = 44,
  Count = 45,
}

/** Counters that are not refusals; they follow the Reason counters in the counter region. */
export const enum Counter {
  FramesWire = 0,
  FramesStack = 1,
  BytesWire = 2,
  BytesStack = 3,
  FramesOutWire = 4,
  FramesOutStack = 5,
  /** Frames translated and passed on, client to replica. */
  TranslatedInbound = 6,
  /** Frames translated and passed on, replica to client. */
  TranslatedOutbound = 7,
  ForgedSyn = 8,
  ForgedAck = 9,
  ForgedRst = 10,
  /** Segments fed to the replica from the store. */
  FedSegments = 11,
  FedBytes = 12,
  /** Segments sent to the client from the store. */
  ResentSegments = 13,
  ResentBytes = 14,
  /** Segments made by splitting a larger one. */
  SplitSegments = 15,
  ChecksumPatched = 16,
  ChecksumRecomputed = 17,
  ArpAnswered = 18,
  NdAnswered = 19,
  Announcements = 20,
  IcmpTranslated = 21,
  HandshakeRetries = 22,
  RetainedDropped = 23,
  EchoAnswered = 24,
  /** Handshakes for a replica that reads the stream from its first byte. */
  CopyBegun = 25,
  /** Of these, ended by the replica before the primary. */
  CopyEnded = 26,
  /** Output of replicas that was withheld. */
  WithheldBytes = 27,
  /** Connections whose replica differed from the primary. */
  Divergences = 28,
  /** Records of the client's bytes given up. */
  RecordsLost = 29,
  /** Recorded bytes handed to the host, and got back. */
  SpilledBytes = 30,
  SuppliedBytes = 31,
  Count = 32,
}
