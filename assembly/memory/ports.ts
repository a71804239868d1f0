/** What the host said of its two ports: MTU and the link-layer addresses at both ends. */
import { Port } from '../abi/codes';

/** MTU, bytes; own MAC as 2 + 4 bytes in memory order; the peer's MAC likewise. */
const BYTES: u32 = 32;
const PORTS: usize = memory.data(64, 16);

function at(port: Port): usize {
  return PORTS + <usize>port * BYTES;
}

export function definePort(port: Port, mtu: u32, macHi: u32, macLo: u32, peerHi: u32, peerLo: u32): void {
  const p = at(port);
  store<u32>(p, mtu);
  store<u16>(p, bswap<u16>(<u16>macHi), 4);
  store<u32>(p, bswap<u32>(macLo), 6);
  store<u16>(p, bswap<u16>(<u16>peerHi), 10);
  store<u32>(p, bswap<u32>(peerLo), 12);
}

/** Largest IP packet the port takes, bytes. */
export function portMtu(port: Port): u32 {
  return load<u32>(at(port));
}

/** A link-layer address. By memory.copy it would be a call out of the module: 10 ns (V8), and loads and stores take 1. */
export function copyMac(to: usize, from: usize): void {
  store<u32>(to, load<u32>(from));
  store<u16>(to, load<u16>(from, 4), 4);
}

/** Writes the Ethernet source: our own address on the port. */
export function putOwnMac(port: Port, to: usize): void {
  copyMac(to, at(port) + 4);
}

/** Writes the only peer's address: the local stack's end of the private link. */
export function putPeerMac(port: Port, to: usize): void {
  copyMac(to, at(port) + 10);
}

export function isOwnMac(port: Port, mac: usize): bool {
  const p = at(port);
  return load<u16>(mac) == load<u16>(p, 4) && load<u32>(mac, 2) == load<u32>(p, 6);
}
