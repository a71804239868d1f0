/**
 * Golden frames: the bytes as a capture would show them, and the recipe that builds them. The tests demand that
 * both agree, so neither can drift; tcpdump -vv reads each of them without complaint.
 */
import { concat } from '../support/checksum';
import {
  arpFrame,
  destinationOptions,
  echoRequestFrame,
  hopByHop,
  icmpErrorFrame,
  mss,
  neighborAdvertisementFrame,
  neighborSolicitationFrame,
  nop,
  routing,
  sack,
  sackPermitted,
  tcpFrame,
  timestamps,
  windowScale,
} from '../support/frames';
import type { Fields } from './rig';
import { OptionBit, PacketKind } from '../../assembly/parser/packet-codes';

export interface Golden {
  readonly name: string;
  readonly recipe: () => Uint8Array;
  readonly hex: string;
  readonly kind: PacketKind;
  /** Fields that must have this value; addresses are left to the tests of each layer. */
  readonly fields: Partial<Fields>;
}

const v6 = { src: 'fd00::9', dst: 'fd00::2' };

export const GOLDEN: readonly Golden[] = [
  {
    name: 'SYN of a Linux client',
    recipe: () =>
      tcpFrame({
        seq: 0xfffffff0,
        flags: 'S',
        window: 64240,
        id: 0x1c46,
        options: [mss(1460), sackPermitted(), timestamps(0x01020304, 0), nop(), windowScale(7)],
      }),
    hex:
      '02000000000202000000000108004500003c1c46400040060a6c0a0000090a0000029c401b58fffffff000000000a002faf0' +
      '7d750000020405b40402080a010203040000000001030307',
    kind: PacketKind.Tcp,
    fields: {
      ipVersion: 4,
      protocol: 6,
      ipHeaderLength: 20,
      srcPort: 40000,
      dstPort: 7000,
      seq: 0xfffffff0,
      ack: 0,
      window: 64240,
      flags: 2,
      headerLength: 40,
      payloadLength: 0,
      segmentLength: 1,
      options: OptionBit.Mss | OptionBit.SackPermitted | OptionBit.Timestamps | OptionBit.WindowScale,
      mss: 1460,
      windowShift: 7,
      tsval: 0x01020304,
      tsecr: 0,
    },
  },
  {
    name: 'data with FIN, padded to the shortest frame',
    recipe: () => tcpFrame({ seq: 7, ack: 9, flags: 'FPA', payload: 'bye', padTo: 60 }),
    hex:
      '02000000000202000000000108004500002b00004000400626c30a0000090a0000029c401b5800000007000000095019ffff' +
      '1c9c0000627965000000',
    kind: PacketKind.Tcp,
    fields: {
      length: 60,
      headerLength: 20,
      payloadLength: 3,
      payloadWire: 3,
      segmentLength: 4,
      options: 0,
      tagCount: 0,
    },
  },
  {
    name: 'ACK with timestamps and two SACK blocks in two VLAN tags',
    recipe: () =>
      tcpFrame({
        tags: [{ tpid: 0x88a8, vid: 100, priority: 3 }, { vid: 4094 }],
        ack: 0x10000,
        options: [nop(), nop(), timestamps(5, 6), nop(), nop(), sack([0x10100, 0x10200], [0xffffff00, 0x10])],
      }),
    hex:
      '02000000000202000000000188a8606481000ffe08004500004800004000400626a60a0000090a0000029c401b58000003e8' +
      '00010000d010ffff4eec00000101080a0000000500000006010105120001010000010200ffffff0000000010',
    kind: PacketKind.Tcp,
    fields: {
      tagCount: 2,
      outerTag: 0x88a86064,
      innerTag: 0x81000ffe,
      vlan: (100 << 16) | 4094,
      etherType: 0x0800,
      options: OptionBit.Timestamps | OptionBit.Sack,
      sackCount: 2,
      tsval: 5,
      tsecr: 6,
    },
  },
  {
    name: 'IPv4 options before TCP',
    recipe: () => tcpFrame({ tags: [{ vid: 5 }], ipOptions: Uint8Array.of(148, 4, 0, 0), payload: 'x' }),
    hex:
      '0200000000020200000000018100000508004600002d00004000400691bc0a0000090a000002940400009c401b58000003e8' +
      '000000005010ffff6848000078',
    kind: PacketKind.Tcp,
    fields: { vlan: 5 << 16, ipHeaderLength: 24, payloadLength: 1 },
  },
  {
    name: 'IPv6 data',
    recipe: () => tcpFrame({ ...v6, seq: 1, ack: 2, flags: 'PA', payload: 'hello' }),
    hex:
      '02000000000202000000000186dd6000000000190640fd000000000000000000000000000009fd0000000000000000000000' +
      '000000029c401b5800000001000000025018ffffba4d000068656c6c6f',
    kind: PacketKind.Tcp,
    fields: { ipVersion: 6, ipHeaderLength: 40, payloadLength: 5, segmentLength: 5, flags: 24 },
  },
  {
    name: 'IPv6 with hop-by-hop, routing and destination options',
    recipe: () => tcpFrame({ ...v6, flags: 'RA', extensions: [hopByHop(1), routing(0), destinationOptions(2)] }),
    hex:
      '02000000000202000000000186dd6000000000440040fd000000000000000000000000000009fd0000000000000000000000' +
      '000000022b000104000000003c02040000000000fd0000000000000000000000000000020601010c00000000000000000000' +
      '00009c401b58000003e8000000005014fffffa430000',
    kind: PacketKind.Tcp,
    fields: { protocol: 6, ipHeaderLength: 40 + 8 + 24 + 16, flags: 20, segmentLength: 0 },
  },
  {
    name: 'ICMP fragmentation needed',
    recipe: () =>
      icmpErrorFrame({ src: '10.0.0.1', dst: '10.0.0.2', type: 3, code: 4, rest: 1400 }, tcpFrame({ seq: 0xabcdef01 })),
    hex:
      '02000000000202000000000108004500003800004000400126c30a0000010a0000020304a51b000005784500002800004000' +
      '400626c60a0000090a0000029c401b58abcdef01',
    kind: PacketKind.IcmpError,
    fields: {
      icmpType: 3,
      icmpCode: 4,
      icmpMtu: 1400,
      quotedSrcPort: 40000,
      quotedDstPort: 7000,
      quotedSeq: 0xabcdef01,
      quotedLength: 8,
    },
  },
  {
    name: 'ICMPv6 packet too big',
    recipe: () =>
      icmpErrorFrame(
        { src: 'fd00::1', dst: 'fd00::9', type: 2, rest: 1280 },
        tcpFrame({ ...v6, seq: 77, extensions: [destinationOptions(1)], payload: 'cut' }),
        40 + 8 + 20 + 3,
      ),
    hex:
      '02000000000202000000000186dd60000000004f3a40fd000000000000000000000000000001fd0000000000000000000000' +
      '0000000902005b240000050060000000001f3c40fd000000000000000000000000000009fd00000000000000000000000000' +
      '000206000104000000009c401b580000004d000000005010ffff266a0000637574',
    kind: PacketKind.IcmpError,
    fields: { icmpType: 2, icmpMtu: 1280, quotedSrcPort: 40000, quotedDstPort: 7000, quotedSeq: 77, quotedLength: 23 },
  },
  {
    name: 'ICMP echo request',
    recipe: () => echoRequestFrame({ id: 0x1234, sequence: 1, body: Uint8Array.of(1, 2, 3) }),
    hex: '02000000000202000000000108004500001f00004000400126d40a0000090a0000020800e1c812340001010203',
    kind: PacketKind.IcmpEcho,
    fields: { icmpType: 8, icmpCode: 0, l4Wire: 11 },
  },
  {
    name: 'ICMPv6 echo request',
    recipe: () => echoRequestFrame({ ...v6, id: 1, sequence: 2 }),
    hex:
      '02000000000202000000000186dd6000000000083a40fd000000000000000000000000000009fd0000000000000000000000' +
      '00000002800085ad00010002',
    kind: PacketKind.IcmpEcho,
    fields: { icmpType: 128, l4Wire: 8 },
  },
  {
    name: 'ARP request',
    recipe: () => arpFrame({ dstMac: 'ff:ff:ff:ff:ff:ff', padTo: 60 }),
    hex:
      'ffffffffffff020000000001080600010800060400010200000000010a0000090000000000000a0000020000000000000000' +
      '00000000000000000000',
    kind: PacketKind.Arp,
    fields: { arpOp: 1, ipVersion: 0, etherType: 0x0806 },
  },
  {
    name: 'neighbour solicitation',
    recipe: () => neighborSolicitationFrame({ target: 'fe80::2', linkAddress: '02:00:00:00:00:01' }),
    hex:
      '02000000000202000000000186dd6000000000203afffe800000000000000000000000000009ff0200000000000000000001' +
      'ff00000287007a8f00000000fe8000000000000000000000000000020101020000000001',
    kind: PacketKind.NeighborSolicitation,
    fields: { icmpType: 135, l4Wire: 32 },
  },
  {
    name: 'neighbour advertisement',
    recipe: () =>
      neighborAdvertisementFrame({
        src: 'fe80::2',
        dst: 'ff02::1',
        target: 'fe80::2',
        flags: 0x20000000,
        linkAddress: '02:00:00:00:00:02',
      }),
    hex:
      '02000000000202000000000186dd6000000000203afffe800000000000000000000000000002ff0200000000000000000000' +
      '000000018800579820000000fe8000000000000000000000000000020201020000000002',
    kind: PacketKind.NeighborAdvertisement,
    fields: { icmpType: 136, l4Wire: 32 },
  },
];

/** The frame with one more 802.1Q tag in front, VLAN 9. */
export function tagged(frame: Uint8Array): Uint8Array {
  return concat(frame.subarray(0, 12), Uint8Array.of(0x81, 0, 0, 9), frame.subarray(12));
}
