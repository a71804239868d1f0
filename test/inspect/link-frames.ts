/** Frames as captures of other link types have them: the packet of an Ethernet frame behind another header. */
import { concat } from '../support/checksum';
import { be16, be32, macBytes } from '../support/frames';

export interface LinkForm {
  readonly name: string;
  readonly linkType: number;
  /** Bytes of its header. */
  readonly headerBytes: number;
  /** What it cannot hold; absent: both. */
  readonly only?: 4 | 6;
  /** Its header has room for the type of a VLAN tag. */
  readonly hasTags: boolean;
  readonly header: (etherType: number) => Uint8Array;
}

const ETHERTYPE_IPV6 = 0x86dd;
const ETHERNET_TYPE = 12;
const ETHERNET_BYTES = 14;
const ARPHRD_ETHER = 1;
const ADDRESS = concat(macBytes('02:00:00:00:00:07'), be16(0));

/** From somebody else to somebody else. */
export const sll = (etherType: number, device = ARPHRD_ETHER): Uint8Array =>
  concat(be16(3), be16(device), be16(6), ADDRESS, be16(etherType));

export const sll2 = (etherType: number, device = ARPHRD_ETHER): Uint8Array =>
  concat(be16(etherType), be16(0), be32(7), be16(device), Uint8Array.of(3, 6), ADDRESS);

/** @param inet6 as the capturing system has it */
export function family(etherType: number, inet6: number, order: 'LE' | 'BE'): Uint8Array {
  const bytes = be32(etherType === ETHERTYPE_IPV6 ? inet6 : 2);
  return order === 'BE' ? bytes : bytes.reverse();
}

const ethernet = (etherType: number): Uint8Array =>
  concat(macBytes('02:00:00:00:00:02'), new Uint8Array(6), be16(etherType));
const none = (): Uint8Array => new Uint8Array(0);

export const LINK_FORMS: readonly LinkForm[] = [
  { name: 'Ethernet', linkType: 1, headerBytes: 14, hasTags: true, header: ethernet },
  { name: 'Linux cooked', linkType: 113, headerBytes: 16, hasTags: true, header: sll },
  { name: 'Linux cooked v2', linkType: 276, headerBytes: 20, hasTags: true, header: sll2 },
  ...[12, 14, 101].map((linkType) => ({ name: 'raw IP', linkType, headerBytes: 0, hasTags: false, header: none })),
  { name: 'raw IPv4', linkType: 228, headerBytes: 0, hasTags: false, only: 4, header: none },
  { name: 'raw IPv6', linkType: 229, headerBytes: 0, hasTags: false, only: 6, header: none },
  ...(
    [
      [10, 'LE', 'Linux'],
      [23, 'LE', 'Windows'],
      [24, 'BE', 'NetBSD'],
      [28, 'LE', 'FreeBSD'],
      [30, 'LE', 'macOS'],
      [30, 'BE', 'macOS on PowerPC'],
    ] as const
  ).map(([inet6, order, system]) => ({
    name: `loopback of ${system}`,
    linkType: 0,
    headerBytes: 4,
    hasTags: false,
    header: (etherType: number) => family(etherType, inet6, order),
  })),
  {
    name: 'loopback of OpenBSD',
    linkType: 108,
    headerBytes: 4,
    hasTags: false,
    header: (etherType) => family(etherType, 24, 'BE'),
  },
];

/** @param frame Ethernet */
export function relinked(frame: Uint8Array, { header }: Pick<LinkForm, 'header'>): Uint8Array {
  const etherType = new DataView(frame.buffer, frame.byteOffset).getUint16(ETHERNET_TYPE);
  return concat(header(etherType), frame.subarray(ETHERNET_BYTES));
}
