/* From a captured frame to a Packet, as assembly/parser has it, for IPv4 and IPv6 with TCP inside. Offsets are those of
 * the standards; assembly/parser/headers.ts names them. */
#pragma once
#include "checksum.h"

/* Reason of assembly/abi/codes.ts. */
enum {
  NONE_WRONG = 0,
  TRUNCATED_ETHERNET = 1,
  UNKNOWN_ETHER_TYPE = 2,
  TOO_MANY_TAGS = 3,
  TRUNCATED_IP = 4,
  BAD_IP_VERSION = 5,
  BAD_IP_HEADER_LENGTH = 6,
  BAD_IP_TOTAL_LENGTH = 7,
  BAD_IP_CHECKSUM = 8,
  FRAGMENT = 9,
  TOO_MANY_EXTENSION_HEADERS = 10,
  NOT_TCP = 11,
  TRUNCATED_TCP = 12,
  BAD_TCP_DATA_OFFSET = 13,
  BAD_TCP_FLAGS = 14,
  BAD_TCP_OPTION = 15,
  TRUNCATED_PAYLOAD = 16,
  BAD_TCP_CHECKSUM = 17,
  NOT_OURS = 22,
  NO_CONNECTION = 23,
  INVALID_STATE = 24,
  SEQ_ABOVE_WINDOW = 25,
  SEQ_BELOW_WINDOW = 26,
  ACK_ABOVE_WINDOW = 27,
  ACK_BELOW_WINDOW = 28,
  SYN_ON_LIVE = 30,
  TX_QUEUE_FULL = 38,
  TOO_BIG = 39,
  BAD_IP_OPTION = 42,
};

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };

enum {
  HAS_MSS = 1,
  HAS_WINDOW_SCALE = 2,
  HAS_SACK_PERMITTED = 4,
  HAS_TIMESTAMPS = 8,
  HAS_SACK = 16,
  HAS_MD5 = 32,
  HAS_AO = 64,
  HAS_MPTCP = 128,
  HAS_TFO = 256,
};

enum { KIND_TCP = 1 };

typedef struct {
  uint8_t src[16], dst[16];
  uint8_t quotedSrc[16], quotedDst[16];
  uint8_t *frame;
  uint32_t length, wireLength;
  /* Emptied for each frame; what they do not vouch for is void. */
  uint32_t kind, options, ipVersion, fragmentHasPorts, tagCount, outerTag, innerTag, vlan;
  uint32_t etherType;
  uint8_t *l3;
  uint32_t protocol, ipHeaderLength;
  uint8_t *l4;
  uint32_t l4Wire, l4Length;
  uint32_t srcPort, dstPort, seq, ack, window, urgent, flags, headerLength;
  uint8_t *payload;
  uint32_t payloadLength, payloadWire, segmentLength;
  uint32_t mss, windowShift, tsval, tsecr;
  uint8_t *ts, *sack;
  uint32_t sackCount;
  /* ICMP, ARP and ND: not filled here. */
  uint32_t icmpType, icmpCode, icmpMtu;
  uint8_t *quotedL3, *quotedL4;
  uint32_t quotedLength, quotedSrcPort, quotedDstPort, quotedSeq, arpOp;
  uint8_t *arpSenderMac, *ndTarget;
  uint8_t *walk;
  uint32_t walkProtocol, walkFragment;
} Packet;

static inline uint8_t *endOf(const Packet *p) { return p->frame + p->length; }

static inline void storeMapped(uint8_t *to, const uint8_t *from) {
  store64(to, 0);
  store32(to + 8, 0xffff0000);
  store32(to + 12, load32(from));
}

static int parseEthernet(Packet *p) {
  if (p->length < 14) return TRUNCATED_ETHERNET;
  uint8_t *type = p->frame + 12;
  uint32_t etherType = net16(type);
  while (etherType == 0x8100 || etherType == 0x88a8 || etherType == 0x9100) {
    if (p->tagCount == 2) return TOO_MANY_TAGS;
    if (endOf(p) - type < 6) return TRUNCATED_ETHERNET;
    uint32_t tag = net32(type);
    if (p->tagCount == 0) {
      p->outerTag = tag;
      p->vlan = (tag & 0x0fff) << 16;
    } else {
      p->innerTag = tag;
      p->vlan |= tag & 0x0fff;
    }
    p->tagCount++;
    type += 4;
    etherType = net16(type);
  }
  p->etherType = etherType;
  p->l3 = type + 2;
  return NONE_WRONG;
}

static inline uint32_t packetLength(const Packet *p, uint32_t claimed) {
  uint32_t room = p->wireLength - (uint32_t)(p->l3 - p->frame);
  if (claimed == 0) return room <= 524280 ? room : 0;
  return claimed <= room ? claimed : 0;
}

static inline void setL4(Packet *p, uint32_t headers, uint32_t total) {
  p->ipHeaderLength = headers;
  p->l4 = p->l3 + headers;
  p->l4Wire = total - headers;
  p->l4Length = min32((uint32_t)(endOf(p) - p->l4), p->l4Wire);
}

