/** IPv4 and IPv6: lengths, options, extension headers, fragments. */
import test from 'ava';
import { Reason } from '../../assembly/abi/codes';
import { PacketKind } from '../../assembly/parser/packet-codes';
import {
  PROTOCOL,
  destinationOptions,
  fragmentHeader,
  hex,
  hopByHop,
  ipFrame,
  ipv4,
  ethernet,
  mappedBytes,
  routing,
  tcpFrame,
} from '../support/frames';
import { BUILDS, Rig } from './rig';

const v6 = { src: 'fd00::9', dst: 'fd00::2' };
const L3 = 14;

/** The frame with one byte replaced, checksums left as they are. */
function poke(frame: Uint8Array, at: number, value: number): Uint8Array {
  const copy = frame.slice();
  copy[at] = value;
  return copy;
}

for (const build of BUILDS) {
  const rig = new Rig(build);

  test(`${build}: addresses are 16 bytes, IPv4 mapped`, (t) => {
    const four = rig.parse(tcpFrame({ src: '192.0.2.1', dst: '198.51.100.254' }));
    t.is(four.bytes(four.fields.srcPtr, 16), hex(mappedBytes('192.0.2.1')));
    t.is(four.bytes(four.fields.dstPtr, 16), hex(mappedBytes('198.51.100.254')));
    const six = rig.parse(tcpFrame({ src: '2001:db8::1', dst: '2001:db8:1:2:3:4:5:6' }));
    t.is(six.bytes(six.fields.srcPtr, 16), hex(mappedBytes('2001:db8::1')));
    t.is(six.bytes(six.fields.dstPtr, 16), hex(mappedBytes('2001:db8:1:2:3:4:5:6')));
  });

  test(`${build}: a wrong version is refused`, (t) => {
    t.is(rig.run(poke(tcpFrame(), L3, 0x65)), Reason.BadIpVersion);
    t.is(rig.run(poke(tcpFrame(v6), L3, 0x40)), Reason.BadIpVersion);
  });

  test(`${build}: IPv4 header lengths below 20 are refused`, (t) => {
    for (let ihl = 0; ihl < 5; ihl++) t.is(rig.run(poke(tcpFrame(), L3, 0x40 | ihl)), Reason.BadIpHeaderLength);
  });

  test(`${build}: IPv4 total lengths that cannot be are refused`, (t) => {
    for (const ipLength of [1, 19, 42, 65535]) {
      t.is(rig.run(tcpFrame({ payload: 'x', ipLength })), Reason.BadIpTotalLength, `${ipLength}`);
    }
    t.is(rig.run(tcpFrame({ ipOptions: new Uint8Array(40), ipLength: 59 })), Reason.BadIpTotalLength);
  });

  test(`${build}: total length 0 stands for the length of the frame`, (t) => {
    for (const pair of [{}, v6]) {
      const { reason, fields } = rig.parse(tcpFrame({ ...pair, payload: new Uint8Array(3000), ipLength: 0 }));
      t.is(reason, Reason.None);
      t.is(fields.payloadWire, 3000);
      t.is(rig.run(tcpFrame({ ...pair, ipLength: 0 }), 0xffffffff), Reason.BadIpTotalLength);
    }
  });

  test(`${build}: IPv6 payload lengths that cannot be are refused`, (t) => {
    t.is(rig.run(tcpFrame({ ...v6, ipLength: 21 })), Reason.BadIpTotalLength);
    t.is(rig.run(tcpFrame({ ...v6, ipLength: 65535 })), Reason.BadIpTotalLength);
    t.is(rig.run(tcpFrame({ ...v6, ipLength: 19 })), Reason.TruncatedTcp);
  });

  test(`${build}: a wrong IPv4 header checksum is refused, 0 as well`, (t) => {
    t.is(rig.run(tcpFrame({ ipChecksum: 0 })), Reason.BadIpChecksum);
    for (let bit = 0; bit < 8; bit++) t.is(rig.run(poke(tcpFrame(), L3 + 8, 64 ^ (1 << bit))), Reason.BadIpChecksum);
  });

  test(`${build}: frames of 64 KiB, as receive offload merges them`, (t) => {
    const four = rig.parse(tcpFrame({ payload: new Uint8Array(65535 - 40) }));
    t.is(four.reason, Reason.None);
    t.is(four.fields.segmentLength, 65495);
    const six = rig.parse(tcpFrame({ ...v6, payload: new Uint8Array(65535 - 20) }));
    t.is(six.reason, Reason.None);
    t.is(six.fields.payloadLength, 65515);
  });

  test(`${build}: harmless IPv4 options are skipped`, (t) => {
    const lists = [[0], [1, 1, 1, 1], [148, 4, 0, 0], [7, 7, 4, 0, 0, 0, 0], [1, 68, 3, 5], [0, 131, 3, 4], [99, 2]];
    for (const list of lists) {
      const { reason, fields } = rig.parse(tcpFrame({ ipOptions: Uint8Array.from(list), payload: 'ab' }));
      t.is(reason, Reason.None, list.join());
      t.is(fields.payloadLength, 2);
    }
  });

  test(`${build}: malformed IPv4 options and source routes are refused`, (t) => {
    const lists = [
      [7, 0, 0, 0],
      [7, 1, 0, 0],
      [7, 5, 4, 0],
      [1, 1, 1, 7],
      [131, 3, 4, 0],
      [1, 137, 3, 4],
    ];
    for (const list of lists) {
      t.is(rig.run(tcpFrame({ ipOptions: Uint8Array.from(list) })), Reason.BadIpOption, list.join());
    }
  });

  test(`${build}: IPv4 fragments are refused; the first one still tells its ports`, (t) => {
    const first = rig.parse(
      tcpFrame({ moreFragments: true, dontFragment: false, srcPort: 1, dstPort: 2, payload: 'abcd' }),
    );
    t.is(first.reason, Reason.Fragment);
    t.like(first.fields, { fragmentHasPorts: 1, srcPort: 1, dstPort: 2, kind: PacketKind.Other });
    t.is(first.bytes(first.fields.srcPtr, 16), hex(mappedBytes('10.0.0.9')));
    for (const moreFragments of [true, false]) {
      const later = rig.parse(tcpFrame({ moreFragments, fragmentOffset: 1, dontFragment: false }));
      t.is(later.reason, Reason.Fragment);
      t.is(later.fields.fragmentHasPorts, 0);
    }
    const tiny = ethernet({}, 0x0800, ipv4({ moreFragments: true }, PROTOCOL.tcp, Uint8Array.of(1, 2, 3)));
    t.is(rig.parse(tiny).fields.fragmentHasPorts, 0);
    const other = rig.parse(ipFrame({ moreFragments: true }, PROTOCOL.udp, new Uint8Array(8)));
    t.is(other.reason, Reason.Fragment);
    t.is(other.fields.fragmentHasPorts, 0);
  });

  test(`${build}: IPv6 fragments are refused; the first one still tells its ports`, (t) => {
    const first = rig.parse(tcpFrame({ ...v6, extensions: [fragmentHeader(0, true)], srcPort: 3, dstPort: 4 }));
    t.is(first.reason, Reason.Fragment);
    t.like(first.fields, { fragmentHasPorts: 1, srcPort: 3, dstPort: 4 });
    for (const more of [true, false]) {
      const later = rig.parse(tcpFrame({ ...v6, extensions: [hopByHop(), fragmentHeader(185, more)] }));
      t.is(later.reason, Reason.Fragment);
      t.is(later.fields.fragmentHasPorts, 0);
    }
  });

  test(`${build}: an atomic IPv6 fragment is a whole packet`, (t) => {
    const { reason, fields } = rig.parse(tcpFrame({ ...v6, extensions: [fragmentHeader(), destinationOptions()] }));
    t.is(reason, Reason.None);
    t.is(fields.kind, PacketKind.Tcp);
    t.is(fields.ipHeaderLength, 56);
  });

  test(`${build}: eight extension headers are walked over, nine are refused`, (t) => {
    const some = (n: number): Uint8Array =>
      tcpFrame({ ...v6, extensions: Array.from({ length: n }, () => destinationOptions()) });
    t.is(rig.run(some(8)), Reason.None);
    t.is(rig.run(some(9)), Reason.TooManyExtensionHeaders);
  });

  test(`${build}: an extension header that runs past the packet is refused`, (t) => {
    const frame = tcpFrame({ ...v6, extensions: [hopByHop()] });
    for (const units of [3, 4, 255]) t.is(rig.run(poke(frame, L3 + 41, units)), Reason.BadIpHeaderLength);
    t.is(rig.run(poke(frame, L3 + 41, 2)), Reason.TruncatedTcp);
  });

  test(`${build}: a routing header with segments left is refused`, (t) => {
    t.is(rig.run(tcpFrame({ ...v6, extensions: [routing(0)] })), Reason.None);
    t.is(rig.run(tcpFrame({ ...v6, extensions: [routing(1)] })), Reason.BadIpOption);
  });

  test(`${build}: other protocols are refused, ESP, AH and the other family's ICMP among them`, (t) => {
    for (const protocol of [2, 17, 50, 51, 58, 132, 255]) {
      t.is(rig.run(ipFrame({}, protocol, new Uint8Array(64))), Reason.NotTcp, `IPv4 ${protocol}`);
    }
    for (const protocol of [1, 2, 17, 50, 51, 59, 132, 255]) {
      t.is(rig.run(ipFrame(v6, protocol, new Uint8Array(64))), Reason.NotTcp, `IPv6 ${protocol}`);
    }
  });
}
