/**
 * Addresses between text and the core's form: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2).
 * Text is written as RFC 5952 wants it.
 */
import { isIPv4, isIPv6 } from 'node:net';

export const ADDRESS_BYTES = 16;
const IPV4_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** `undefined` when the text is no address. Zones (`%eth0`) are no part of an address on the wire and are refused. */
export function parseAddress(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from([...IPV4_PREFIX, ...text.split('.').map(Number)]);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const [head = '', tail] = text.split('::');
  const front = ipv6Bytes(head);
  const back = tail === undefined ? [] : ipv6Bytes(tail);
  const zeros = new Array<number>(ADDRESS_BYTES - front.length - back.length).fill(0);
  return Uint8Array.from([...front, ...zeros, ...back]);
}

/** Groups of a half of an IPv6 address, the last of which may be a dotted IPv4 address. */
function ipv6Bytes(half: string): number[] {
  if (half === '') return [];
  return half.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >>> 8, value & 0xff];
  });
}

/** The address whose 16 bytes start at `at`. */
export function formatAddress(bytes: Uint8Array, at = 0): string {
  const address = bytes.subarray(at, at + ADDRESS_BYTES);
  if (isV4Mapped(address)) return address.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((address[2 * i] ?? 0) << 8) | (address[2 * i + 1] ?? 0));
  const { start, length } = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  // RFC 5952 4.2.2: a single zero group is not shortened.
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}

function isV4Mapped(address: Uint8Array): boolean {
  return IPV4_PREFIX.every((byte, i) => address[i] === byte);
}

/** The first of the longest runs, as RFC 5952 4.2.3 asks. */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (const [i, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: i - length + 1, length };
  }
  return best;
}

/** `address:port`, `[address]:port` for IPv6. */
export function formatEndpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The 6 bytes of `aa:bb:cc:dd:ee:ff`; `undefined` when the text is no MAC address. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(':'), (byte) => Number.parseInt(byte, 16));
}

export function formatMac(bytes: Uint8Array, at = 0): string {
  return Array.from(bytes.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
