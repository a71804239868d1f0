/** Frames of every link type as the core gets them. */
import test from 'ava';
import { RX_FRAME_BYTES } from '../../src/core/core';
import { putAsEthernet } from '../../src/inspect/link-layer';
import { linkTypeOf } from '../../src/inspect/link-types';
import { type Tag, tcpFrame } from '../support/frames';
import { LINK_FORMS, family, relinked, sll, sll2 } from './link-frames';

const ADDRESSES = 12;
const SLOT_FILL = 0xa5;

/** What is put into the slot, without the addresses. */
function put(frame: Uint8Array, linkType: number): Buffer {
  const { layer } = linkTypeOf(linkType);
  if (layer === undefined) throw new Error(`link type ${linkType} cannot be read`);
  const slot = Buffer.alloc(RX_FRAME_BYTES, SLOT_FILL);
  const length = putAsEthernet(Buffer.from(frame), layer, slot);
  return slot.subarray(Math.min(ADDRESSES, length), length);
}

/** The Ethernet type of what is put. */
function typeOf(header: Uint8Array, linkType: number): number {
  return put(Buffer.concat([header, Buffer.alloc(40)]), linkType).readUInt16BE(0);
}

const ends = { 4: { src: '10.0.0.9', dst: '10.0.0.2' }, 6: { src: 'fd77::9', dst: 'fd77::2' } } as const;
const tags: readonly Tag[] = [{ vid: 100, tpid: 0x88a8 }, { vid: 7 }];

for (const form of LINK_FORMS) {
  const { name, linkType, headerBytes, only, hasTags } = form;

  test(`${name} (${linkType}): type and packet of the frame, nothing of its header`, (t) => {
    for (const version of [4, 6] as const) {
      if (version !== (only ?? version)) continue;
      for (const tagged of hasTags ? [[], tags] : [[]]) {
        const frame = tcpFrame({ ...ends[version], tags: tagged, payload: 'abc' });
        t.deepEqual(put(relinked(frame, form), linkType), Buffer.from(frame.subarray(ADDRESSES)));
      }
    }
  });

  test(`${name} (${linkType}): cut anywhere, also within its header`, (t) => {
    const frame = tcpFrame(ends[only ?? 4]);
    const captured = relinked(frame, form);
    for (let length = 0; length < captured.length; length++) {
      const found = put(captured.subarray(0, length), linkType);
      if (length < headerBytes) t.true(found.length < 2, `${length} bytes`);
      else t.deepEqual(found.subarray(2), Buffer.from(frame.subarray(14, 14 + length - headerBytes)));
    }
  });

  test(`${name} (${linkType}): not longer than the slot`, (t) => {
    const etherType = only === 6 ? 0x86dd : 0x0800;
    const frame = Buffer.concat([form.header(etherType), Buffer.alloc(RX_FRAME_BYTES, 0x45)]);
    t.is(put(frame, linkType).length, RX_FRAME_BYTES - ADDRESSES);
  });
}

test('what is neither IPv4 nor IPv6 is no type, or the type it has', (t) => {
  t.is(typeOf(sll(0x0806), 113), 0x0806);
  t.is(typeOf(sll2(0x0806), 276), 0x0806);
  t.is(typeOf(Uint8Array.of(0x50), 101), 0);
  t.is(put(new Uint8Array(0), 101).readUInt16BE(0), 0);
  // AppleTalk, and no address family at all.
  for (const bytes of [Uint8Array.of(16, 0, 0, 0), Uint8Array.of(0, 0, 0, 16), Uint8Array.of(1, 2, 3, 4)]) {
    t.is(typeOf(bytes, 0), 0);
    t.is(typeOf(bytes, 108), 0);
  }
  t.is(typeOf(family(0x0800, 0, 'LE'), 108), 0x0800);
});

test('devices whose cooked frames are no packets are not taken for such', (t) => {
  // Frame relay, IEEE 802.11 with radiotap, netlink (ARPHRD_).
  for (const device of [770, 803, 824]) {
    t.is(typeOf(sll(0x0800, device), 113), 0);
    t.is(typeOf(sll2(0x0800, device), 276), 0);
  }
  // Loopback, PPP, no link layer.
  for (const device of [772, 512, 0xfffe]) {
    t.is(typeOf(sll(0x0800, device), 113), 0x0800);
    t.is(typeOf(sll2(0x86dd, device), 276), 0x86dd);
  }
});

test('link types that cannot be read have a remedy', (t) => {
  for (const [number, title, remedy] of [
    [105, '105, IEEE802_11', /on the wired side.*tcpdump -y EN10MB/],
    [119, '119, IEEE802_11_PRISM', /on the wired side.*tcpdump -y EN10MB/],
    [127, '127, IEEE802_11_RADIOTAP', /on the wired side.*tcpdump -y EN10MB/],
    [249, '249, USBPCAP', /capture on a network interface/],
    [9, '9, PPP', /tcpdump -y EN10MB/],
    [147, '147', /tcpdump -y EN10MB/],
  ] as const) {
    const linkType = linkTypeOf(number);
    t.deepEqual([linkType.title, linkType.layer], [title, undefined]);
    t.regex(linkType.remedy, remedy);
  }
});
