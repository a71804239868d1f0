/** TCP header and options. */
import test from 'ava';
import fc from 'fast-check';
import { Reason } from '../../assembly/abi/codes';
import { OptionBit, PacketKind } from '../../assembly/parser/packet-codes';
import {
  endOfOptions,
  fastOpen,
  md5,
  mptcpCapable,
  mss,
  nop,
  sack,
  sackPermitted,
  tcpAo,
  tcpFlags,
  tcpFrame,
  tcpOption,
  timestamps,
  windowScale,
} from '../support/frames';
import { BUILDS, Rig } from './rig';

const NO_OPTION = 0;
const v6 = { src: 'fd00::9', dst: 'fd00::2' };

for (const build of BUILDS) {
  const rig = new Rig(build);

  test(`${build}: fields come back as they were sent`, (t) => {
    const u16 = fc.nat(0xffff);
    const u32 = fc.integer({ min: 0, max: 0xffffffff });
    const header = fc.record({ srcPort: u16, dstPort: u16, seq: u32, ack: u32, window: u16, urgent: u16 });
    const family = fc.constantFrom({}, v6);
    fc.assert(
      fc.property(header, family, fc.nat(200), (sent, pair, length) => {
        const { reason, fields, offset } = rig.parse(tcpFrame({ ...pair, ...sent, payload: new Uint8Array(length) }));
        t.is(reason, Reason.None);
        t.like(fields, { ...sent, payloadLength: length, payloadWire: length, segmentLength: length });
        t.is(offset(fields.payload), offset(fields.l4) + 20);
      }),
    );
  });

  test(`${build}: of all 256 flag combinations those impossible in every state are refused`, (t) => {
    const letters = 'FSRPAUEC';
    for (let bits = 0; bits < 256; bits++) {
      const flags = Array.from(letters)
        .filter((_, i) => bits & (1 << i))
        .join('');
      const has = (letter: string): boolean => flags.includes(letter);
      const impossible = (has('S') && (has('F') || has('R'))) || !(has('S') || has('R') || has('A'));
      const { reason, fields } = rig.parse(tcpFrame({ flags, payload: 'ab' }));
      t.is(reason, impossible ? Reason.BadTcpFlags : Reason.None, flags);
      t.is(fields.flags, tcpFlags(flags));
      t.is(fields.segmentLength, 2 + Number(has('S')) + Number(has('F')), flags);
    }
  });

  test(`${build}: data offsets that cannot be are refused`, (t) => {
    for (let dataOffset = 0; dataOffset < 16; dataOffset++) {
      const fits = dataOffset >= 5 && dataOffset <= 6;
      const reason = rig.run(tcpFrame({ dataOffset, payload: '\x01\x01\x01\x01' }));
      t.is(reason, fits ? Reason.None : Reason.BadTcpDataOffset, `${dataOffset}`);
    }
  });

  test(`${build}: a payload cut by the capture is told, not refused`, (t) => {
    const frame = tcpFrame({ flags: 'FA', payload: new Uint8Array(1000) });
    const { reason, fields } = rig.parse(frame.subarray(0, 96), frame.length);
    t.is(reason, Reason.None);
    t.like(fields, { payloadLength: 96 - 54, payloadWire: 1000, segmentLength: 1001, l4Length: 62, l4Wire: 1020 });
  });

  test(`${build}: Ethernet padding is not payload`, (t) => {
    const { fields } = rig.parse(tcpFrame({ padTo: 60 }));
    t.like(fields, { payloadLength: 0, payloadWire: 0, length: 60 });
  });

  test(`${build}: every option of a SYN`, (t) => {
    const all: readonly (readonly [Uint8Array, number])[] = [
      [mss(536), OptionBit.Mss],
      [windowScale(14), OptionBit.WindowScale],
      [sackPermitted(), OptionBit.SackPermitted],
      [timestamps(1, 2), OptionBit.Timestamps],
      [md5(), OptionBit.Md5],
      [tcpAo(), OptionBit.Ao],
      [mptcpCapable(), OptionBit.Mptcp],
      [fastOpen(), OptionBit.Tfo],
      [fastOpen(new Uint8Array(0)), OptionBit.Tfo],
      [tcpOption(254, [0xf9, 0x89]), OptionBit.Tfo],
      [tcpOption(254, [0x12, 0x34]), NO_OPTION],
      [tcpOption(77, [1, 2, 3]), NO_OPTION],
    ];
    for (const [option, bit] of all) {
      const { reason, fields } = rig.parse(tcpFrame({ flags: 'S', options: [option] }));
      t.is(reason, Reason.None);
      t.is(fields.options, bit, `kind ${option[0]}`);
    }
  });

  test(`${build}: MSS, window scale and SACK-permitted count in a SYN only`, (t) => {
    const options = [mss(1460), windowScale(7), sackPermitted()];
    t.is(rig.parse(tcpFrame({ options })).fields.options, 0);
    t.is(rig.parse(tcpFrame({ flags: 'SA', options })).fields.options, 7);
  });

  test(`${build}: a window shift above 14 is 14`, (t) => {
    for (const [sent, meant] of [
      [0, 0],
      [13, 13],
      [14, 14],
      [15, 14],
      [255, 14],
    ] as const) {
      t.is(rig.parse(tcpFrame({ flags: 'S', options: [windowScale(sent)] })).fields.windowShift, meant);
    }
  });

  test(`${build}: timestamps at every alignment, the last of several counts`, (t) => {
    for (let nops = 0; nops < 4; nops++) {
      const options = [...Array.from({ length: nops }, nop), timestamps(0xfffffffe, 0x80000001)];
      const { fields, bytes } = rig.parse(tcpFrame({ options }));
      t.like(fields, { options: OptionBit.Timestamps, tsval: 0xfffffffe, tsecr: 0x80000001 });
      t.is(fields.tsPtr - fields.l4, 20 + nops + 2);
      t.is(bytes(fields.tsPtr, 8), 'fffffffe80000001');
    }
    t.is(rig.parse(tcpFrame({ options: [timestamps(1, 2), timestamps(3, 4)] })).fields.tsval, 3);
  });

  test(`${build}: SACK blocks, one to four, at odd offsets too`, (t) => {
    for (let count = 1; count <= 4; count++) {
      for (let nops = 0; nops < 3; nops++) {
        const blocks = Array.from({ length: count }, (_, i) => [i * 100, i * 100 + 50] as const);
        const options = [...Array.from({ length: nops }, nop), sack(...blocks)];
        const { fields, bytes } = rig.parse(tcpFrame({ options }));
        t.like(fields, { options: OptionBit.Sack, sackCount: count });
        t.is(fields.sackPtr - fields.l4, 20 + nops + 2);
        t.is(bytes(fields.sackPtr, 8), '0000000000000032');
      }
    }
  });

  test(`${build}: what follows the end of the list is not an option`, (t) => {
    const { reason, fields } = rig.parse(
      tcpFrame({ options: [endOfOptions(), timestamps(1, 2), tcpOption(9, [], 0)] }),
    );
    t.is(reason, Reason.None);
    t.is(fields.options, 0);
  });

  test(`${build}: a known kind of a wrong length is skipped`, (t) => {
    const wrong = [
      tcpOption(2, [5]),
      tcpOption(2, [0, 0]), // an MSS of 0 is no MSS
      tcpOption(3, []),
      tcpOption(4, [1]),
      tcpOption(5, []),
      tcpOption(5, [1, 2, 3, 4]),
      tcpOption(8, [1, 2, 3, 4]),
      tcpOption(19, [1, 2]),
      tcpOption(29, [1]),
      tcpOption(30, []),
      tcpOption(254, []),
    ];
    for (const option of wrong) {
      const { reason, fields } = rig.parse(tcpFrame({ flags: 'S', options: [option, nop(), nop()] }));
      t.is(reason, Reason.None);
      t.is(fields.options, 0, `kind ${option[0]} length ${option[1]}`);
    }
  });

  test(`${build}: an option length below 2 or past the header is refused`, (t) => {
    for (const length of [0, 1, 5, 6, 255]) {
      t.is(rig.run(tcpFrame({ options: [tcpOption(77, [0, 0], length)] })), Reason.BadTcpOption, `${length}`);
    }
    t.is(rig.run(tcpFrame({ options: [nop(), nop(), nop(), Uint8Array.of(8)] })), Reason.BadTcpOption);
    t.is(
      rig.run(tcpFrame({ options: [nop(), nop(), tcpOption(8, [0, 0, 0, 0, 0, 0, 0, 0], 11)] })),
      Reason.BadTcpOption,
    );
  });

  test(`${build}: option bytes at random are walked within the header`, (t) => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.boolean(), (list, syn) => {
        const { reason, fields } = rig.parse(tcpFrame({ flags: syn ? 'S' : 'A', options: [list], payload: 'after' }));
        t.true(reason === Reason.None || reason === Reason.BadTcpOption);
        t.is(fields.kind, reason === Reason.None ? PacketKind.Tcp : PacketKind.Other);
        const inHeader = (address: number, length: number): boolean =>
          address >= fields.l4 + 20 && address + length <= fields.payload;
        if (fields.options & OptionBit.Timestamps) t.true(inHeader(fields.tsPtr, 8));
        if (fields.options & OptionBit.Sack) t.true(inHeader(fields.sackPtr, fields.sackCount * 8));
      }),
      { numRuns: 500 },
    );
  });
}
