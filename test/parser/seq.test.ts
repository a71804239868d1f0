/** Serial arithmetic against its definition in plain integers (RFC 1982 3.2). */
import test from 'ava';
import fc from 'fast-check';
import { instantiate } from '../support/wasm';
import { BUILDS } from './rig';

const HALF = 0x80000000;
const u32 = (): fc.Arbitrary<number> =>
  fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 1, HALF - 1, HALF, HALF + 1, 0xffffffff));

/** A bool of a direct export is 0 or 1. */
const truth = (result: unknown): boolean => Boolean(result);

for (const build of BUILDS) {
  const { exports } = instantiate(build);

  test(`${build}: less means the shorter way up`, (t) => {
    fc.assert(
      fc.property(u32(), u32(), (a, b) => {
        const up = (b - a) >>> 0;
        if (up === HALF) return;
        t.is(truth(exports.probeSeqLt(a, b)), up !== 0 && up < HALF);
        t.is(truth(exports.probeSeqGt(a, b)), up > HALF);
        t.is(truth(exports.probeSeqLe(a, b)), up < HALF);
        t.is(truth(exports.probeSeqGe(a, b)), up === 0 || up > HALF);
      }),
    );
  });

  test(`${build}: max and min are one of the two and in order`, (t) => {
    fc.assert(
      fc.property(u32(), fc.integer({ min: 0, max: HALF - 1 }), (low, distance) => {
        const high = (low + distance) >>> 0;
        t.is(exports.probeSeqMax(low, high) >>> 0, high);
        t.is(exports.probeSeqMax(high, low) >>> 0, high);
        t.is(exports.probeSeqMin(low, high) >>> 0, low);
        t.is(exports.probeSeqMin(high, low) >>> 0, low);
      }),
    );
  });

  test(`${build}: between is met on the way up, whatever the length of the arc`, (t) => {
    fc.assert(
      fc.property(u32(), u32(), u32(), (x, lo, length) => {
        const hi = (lo + length) >>> 0;
        t.is(truth(exports.probeSeqBetween(x, lo, hi)), (x - lo) >>> 0 <= length);
      }),
    );
  });

  test(`${build}: diff undoes addition across the wrap`, (t) => {
    fc.assert(
      fc.property(u32(), fc.integer({ min: -HALF, max: HALF - 1 }), (b, by) => {
        t.is(exports.probeSeqDiff((b + by) >>> 0, b), by);
      }),
    );
  });

  test(`${build}: numbers around the wrap`, (t) => {
    t.true(truth(exports.probeSeqLt(0xffffffff, 0)));
    t.false(truth(exports.probeSeqLt(0, 0xffffffff)));
    t.is(exports.probeSeqDiff(5, 0xfffffffb), 10);
    t.truthy(exports.probeSeqBetween(2, 0xfffffff0, 2));
    t.falsy(exports.probeSeqBetween(3, 0xfffffff0, 2));
  });
}
