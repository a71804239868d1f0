/** Bits of `marks` of a connection: what has to be done for it, and what else is known of it. None of them is for the host. */

/** A SYN came for the live connection; a SYN-ACK that answers it starts a new incarnation. */
export const CONN_PENDING_SYN: u32 = 1;
/** The replica agreed to timestamps. */
export const CONN_REPLICA_TS: u32 = 2;
/** The replica agreed to window scaling. */
export const CONN_REPLICA_WS: u32 = 4;
/** The replica agreed to ECN. */
export const CONN_REPLICA_ECN: u32 = 8;
/** The index knows the stack-side tuple. */
export const CONN_BOUND: u32 = 16;
/** The client has to be told the latest acknowledgement and window in a segment of its own. */
export const CONN_ACK_CLIENT: u32 = 32;
/** The replica has to be told the latest acknowledgement and window in a segment of its own. */
export const CONN_ACK_REPLICA: u32 = 64;
/** `toldEdge` is meaningful. */
export const CONN_EDGE_TOLD: u32 = 128;
/** The connection was given up: the client has to be reset. */
export const CONN_RESET_CLIENT: u32 = 256;
/** The connection was given up: the replica must not keep its half of it. */
export const CONN_RESET_REPLICA: u32 = 512;
/** Counted in the service's `recovering`. */
export const CONN_RECOVERING: u32 = 1024;
/** The replica reads the client's stream from its first byte, until the connection is live. */
export const CONN_COPY: u32 = 2048;
/** The replica has sent its FIN, which is the number before `copyNext`. */
export const CONN_COPY_FIN: u32 = 4096;
/** The host has recorded bytes: see `spillEnd`. */
export const CONN_SPILLED: u32 = 8192;
/** The host has been asked for recorded bytes. */
export const CONN_ASKED: u32 = 16384;
/** Whether the next client byte for the replica exists anywhere is not known: see recovery/gap.ts. */
export const CONN_UNPROVEN: u32 = 32768;
