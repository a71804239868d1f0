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

/**
 * Hash of a tuple: the addresses (16 bytes each) of the far end and of ours, their ports, the VLAN. Five words and the three
 * rounds that end it, written out: as a loop it takes half as many instructions again, is a larger body wherever it is
 * inlined, and an observed segment takes a twentieth longer (bench/core). A round that is a function would keep its
 * state in globals, which are memory to V8.
 */
export function hashTuple(far: Ptr, farPort: u32, ours: Ptr, ourPort: u32, vlan: u32): u32 {
  const w0 = load<u64>(far);
  const w1 = load<u64>(far, 8);
  const w2 = load<u64>(ours);
  const w3 = load<u64>(ours, 8);
  const w4 = ((<u64>vlan) << 32) | ((<u64>farPort) << 16) | (<u64>ourPort);
  let v0 = key0 ^ 0x736f6d6570736575;
  let v1 = key1 ^ 0x646f72616e646f6d;
  let v2 = key0 ^ 0x6c7967656e657261;
  let v3 = key1 ^ 0x7465646279746573;
  v3 ^= w0;
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
  v0 ^= w0;
  v3 ^= w1;
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
  v0 ^= w1;
  v3 ^= w2;
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
  v0 ^= w2;
  v3 ^= w3;
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
  v0 ^= w3;
  v3 ^= w4;
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
  v0 ^= w4;
  v2 ^= 0xff;
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
  const h = v0 ^ v1 ^ v2 ^ v3;
  return (<u32>h) ^ (<u32>(h >>> 32));
}
