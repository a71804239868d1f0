/**
 * Whatever the bytes: no trap, a reason, no write outside the Packet, and what a Packet promises holds. The rig puts
 * each frame at the end of memory, so a read past the captured bytes would trap.
 */
import test from 'ava';
import fc from 'fast-check';
import { Reason } from '../../assembly/abi/codes';
import { OptionBit, PacketKind } from '../../assembly/parser/packet-codes';
import { fromHex } from '../support/frames';
import { GOLDEN } from './golden';
import { BUILDS, type Fields, type Parsed, Rig, asReason } from './rig';

const RUNS = { numRuns: 2000 };

/** A change of a golden frame: bytes overwritten, then cut. */
const mutated = (): fc.Arbitrary<{ frame: Uint8Array; wireLength: number }> =>
  fc
    .record({
      golden: fc.constantFrom(...GOLDEN.map(({ hex }) => fromHex(hex))),
      pokes: fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }),
      length: fc.option(fc.nat(200)),
      wireExtra: fc.constantFrom(0, 0, 1, 1000, 0x7fffffff),
    })
    .map(({ golden, pokes, length, wireExtra }) => {
      const frame = golden.slice(0, length ?? golden.length);
      for (const [at, value] of pokes) if (at < frame.length) frame[at] = value;
      return { frame, wireLength: frame.length + wireExtra };
    });

/** Makes the IPv4 header checksum right, so that a change gets past it. */
function withIpChecksum(frame: Uint8Array): Uint8Array {
  const ip = 14;
  const headerLength = ((frame[ip] ?? 0) & 15) * 4;
  if (frame[12] !== 8 || frame[13] !== 0 || headerLength < 20 || frame.length < ip + headerLength) return frame;
  const fixed = frame.slice();
  let total = 0;
  for (let i = 0; i < headerLength; i += 2) {
    if (i !== 10) total += (fixed[ip + i] ?? 0) * 256 + (fixed[ip + i + 1] ?? 0);
  }
  total = (total % 65536) + Math.floor(total / 65536);
  total = (total % 65536) + Math.floor(total / 65536);
  fixed[ip + 10] = (65535 - total) >> 8;
  fixed[ip + 11] = (65535 - total) & 255;
  return fixed;
}

/** The contract at the top of packet.ts, as far as it can be said in lengths and addresses. */
function promises({ reason, kind, fields }: Parsed, frame: Uint8Array): boolean {
  const inside = (address: number, length: number): boolean =>
    address >= fields.frame && address + length <= fields.frame + frame.length;
  if (reason !== Reason.None) return kind === PacketKind.Other;
  switch (kind) {
    case PacketKind.Tcp:
      return (
        tcpPromises(fields) && inside(fields.l4, fields.headerLength) && inside(fields.payload, fields.payloadLength)
      );
    case PacketKind.IcmpError:
      return (
        inside(fields.quotedL4, fields.quotedLength) && fields.quotedLength >= 8 && fields.quotedL3 === fields.l4 + 8
      );
    case PacketKind.IcmpEcho:
      return inside(fields.l4, 8);
    case PacketKind.Arp:
      return inside(fields.l3, 28);
    case PacketKind.NeighborSolicitation:
    case PacketKind.NeighborAdvertisement:
      return inside(fields.ndTarget, 16);
    default:
      return inside(fields.l4, 8);
  }
}

function tcpPromises(fields: Fields): boolean {
  const inHeader = (address: number, length: number): boolean =>
    address >= fields.l4 + 20 && address + length <= fields.payload;
  return (
    fields.payload === fields.l4 + fields.headerLength &&
    fields.payloadLength <= fields.payloadWire &&
    fields.segmentLength - fields.payloadWire <= 1 + Number((fields.flags & 3) === 3) &&
    (!(fields.options & OptionBit.Timestamps) || inHeader(fields.tsPtr, 8)) &&
    (!(fields.options & OptionBit.Sack) || (fields.sackCount <= 4 && inHeader(fields.sackPtr, fields.sackCount * 8)))
  );
}