static int refuseFragment(Packet *p, uint32_t offset) {
  if (offset == 0 && p->protocol == 6 && p->l4Length >= 4) {
    p->srcPort = net16(p->l4);
    p->dstPort = net16(p->l4 + 2);
    p->fragmentHasPorts = 1;
  }
  return FRAGMENT;
}

static int checkIpOptions(const uint8_t *at, const uint8_t *end) {
  while (at < end) {
    if (*at == 0) break;
    if (*at == 1) {
      at++;
      continue;
    }
    if (end - at < 2) return BAD_IP_OPTION;
    uint32_t length = at[1];
    if (length < 2 || length > end - at) return BAD_IP_OPTION;
    if (*at == 131 || *at == 137) return BAD_IP_OPTION;
    at += length;
  }
  return NONE_WRONG;
}

static int parseIpv4(Packet *p) {
  uint8_t *ip = p->l3;
  uint32_t captured = (uint32_t)(endOf(p) - ip);
  if (captured < 20) return TRUNCATED_IP;
  if (*ip >> 4 != 4) return BAD_IP_VERSION;
  uint32_t headers = (*ip & 15) << 2;
  if (headers < 20) return BAD_IP_HEADER_LENGTH;
  uint32_t total = packetLength(p, net16(ip + 2));
  if (total < headers) return BAD_IP_TOTAL_LENGTH;
  if (captured < headers) return TRUNCATED_IP;
  if (fold(sumIpv4(ip, headers)) != 0xffff) return BAD_IP_CHECKSUM;
  p->ipVersion = 4;
  p->protocol = ip[9];
  storeMapped(p->src, ip + 12);
  storeMapped(p->dst, ip + 16);
  setL4(p, headers, total);
  if (headers > 20) {
    int reason = checkIpOptions(ip + 20, p->l4);
    if (reason != NONE_WRONG) return reason;
  }
  uint32_t fragment = net16(ip + 6);
  uint32_t offset = fragment & 0x1fff;
  return offset != 0 || (fragment & 0x2000) != 0 ? refuseFragment(p, offset) : NONE_WRONG;
}

static int walkExtensions(Packet *p, uint8_t *at, uint32_t protocol, const uint8_t *captured, const uint8_t *limit) {
  p->walk = at;
  p->walkProtocol = protocol;
  int stepsLeft = 8;
  while (protocol == 0 || protocol == 43 || protocol == 44 || protocol == 60) {
    if (stepsLeft-- == 0) return TOO_MANY_EXTENSION_HEADERS;
    if (limit - at < 8) return BAD_IP_HEADER_LENGTH;
    if (captured < at + 8) return TRUNCATED_IP;
    bool isFragment = protocol == 44;
    uint32_t bytes = isFragment ? 8 : (at[1] + 1) * 8;
    if (limit - at < bytes) return BAD_IP_HEADER_LENGTH;
    if (captured < at + bytes) return TRUNCATED_IP;
    if (protocol == 43 && at[3] != 0) return BAD_IP_OPTION;
    uint32_t fragment = isFragment ? net16(at + 2) : 0;
    protocol = *at;
    at += bytes;
    p->walk = at;
    p->walkProtocol = protocol;
    if ((fragment & 0xfff9) != 0) {
      p->walkFragment = fragment & 0xfff8;
      return FRAGMENT;
    }
  }
  return NONE_WRONG;
}

static int parseIpv6(Packet *p) {
  uint8_t *ip = p->l3;
  if (endOf(p) - ip < 40) return TRUNCATED_IP;
  if (*ip >> 4 != 6) return BAD_IP_VERSION;
  uint32_t payload = net16(ip + 4);
  uint32_t total = packetLength(p, payload == 0 ? 0 : payload + 40);
  if (total < 40) return BAD_IP_TOTAL_LENGTH;
  p->ipVersion = 6;
  memcpy(p->src, ip + 8, 16);
  memcpy(p->dst, ip + 24, 16);
  int reason = walkExtensions(p, ip + 40, ip[6], endOf(p), ip + total);
  p->protocol = p->walkProtocol;
  setL4(p, (uint32_t)(p->walk - ip), total);
  return reason == FRAGMENT ? refuseFragment(p, p->walkFragment) : reason;
}

static inline void takeTimestamps(Packet *p, uint8_t *ts) {
  p->options |= HAS_TIMESTAMPS;
  p->ts = ts;
  p->tsval = net32(ts);
  p->tsecr = net32(ts + 4);
}

static void takeSynOption(Packet *p, const uint8_t *at, uint32_t kind, uint32_t length) {
  if (kind == 2 && length == 4) {
    uint32_t mss = net16(at + 2);
    if (mss == 0) return;
    p->options |= HAS_MSS;
    p->mss = mss;
  } else if (kind == 3 && length == 3) {
    p->options |= HAS_WINDOW_SCALE;
    p->windowShift = min32(at[2], 14);
  } else if (kind == 4 && length == 2) {
    p->options |= HAS_SACK_PERMITTED;
  }
}

