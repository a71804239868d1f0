/**
 * Sizes, offsets and capacities shared by the core and every host: literals and + - * only, all below 2^31, so
 * that asc, tsc and esbuild read the same values. The core's records assert these offsets at build time.
 */

/** Raised with every change of an export, an offset or the meaning of a code. */
export const ABI_VERSION: u32 = 3;

// --- capacities ---------------------------------------------------------------------------------------------

export const MAX_SERVICES: u32 = 64;
export const MAX_SERVICE_PORTS: u32 = 64;
export const DEFAULT_CONNECTIONS: u32 = 131072;
export const MAX_CONNECTIONS: u32 = 1048576;
export const DEFAULT_RETAINED_BYTES: u32 = 134217728;
export const DEFAULT_RETAINED_PER_CONNECTION: u32 = 8388608;
export const DEFAULT_RECORD_BYTES: u32 = 268435456;
export const DEFAULT_RECORD_PER_CONNECTION: u32 = 67108864;
/** Positions in a record are compared as sequence numbers, so all of it has to lie within 2^31. */
export const MAX_RECORD_PER_CONNECTION: u32 = 1073741824;
export const DEFAULT_COMPARE_PER_CONNECTION: u32 = 65536;

/** One block of the store of retained bytes, its header included. */
export const BLOCK_BYTES: u32 = 2048;

// --- receive slot: one frame, with room before it so that VLAN tags can be put on in place --------------------

export const RX_HEADROOM: u32 = 64;
/** The largest frame a capture can show: 64 KiB IP packet merged by receive offload, Ethernet and two tags. */
export const RX_FRAME_BYTES: u32 = 65600;

// --- transmit queue: descriptors that refer to the receive slot or to the arena -------------------------------

export const TX_MAX: u32 = 512;
export const TX_ARENA_BYTES: u32 = 1048576;
export const TX_DESC_BYTES: u32 = 16;
/** u32: address of the frame's first byte. */
export const TX_DESC_OFF: u32 = 0;
/** u32: bytes. */
export const TX_DESC_LEN: u32 = 4;
/** u32: Port. */
export const TX_DESC_PORT: u32 = 8;
/** u32: index of the connection it belongs to, or NONE. */
export const TX_DESC_CONN: u32 = 12;

/** "No record" in every u32 that holds an index. */
export const NONE: u32 = 0x7fffffff;

// --- service: written by the host before addService, statistics read back from it -----------------------------

export const SERVICE_BYTES: u32 = 384;
/** 16 bytes, network order: IPv6, or IPv4 as ::ffff:a.b.c.d. */
export const SERVICE_ADDRESS: u32 = 0;
/** 16 bytes, network order: where the replica listens (same ports). */
export const SERVICE_REPLICA: u32 = 16;
/** 6 bytes: the replica's MAC address; used when SERVICE_FLAG_REMOTE is set. */
export const SERVICE_REPLICA_MAC: u32 = 32;
/** u16: how many ports follow. */
export const SERVICE_PORT_COUNT: u32 = 38;
/** MAX_SERVICE_PORTS x u16, host order. */
export const SERVICE_PORTS: u32 = 40;
/** u32: SERVICE_FLAG_*. */
export const SERVICE_FLAGS: u32 = 168;
/** u32: handshakes with the replica that may be unconfirmed at a time. */
export const SERVICE_HANDSHAKE_WINDOW: u32 = 172;
/** u16: VLAN of the service for announcements made before any client was seen, 0 for untagged. */
export const SERVICE_VLAN: u32 = 176;
/** u16: first and last port used as source towards a remote replica. */
export const SERVICE_MAP_FIRST: u32 = 178;
export const SERVICE_MAP_LAST: u32 = 180;
/** u32: ServiceState. Read only; see setServiceState. */
export const SERVICE_STATE: u32 = 184;
/** u32: connections that have a record now. */
export const SERVICE_TRACKED: u32 = 188;
/** u32: connections still on their way to the replica. */
export const SERVICE_RECOVERING: u32 = 192;
/** u32: connections continued on the replica, since start. */
export const SERVICE_RECOVERED: u32 = 196;
/** u32: new connections accepted for the replica, since start. */
export const SERVICE_PROXIED: u32 = 200;
/** u32: connections given up, since start. */
export const SERVICE_LOST: u32 = 204;
/** u32: ms of the last frame seen from the primary; valid when SERVICE_HEARD is not 0. */
export const SERVICE_HEARD_MS: u32 = 208;
/** u32: frames seen from the primary since start. */
export const SERVICE_HEARD: u32 = 212;
/** u32: ms of the last RST or retransmission by a client nobody answers (passive evidence). */
export const SERVICE_UNANSWERED: u32 = 216;
/** Loss.Count x u32: connections given up, by Loss. */
export const SERVICE_LOSSES: u32 = 220;
/** 6 bytes: the primary's MAC address as last seen. */
export const SERVICE_PRIMARY_MAC: u32 = 268;
/** u32: half-open records now. */
export const SERVICE_HALF_OPEN: u32 = 276;
/** u32: connections whose replica differed from the primary, since start. */
export const SERVICE_DIVERGENCES: u32 = 280;

