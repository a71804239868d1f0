/**
 * The parser's fields beside tshark's. Where the two mean different things by a field, the parser's meaning (its comments
 * say why) is worked out from tshark's fields, never from the frame's bytes.
 */
import { Reason } from '../../../assembly/abi/codes';
import { OptionBit, PacketKind, TcpFlag } from '../../../assembly/parser/packet-codes';
import { mappedBytes } from '../../support/frames';
import type { Parsed } from '../../parser/rig';
import type { Dissected, Element } from './tshark';

export interface Difference {
  readonly field: string;
  readonly parser: unknown;
  readonly tshark: unknown;
}

const PROTOCOL = { icmp: 1, tcp: 6, icmpv6: 58 } as const;
const MAX_SHIFT = 14;

/** All fields that the parser has filled; tells how many were compared. */
export function compare(parsed: Parsed, told: Dissected, seen: Map<string, number>): Difference[] {
  const found: Difference[] = [];
  const same = (field: string, parser: unknown, tshark: unknown): void => {
    seen.set(field, (seen.get(field) ?? 0) + 1);
    if (parser !== tshark) found.push({ field, parser, tshark });
  };
  const { fields } = parsed;
  compareLink(parsed, told, same);
  if (fields.etherType === 0x0806) compareArp(parsed, told, same);
  const l3 = told.find('ip') ?? told.find('ipv6');
  if (l3 !== undefined) compareIp(parsed, told, l3, same);
  return found;
}

type Same = (field: string, parser: unknown, tshark: unknown) => void;

// --- link -----------------------------------------------------------------------------------------------------

function compareLink({ fields, offset }: Parsed, told: Dissected, same: Same): void {
  const tags = [...told.all('vlan'), ...told.all('ieee8021ad')].sort((a, b) => a.pos - b.pos);
  const types = ['eth.type', 'vlan.etype', 'ieee8021ah.etype'].flatMap((name) => told.all(name));
  const typeAt = (pos: number): number => Number(types.find((type) => type.pos === pos)?.show);
  const words = tags.map(({ pos, name }) => {
    const tag = told.within(pos, pos + 2);
    const of = (field: string): number => tag.number(`${name}.${field}`) ?? Number.NaN;
    return { id: of('id'), word: typeAt(pos - 2) * 0x10000 + of('priority') * 0x2000 + of('dei') * 0x1000 + of('id') };
  });
  same('tagCount', fields.tagCount, tags.length);
  same('outerTag', fields.outerTag, words[0]?.word ?? 0);
  same('innerTag', fields.innerTag, words[1]?.word ?? 0);
  same('vlan', fields.vlan, (words[0]?.id ?? 0) * 0x10000 + (words[1]?.id ?? 0));
  same('etherType', fields.etherType, typeAt(12 + 4 * tags.length));
  same('l3', offset(fields.l3), 14 + 4 * tags.length);
}

function compareArp(parsed: Parsed, told: Dissected, same: Same): void {
  const { fields, kind, bytes, offset } = parsed;
  same('kind', kind, PacketKind.Arp);
  same('arpOp', fields.arpOp, told.number('arp.opcode'));
  same('arpSenderMac', offset(fields.arpSenderMac), told.find('arp.src.hw_mac')?.pos);
  same('arpSenderMac', bytes(fields.arpSenderMac, 6), told.find('arp.src.hw_mac')?.show.replaceAll(':', ''));
  same('arpSenderIp', bytes(fields.arpSenderIp, 16), mapped(told.find('arp.src.proto_ipv4')));
  same('arpTargetIp', bytes(fields.arpTargetIp, 16), mapped(told.find('arp.dst.proto_ipv4')));
}

// --- IP -------------------------------------------------------------------------------------------------------