static void takeOption(Packet *p, uint8_t *at, uint32_t kind, uint32_t length) {
  switch (kind) {
    case 2:
    case 3:
    case 4:
      if ((p->flags & SYN) != 0) takeSynOption(p, at, kind, length);
      break;
    case 5:
      if (length > 2 && (length - 2) % 8 == 0) {
        p->options |= HAS_SACK;
        p->sack = at + 2;
        p->sackCount = (length - 2) / 8;
      }
      break;
    case 8:
      if (length == 10) takeTimestamps(p, at + 2);
      break;
    case 19:
      if (length == 18) p->options |= HAS_MD5;
      break;
    case 29:
      if (length >= 4) p->options |= HAS_AO;
      break;
    case 30:
      if (length >= 3) p->options |= HAS_MPTCP;
      break;
    case 34:
      p->options |= HAS_TFO;
      break;
    case 254:
      if (length >= 4 && net16(at + 2) == 0xf989) p->options |= HAS_TFO;
      break;
    default:
      break;
  }
}

static int parseTcpOptions(Packet *p, uint8_t *at, uint8_t *end) {
  if (end - at == 12 && load32(at) == 0x0a080101) {
    takeTimestamps(p, at + 4);
    return NONE_WRONG;
  }
  while (at < end) {
    uint32_t kind = *at;
    if (kind == 0) break;
    if (kind == 1) {
      at++;
      continue;
    }
    if (end - at < 2) return BAD_TCP_OPTION;
    uint32_t length = at[1];
    if (length < 2 || length > end - at) return BAD_TCP_OPTION;
    takeOption(p, at, kind, length);
    at += length;
  }
  return NONE_WRONG;
}

static inline bool possible(uint32_t flags) {
  if ((flags & (SYN | RST | ACK)) == 0) return false;
  return (flags & SYN) == 0 || (flags & (FIN | RST)) == 0;
}

static int parseTcp(Packet *p) {
  uint8_t *tcp = p->l4;
  if (p->l4Length < 20) return TRUNCATED_TCP;
  uint32_t header = (uint32_t)(tcp[12] >> 4) << 2;
  if (header < 20 || header > p->l4Wire) return BAD_TCP_DATA_OFFSET;
  if (header > p->l4Length) return TRUNCATED_TCP;
  uint32_t flags = tcp[13];
  p->srcPort = net16(tcp);
  p->dstPort = net16(tcp + 2);
  p->seq = net32(tcp + 4);
  p->ack = net32(tcp + 8);
  p->window = net16(tcp + 14);
  p->urgent = net16(tcp + 18);
  p->flags = flags;
  p->headerLength = header;
  p->payload = tcp + header;
  p->payloadLength = p->l4Length - header;
  p->payloadWire = p->l4Wire - header;
  p->segmentLength = p->payloadWire + ((flags & SYN) != 0) + ((flags & FIN) != 0);
  if (!possible(flags)) return BAD_TCP_FLAGS;
  int reason = parseTcpOptions(p, tcp + 20, p->payload);
  if (reason == NONE_WRONG) p->kind = KIND_TCP;
  return reason;
}

static int parse(Packet *p, uint8_t *frame, uint32_t length, uint32_t wireLength) {
  p->kind = p->options = p->ipVersion = p->fragmentHasPorts = 0;
  p->tagCount = p->outerTag = p->innerTag = p->vlan = 0;
  p->frame = frame;
  p->length = length;
  p->wireLength = max32(length, wireLength);
  int reason = parseEthernet(p);
  if (reason != NONE_WRONG) return reason;
  if (p->etherType == 0x0800) reason = parseIpv4(p);
  else if (p->etherType == 0x86dd) reason = parseIpv6(p);
  else if (p->etherType == 0x0806) unmeasured("ARP");
  else return UNKNOWN_ETHER_TYPE;
  if (reason != NONE_WRONG) return reason;
  if (p->protocol == 6) return parseTcp(p);
  if (p->protocol == (p->ipVersion == 4 ? 1 : 58)) unmeasured("ICMP");
  return NOT_TCP;
}

/* Pseudo header with the addresses that the frame holds now. */
static inline uint64_t pseudoSum(const Packet *p, uint32_t l4Length) {
  uint64_t tail = (uint64_t)__builtin_bswap32(l4Length) + __builtin_bswap32(p->protocol);
  return p->ipVersion == 4 ? addLane(tail, load64(p->l3 + 12)) : sum(p->l3 + 8, 32, tail);
}

static inline bool isPartialChecksum(const Packet *p) { return load16(p->l4 + 16) == fold(pseudoSum(p, p->l4Wire)); }

static inline bool isIntact(const Packet *p) {
  if (p->l4Length < p->l4Wire) return true;
  uint64_t pseudo = pseudoSum(p, p->l4Wire);
  if (load16(p->l4 + 16) == fold(pseudo)) return true;
  return fold(sum(p->l4, p->l4Wire, pseudo)) == 0xffff;
}

static uint32_t tcpChecksumFull(const Packet *p) {
  return finish(sum(p->l4 + 18, p->l4Wire - 18, sum(p->l4, 16, pseudoSum(p, p->l4Wire))));
}
