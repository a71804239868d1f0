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

let v0: u64 = 0;
let v1: u64 = 0;
let v2: u64 = 0;
let v3: u64 = 0;

function round(): void {
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
}

function absorb(word: u64): void {
  v3 ^= word;
  round();
  v0 ^= word;
}

/** Hash of a tuple: the addresses (16 bytes each) of the far end and of ours, their ports, the VLAN. */
export function hashTuple(far: Ptr, farPort: u32, ours: Ptr, ourPort: u32, vlan: u32): u32 {
  v0 = key0 ^ 0x736f6d6570736575;
  v1 = key1 ^ 0x646f72616e646f6d;
  v2 = key0 ^ 0x6c7967656e657261;
  v3 = key1 ^ 0x7465646279746573;
  absorb(load<u64>(far));
  absorb(load<u64>(far, 8));
  absorb(load<u64>(ours));
  absorb(load<u64>(ours, 8));
  absorb(((<u64>vlan) << 32) | ((<u64>farPort) << 16) | (<u64>ourPort));
  v2 ^= 0xff;
  round();
  round();
  round();
  const h = v0 ^ v1 ^ v2 ^ v3;
  return (<u32>h) ^ (<u32>(h >>> 32));
}
