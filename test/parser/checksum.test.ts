/** Every way to a checksum against the slow reference, over lengths and alignments, and the patch laws. */
import test from 'ava';
import fc from 'fast-check';
import { concat, pseudoHeader, slowChecksum, slowSum } from '../support/checksum';
import { DEFAULT_DST, DEFAULT_SRC, echoRequestFrame, ipBytes, mappedBytes, tcpFrame } from '../support/frames';
import { BUILDS, Rig } from './rig';

/** A 16-bit value as the core holds it: in memory order. */
const mem16 = (value: number): number => ((value & 255) << 8) | (value >> 8);

const u32 = (): fc.Arbitrary<number> =>
  fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 1, 0xffff, 0xffff0000, 0xffffffff));
const bytesOf = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    fc.uint8Array({ minLength, maxLength }),
    fc.integer({ min: minLength, max: maxLength }).map((n) => new Uint8Array(n).fill(0xff)),
  );
const even = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, bytes.length & ~1);

for (const build of BUILDS) {
  const rig = new Rig(build);
  const { core, scratch } = rig;
  const { exports, bytes, view } = core;

  /** Writes a message with a right checksum at offset `field` to scratch. */
  function put(message: Uint8Array, field: number): void {
    bytes.set(message, scratch);
    view.setUint16(scratch + field, 0);
    view.setUint16(scratch + field, slowChecksum(bytes.subarray(scratch, scratch + message.length)));
  }

  function recomputed(length: number, field: number): number {
    const copy = bytes.slice(scratch, scratch + length);
    copy.fill(0, field, field + 2);
    return slowChecksum(copy);
  }

  test(`${build}: sum equals the reference for every length and alignment`, (t) => {
    const noise = Uint8Array.from({ length: 160 }, (_, i) => (i * 151 + 77) & 255);
    for (let alignment = 0; alignment < 8; alignment++) {
      for (let length = 0; length <= 130; length++) {
        const data = noise.subarray(0, length);
        bytes.set(data, scratch + alignment);
        bytes.fill(0xee, scratch + alignment + length, scratch + alignment + length + 8);
        t.is(exports.probeSum(scratch + alignment, length, 0), mem16(slowSum(data)), `${alignment} ${length}`);
      }
    }
  });

  test(`${build}: sum of all ones over 64 KiB does not overflow`, (t) => {
    bytes.fill(0xff, rig.end - 65600, rig.end);
    t.is(exports.probeSum(rig.end - 65600, 65600, 0), 0xffff);
  });

  test(`${build}: sum of random bytes, in one piece or continued at an even place`, (t) => {
    fc.assert(
      fc.property(bytesOf(0, 2000), fc.nat(7), fc.nat(1000), (data, alignment, cut) => {
        const ptr = scratch + alignment;
        bytes.set(data, ptr);
        t.is(exports.probeSum(ptr, data.length, 0), mem16(slowSum(data)));
        const first = Math.min(cut * 2, data.length & ~1);
        const seed = exports.probeSum(ptr, first, 0);
        t.is(exports.probeSum(ptr + first, data.length - first, seed), mem16(slowSum(data)));
      }),
    );
  });

  test(`${build}: sum of random bytes, continued at any place`, (t) => {
    fc.assert(
      fc.property(bytesOf(0, 2000), fc.nat(2000), (data, cut) => {
        const first = Math.min(cut, data.length);
        bytes.set(data, scratch);
        const seed = exports.probeSum(scratch, first, 0);
        t.is(exports.probeSumBehind(scratch + first, data.length - first, first, seed), mem16(slowSum(data)));
      }),
    );
  });

  test(`${build}: pseudo header of both families, and of a mapped address`, (t) => {
    fc.assert(
      fc.property(fc.constantFrom(4, 16), bytesOf(32, 32), fc.nat(255), u32(), (width, addresses, protocol, length) => {
        const src = addresses.subarray(0, width);
        const dst = addresses.subarray(16, 16 + width);
        bytes.set(src, scratch);
        bytes.set(dst, scratch + 32);
        const expected = mem16(slowSum(pseudoHeader(src, dst, protocol, length)));
        t.is(exports.probePseudoSumOf(scratch, scratch + 32, width, protocol, length), expected);
      }),
    );
    bytes.set(mappedBytes('192.0.2.1'), scratch);
    bytes.set(mappedBytes('198.51.100.7'), scratch + 16);
    const expected = mem16(slowSum(pseudoHeader(ipBytes('192.0.2.1'), ipBytes('198.51.100.7'), 6, 1480)));
    t.is(exports.probePseudoSumOf(scratch, scratch + 16, 16, 6, 1480), expected);
  });

  test(`${build}: a patched 16-bit field leaves the checksum that computing anew gives`, (t) => {
    fc.assert(
      fc.property(bytesOf(20, 200), fc.nat(1000), fc.nat(0xffff), (message, place, value) => {
        message[2] = 1; // all zeros does not exist: a pseudo header is never zero
        put(message, 0);
        const field = 4 + ((place * 2) % ((message.length - 6) & ~1));
        const old = view.getUint16(scratch + field, true);
        view.setUint16(scratch + field, value, true);
        exports.probePatch16(scratch, old, value);
        t.is(view.getUint16(scratch), recomputed(message.length, 0));
      }),
    );
  });

  test(`${build}: a patched 32-bit field at any offset leaves the checksum that computing anew gives`, (t) => {
    fc.assert(
      fc.property(bytesOf(40, 200), fc.nat(1000), fc.nat(7), u32(), (message, place, alignment, value) => {
        message[4] = 1;
        const base = scratch + alignment;
        bytes.set(message, base);
        view.setUint16(base, 0);
        view.setUint16(base, slowChecksum(bytes.subarray(base, base + message.length)));
        const field = base + 5 + (place % (message.length - 9));
        const old = view.getUint32(field, true);
        view.setUint32(field, value, true);
        exports.probePatch32At(base, base, field, old, value);
        const copy = bytes.slice(base, base + message.length);
        copy.fill(0, 0, 2);
        t.is(view.getUint16(base), slowChecksum(copy));
      }),
    );
  });

  test(`${build}: patching there and back is no change`, (t) => {
    fc.assert(
      fc.property(fc.nat(0xfffe), u32(), u32(), (checksum, a, b) => {
        view.setUint16(scratch, checksum, true);
        exports.probePatch32(scratch, a, b);
        exports.probePatch32(scratch, b, a);
        t.is(view.getUint16(scratch, true), checksum);
      }),
    );
  });

  test(`${build}: sums of replaced addresses patch like the fields one by one`, (t) => {
    fc.assert(
      fc.property(bytesOf(60, 200), bytesOf(32, 32), (message, replacement) => {
        message[40] = 1;
        put(message, 0);
        bytes.copyWithin(scratch + 1000, scratch + 8, scratch + 40);
        bytes.set(replacement, scratch + 8);
        exports.probePatchSum(scratch, scratch + 1000, scratch + 8, 32);
        t.is(view.getUint16(scratch), recomputed(message.length, 0));
      }),
    );
  });

  test(`${build}: full TCP checksum of frames of both families, of even and odd length`, (t) => {
    const pairs = [
      { src: DEFAULT_SRC, dst: DEFAULT_DST },
      { src: 'fd00::9', dst: 'fd00::2' },
    ];
    fc.assert(
      fc.property(fc.constantFrom(...pairs), bytesOf(0, 300), (pair, payload) => {
        const frame = tcpFrame({ ...pair, payload });
        const { fields } = rig.parse(frame);
        const written = view.getUint16(fields.l4 + 16, true);
        t.is(exports.probeTcpChecksumFull(rig.region), written);
        t.truthy(exports.probeTcpChecksumValid(rig.region));
        bytes.set(concat(mappedBytes(pair.src), mappedBytes(pair.dst)), scratch);
        t.is(exports.probeTcpChecksumOf(scratch, scratch + 16, 16, fields.l4, fields.l4Wire), written);
        view.setUint16(fields.l4 + 16, written ^ 1, true);
        t.is(exports.probeTcpChecksumFull(rig.region), written, 'the field itself does not count');
        t.falsy(exports.probeTcpChecksumValid(rig.region));
      }),
    );
  });

  test(`${build}: the checksum follows addresses that were rewritten in the frame`, (t) => {
    const frame = tcpFrame({ payload: 'x' });
    const { fields } = rig.parse(frame);
    bytes.set(ipBytes('203.0.113.5'), fields.l3 + 16);
    const expected = tcpFrame({ payload: 'x', dst: '203.0.113.5' });
    t.is(exports.probeTcpChecksumFull(rig.region), mem16((expected[50] ?? 0) * 256 + (expected[51] ?? 0)));
  });

  test(`${build}: a partial checksum is recognised, a full or wrong one is not`, (t) => {
    for (const pair of [{}, { src: 'fd00::9', dst: 'fd00::2' }]) {
      rig.run(tcpFrame({ ...pair, payload: 'hello', checksum: 'partial' }));
      t.truthy(exports.probeIsPartialChecksum(rig.region));
      t.falsy(exports.probeTcpChecksumValid(rig.region));
      rig.run(tcpFrame({ ...pair, payload: 'hello' }));
      t.falsy(exports.probeIsPartialChecksum(rig.region));
      rig.run(tcpFrame({ ...pair, payload: 'hello', checksum: 0 }));
      t.falsy(exports.probeIsPartialChecksum(rig.region));
    }
  });

  test(`${build}: a segment cut by the capture cannot be verified`, (t) => {
    const frame = tcpFrame({ payload: 'hello' });
    rig.run(frame.subarray(0, frame.length - 1), frame.length);
    t.falsy(exports.probeTcpChecksumValid(rig.region));
  });

  test(`${build}: ICMP without and ICMPv6 with a pseudo header`, (t) => {
    for (const pair of [{}, { src: 'fd00::9', dst: 'fd00::2' }]) {
      const { fields } = rig.parse(echoRequestFrame({ ...pair, body: Uint8Array.of(1, 2, 3) }));
      t.truthy(exports.probeIcmpChecksumValid(rig.region));
      t.is(exports.probeIcmpChecksumFull(rig.region), view.getUint16(fields.l4 + 2, true));
      view.setUint8(fields.l4 + 9, 0x77);
      t.falsy(exports.probeIcmpChecksumValid(rig.region));
    }
  });
}

test('the reference pads an odd end', (t) => {
  t.is(slowSum(Uint8Array.of(1)), 0x100);
  t.is(slowSum(even(Uint8Array.of(1, 2, 3))), 0x102);
});
