/**
 * TCP options (RFC 9293 3.1, 3.2). One pass over at most 40 bytes.
 *
 * - A length below 2 or past the header makes the list meaningless: refused (the stacks ignore the rest, but a
 *   translator that cannot find a SACK block may not pass the segment on).
 * - A known kind of a wrong length is skipped like an unknown one, as the stacks do; the last of several counts.
 * - MSS, window scale and SACK-permitted mean something in a SYN only (RFC 7323 2.2, RFC 2018 2).
 */

import { Reason } from '../abi/codes';
import {
  TCP_OPTION_AO,
  TCP_OPTION_END,
  TCP_OPTION_MD5,
  TCP_OPTION_MPTCP,
  TCP_OPTION_MSS,
  TCP_OPTION_NOP,
  TCP_OPTION_SACK,
  TCP_OPTION_SACK_PERMITTED,
  TCP_OPTION_TFO,
  TCP_OPTION_TIMESTAMPS,
  TCP_OPTION_WINDOW_SCALE,
} from './headers';
import { OptionBit, Packet, TcpFlag } from './packet';

const MAX_WINDOW_SHIFT: u32 = 14;
const SACK_BLOCK_BYTES: u32 = 8;
/** Shared experimental kind; the 16 bits after the length say whose (RFC 6994 3.1). */
const KIND_EXPERIMENT: u32 = 254;
const EXPERIMENT_TFO: u32 = 0xf989;
/** NOP, NOP, kind 8, length 10 as loaded from memory: how nearly every segment's options begin (RFC 7323 A). */
const ALIGNED_TIMESTAMPS: u32 = 0x0a080101;

function takeTimestamps(p: Packet, tsPtr: usize): void {
  p.options |= OptionBit.Timestamps;
  p.tsPtr = tsPtr;
  p.tsval = bswap(load<u32>(tsPtr));
  p.tsecr = bswap(load<u32>(tsPtr, 4));
}

/** Options of a SYN: what is agreed for the life of the connection. */
function takeSynOption(p: Packet, at: usize, kind: u32, length: u32): void {
  if (kind == TCP_OPTION_MSS && length == 4) {
    const mss = <u32>bswap(load<u16>(at, 2));
    if (mss == 0) return;
    p.options |= OptionBit.Mss;
    p.mss = mss;
  } else if (kind == TCP_OPTION_WINDOW_SCALE && length == 3) {
    p.options |= OptionBit.WindowScale;
    p.windowShift = min<u32>(<u32>load<u8>(at, 2), MAX_WINDOW_SHIFT);
  } else if (kind == TCP_OPTION_SACK_PERMITTED && length == 2) {
    p.options |= OptionBit.SackPermitted;
  }
}

function takeOption(p: Packet, at: usize, kind: u32, length: u32): void {
  switch (kind) {
    case TCP_OPTION_MSS:
    case TCP_OPTION_WINDOW_SCALE:
    case TCP_OPTION_SACK_PERMITTED:
      if ((p.flags & TcpFlag.Syn) != 0) takeSynOption(p, at, kind, length);
      break;
    case TCP_OPTION_SACK:
      if (length > 2 && (length - 2) % SACK_BLOCK_BYTES == 0) {
        p.options |= OptionBit.Sack;
        p.sackPtr = at + 2;
        p.sackCount = (length - 2) / SACK_BLOCK_BYTES;
      }
      break;
    case TCP_OPTION_TIMESTAMPS:
      if (length == 10) takeTimestamps(p, at + 2);
      break;
    case TCP_OPTION_MD5:
      if (length == 18) p.options |= OptionBit.Md5;
      break;
    case TCP_OPTION_AO:
      if (length >= 4) p.options |= OptionBit.Ao;
      break;
    case TCP_OPTION_MPTCP:
      if (length >= 3) p.options |= OptionBit.Mptcp;
      break;
    case TCP_OPTION_TFO:
      p.options |= OptionBit.Tfo;
      break;
    case KIND_EXPERIMENT:
      if (length >= 4 && <u32>bswap(load<u16>(at, 2)) == EXPERIMENT_TFO) p.options |= OptionBit.Tfo;
      break;
    default:
      break;
  }
}

/** Options between `at` and `end`, both inside the captured header. */
export function parseTcpOptions(p: Packet, at: usize, end: usize): Reason {
  if (end - at == 12 && load<u32>(at) == ALIGNED_TIMESTAMPS) {
    takeTimestamps(p, at + 4);
    return Reason.None;
  }
  while (at < end) {
    const kind = <u32>load<u8>(at);
    if (kind == TCP_OPTION_END) break;
    if (kind == TCP_OPTION_NOP) {
      at++;
      continue;
    }
    if (end - at < 2) return Reason.BadTcpOption;
    const length = <u32>load<u8>(at, 1);
    if (length < 2 || length > <u32>(end - at)) return Reason.BadTcpOption;
    takeOption(p, at, kind, length);
    at += length;
  }
  return Reason.None;
}
