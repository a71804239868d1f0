/** Golden frames: recipe, bytes and fields agree; cut at every length each gives a reason and never a trap. */
import test from 'ava';
import { Reason } from '../../assembly/abi/codes';
import { PacketKind } from '../../assembly/parser/packet-codes';
import { ETHER_TYPE, fromHex, hex } from '../support/frames';
import { GOLDEN, tagged } from './golden';
import { BUILDS, type Fields, Rig } from './rig';

/** Frame bytes that are not Ethernet padding. */
function meaning(fields: Fields): number {
  return fields.etherType === ETHER_TYPE.arp ? fields.l3 - fields.frame + 28 : fields.l4 - fields.frame + fields.l4Wire;
}

for (const build of BUILDS) {
  const rig = new Rig(build);

  for (const { name, recipe, hex: golden, kind, fields: expected } of GOLDEN) {
    test(`${build}: ${name}: parsed as expected`, (t) => {
      const frame = fromHex(golden);
      t.is(hex(recipe()), golden);
      const { reason, fields } = rig.parse(frame);
      t.is(reason, Reason.None);
      t.is(fields.kind, kind);
      t.like(fields, expected);
    });

    test(`${build}: ${name}: one more tag changes nothing but the VLAN`, (t) => {
      const frame = fromHex(golden);
      const plain = rig.parse(frame).fields;
      const { reason, fields } = rig.parse(tagged(frame));
      if (plain.tagCount === 2) {
        t.is(reason, Reason.TooManyTags);
        return;
      }
      t.is(reason, Reason.None);
      // Both frames end at the same address, so all addresses behind the tags are the same.
      t.deepEqual(
        { ...fields },
        {
          ...plain,
          frame: plain.frame - 4,
          length: plain.length + 4,
          wireLength: plain.wireLength + 4,
          tagCount: plain.tagCount + 1,
          outerTag: 0x81000009,
          innerTag: plain.outerTag,
          vlan: ((9 << 16) | (plain.vlan >>> 16)) >>> 0,
        },
      );
    });

    test(`${build}: ${name}: cut by the capture at every length`, (t) => {
      const frame = fromHex(golden);
      const whole = rig.parse(frame).fields;
      for (let length = 0; length < frame.length; length++) {
        const { reason, fields } = rig.parse(frame.subarray(0, length), frame.length);
        if (reason !== Reason.None) {
          t.is(fields.kind, PacketKind.Other, `length ${length}`);
          continue;
        }
        t.is(fields.kind, kind, `length ${length}`);
        t.is(fields.segmentLength, whole.segmentLength, `length ${length}`);
        t.is(fields.payloadWire, whole.payloadWire, `length ${length}`);
        t.true(fields.payloadLength <= fields.payloadWire);
        t.true(fields.l4Length <= length);
      }
    });

    test(`${build}: ${name}: a frame that is shorter than its headers say is refused`, (t) => {
      const frame = fromHex(golden);
      const needed = meaning(rig.parse(frame).fields);
      for (let length = 0; length < needed; length++) {
        t.not(rig.run(frame.subarray(0, length)), Reason.None, `length ${length}`);
      }
      t.is(rig.run(frame.subarray(0, needed)), Reason.None);
    });
  }
}
