/**
 * Offsets, sizes and numbers of the headers the core reads and writes, named as in their standards. Offsets are
 * bytes from the start of the header they belong to. No code, no state.
 */

// --- Ethernet II (IEEE 802.3 3.1.1), tags (IEEE 802.1Q 9.6) -------------------------------------------------

export const ETHERNET_DST: usize = 0;
export const ETHERNET_SRC: usize = 6;
export const ETHERNET_TYPE: usize = 12;
export const ETHERNET_BYTES: u32 = 14;
export const MAC_BYTES: u32 = 6;
export const TAG_BYTES: u32 = 4;
/** VLAN identifier inside the tag control information. */
export const TAG_VID_MASK: u32 = 0x0fff;

export const ETHERTYPE_IPV4: u32 = 0x0800;
export const ETHERTYPE_ARP: u32 = 0x0806;
export const ETHERTYPE_IPV6: u32 = 0x86dd;
/** Customer tag. */
export const ETHERTYPE_CTAG: u32 = 0x8100;
/** Service tag (802.1ad). */
export const ETHERTYPE_STAG: u32 = 0x88a8;
/** Outer tag of switches older than 802.1ad. */
export const ETHERTYPE_QINQ: u32 = 0x9100;

// --- ARP for IPv4 over Ethernet (RFC 826) -------------------------------------------------------------------

export const ARP_HARDWARE: usize = 0;
export const ARP_PROTOCOL: usize = 2;
export const ARP_HARDWARE_LENGTH: usize = 4;
export const ARP_PROTOCOL_LENGTH: usize = 5;
export const ARP_OPERATION: usize = 6;
export const ARP_SENDER_MAC: usize = 8;
export const ARP_SENDER_IP: usize = 14;
export const ARP_TARGET_MAC: usize = 18;
export const ARP_TARGET_IP: usize = 24;
export const ARP_BYTES: u32 = 28;
export const ARP_HARDWARE_ETHERNET: u32 = 1;
export const ARP_REQUEST: u32 = 1;
export const ARP_REPLY: u32 = 2;

// --- IPv4 (RFC 791 3.1) -------------------------------------------------------------------------------------

export const IPV4_VERSION_IHL: usize = 0;
export const IPV4_TOTAL_LENGTH: usize = 2;
export const IPV4_ID: usize = 4;
export const IPV4_FRAGMENT: usize = 6;
export const IPV4_TTL: usize = 8;
export const IPV4_PROTOCOL: usize = 9;
export const IPV4_CHECKSUM: usize = 10;
export const IPV4_SRC: usize = 12;
export const IPV4_DST: usize = 16;
/** Header without options. */
export const IPV4_BYTES: u32 = 20;
/** Host order: more fragments. */
export const IPV4_MORE_FRAGMENTS: u32 = 0x2000;
/** Host order: fragment offset, units of 8 bytes. */
export const IPV4_FRAGMENT_OFFSET_MASK: u32 = 0x1fff;

// --- IPv6 (RFC 8200 3, 4) -----------------------------------------------------------------------------------

export const IPV6_PAYLOAD_LENGTH: usize = 4;
export const IPV6_NEXT_HEADER: usize = 6;
export const IPV6_HOP_LIMIT: usize = 7;
export const IPV6_SRC: usize = 8;
export const IPV6_DST: usize = 24;
export const IPV6_BYTES: u32 = 40;

// --- protocol numbers (IANA) --------------------------------------------------------------------------------

export const PROTOCOL_HOP_BY_HOP: u32 = 0;
export const PROTOCOL_ICMP: u32 = 1;
export const PROTOCOL_TCP: u32 = 6;
export const PROTOCOL_ROUTING: u32 = 43;
export const PROTOCOL_FRAGMENT: u32 = 44;
export const PROTOCOL_ICMPV6: u32 = 58;
export const PROTOCOL_DESTINATION_OPTIONS: u32 = 60;

// --- TCP (RFC 9293 3.1) -------------------------------------------------------------------------------------

export const TCP_SRC_PORT: usize = 0;
export const TCP_DST_PORT: usize = 2;
export const TCP_SEQ: usize = 4;
export const TCP_ACK: usize = 8;
/** High nibble: header length in units of 4 bytes. */
export const TCP_DATA_OFFSET: usize = 12;
export const TCP_FLAGS: usize = 13;
export const TCP_WINDOW: usize = 14;
export const TCP_CHECKSUM: usize = 16;
export const TCP_URGENT: usize = 18;
/** Header without options. */
export const TCP_BYTES: u32 = 20;

/** Option kinds (IANA): RFC 9293 3.2, 7323, 2018, 2385, 5925, 8684, 7413. */
export const TCP_OPTION_END: u32 = 0;
export const TCP_OPTION_NOP: u32 = 1;
export const TCP_OPTION_MSS: u32 = 2;
export const TCP_OPTION_WINDOW_SCALE: u32 = 3;
export const TCP_OPTION_SACK_PERMITTED: u32 = 4;
export const TCP_OPTION_SACK: u32 = 5;
export const TCP_OPTION_TIMESTAMPS: u32 = 8;
export const TCP_OPTION_MD5: u32 = 19;
export const TCP_OPTION_AO: u32 = 29;
export const TCP_OPTION_MPTCP: u32 = 30;
export const TCP_OPTION_TFO: u32 = 34;

// --- ICMP (RFC 792), ICMPv6 (RFC 4443), ND (RFC 4861) -------------------------------------------------------

export const ICMP_TYPE: usize = 0;
export const ICMP_CODE: usize = 1;
export const ICMP_CHECKSUM: usize = 2;
/** Second word: MTU, identifier, pointer or ND flags, by type. */
export const ICMP_REST: usize = 4;
export const ICMP_BYTES: u32 = 8;

export const ICMP_ECHO_REPLY: u32 = 0;
export const ICMP_UNREACHABLE: u32 = 3;
export const ICMP_SOURCE_QUENCH: u32 = 4;
export const ICMP_REDIRECT: u32 = 5;
export const ICMP_ECHO_REQUEST: u32 = 8;
export const ICMP_TIME_EXCEEDED: u32 = 11;
export const ICMP_PARAMETER_PROBLEM: u32 = 12;
/** Code of ICMP_UNREACHABLE: "fragmentation needed" (RFC 1191 4). */
export const ICMP_CODE_FRAGMENTATION_NEEDED: u32 = 4;

export const ICMPV6_UNREACHABLE: u32 = 1;
export const ICMPV6_PACKET_TOO_BIG: u32 = 2;
export const ICMPV6_PARAMETER_PROBLEM: u32 = 4;
export const ICMPV6_ECHO_REQUEST: u32 = 128;
export const ICMPV6_ECHO_REPLY: u32 = 129;
export const ICMPV6_NEIGHBOR_SOLICITATION: u32 = 135;
export const ICMPV6_NEIGHBOR_ADVERTISEMENT: u32 = 136;

/** Target address of a solicitation or advertisement. */
export const ND_TARGET: usize = 8;
/** Message without options. */
export const ND_BYTES: u32 = 24;
/** Nothing that crossed a router can have it (RFC 4861 7.1). */
export const ND_HOP_LIMIT: u32 = 255;
