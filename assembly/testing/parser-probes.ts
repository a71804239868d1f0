/**
 * Test build only: thin probes onto the parser. Integers in, integers out; nothing here decides. `region` is the
 * address of a Packet, in memory that the test owns or the static one.
 */
import { Reason } from '../abi/codes';
import {
  changeOf,
  fold,
  icmpChecksumFull,
  icmpChecksumValid,
  isPartialChecksum,
  patch16,
  patch32,
  patch32At,
  patchBy,
  pseudoSumOf,
  sum,
  tcpChecksumFull,
  tcpChecksumOf,
  tcpChecksumValid,
  turned,
} from '../parser/checksum';
import { Packet, packet } from '../parser/packet';
import { parse } from '../parser/parse';
import { seqBetween, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from '../parser/seq';

export {
  patch16 as probePatch16,
  patch32 as probePatch32,
  patch32At as probePatch32At,
  seqBetween as probeSeqBetween,
  seqDiff as probeSeqDiff,
  seqGe as probeSeqGe,
  seqGt as probeSeqGt,
  seqLe as probeSeqLe,
  seqLt as probeSeqLt,
  seqMax as probeSeqMax,
  seqMin as probeSeqMin,
  tcpChecksumOf as probeTcpChecksumOf,
};

function at(region: usize): Packet {
  return changetype<Packet>(region);
}

/** Size of a Packet, bytes. */
export function probePacketBytes(): u32 {
  return offsetof<Packet>();
}

export function probeStaticPacket(): usize {
  return changetype<usize>(packet());
}

export function probeParse(region: usize, frame: usize, length: u32, wireLength: u32): Reason {
  return parse(at(region), frame, length, wireLength);
}

// --- checksums: folded, because u64 does not cross the edge ---------------------------------------------------

export function probeSum(ptr: usize, len: u32, seed: u32): u32 {
  return fold(sum(ptr, len, seed));
}

/** The sum of a whole whose first `firstLength` bytes have the sum `seed`, and the `len` others lie at `ptr`. */
export function probeSumBehind(ptr: usize, len: u32, firstLength: u32, seed: u32): u32 {
  const own = sum(ptr, len, 0);
  return fold(<u64>seed + ((firstLength & 1) != 0 ? turned(own) : own));
}

export function probePseudoSumOf(srcPtr: usize, dstPtr: usize, addrBytes: u32, proto: u32, l4len: u32): u32 {
  return fold(pseudoSumOf(srcPtr, dstPtr, addrBytes, proto, l4len));
}

/** patchBy for `len` bytes at `newPtr` that replace those at `oldPtr`. */
export function probePatchSum(checksumPtr: usize, oldPtr: usize, newPtr: usize, len: u32): void {
  patchBy(checksumPtr, changeOf(sum(oldPtr, len, 0), sum(newPtr, len, 0)));
}

export function probeTcpChecksumFull(region: usize): u32 {
  return tcpChecksumFull(at(region));
}

export function probeTcpChecksumValid(region: usize): bool {
  return tcpChecksumValid(at(region));
}

export function probeIsPartialChecksum(region: usize): bool {
  return isPartialChecksum(at(region));
}

export function probeIcmpChecksumFull(region: usize): u32 {
  return icmpChecksumFull(at(region));
}

export function probeIcmpChecksumValid(region: usize): bool {
  return icmpChecksumValid(at(region));
}

// --- fields: packetX(region) is field x of the Packet ---------------------------------------------------------

export function packetFrame(region: usize): usize {
  return at(region).frame;
}

export function packetLength(region: usize): u32 {
  return at(region).length;
}

export function packetWireLength(region: usize): u32 {
  return at(region).wireLength;
}

export function packetKind(region: usize): u32 {
  return at(region).kind;
}

export function packetTagCount(region: usize): u32 {
  return at(region).tagCount;
}

export function packetOuterTag(region: usize): u32 {
  return at(region).outerTag;
}

export function packetInnerTag(region: usize): u32 {
  return at(region).innerTag;
}

export function packetVlan(region: usize): u32 {
  return at(region).vlan;
}

export function packetEtherType(region: usize): u32 {
  return at(region).etherType;
}

export function packetL3(region: usize): usize {
  return at(region).l3;
}

export function packetIpVersion(region: usize): u32 {
  return at(region).ipVersion;
}

export function packetProtocol(region: usize): u32 {
  return at(region).protocol;
}

export function packetIpHeaderLength(region: usize): u32 {
  return at(region).ipHeaderLength;
}

export function packetL4(region: usize): usize {
  return at(region).l4;
}

export function packetL4Wire(region: usize): u32 {
  return at(region).l4Wire;
}

export function packetL4Length(region: usize): u32 {
  return at(region).l4Length;
}

export function packetFragmentHasPorts(region: usize): u32 {
  return at(region).fragmentHasPorts;
}

export function packetSrcPort(region: usize): u32 {
  return at(region).srcPort;
}

export function packetDstPort(region: usize): u32 {
  return at(region).dstPort;
}

export function packetSeq(region: usize): u32 {
  return at(region).seq;
}

export function packetAck(region: usize): u32 {
  return at(region).ack;
}

export function packetWindow(region: usize): u32 {
  return at(region).window;
}

export function packetUrgent(region: usize): u32 {
  return at(region).urgent;
}

export function packetFlags(region: usize): u32 {
  return at(region).flags;
}

export function packetHeaderLength(region: usize): u32 {
  return at(region).headerLength;
}

export function packetPayload(region: usize): usize {
  return at(region).payload;
}

export function packetPayloadLength(region: usize): u32 {
  return at(region).payloadLength;
}

export function packetPayloadWire(region: usize): u32 {
  return at(region).payloadWire;
}

export function packetSegmentLength(region: usize): u32 {
  return at(region).segmentLength;
}

export function packetOptions(region: usize): u32 {
  return at(region).options;
}

export function packetMss(region: usize): u32 {
  return at(region).mss;
}

export function packetWindowShift(region: usize): u32 {
  return at(region).windowShift;
}

export function packetTsval(region: usize): u32 {
  return at(region).tsval;
}

export function packetTsecr(region: usize): u32 {
  return at(region).tsecr;
}

export function packetTsPtr(region: usize): usize {
  return at(region).tsPtr;
}

export function packetSackPtr(region: usize): usize {
  return at(region).sackPtr;
}

export function packetSackCount(region: usize): u32 {
  return at(region).sackCount;
}

export function packetIcmpType(region: usize): u32 {
  return at(region).icmpType;
}

export function packetIcmpCode(region: usize): u32 {
  return at(region).icmpCode;
}

export function packetIcmpMtu(region: usize): u32 {
  return at(region).icmpMtu;
}

export function packetQuotedL3(region: usize): usize {
  return at(region).quotedL3;
}

export function packetQuotedL4(region: usize): usize {
  return at(region).quotedL4;
}

export function packetQuotedLength(region: usize): u32 {
  return at(region).quotedLength;
}

export function packetQuotedSrcPort(region: usize): u32 {
  return at(region).quotedSrcPort;
}

export function packetQuotedDstPort(region: usize): u32 {
  return at(region).quotedDstPort;
}

export function packetQuotedSeq(region: usize): u32 {
  return at(region).quotedSeq;
}

export function packetArpOp(region: usize): u32 {
  return at(region).arpOp;
}

export function packetArpSenderMac(region: usize): usize {
  return at(region).arpSenderMac;
}

export function packetNdTarget(region: usize): usize {
  return at(region).ndTarget;
}

export function packetSrcPtr(region: usize): usize {
  return at(region).srcPtr;
}

export function packetDstPtr(region: usize): usize {
  return at(region).dstPtr;
}

export function packetQuotedSrcPtr(region: usize): usize {
  return at(region).quotedSrcPtr;
}

export function packetQuotedDstPtr(region: usize): usize {
  return at(region).quotedDstPtr;
}

export function packetArpSenderIp(region: usize): usize {
  return at(region).arpSenderIp;
}

export function packetArpTargetIp(region: usize): usize {
  return at(region).arpTargetIp;
}
