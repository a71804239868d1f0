/**
 * Echo request and reply (RFC 792, RFC 4443 4.1 and 4.2) through a raw socket. An answer is an echo reply from the
 * target with our identifier, a sequence number we wait for, and our payload, which other programs cannot guess.
 */
import { randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';
import raw from 'raw-socket';
import { EnvironmentError } from '../errors';
import { reasonOf } from '../reason';
import { ANSWER } from './probe';
import type { Outcome, Probe } from './probe';

const HEADER_BYTES = 8;
const PAYLOAD_BYTES = 16;
const MIN_IPV4_HEADER_BYTES = 20;

interface Family {
  readonly socket: { readonly addressFamily: number; readonly protocol: number };
  readonly request: number;
  readonly reply: number;
  /** Socket option that keeps every type but the reply away from us: level, name, value. */
  readonly filter: readonly [level: number, name: number, value: Buffer];
}

/** SOL_RAW, ICMP_FILTER: a set bit blocks the type. */
const IPV4: Family = {
  socket: { addressFamily: raw.AddressFamily.IPv4, protocol: raw.Protocol.ICMP },
  request: 8,
  reply: 0,
  filter: [255, 1, bits(4, 0)],
};

/** IPPROTO_ICMPV6, ICMP6_FILTER: the same for 256 types. */
const IPV6: Family = {
  socket: { addressFamily: raw.AddressFamily.IPv6, protocol: raw.Protocol.ICMPv6 },
  request: 128,
  reply: 129,
  filter: [58, 1, bits(32, 129)],
};

/** Every bit set but one, in words of the host's own byte order. */
function bits(length: number, clear: number): Buffer {
  const words = new Uint32Array(length / 4).fill(0xffffffff);
  words[clear >>> 5] = ~(1 << (clear & 31)) >>> 0;
  return Buffer.from(words.buffer);
}

/** The library passes on strerror() without errno. These two (EHOSTUNREACH, EHOSTDOWN) are said of the target. */
const TARGET_UNREACHABLE = /no route to host|host is (unreachable|down)/i;

/** @param device if given, asks and listens on this interface only */
export function icmpProbe(target: string, device?: string): Probe {
  const family = isIPv6(target) ? IPV6 : IPV4;
  const socket = open(family, device);
  const identifier = randomBytes(2).readUInt16BE();
  const secret = randomBytes(PAYLOAD_BYTES);
  const request = Buffer.alloc(HEADER_BYTES + PAYLOAD_BYTES);
  const waiting = new Map<number, (outcome: Outcome) => void>();
  let sequence = 0;

  function received(packet: Buffer, bytes: number, source: string): void {
    // IPv4 raw sockets show the IP header, IPv6 ones do not.
    const start = family === IPV4 ? ((packet[0] ?? 0) & 0xf) * 4 : 0;
    if (source !== target || (family === IPV4 && start < MIN_IPV4_HEADER_BYTES)) return;
    const end = start + HEADER_BYTES + PAYLOAD_BYTES;
    if (bytes < end || packet[start] !== family.reply || packet.readUInt16BE(start + 4) !== identifier) return;
    if (secret.compare(packet, start + HEADER_BYTES, end) !== 0) return;
    const number = packet.readUInt16BE(start + 6);
    const settle = waiting.get(number);
    waiting.delete(number);
    settle?.(ANSWER);
  }

  // The library reads one packet in each turn of the event loop; an answer must not wait behind others' for so long.
  const buffer = Buffer.alloc(2048);
  socket.wrap.removeAllListeners('recvReady');
  socket.wrap.on('recvReady', () => {
    try {
      for (;;) socket.wrap.recv(buffer, received);
    } catch {
      // All is read, or the socket had an error, which is thereby taken from it. Attempts without answer will tell.
    }
  });
  socket.on('error', () => {});

  return {
    kind: 'icmp',
    target,
    begin(settle) {
      const number = sequence;
      sequence = (sequence + 1) & 0xffff;
      request.fill(0, 0, HEADER_BYTES);
      request[0] = family.request;
      request.writeUInt16BE(identifier, 4);
      request.writeUInt16BE(number, 6);
      secret.copy(request, HEADER_BYTES);
      // The kernel computes ICMPv6 checksums by itself (RFC 3542 3.1).
      if (family === IPV4) raw.writeChecksum(request, 2, raw.createChecksum(request));
      waiting.set(number, settle);
      try {
        socket.wrap.send(request, 0, request.length, target, () => {});
      } catch (error) {
        waiting.delete(number);
        const why = reasonOf(error);
        settle({ kind: TARGET_UNREACHABLE.test(why) ? 'miss' : 'void', why });
      }
      return () => waiting.delete(number);
    },
    close() {
      waiting.clear();
      socket.close();
    },
  };
}

function open(family: Family, device: string | undefined): raw.Socket {
  let socket: raw.Socket | undefined;
  try {
    socket = raw.createSocket(family.socket);
    const [level, name, value] = family.filter;
    socket.setOption(level, name, value, value.length);
    if (device !== undefined) {
      const { SOL_SOCKET } = raw.SocketLevel;
      const { SO_BINDTODEVICE } = raw.SocketOption;
      const text = Buffer.from(`${device}\0`);
      socket.setOption(SOL_SOCKET, SO_BINDTODEVICE, text, text.length);
    }
    return socket;
  } catch (error) {
    socket?.close();
    const where = device === undefined ? '' : ` on ${device}`;
    throw new EnvironmentError(
      `no raw socket for ICMP probes${where}: ${reasonOf(error)}; run as root or with CAP_NET_RAW`,
      { cause: error },
    );
  }
}
