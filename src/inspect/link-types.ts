/** Link types of captures (https://www.tcpdump.org/linktypes.html), those that people meet. */

export const LINKTYPE_ETHERNET = 1;

const NAMES: Readonly<Record<number, string>> = {
  0: 'NULL (BSD loopback)',
  [LINKTYPE_ETHERNET]: 'ETHERNET',
  6: 'IEEE802_5 (token ring)',
  9: 'PPP',
  10: 'FDDI',
  12: 'RAW (IP)',
  14: 'RAW (IP)',
  50: 'PPP_HDLC',
  51: 'PPP_ETHER',
  101: 'RAW (IP)',
  105: 'IEEE802_11',
  108: 'LOOP (OpenBSD loopback)',
  113: 'LINUX_SLL ("any" interface)',
  127: 'IEEE802_11_RADIOTAP',
  189: 'USB_LINUX',
  192: 'PPI',
  220: 'USB_LINUX_MMAPPED',
  228: 'IPV4',
  229: 'IPV6',
  249: 'USBPCAP',
  253: 'NETLINK',
  276: 'LINUX_SLL2 ("any" interface)',
};

/** `113, LINUX_SLL ("any" interface)`; the number alone when it has no name here. */
export function linkTypeName(linkType: number): string {
  const name = NAMES[linkType];
  return name === undefined ? `${linkType}` : `${linkType}, ${name}`;
}
