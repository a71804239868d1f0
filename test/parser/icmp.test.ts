/** ICMP errors and what they quote, echo, neighbour discovery. */
import test from 'ava';
import { Reason } from '../../assembly/abi/codes';
import { PacketKind } from '../../assembly/parser/packet-codes';
import {
  PROTOCOL,
  destinationOptions,
  echoRequestFrame,
  fragmentHeader,
  hex,
  icmpErrorFrame,
  icmpFrame,
  ipFrame,
  mappedBytes,
  neighborAdvertisementFrame,
  neighborSolicitationFrame,
  tcpFrame,
} from '../support/frames';
import { BUILDS, Rig } from './rig';

const router4 = { src: '10.0.0.1', dst: '10.0.0.9' };
const router6 = { src: 'fd00::1', dst: 'fd00::9' };
const v6 = { src: 'fd00::9', dst: 'fd00::2' };

for (const build of BUILDS) {
  const rig = new Rig(build);

  test(`${build}: every ICMP error type gives the quoted segment`, (t) => {
    for (const type of [3, 4, 5, 11, 12]) {
      const quoted = tcpFrame({ srcPort: 5, dstPort: 6, seq: 0x80000000, ipOptions: Uint8Array.of(1, 1, 1, 1) });
      const { kind, fields, bytes } = rig.parse(icmpErrorFrame({ ...router4, type }, quoted, 32));
      t.is(kind, PacketKind.IcmpError, `${type}`);
      t.like(fields, {
        icmpType: type,
        quotedSrcPort: 5,
        quotedDstPort: 6,
        quotedSeq: 0x80000000,
        quotedLength: 8,
        icmpMtu: 0,
      });
      t.is(fields.quotedL3, fields.l4 + 8);
      t.is(fields.quotedL4, fields.l4 + 8 + 24);
      t.is(bytes(fields.quotedSrcPtr, 16), hex(mappedBytes('10.0.0.9')));
      t.is(bytes(fields.quotedDstPtr, 16), hex(mappedBytes('10.0.0.2')));
      t.is(bytes(fields.srcPtr, 16), hex(mappedBytes('10.0.0.1')));
    }
  });

  test(`${build}: every ICMPv6 error type gives the quoted segment`, (t) => {
    for (const type of [1, 2, 3, 4]) {
      const quoted = tcpFrame({ ...v6, seq: 9, extensions: [fragmentHeader(0, true), destinationOptions()] });
      const { kind, fields, bytes } = rig.parse(
        icmpErrorFrame({ ...router6, type, rest: 1400 }, tcpFrame({ ...v6, seq: 9 }), 60),
      );
      t.is(kind, PacketKind.IcmpError, `${type}`);
      t.like(fields, { quotedSeq: 9, quotedLength: 20, icmpMtu: type === 2 ? 1400 : 0 });
      t.is(bytes(fields.quotedSrcPtr, 16), hex(mappedBytes('fd00::9')));
      t.is(bytes(fields.quotedDstPtr, 16), hex(mappedBytes('fd00::2')));
      t.is(
        rig.run(icmpErrorFrame({ ...router6, type }, quoted, 76)),
        Reason.IcmpNotOurs,
        'first fragment, TCP further in',
      );
    }
  });

  test(`${build}: a quoted first fragment of TCP is ours, a later one is not`, (t) => {
    const four = (fragmentOffset: number): Uint8Array =>
      icmpErrorFrame({ ...router4, type: 11, code: 1 }, tcpFrame({ moreFragments: true, fragmentOffset }));
    t.is(rig.run(four(0)), Reason.None);
    t.is(rig.run(four(1)), Reason.IcmpNotOurs);
    const six = (offset: number): Uint8Array =>
      icmpErrorFrame(
        { ...router6, type: 3, code: 1 },
        tcpFrame({ ...v6, extensions: [fragmentHeader(offset, true)] }),
        56,
      );
    t.is(rig.run(six(0)), Reason.None);
    t.is(rig.run(six(1)), Reason.IcmpNotOurs);
  });

  test(`${build}: a quote of anything but TCP is not ours`, (t) => {
    t.is(
      rig.run(icmpErrorFrame({ ...router4, type: 3 }, ipFrame({}, PROTOCOL.udp, new Uint8Array(8)))),
      Reason.IcmpNotOurs,
    );
    t.is(
      rig.run(icmpErrorFrame({ ...router6, type: 1 }, ipFrame(v6, PROTOCOL.udp, new Uint8Array(8)), 48)),
      Reason.IcmpNotOurs,
    );
    t.is(rig.run(icmpErrorFrame({ ...router4, type: 3 }, tcpFrame(v6), 60)), Reason.IcmpNotOurs);
    t.is(rig.run(icmpErrorFrame({ ...router6, type: 1 }, tcpFrame(), 40)), Reason.IcmpNotOurs);
  });

  test(`${build}: a quote without ports and sequence number is not ours; cut by the capture it is truncated`, (t) => {
    for (let quote = 0; quote < 28; quote++) {
      t.is(rig.run(icmpErrorFrame({ ...router4, type: 3 }, tcpFrame(), quote)), Reason.IcmpNotOurs, `IPv4 ${quote}`);
    }
    for (let quote = 0; quote < 48; quote++) {
      t.is(rig.run(icmpErrorFrame({ ...router6, type: 1 }, tcpFrame(v6), quote)), Reason.IcmpNotOurs, `IPv6 ${quote}`);
    }
    const whole = icmpErrorFrame({ ...router6, type: 1 }, tcpFrame({ ...v6, extensions: [destinationOptions()] }), 68);
    for (let length = 54; length < 54 + 8 + 56; length++) {
      t.is(rig.run(whole.subarray(0, length), whole.length), Reason.TruncatedIcmp, `${length}`);
    }
  });

  test(`${build}: quoted length fields are not believed`, (t) => {
    const quoted = tcpFrame({ ipLength: 3, ipChecksum: 1 });
    t.is(rig.run(icmpErrorFrame({ ...router4, type: 3 }, quoted)), Reason.None);
  });

  test(`${build}: the MTU belongs to "fragmentation needed" only`, (t) => {
    for (const [code, mtu] of [
      [3, 0],
      [4, 1400],
    ] as const) {
      t.is(rig.parse(icmpErrorFrame({ ...router4, type: 3, code, rest: 1400 }, tcpFrame())).fields.icmpMtu, mtu);
    }
  });

  test(`${build}: echo requests are told apart from replies and the rest`, (t) => {
    t.is(rig.parse(echoRequestFrame()).kind, PacketKind.IcmpEcho);
    t.is(rig.parse(echoRequestFrame(v6)).kind, PacketKind.IcmpEcho);
    for (const type of [0, 9, 10, 13, 40, 255]) {
      const { reason, kind } = rig.parse(icmpFrame({ ...router4, type }));
      t.is(reason, Reason.None);
      t.is(kind, PacketKind.Other, `ICMP ${type}`);
    }
    for (const type of [0, 5, 127, 129, 133, 134, 137, 255]) {
      t.is(rig.parse(icmpFrame({ ...router6, type })).kind, PacketKind.Other, `ICMPv6 ${type}`);
    }
  });

  test(`${build}: neighbour discovery gives its target`, (t) => {
    const ask = rig.parse(neighborSolicitationFrame({ target: 'fe80::2' }));
    t.is(ask.kind, PacketKind.NeighborSolicitation);
    t.is(ask.bytes(ask.fields.ndTarget, 16), hex(mappedBytes('fe80::2')));
    const tell = rig.parse(neighborAdvertisementFrame({ target: 'fd00::2', src: 'fd00::2', dst: 'ff02::1' }));
    t.is(tell.kind, PacketKind.NeighborAdvertisement);
    t.is(tell.bytes(tell.fields.ndTarget, 16), hex(mappedBytes('fd00::2')));
  });

  test(`${build}: neighbour discovery that crossed a router or is malformed is not acted on`, (t) => {
    t.is(rig.parse(neighborSolicitationFrame({ target: 'fe80::2', ttl: 254 })).kind, PacketKind.Other);
    t.is(rig.parse(neighborSolicitationFrame({ target: 'ff02::1' })).kind, PacketKind.Other);
    const coded = icmpFrame({ ...v6, ttl: 255, type: 136, code: 1, body: new Uint8Array(16) });
    t.is(rig.parse(coded).kind, PacketKind.Other);
    for (let length = 0; length < 16; length++) {
      const short = icmpFrame({ ...v6, ttl: 255, type: 135, body: new Uint8Array(length) });
      t.is(rig.run(short), Reason.TruncatedNd, `${length}`);
    }
  });
}