function compareIp(parsed: Parsed, told: Dissected, l3: Element, same: Same): void {
  const { fields, reason, offset, bytes } = parsed;
  const v6 = l3.name === 'ipv6';
  const ip = v6 ? told : told.within(l3.pos, l3.pos + (told.number('ip.hdr_len') ?? 0));
  const isDamaged = !v6 && ip.number('ip.checksum.status') === 0;
  same('BadIpChecksum', reason === Reason.BadIpChecksum, isDamaged);
  if (isDamaged) return;
  same('ipVersion', fields.ipVersion, v6 ? 6 : 4);
  same('src', bytes(fields.srcPtr, 16), mapped(told.find(`${l3.name}.src`)));
  const isRouted = v6
    ? (told.number('ipv6.routing.segleft') ?? 0) > 0
    : ip.says(/Source Route|goes past end of options/);
  same('BadIpOption', reason === Reason.BadIpOption, isRouted);
  // What tshark calls the destination of a source route is not what the header says.
  if (isRouted) return;
  same('dst', bytes(fields.dstPtr, 16), mapped(told.find(`${l3.name}.dst`)));

  const l4 = l4Of(told, l3);
  const total = v6 ? 40 + (told.number('ipv6.plen') ?? 0) : (told.number('ip.len') ?? 0);
  same('protocol', fields.protocol, l4.protocol);
  same('ipHeaderLength', fields.ipHeaderLength, l4.at - l3.pos);
  same('l4', offset(fields.l4), l4.at);
  same('l4Wire', fields.l4Wire, total - (l4.at - l3.pos));
  same('l4Length', fields.l4Length, total - (l4.at - l3.pos));
  const isFragment = isFragmentOf(told, v6, ip);
  same('Fragment', reason === Reason.Fragment, isFragment.is);
  if (isFragment.is) {
    const hasPorts = isFragment.offset === 0 && l4.protocol === PROTOCOL.tcp;
    same('fragmentHasPorts', fields.fragmentHasPorts, hasPorts ? 1 : 0);
    if (hasPorts) same('srcPort', fields.srcPort, told.number('tcp.srcport'));
    return;
  }
  const inner = told.within(l4.at);
  if (l4.protocol === PROTOCOL.tcp) compareTcp(parsed, inner, l4.at, same);
  else if (l4.protocol === (v6 ? PROTOCOL.icmpv6 : PROTOCOL.icmp))
    compareIcmp(parsed, inner, v6, told.number('ipv6.hlim') ?? 0, same);
  else same('NotTcp', reason, Reason.NotTcp);
}

function l4Of(told: Dissected, l3: Element): { at: number; protocol: number } {
  if (l3.name === 'ip')
    return { at: l3.pos + (told.number('ip.hdr_len') ?? 0), protocol: told.number('ip.proto') ?? -1 };
  // Of the headers before any quoted packet the last one names what follows it.
  const end = told.find('icmpv6')?.pos ?? Infinity;
  const headers = EXTENSIONS.flatMap((name) => told.within(0, end).all(name)).sort((a, b) => a.pos - b.pos);
  const last = headers.at(-1);
  if (last === undefined) return { at: l3.pos + 40, protocol: told.number('ipv6.nxt') ?? -1 };
  const next = told.within(last.pos, last.pos + 1).number(`${last.name}.nxt`) ?? -1;
  return { at: last.pos + last.size, protocol: next };
}

const EXTENSIONS = ['ipv6.hopopts', 'ipv6.dstopts', 'ipv6.routing', 'ipv6.fraghdr'];

function isFragmentOf(told: Dissected, v6: boolean, ip: Dissected): { is: boolean; offset: number } {
  const offset = (v6 ? told.number('ipv6.fraghdr.offset') : ip.number('ip.frag_offset')) ?? 0;
  const more = (v6 ? told.number('ipv6.fraghdr.more') : ip.number('ip.flags.mf')) ?? 0;
  return { is: offset > 0 || more === 1, offset };
}

// --- TCP ------------------------------------------------------------------------------------------------------

