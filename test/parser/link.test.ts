/** Ethernet, VLAN tags, ARP. */
import test from 'ava';
import { Reason } from '../../assembly/abi/codes';
import { PacketKind } from '../../assembly/parser/packet-codes';
import { arpFrame, ethernet, hex, macBytes, mappedBytes, tcpFrame } from '../support/frames';
import { BUILDS, Rig } from './rig';

for (const build of BUILDS) {
  const rig = new Rig(build);

  test(`${build}: every tag type is known, first and second`, (t) => {
    for (const tpid of [0x8100, 0x88a8, 0x9100]) {
      const { reason, fields, offset } = rig.parse(tcpFrame({ tags: [{ tpid, vid: 7, priority: 5 }, { vid: 8 }] }));
      t.is(reason, Reason.None);
      t.is(fields.outerTag, ((tpid << 16) | 0xa007) >>> 0);
      t.is(fields.innerTag, 0x81000008);
      t.is(fields.vlan, (7 << 16) | 8);
      t.is(offset(fields.l3), 22);
    }
  });

  test(`${build}: a priority tag leaves the frame in the untagged network`, (t) => {
    const { fields } = rig.parse(tcpFrame({ tags: [{ vid: 0, priority: 7 }] }));
    t.is(fields.tagCount, 1);
    t.is(fields.vlan, 0);
  });

  test(`${build}: three tags are refused`, (t) => {
    t.is(rig.run(tcpFrame({ tags: [{ vid: 1 }, { vid: 2 }, { vid: 3 }] })), Reason.TooManyTags);
  });

  test(`${build}: unknown types and 802.3 length frames are refused`, (t) => {
    t.is(rig.run(ethernet({}, 0x88cc, new Uint8Array(50))), Reason.UnknownEtherType);
    t.is(rig.run(ethernet({}, 46, new Uint8Array(46))), Reason.UnknownEtherType);
  });

  test(`${build}: a wire length below the captured one is taken as the captured one`, (t) => {
    const frame = tcpFrame({ payload: 'abc' });
    const { reason, fields } = rig.parse(frame, 3);
    t.is(reason, Reason.None);
    t.is(fields.wireLength, frame.length);
    t.is(fields.payloadLength, 3);
  });

  test(`${build}: ARP reply`, (t) => {
    const { kind, fields, bytes } = rig.parse(
      arpFrame({ operation: 2, senderMac: '02:aa:bb:cc:dd:ee', senderIp: '192.0.2.1', targetIp: '192.0.2.2' }),
    );
    t.is(kind, PacketKind.Arp);
    t.is(fields.arpOp, 2);
    t.is(bytes(fields.arpSenderMac, 6), hex(macBytes('02:aa:bb:cc:dd:ee')));
    t.is(bytes(fields.arpSenderIp, 16), hex(mappedBytes('192.0.2.1')));
    t.is(bytes(fields.arpTargetIp, 16), hex(mappedBytes('192.0.2.2')));
  });

  test(`${build}: ARP for anything but IPv4 over Ethernet is not ours`, (t) => {
    for (let field = 14; field < 20; field++) {
      const frame = arpFrame();
      frame[field] = (frame[field] ?? 0) ^ 0x10;
      t.is(rig.run(frame), Reason.ArpNotOurs, `byte ${field}`);
    }
  });
}
