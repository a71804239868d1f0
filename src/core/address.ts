/**
 * Addresses between text and the core's form: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2).
 * Text is written as RFC 5952 wants it.
 */
export const ADDRESS_BYTES = 16;
const IPV4_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** `undefined` when the text is no address. Zones (`%eth0`) are no part of an address on the wire and are refused. */
export function parseAddress(text: string): Uint8Array | undefined {
  const ipv4 = ipv4Bytes(text);
  if (ipv4 !== undefined) return Uint8Array.from([...IPV4_PREFIX, ...ipv4]);
  const [head = '', tail, ...more] = text.split('::');
  if (more.length > 0) return undefined;
  const front = ipv6Bytes(head, tail === undefined);
  const back = tail === undefined ? [] : ipv6Bytes(tail, true);
  if (front === undefined || back === undefined) return undefined;
  const missing = ADDRESS_BYTES - front.length - back.length;
  // '::' stands for one group at least.
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined;
  return Uint8Array.from([...front, ...new Array<number>(missing).fill(0), ...back]);
}

function ipv4Bytes(text: string): number[] | undefined {
  const parts = text.split('.');
  const isAddress = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  return isAddress ? parts.map(Number) : undefined;
}

/** Groups of a half of an IPv6 address, whose very last may be a dotted IPv4 address; `undefined`: they are none. */
function ipv6Bytes(half: string, isLast: boolean): number[] | undefined {
  if (half === '') return [];
  const groups = half.split(':');
  const bytes = groups.map((group, i) => {
    if (isLast && i === groups.length - 1 && group.includes('.')) return ipv4Bytes(group);
    const value = /^[0-9a-f]{1,4}$/i.test(group) ? Number.parseInt(group, 16) : undefined;
    return value === undefined ? undefined : [value >>> 8, value & 0xff];
  });
  return bytes.some((group) => group === undefined) ? undefined : bytes.flatMap((group) => group ?? []);
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