/** The replica is another machine of the segment: the daemon stands between them. */
export const SERVICE_FLAG_REMOTE: u32 = 1;
/** Answer ICMP echo requests to the service address while the daemon has it. */
export const SERVICE_FLAG_ECHO: u32 = 2;
/** The replica is given the client's stream from its first byte: at recovery, or live beside the primary. */
export const SERVICE_FLAG_REPLAY: u32 = 4;
export const SERVICE_FLAG_SHADOW: u32 = 8;
/** A connection that cannot be replayed is resumed; without it, it is reset. */
export const SERVICE_FLAG_FALLBACK_RESUME: u32 = 16;
/**
 * What becomes of a connection whose replica differed from the primary. Neither: it goes on when the client already has
 * all bytes that differ, and is reset otherwise.
 */
export const SERVICE_FLAG_DIVERGED_CONTINUE: u32 = 32;
export const SERVICE_FLAG_DIVERGED_RESET: u32 = 64;

// --- connection: read by the host, index i at connectionsBase() + i * CONNECTION_BYTES ------------------------

export const CONNECTION_BYTES: u32 = 512;
/** 16 bytes each, network order, IPv4 as ::ffff:a.b.c.d. */
export const CONNECTION_CLIENT: u32 = 0;
export const CONNECTION_SERVER: u32 = 16;
/** u16, host order. */
export const CONNECTION_CLIENT_PORT: u32 = 32;
export const CONNECTION_SERVER_PORT: u32 = 34;
/** u32: outer VLAN id << 16 | inner VLAN id; 0 untagged. */
export const CONNECTION_VLAN: u32 = 36;
/** u8: TcpState, Phase, Risk, Loss. */
export const CONNECTION_STATE: u32 = 40;
export const CONNECTION_PHASE: u32 = 41;
export const CONNECTION_RISK: u32 = 42;
export const CONNECTION_LOSS: u32 = 43;
/** u32: CONNECTION_FLAG_*. */
export const CONNECTION_FLAGS: u32 = 44;
/** u16: index of the service, or 0xffff when everything is tracked. */
export const CONNECTION_SERVICE: u32 = 48;
/** u16: raised each time the record is used anew. */
export const CONNECTION_GENERATION: u32 = 50;
/** u16: the port the replica sees as its peer's, host order. */
export const CONNECTION_STACK_PORT: u32 = 52;
/** u32: ms of the last frame that passed the window check. */
export const CONNECTION_SEEN_MS: u32 = 60;
/** u32: first byte and length of the hole that put the connection at risk (see Risk). */
export const CONNECTION_HOLE_SEQ: u32 = 64;
export const CONNECTION_HOLE_BYTES: u32 = 68;
/** From here on: notes about segments that did not fit, which are no state of the connection. */
export const CONNECTION_STRAYS: u32 = 496;
/** u64: offset in the server's stream of the first byte that differed, and one past the last; 0, 0: none did. */
export const CONNECTION_DIVERGED_FIRST: u32 = 360;
export const CONNECTION_DIVERGED_LAST: u32 = 368;
/** u32: how far the client's bytes are with the host, as a sequence number; meaningful with spilled bytes. */
export const CONNECTION_SPILL_END: u32 = 476;
/** u8: RecordState. */
export const CONNECTION_RECORD: u32 = 485;
/** Two FLOW records, Dir.Inbound first. */
export const CONNECTION_FLOWS: u32 = 96;
export const FLOW_BYTES: u32 = 96;
/** Offsets inside a FLOW: all u32 unless said otherwise; sequence numbers as the wire side sees them. */
export const FLOW_ISN: u32 = 0;
/** One past the highest sequence number sent. */
export const FLOW_END: u32 = 4;
/** The highest acknowledgement the receiver has given. */
export const FLOW_ACKED: u32 = 8;
/** The highest right window edge the receiver has granted. */
export const FLOW_EDGE: u32 = 12;
/** Largest window, bytes, this sender has itself advertised. */
export const FLOW_MAX_WINDOW: u32 = 16;
export const FLOW_FIN_SEQ: u32 = 20;
export const FLOW_TSVAL: u32 = 24;
export const FLOW_TS_MS: u32 = 28;
/** u16: MSS option this sender announced, 0 when none was seen. */
export const FLOW_MSS: u32 = 32;
/** u8: window shift this sender announced. */
export const FLOW_WINDOW_SHIFT: u32 = 34;
/** u8: FLOW_FLAG_*. */
export const FLOW_FLAGS: u32 = 35;
/** Bytes of this sender kept in the store. */
export const FLOW_RETAINED_BYTES: u32 = 44;

