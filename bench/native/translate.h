/* A client's segment edited in place for a replica on this host, as assembly/translator/tcp.ts does it. */
#pragma once
#include "track.h"

typedef struct {
  uint32_t mtu;
  uint8_t own[6], peer[6];
} PortSettings;

static PortSettings ports[2];

#define TX_MAX 512

typedef struct {
  uint8_t *frame;
  uint32_t length, port, connection;
} Descriptor;

static Descriptor queue[TX_MAX];
static uint32_t queued, arenaUsed;

static inline void txReset(void) { queued = arenaUsed = 0; }

static inline bool txHasRoom(void) { return queued + 16 < TX_MAX && arenaUsed + 9216 * 16 < 1048576; }

static inline bool txPush(uint8_t *frame, uint32_t length, uint32_t port, uint32_t connection) {
  if (queued >= TX_MAX) return false;
  queue[queued++] = (Descriptor){frame, length, port, connection};
  countBy(port == WIRE ? FRAMES_OUT_WIRE : FRAMES_OUT_STACK, 1);
  return true;
}

/* Of what was changed in the segment. */
static uint64_t removed, added;

static inline void replace32(uint8_t *at, uint32_t value) {
  removed += load32(at);
  store32(at, value);
  added += value;
}

static inline void replace16(uint8_t *at, uint16_t value) {
  removed += load16(at);
  store16(at, value);
  added += value;
}

static inline void replaceOption(const uint8_t *segment, uint8_t *at, uint32_t value) {
  bool odd = ((at - segment) & 1) != 0;
  uint32_t old = load32(at);
  store32(at, value);
  removed += odd ? rotl32(old, 8) : old;
  added += odd ? rotl32(value, 8) : value;
}

static void blankOption(const uint8_t *segment, uint8_t *at, uint32_t length) {
  for (uint32_t i = 0; i < length; i++) {
    uint32_t shift = ((at + i - segment) & 1) != 0 ? 8 : 0;
    removed += (uint32_t)at[i] << shift;
    added += 1u << shift;
    at[i] = 1;
  }
}

static void putSack(Connection *c, Packet *p) {
  for (uint32_t i = 0; i < p->sackCount; i++) {
    if (seqLt(net32(p->sack + i * 8), c->serverBase)) {
      blankOption(p->l4, p->sack - 2, 2 + p->sackCount * 8);
      return;
    }
  }
  for (uint32_t i = 0; i < p->sackCount * 2; i++) {
    uint8_t *at = p->sack + (i << 2);
    replaceOption(p->l4, at, __builtin_bswap32(net32(at) + c->d2));
  }
}

static void putOptions(Connection *c, Packet *p) {
  if (p->options & HAS_TIMESTAMPS) {
    if ((c->marks & REPLICA_TS) == 0) {
      blankOption(p->l4, p->ts - 2, 10);
    } else {
      replaceOption(p->l4, p->ts, __builtin_bswap32(p->tsval));
      replaceOption(p->l4, p->ts + 4, __builtin_bswap32(p->tsecr));
    }
  }
  if (p->options & HAS_SACK) putSack(c, p);
  if ((c->flags & AGREED_ECN) && (c->marks & REPLICA_ECN) == 0) {
    replace16(p->l4 + 12, load16(p->l4 + 12) & ~((ECE | CWR) << 8));
  }
}

static void putAddresses(Packet *p, const uint8_t *source, const uint8_t *destination) {
  uint8_t *l3 = p->l3;
  if (p->ipVersion == 6) {
    removed = sum(l3 + 8, 32, removed);
    memcpy(l3 + 8, source, 16);
    memcpy(l3 + 24, destination, 16);
    added = sum(l3 + 8, 32, added);
    return;
  }
  replace32(l3 + 12, load32(source + 12));
  replace32(l3 + 16, load32(destination + 12));
  patchSum(l3 + 10, removed, added);
}

static inline void putLength(Packet *p) {
  if (p->ipVersion == 6) store16(p->l3 + 4, __builtin_bswap16((uint16_t)(p->ipHeaderLength - 40 + p->l4Wire)));
  else if (load16(p->l3 + 2) == 0) unmeasured("a merged frame without its length");
}

static int edit(Connection *c, const Service *s, Packet *p, uint32_t field) {
  bool partial = isPartialChecksum(p);
  uint8_t *l4 = p->l4;
  removed = added = 0;
  putLength(p);
  putAddresses(p, isRemote(s) ? s->address : c->client, s->replica);
  replace32(l4, __builtin_bswap32((uint32_t)c->stackPort << 16 | c->serverPort));
  replace32(l4 + 4, __builtin_bswap32(p->seq));
  replace32(l4 + 8, __builtin_bswap32(p->ack));
  replace16(l4 + 14, __builtin_bswap16((uint16_t)field));
  if ((c->flags & PROXIED) == 0) putOptions(c, p);
  if (partial) {
    store16(l4 + 16, (uint16_t)tcpChecksumFull(p));
    countBy(CHECKSUM_RECOMPUTED, 1);
  } else {
    patchSum(l4 + 16, removed, added);
    countBy(CHECKSUM_PATCHED, 1);
  }
  if (isRemote(s)) unmeasured("a remote replica");
  uint8_t *frame = p->l3 - 14;
  memcpy(frame, ports[STACK].peer, 6);
  memcpy(frame + 6, ports[STACK].own, 6);
  store16(frame + 12, p->ipVersion == 6 ? 0xdd86 : 0x0008);
  uint32_t length = (uint32_t)(l4 - frame) + p->l4Wire;
  return txPush(frame, length, STACK, (uint32_t)(c - connections)) ? NONE_WRONG : TX_QUEUE_FULL;
}

/* Toward the replica. The Packet holds the numbers of the outgoing side. */
static int forward(Connection *c, const Service *s, Packet *p, uint32_t field) {
  int reason = NONE_WRONG;
  if (p->payloadLength < p->payloadWire) reason = TRUNCATED_PAYLOAD;
  else if (isRemote(s)) unmeasured("a remote replica");
  else if (p->ipHeaderLength + p->l4Wire > ports[STACK].mtu) reason = TOO_BIG;
  else reason = edit(c, s, p, field);
  if (reason != NONE_WRONG) return refuse(reason);
  countBy(TRANSLATED_INBOUND, 1);
  return NONE_WRONG;
}
