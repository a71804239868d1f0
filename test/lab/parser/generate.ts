/** Frames of every kind the parser knows, valid and not quite, from a seed. */
import { concat } from '../../support/checksum';
import {
  type Extension,
  type IpOptions,
  type Tag,
  arpFrame,
  destinationOptions,
  echoRequestFrame,
  endOfOptions,
  fastOpen,
  fragmentHeader,
  hopByHop,
  icmpErrorFrame,
  icmpFrame,
  ipFrame,
  md5,
  mptcpCapable,
  mss,
  neighborAdvertisementFrame,
  neighborSolicitationFrame,
  nop,
  routing,
  sack,
  sackPermitted,
  tcpAo,
  tcpFrame,
  tcpOption,
  timestamps,
  windowScale,
} from '../../support/frames';
import type { Random } from '../../sim/random';

/** Options of a TCP header end here. */
const OPTIONS_BYTES = 40;

export function randomFrame(random: Random): Uint8Array {
  const ip = randomIp(random);
  const kind = random.int(0, 11);
  if (kind < 6) return randomSegment(random, ip);
  if (kind < 8) return randomError(random, ip);
  if (kind === 8) return randomFragment(random, ip);
  if (kind === 9) return random.chance(0.5) ? echoRequestFrame(ip) : icmpFrame({ ...ip, type: random.int(130, 133) });
  if (kind === 10) return randomNeighbour(random, ip);
  // ESP, GRE, SCTP and others: not TCP.
  return ipFrame(ip, random.pick([17, 47, 50, 132]), bytes(random, 12));
}

function randomIp(random: Random): IpOptions {
  const common = {
    ttl: random.int(1, 255),
    tos: random.int(0, 255),
    id: random.int(0, 0xffff),
    tags: randomTags(random),
  };
  if (random.chance(0.5))
    return { ...common, src: 'fd00::9', dst: '2001:db8::1:2', extensions: randomExtensions(random) };
  const options = random.pick([
    [],
    [],
    [],
    [148, 4, 0, 0],
    [1, 1, 1, 0],
    [7, 7, 4, 0, 0, 0, 0, 0],
    [131, 7, 4, 10, 0, 0, 1, 0],
    [68, 40, 5, 0],
  ]);
  const damage = random.chance(0.03) ? { ipChecksum: random.int(0, 0xffff) } : {};
  return { ...common, src: '198.51.100.9', dst: '10.0.0.2', ipOptions: Uint8Array.from(options), ...damage };
}

function randomTags(random: Random): Tag[] {
  // Behind a service tag tshark has other names for another service tag.
  return Array.from({ length: random.pick([0, 0, 0, 1, 2]) }, (_, i) => ({
    vid: random.int(0, 4094),
    tpid: random.pick([0x8100, 0x8100, 0x9100, i === 0 ? 0x88a8 : 0x8100]),
    priority: random.int(0, 7),
  }));
}

function randomExtensions(random: Random): Extension[] {
  // Hop-by-hop options come first or not at all (RFC 8200 4.1).
  return [
    ...(random.chance(0.2) ? [hopByHop(random.int(1, 3))] : []),
    ...(random.chance(0.2) ? [destinationOptions(random.int(1, 4))] : []),
    ...(random.chance(0.15) ? [routing(random.chance(0.2) ? 1 : 0)] : []),
    ...(random.chance(0.15) ? [fragmentHeader(0, false, random.u32())] : []),
  ];
}

function randomSegment(random: Random, ip: IpOptions): Uint8Array {
  const flags = random.pick(['S', 'SA', 'A', 'PA', 'FA', 'R', 'RA', 'SEC', 'AEC', 'UPA', 'FPUA', 'SF', 'SR', 'F', 'P']);
  return tcpFrame({
    ...ip,
    srcPort: random.int(0, 0xffff),
    dstPort: random.int(0, 0xffff),
    seq: random.u32(),
    ack: random.u32(),
    window: random.int(0, 0xffff),
    urgent: random.int(0, 0xffff),
    flags,
    options: randomOptions(random, flags),
    payload: bytes(random, random.pick([0, 1, 7, 100])),
    checksum: random.chance(0.1) ? random.int(0, 0xffff) : 'full',
    padTo: random.chance(0.3) ? 60 : 0,
  });
}