/** u64: sequence numbers the receiver has acknowledged in all, the SYN's included; from the pick-up on without a SYN. */
export const FLOW_PASSED: u32 = 88;

export const FLOW_FLAG_FIN: u32 = 1;
export const FLOW_FLAG_ISN: u32 = 2;
export const FLOW_FLAG_TS: u32 = 4;
/** The store is being sent to the receiver by the core. */
export const FLOW_FLAG_FEEDING: u32 = 8;
export const FLOW_FLAG_FIN_ACKED: u32 = 16;
/** Something was sent in this direction: end is meaningful. */
export const FLOW_FLAG_SEEN: u32 = 32;
/** A FIN of a suspected primary: counts only once the client has acknowledged it. */
export const FLOW_FLAG_FIN_PENDING: u32 = 64;
/** The sender itself was seen; without it, what is known of it is what its peer acknowledged. */
export const FLOW_FLAG_SPOKE: u32 = 128;

/** Agreed by both SYNs. */
export const CONNECTION_FLAG_WINDOW_SCALE: u32 = 1;
export const CONNECTION_FLAG_SACK: u32 = 2;
export const CONNECTION_FLAG_TIMESTAMPS: u32 = 4;
export const CONNECTION_FLAG_ECN: u32 = 8;
export const CONNECTION_FLAG_MPTCP: u32 = 16;
/** Data in the SYN (TCP Fast Open). */
export const CONNECTION_FLAG_TFO: u32 = 32;
/** Both SYNs were seen; without it the connection was picked up while running. */
export const CONNECTION_FLAG_HANDSHAKE: u32 = 64;
export const CONNECTION_FLAG_IPV6: u32 = 128;
/** Made through the proxy: no delta, never on the primary. */
export const CONNECTION_FLAG_PROXIED: u32 = 256;
/** Continued on the replica. */
export const CONNECTION_FLAG_RECOVERED: u32 = 512;
/** An RST of the primary came while it was under suspicion. */
export const CONNECTION_FLAG_RST_PENDING: u32 = 1024;
/** SACK was agreed with the client and not at the replica: the core tells the blocks. */
export const CONNECTION_FLAG_SACK_FORGED: u32 = 2048;

// --- snapshot: records of exportConnections, whose format is the core's own ------------------------------------

/** Raised with every change of the record; a snapshot of another version is refused by the host. */
export const SNAPSHOT_VERSION: u32 = 1;
export const SNAPSHOT_RECORD_BYTES: u32 = 176;

// --- counters: u64 each, Reason first, then Counter -----------------------------------------------------------

export const COUNTER_BYTES: u32 = 8;
