/**
 * The headers that captures have before a packet, and how each is made the Ethernet header that the core expects: its
 * type is what all of them say in their own way. Addresses are not kept. Most of these headers have none, and the
 * tracker asks for none.
 *
 * A VLAN tag that a cooked header was given (libpcap puts it there as it does into an Ethernet header) stays: the type
 * is then that of the tag.
 */

/** IEEE 802.3 3.1.1: two addresses of 6 bytes, then the type. */
const ETHERNET_TYPE = 12;
const ETHERNET_BYTES = 14;

/** IEEE 802 numbers (IANA). */
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** A length of IEEE 802.3, so no type at all: the core counts such frames as of an unknown one. */
const ETHERTYPE_NONE = 0;

export interface LinkLayer {
  /** Bytes before what an Ethernet frame has behind its type. */
  readonly headerBytes: number;
  /** @param frame of `headerBytes` or more */
  readonly etherType: (frame: Buffer) => number;
}

export const ETHERNET: LinkLayer = { headerBytes: ETHERNET_BYTES, etherType: (frame) => frame.readUInt16BE(12) };

/** LINKTYPE_LINUX_SLL: packet type, device type, address length, address of 8 bytes, protocol. */
export const LINUX_SLL: LinkLayer = {
  headerBytes: 16,
  etherType: (frame) => cookedType(frame.readUInt16BE(2), frame.readUInt16BE(14)),
};

/** LINKTYPE_LINUX_SLL2: protocol, 2 bytes unused, interface index, device type, packet type, address length, address. */
export const LINUX_SLL2: LinkLayer = {
  headerBytes: 20,
  etherType: (frame) => cookedType(frame.readUInt16BE(8), frame.readUInt16BE(0)),
};

/** Devices (ARPHRD_ of Linux' if_arp.h) whose frames do not begin with what the protocol field says. */
const ARPHRD_FRAME_RELAY = 770;
const ARPHRD_IEEE80211_RADIOTAP = 803;
const ARPHRD_NETLINK = 824;

function cookedType(device: number, protocol: number): number {
  switch (device) {
    case ARPHRD_FRAME_RELAY:
    case ARPHRD_IEEE80211_RADIOTAP:
    case ARPHRD_NETLINK:
      return ETHERTYPE_NONE;
    default:
      return protocol;
  }
}

/** The packet itself: its first four bits say which version it is. */
export const RAW_IP: LinkLayer = {
  headerBytes: 0,
  etherType: (frame) => {
    const version = (frame[0] ?? 0) >> 4;
    if (version === 4) return ETHERTYPE_IPV4;
    return version === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_NONE;
  },
};

export const RAW_IPV4: LinkLayer = { headerBytes: 0, etherType: () => ETHERTYPE_IPV4 };
export const RAW_IPV6: LinkLayer = { headerBytes: 0, etherType: () => ETHERTYPE_IPV6 };

/**
 * LINKTYPE_NULL and LINKTYPE_LOOP: the address family, of the capturing machine and in its byte order, which need not
 * be that of the file; or in network order. None of them is another's number with its bytes turned round.
 */
export const BSD_LOOPBACK: LinkLayer = {
  headerBytes: 4,
  etherType: (frame) => {
    const family = frame.readUInt32BE(0);
    return familyType(family > 0xffff ? frame.readUInt32LE(0) : family);
  },
};

const AF_INET = 2;
/** AF_INET6 of Linux, Windows, NetBSD and OpenBSD, FreeBSD, macOS. */
const AF_INET6: ReadonlySet<number> = new Set([10, 23, 24, 28, 30]);

function familyType(family: number): number {
  if (family === AF_INET) return ETHERTYPE_IPV4;
  return AF_INET6.has(family) ? ETHERTYPE_IPV6 : ETHERTYPE_NONE;
}

/**
 * Puts a captured frame into `slot` as an Ethernet frame. The bytes of its addresses are left as they are.
 * @returns its length there; less than an Ethernet header has when its own was cut
 */
export function putAsEthernet(frame: Buffer, { headerBytes, etherType }: LinkLayer, slot: Uint8Array): number {
  const length = asEthernet(frame.length, headerBytes);
  if (length < ETHERNET_BYTES) return length;
  const type = etherType(frame);
  slot[ETHERNET_TYPE] = type >> 8;
  slot[ETHERNET_TYPE + 1] = type & 0xff;
  frame.copy(slot, ETHERNET_BYTES, headerBytes);
  return Math.min(length, slot.length);
}

/** How long a frame of `length` bytes is with an Ethernet header in the place of its own. */
export function asEthernet(length: number, headerBytes: number): number {
  return Math.max(0, ETHERNET_BYTES + length - headerBytes);
}