function randomOptions(random: Random, flags: string): Uint8Array[] {
  const options: Uint8Array[] = [];
  for (let i = random.int(0, 5); i > 0; i--) options.push(randomOption(random, flags));
  while (concat(...options).length > OPTIONS_BYTES) options.pop();
  return options;
}

function randomOption(random: Random, flags: string): Uint8Array {
  const edge = (): [number, number] => [random.u32(), random.u32()];
  switch (random.int(0, 15)) {
    case 0:
      return mss(random.pick([0, 1, 536, 1460, 0xffff]));
    case 1:
      return windowScale(random.int(0, 14));
    case 2:
      return sackPermitted();
    case 3:
    case 4:
      return timestamps(random.u32(), random.u32());
    case 5:
      return sack(edge());
    case 6:
      return sack(edge(), edge(), edge());
    case 7:
      return md5();
    case 8:
      return tcpAo();
    case 9:
      // tshark takes what follows for data of the opening, with another ACK than ours.
      return flags === 'S' ? mptcpCapable() : nop();
    case 10:
      return fastOpen(bytes(random, 8));
    case 11:
      return tcpOption(random.pick([2, 3, 4, 8]), bytes(random, random.int(0, 7)));
    case 12:
      return tcpOption(77, bytes(random, random.int(0, 6)));
    case 13:
      return random.chance(0.3) ? tcpOption(random.pick([2, 8, 77]), [], random.pick([0, 1, 41, 255])) : nop();
    case 14:
      return random.chance(0.3) ? endOfOptions() : nop();
    default:
      return nop();
  }
}

function randomError(random: Random, ip: IpOptions): Uint8Array {
  const v6 = ip.src?.includes(':') === true;
  const quoted = random.chance(0.8)
    ? tcpFrame({
        src: v6 ? 'fd00::2' : '10.0.0.2',
        dst: v6 ? 'fd00::9' : '10.0.0.9',
        seq: random.u32(),
        payload: 'x'.repeat(60),
      })
    : ipFrame({ src: v6 ? 'fd00::2' : '10.0.0.2', dst: v6 ? 'fd00::9' : '10.0.0.9' }, 17, bytes(random, 30));
  const [type, code] = v6
    ? random.pick<[number, number]>([
        [1, 4],
        [2, 0],
        [3, 0],
        [4, 1],
      ])
    : random.pick<[number, number]>([
        [3, 1],
        [3, 3],
        [3, 4],
        [4, 0],
        [5, 1],
        [11, 0],
        [12, 0],
      ]);
  const least = (v6 ? 40 : 20) + 8;
  return icmpErrorFrame({ ...ip, type, code, rest: random.int(0, 0xffff) }, quoted, random.int(least, least + 40));
}

function randomFragment(random: Random, ip: IpOptions): Uint8Array {
  const [offset, more] = random.pick<[number, boolean]>([
    [0, true],
    [3, true],
    [100, false],
  ]);
  const payload = bytes(random, 64);
  if (ip.src?.includes(':') === true) {
    return tcpFrame({ ...ip, extensions: [fragmentHeader(offset, more, random.u32())], payload });
  }
  return tcpFrame({ ...ip, dontFragment: false, fragmentOffset: offset, moreFragments: more, payload });
}

function randomNeighbour(random: Random, { tags = [] }: IpOptions): Uint8Array {
  const linkAddress = '02:00:00:00:00:77';
  const neighbour = { tags, target: random.pick(['fd00::2', 'fe80::1']), ttl: random.pick([255, 255, 64]) };
  switch (random.int(0, 2)) {
    case 0:
      return arpFrame({ tags, operation: random.int(1, 3), senderMac: linkAddress, padTo: random.pick([0, 60]) });
    case 1:
      return neighborSolicitationFrame({ ...neighbour, ...(random.chance(0.5) ? { linkAddress } : {}) });
    default:
      return neighborAdvertisementFrame({ ...neighbour, flags: 0x60000000, linkAddress });
  }
}

function bytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.int(0, 255));
}