function compareTcp(parsed: Parsed, tcp: Dissected, at: number, same: Same): void {
  const { fields, reason, kind, offset } = parsed;
  const headerLength = tcp.number('tcp.hdr_len') ?? 0;
  const length = tcp.number('tcp.len') ?? 0;
  const flags = (tcp.number('tcp.flags') ?? 0) & 0xff;
  same('srcPort', fields.srcPort, tcp.number('tcp.srcport'));
  same('dstPort', fields.dstPort, tcp.number('tcp.dstport'));
  same('seq', fields.seq, tcp.number('tcp.seq_raw'));
  same('ack', fields.ack, tcp.number('tcp.ack_raw'));
  same('window', fields.window, tcp.number('tcp.window_size_value'));
  same('urgent', fields.urgent, tcp.number('tcp.urgent_pointer'));
  same('flags', fields.flags, flags);
  same('headerLength', fields.headerLength, headerLength);
  same('payload', offset(fields.payload), at + headerLength);
  same('payloadLength', fields.payloadLength, length);
  same('payloadWire', fields.payloadWire, length);
  same('segmentLength', fields.segmentLength, length + (flags & TcpFlag.Syn ? 1 : 0) + (flags & TcpFlag.Fin ? 1 : 0));
  const [syn, fin, rst, ack] = ['syn', 'fin', 'reset', 'ack'].map((flag) => tcp.number(`tcp.flags.${flag}`) === 1);
  const isImpossible =
    (syn === true && (fin === true || rst === true)) || !(syn === true || rst === true || ack === true);
  same('BadTcpFlags', reason === Reason.BadTcpFlags, isImpossible);
  if (isImpossible) return;
  const isMalformed = tcp.says(
    /option goes past end of options|option length = [01] |\(length byte past end of options\)/,
  );
  same('BadTcpOption', reason === Reason.BadTcpOption, isMalformed);
  if (isMalformed) return;
  same('kind', kind, PacketKind.Tcp);
  compareOptions(parsed, tcp, syn === true, same);
}

function compareOptions({ fields, offset, bytes }: Parsed, tcp: Dissected, syn: boolean, same: Same): void {
  const has = (bit: OptionBit): boolean => (fields.options & bit) !== 0;
  // Of several of a kind the last one counts, an MSS of 0 does not.
  const segmentSize = syn
    ? tcp
        .all('tcp.options.mss_val')
        .map(({ show }) => Number(show))
        .filter((n) => n > 0)
        .at(-1)
    : undefined;
  same('Mss', has(OptionBit.Mss), segmentSize !== undefined);
  same('mss', fields.mss, segmentSize ?? 0);
  const shift = syn ? tcp.last('tcp.options.wscale.shift') : undefined;
  same('WindowScale', has(OptionBit.WindowScale), shift !== undefined);
  same('windowShift', fields.windowShift, Math.min(Number(shift?.show ?? 0), MAX_SHIFT));
  same('SackPermitted', has(OptionBit.SackPermitted), syn && tcp.all('tcp.options.sack_perm').some(isOfLength(tcp, 2)));
  const [tsval, tsecr] = [tcp.last('tcp.options.timestamp.tsval'), tcp.last('tcp.options.timestamp.tsecr')];
  same('Timestamps', has(OptionBit.Timestamps), tsval !== undefined);
  same('tsval', fields.tsval, Number(tsval?.show ?? 0));
  same('tsecr', fields.tsecr, Number(tsecr?.show ?? 0));
  if (tsval !== undefined) same('tsPtr', offset(fields.tsPtr), tsval.pos);
  const blocks = tcp.last('tcp.options.sack');
  same('Sack', has(OptionBit.Sack), blocks !== undefined);
  if (blocks !== undefined) {
    const edges = tcp.within(blocks.pos, blocks.pos + blocks.size);
    const lefts = edges.all('tcp.options.sack_le');
    const rights = edges.all('tcp.options.sack_re');
    same('sackCount', fields.sackCount, lefts.length);
    same('sackPtr', offset(fields.sackPtr), lefts[0]?.pos);
    const inOrder = lefts.flatMap((left, i) => [left.show, rights[i]?.show]).map((edge) => hex32(Number(edge)));
    same('SACK edges', bytes(fields.sackPtr, fields.sackCount * 8), inOrder.join(''));
  }
  same('Md5', has(OptionBit.Md5), tcp.has('tcp.options.md5'));
  same('Ao', has(OptionBit.Ao), tcp.has('tcp.options.ao'));
  same('Mptcp', has(OptionBit.Mptcp), tcp.has('mptcp'));
  same('Tfo', has(OptionBit.Tfo), tcp.has('tcp.options.tfo'));
}

