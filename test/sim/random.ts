/** Repeatable randomness: xoshiro128** (Blackman and Vigna 2018) seeded by splitmix32. One seed, one run. */
export class Random {
  readonly #s: [number, number, number, number];

  constructor(seed: number) {
    let x = seed >>> 0;
    const next = (): number => {
      x = (x + 0x9e3779b9) >>> 0;
      let z = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return (z ^ (z >>> 15)) >>> 0;
    };
    this.#s = [next(), next(), next(), next()];
  }

  /** 0 to 2^32 - 1. */
  u32(): number {
    const s = this.#s;
    const product = Math.imul(s[1], 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** At least `low`, below `high`; not rounded. */
  real(low: number, high: number): number {
    return low + (this.u32() / 0x1_0000_0000) * (high - low);
  }

  /** A whole number, both limits included. */
  int(low: number, high: number): number {
    return low + Math.floor((this.u32() / 0x1_0000_0000) * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.u32() / 0x1_0000_0000 < probability;
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.int(0, choices.length - 1)] ?? choices[0];
  }

  /** Another generator, so that one part that draws more does not change what the others draw. */
  fork(): Random {
    return new Random(this.u32());
  }
}