const TCP_FIELDS = new Set([
  ...['srcPort', 'dstPort', 'seq', 'ack', 'window', 'urgent', 'flags', 'headerLength'],
  ...['payload', 'payloadLength', 'payloadWire', 'segmentLength'],
]);
const IP_FIELDS = new Set(['protocol', 'ipHeaderLength', 'l4', 'l4Wire', 'l4Length']);
const OPTION_FIELDS: Readonly<Record<string, OptionBit>> = {
  mss: OptionBit.Mss,
  windowShift: OptionBit.WindowScale,
  tsval: OptionBit.Timestamps,
  tsecr: OptionBit.Timestamps,
  tsPtr: OptionBit.Timestamps,
  sackPtr: OptionBit.Sack,
  sackCount: OptionBit.Sack,
};

/** Whether kind, version and option bits say that the field is filled: see packet.ts. */
function isVouchedFor(name: string, { kind, options, ipVersion, protocol }: Fields): boolean {
  const bit = OPTION_FIELDS[name];
  if (bit !== undefined) return (options & bit) !== 0;
  if (TCP_FIELDS.has(name)) return kind === (PacketKind.Tcp as number);
  if (IP_FIELDS.has(name)) return ipVersion !== 0;
  if (name.startsWith('icmp')) return ipVersion !== 0 && (protocol === 1 || protocol === 58);
  if (name.startsWith('quoted')) return kind === (PacketKind.IcmpError as number);
  if (name.startsWith('arp')) return kind === (PacketKind.Arp as number);
  if (name === 'ndTarget') {
    return [PacketKind.NeighborSolicitation, PacketKind.NeighborAdvertisement].some((n) => (n as number) === kind);
  }
  return !name.startsWith('walk');
}

for (const build of BUILDS) {
  const rig = new Rig(build);
  const isReason = (reason: Reason): boolean => reason >= Reason.None && reason < Reason.Count;

  test(`${build}: random bytes`, (t) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (frame) => isReason(rig.run(frame))),
      RUNS,
    );
    t.pass();
  });

  test(`${build}: random bytes behind a known type`, (t) => {
    const types = fc.constantFrom([0x08, 0x00, 0x45], [0x86, 0xdd, 0x60], [0x08, 0x06, 0x00], [0x81, 0x00, 0x00]);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 15, maxLength: 200 }), types, (frame, type) => {
        frame.set(type, 12);
        const fixed = withIpChecksum(frame);
        const parsed = rig.parse(fixed);
        return isReason(parsed.reason) && promises(parsed, fixed);
      }),
      RUNS,
    );
    t.pass();
  });

  test(`${build}: changed golden frames`, (t) => {
    fc.assert(
      fc.property(mutated(), fc.boolean(), ({ frame, wireLength }, repair) => {
        const fixed = repair ? withIpChecksum(frame) : frame;
        const parsed = rig.parse(fixed, wireLength);
        return isReason(parsed.reason) && promises(parsed, fixed);
      }),
      RUNS,
    );
    t.pass();
  });

  test(`${build}: memory outside the Packet is the same after thousands of frames`, (t) => {
    const { bytes, exports } = rig.core;
    const region = exports.probeStaticPacket();
    const size = exports.probePacketBytes();
    const before = bytes.slice(0, rig.scratch);
    fc.assert(
      fc.property(mutated(), ({ frame, wireLength }) => {
        const at = rig.frameAt(frame.length);
        bytes.set(frame, at);
        return isReason(asReason(exports.probeParse(region, at, frame.length, wireLength)));
      }),
      RUNS,
    );
    const after = bytes.slice(0, rig.scratch);
    after.set(before.subarray(region, region + size), region);
    t.is(Buffer.compare(before, after), 0);
  });

  test(`${build}: nothing that the Packet vouches for is left of the frame before`, (t) => {
    for (const first of GOLDEN) {
      for (const second of GOLDEN) {
        const frame = fromHex(second.hex);
        const known = ({ fields }: Parsed) => Object.entries(fields).filter(([name]) => isVouchedFor(name, fields));
        const alone = known(rig.parse(frame));
        t.true(alone.length > 10);
        t.deepEqual(known(rig.parse(frame, frame.length, fromHex(first.hex))), alone);
      }
    }
  });
}