/** tshark names an option of a wrong length too. */
function isOfLength(tcp: Dissected, length: number): (option: Element) => boolean {
  return ({ pos }) => tcp.within(pos, pos + 2).number('tcp.option_len') === length;
}

// --- ICMP -----------------------------------------------------------------------------------------------------

function compareIcmp(parsed: Parsed, icmp: Dissected, v6: boolean, hopLimit: number, same: Same): void {
  const { fields, reason, kind, offset, bytes } = parsed;
  const name = v6 ? 'icmpv6' : 'icmp';
  const type = icmp.number(`${name}.type`) ?? -1;
  same('icmpType', fields.icmpType, type);
  same('icmpCode', fields.icmpCode, icmp.number(`${name}.code`));
  same('icmpMtu', fields.icmpMtu, icmp.number(`${name}.mtu`) ?? 0);
  const isError = v6 ? type >= 1 && type <= 4 : [3, 4, 5, 11, 12].includes(type);
  if (!isError) {
    compareNeighbour(parsed, icmp, type, hopLimit, same);
    return;
  }
  const quoted = icmp.find(v6 ? 'ipv6' : 'ip');
  const tcp = icmp.find('tcp');
  same('IcmpNotOurs', reason === Reason.IcmpNotOurs, tcp === undefined);
  if (tcp === undefined || quoted === undefined) return;
  same('kind', kind, PacketKind.IcmpError);
  const inner = icmp.within(quoted.pos);
  same('quotedL3', offset(fields.quotedL3), quoted.pos);
  same('quotedL4', offset(fields.quotedL4), tcp.pos);
  same('quotedSrc', bytes(fields.quotedSrcPtr, 16), mapped(inner.find(`${quoted.name}.src`)));
  same('quotedDst', bytes(fields.quotedDstPtr, 16), mapped(inner.find(`${quoted.name}.dst`)));
  same('quotedSrcPort', fields.quotedSrcPort, inner.number('tcp.srcport'));
  same('quotedDstPort', fields.quotedDstPort, inner.number('tcp.dstport'));
  // Of a quote of the shortest kind tshark says no more than the ports.
  const seq = inner.number('tcp.seq_raw') ?? inner.number('tcp.seq');
  if (seq !== undefined) same('quotedSeq', fields.quotedSeq, seq);
  same('quotedLength', fields.quotedLength, offset(fields.l4) + fields.l4Length - tcp.pos);
}

function compareNeighbour(
  { fields, kind, offset }: Parsed,
  icmp: Dissected,
  type: number,
  hopLimit: number,
  same: Same,
): void {
  if (type !== 135 && type !== 136) {
    const isEcho = type === (icmp.has('icmpv6') ? 128 : 8);
    same('kind', kind, isEcho ? PacketKind.IcmpEcho : PacketKind.Other);
    return;
  }
  const target = icmp.find(type === 135 ? 'icmpv6.nd.ns.target_address' : 'icmpv6.nd.na.target_address');
  if (hopLimit !== 255) {
    same('kind', kind, PacketKind.Other); // it came through a router (RFC 4861 7.1)
    return;
  }
  same('kind', kind, type === 135 ? PacketKind.NeighborSolicitation : PacketKind.NeighborAdvertisement);
  same('ndTarget', offset(fields.ndTarget), target?.pos);
}

function hex32(n: number): string {
  return n.toString(16).padStart(8, '0');
}

function mapped(address: Element | undefined): string {
  return address === undefined ? '' : Buffer.from(mappedBytes(address.show)).toString('hex');
}
