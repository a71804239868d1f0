/**
 * The keyed hash of a tuple: SipHash-1-3 (Aumasson and Bernstein 2012) over addresses, ports and VLAN. Keyed,
 * because a client chooses its address and port and could otherwise fill one bucket; 1-3, because the hash only
 * has to spread, not to authenticate, and halves the cost of 2-4.
 */
import { Ptr } from '../memory/regions';

let key0: u64 = 0;
let key1: u64 = 0;

export function setHashKey(k0: u32, k1: u32, k2: u32, k3: u32): void {
  key0 = ((<u64>k1) << 32) | k0;
  key1 = ((<u64>k3) << 32) | k2;
}

/** Five words of a tuple, then zeros for the rounds that end the hash: absorbing 0 is a round and nothing else. */
const WORDS: Ptr = memory.data(64, 16);
/** Where the fifth word lies, the last before the rounds that end the hash. */
const LAST_WORD: usize = 32;
const ROUNDS_BYTES: usize = 64;

/**
 * Hash of a tuple: the addresses (16 bytes each) of the far end and of ours, their ports, the VLAN. One loop over locals, two
 * words at a time: a state in globals is one in memory to V8, and costs a tenth more, and so does a loop of one word, with
 * what V8 asks at each turn (bench/core).
 */
export function hashTuple(far: Ptr, farPort: u32, ours: Ptr, ourPort: u32, vlan: u32): u32 {
  store<u64>(WORDS, load<u64>(far));
  store<u64>(WORDS, load<u64>(far, 8), 8);
  store<u64>(WORDS, load<u64>(ours), 16);
  store<u64>(WORDS, load<u64>(ours, 8), 24);
  store<u64>(WORDS, ((<u64>vlan) << 32) | ((<u64>farPort) << 16) | (<u64>ourPort), LAST_WORD);
  let v0 = key0 ^ 0x736f6d6570736575;
  let v1 = key1 ^ 0x646f72616e646f6d;
  let v2 = key0 ^ 0x6c7967656e657261;
  let v3 = key1 ^ 0x7465646279746573;
  for (let at: usize = 0; at < ROUNDS_BYTES; at += 16) {
    const even = load<u64>(WORDS + at);
    v3 ^= even;
    v0 += v1;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v0 = rotl<u64>(v0, 32);
    v2 += v3;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v2 = rotl<u64>(v2, 32);
    v0 ^= even;
    if (at == LAST_WORD) v2 ^= 0xff;
    const odd = load<u64>(WORDS + at, 8);
    v3 ^= odd;
    v0 += v1;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v0 = rotl<u64>(v0, 32);
    v2 += v3;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v2 = rotl<u64>(v2, 32);
    v0 ^= odd;
  }
  const h = v0 ^ v1 ^ v2 ^ v3;
  return (<u32>h) ^ (<u32>(h >>> 32));
}
