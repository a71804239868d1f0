/** Link types of captures (https://www.tcpdump.org/linktypes.html): those that can be read, and others that people meet. */
import {
  BSD_LOOPBACK,
  ETHERNET,
  LINUX_SLL,
  LINUX_SLL2,
  type LinkLayer,
  RAW_IP,
  RAW_IPV4,
  RAW_IPV6,
} from './link-layer';

export interface LinkType {
  /** `127, IEEE802_11_RADIOTAP`; the number alone when it has no name here. */
  readonly title: string;
  /** `undefined` when its frames cannot be read. */
  readonly layer: LinkLayer | undefined;
  /** What to do when they cannot. */
  readonly remedy: string;
}

const READABLE: ReadonlyMap<number, readonly [name: string, layer: LinkLayer]> = new Map([
  [0, ['NULL', BSD_LOOPBACK]],
  [1, ['ETHERNET', ETHERNET]],
  // DLT_RAW of most systems and of OpenBSD: files should not have it, and old ones do.
  [12, ['RAW', RAW_IP]],
  [14, ['RAW', RAW_IP]],
  [101, ['RAW', RAW_IP]],
  [108, ['LOOP', BSD_LOOPBACK]],
  [113, ['LINUX_SLL', LINUX_SLL]],
  [228, ['IPV4', RAW_IPV4]],
  [229, ['IPV6', RAW_IPV6]],
  [276, ['LINUX_SLL2', LINUX_SLL2]],
]);

const WIRED = 'capture on the wired side, or on the wireless interface as Ethernet: tcpdump -y EN10MB, no monitor mode';
const ELSEWHERE = 'capture on an Ethernet interface: tcpdump -y EN10MB, or on all of a Linux host: tcpdump -i any';
const NO_NETWORK = 'there are no packets of a network in it: capture on a network interface, such as eth0';

const UNREADABLE: ReadonlyMap<number, readonly [name: string, remedy: string]> = new Map([
  [6, ['IEEE802_5 (token ring)', ELSEWHERE]],
  [9, ['PPP', ELSEWHERE]],
  [10, ['FDDI', ELSEWHERE]],
  [50, ['PPP_HDLC', ELSEWHERE]],
  [51, ['PPP_ETHER', ELSEWHERE]],
  [105, ['IEEE802_11', WIRED]],
  [119, ['IEEE802_11_PRISM', WIRED]],
  [127, ['IEEE802_11_RADIOTAP', WIRED]],
  [163, ['IEEE802_11_AVS', WIRED]],
  [189, ['USB_LINUX', NO_NETWORK]],
  [192, ['PPI', WIRED]],
  [201, ['BLUETOOTH_HCI_H4_WITH_PHDR', NO_NETWORK]],
  [220, ['USB_LINUX_MMAPPED', NO_NETWORK]],
  [227, ['CAN_SOCKETCAN', NO_NETWORK]],
  [239, ['NFLOG', ELSEWHERE]],
  [249, ['USBPCAP', NO_NETWORK]],
  [253, ['NETLINK', NO_NETWORK]],
]);

/** @param number LINKTYPE_ */
export function linkTypeOf(number: number): LinkType {
  const [name, layer] = READABLE.get(number) ?? [];
  const [otherName, remedy = ELSEWHERE] = UNREADABLE.get(number) ?? [];
  const known = name ?? otherName;
  return { title: known === undefined ? `${number}` : `${number}, ${known}`, layer, remedy };
}
