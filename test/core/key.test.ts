/**
 * The hash of a tuple, against SipHash-1-3 written down as its paper has it: words of 64 bits, one round for each, three at
 * the end. All tuples are equally long, so the paper's last word, which holds the length, is left out.
 */
import test from 'ava';
import fc from 'fast-check';
import { mappedBytes } from '../support/frames';
import { type Core, start } from '../support/wasm';

/** Only these have the probe that computes a hash. */
const BUILDS = ['debug', 'test'] as const;

type Key = readonly [number, number, number, number];

interface Tuple {
  readonly far: Uint8Array;
  readonly farPort: number;
  readonly ours: Uint8Array;
  readonly ourPort: number;
  readonly vlan: number;
}

const MASK = (1n << 64n) - 1n;
const rotated = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (64n - by))) & MASK;

class SipHash {
  #v0: bigint;
  #v1: bigint;
  #v2: bigint;
  #v3: bigint;

  constructor(k0: bigint, k1: bigint) {
    this.#v0 = k0 ^ 0x736f6d6570736575n;
    this.#v1 = k1 ^ 0x646f72616e646f6dn;
    this.#v2 = k0 ^ 0x6c7967656e657261n;
    this.#v3 = k1 ^ 0x7465646279746573n;
  }

  absorb(word: bigint): void {
    this.#v3 ^= word;
    this.#round();
    this.#v0 ^= word;
  }

  end(): bigint {
    this.#v2 ^= 0xffn;
    for (let i = 0; i < 3; i++) this.#round();
    return this.#v0 ^ this.#v1 ^ this.#v2 ^ this.#v3;
  }

  #round(): void {
    this.#v0 = (this.#v0 + this.#v1) & MASK;
    this.#v1 = rotated(this.#v1, 13n) ^ this.#v0;
    this.#v0 = rotated(this.#v0, 32n);
    this.#v2 = (this.#v2 + this.#v3) & MASK;
    this.#v3 = rotated(this.#v3, 16n) ^ this.#v2;
    this.#v0 = (this.#v0 + this.#v3) & MASK;
    this.#v3 = rotated(this.#v3, 21n) ^ this.#v0;
    this.#v2 = (this.#v2 + this.#v1) & MASK;
    this.#v1 = rotated(this.#v1, 17n) ^ this.#v2;
    this.#v2 = rotated(this.#v2, 32n);
  }
}

const wide = (high: number, low: number): bigint => (BigInt(high) << 32n) | BigInt(low);

function expected(key: Key, { far, farPort, ours, ourPort, vlan }: Tuple): number {
  const hash = new SipHash(wide(key[1], key[0]), wide(key[3], key[2]));
  const addresses = new DataView(Uint8Array.of(...far, ...ours).buffer);
  for (let at = 0; at < 32; at += 8) hash.absorb(addresses.getBigUint64(at, true));
  hash.absorb(wide(vlan, farPort * 0x10000 + ourPort));
  const sum = hash.end();
  return Number((sum ^ (sum >> 32n)) & 0xffff_ffffn);
}

function hashOf({ exports, bytes }: Core<'debug' | 'test'>, { far, farPort, ours, ourPort, vlan }: Tuple): number {
  const at = exports.rxSlot() >>> 0;
  bytes.set(far, at);
  bytes.set(ours, at + 16);
  return exports.probeHashTuple(at, farPort, at + 16, ourPort, vlan) >>> 0;
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const port = fc.nat(0xffff);
const address = fc.uint8Array({ minLength: 16, maxLength: 16 });
const keys = fc.tuple(u32, u32, u32, u32);
const tuples = fc.record({ far: address, farPort: port, ours: address, ourPort: port, vlan: u32 });

for (const build of BUILDS) {
  test(`${build}: the hash of a tuple is SipHash-1-3 of all of it, under the key of this core`, (t) => {
    const property = fc.property(keys, tuples, (key, tuple) => {
      return hashOf(start(build, { connections: 1, key }), tuple) === expected(key, tuple);
    });
    t.notThrows(() => {
      fc.assert(property, { numRuns: 30 });
    });
  });

  test(`${build}: tuples that a client can choose fill an index evenly`, (t) => {
    const slots = 1024;
    const core = start(build);
    const counts = new Array<number>(slots).fill(0);
    const [far, ours] = [mappedBytes('10.0.0.9'), mappedBytes('10.0.0.2')];
    for (let farPort = 0; farPort < 0x10000; farPort++) {
      const slot = hashOf(core, { far, farPort, ours, ourPort: 7000, vlan: 0 }) % slots;
      counts[slot] = (counts[slot] ?? 0) + 1;
    }
    // 64 each; by chance alone, one of a thousand has 64 +- 4 times the root of it.
    t.true(Math.min(...counts) > 24 && Math.max(...counts) < 110, `${Math.min(...counts)} to ${Math.max(...counts)}`);
  });
}
