/* The tracker of an established connection: state table, windows, store, as assembly/tracker has them. Handshakes, resets
 * and records from the first byte are in the core alone. */
#pragma once
#include "table.h"

/* --- store: see assembly/tracker/retained.ts ------------------------------------------------------------------- */

#define BLOCK_BYTES 2048u
#define BLOCK_DATA (BLOCK_BYTES - 16)
#define NO_SUM 0x10000u

typedef struct {
  uint32_t seq, length, next, sum;
  uint8_t data[BLOCK_DATA];
} Block;

_Static_assert(sizeof(Block) == BLOCK_BYTES, "Block");

static Block *blocks;
static uint32_t blockCapacity, usedBlocks, blocksInUse, recordInUse, recordBlocks, freeBlocks = NONE, perChain;

static void makeStore(uint32_t bytes, uint32_t chainBytes) {
  free(blocks);
  blockCapacity = bytes / BLOCK_BYTES;
  blocks = calloc(blockCapacity, sizeof *blocks);
  if (blocks == NULL) exit(1);
  usedBlocks = blocksInUse = recordInUse = recordBlocks = 0;
  freeBlocks = NONE;
  perChain = chainBytes;
}

static inline uint32_t blockEnd(uint32_t i) { return blocks[i].seq + blocks[i].length; }

static inline uint32_t bytesAllowed(const Chain *chain) {
  if (chain->budget != BUDGET_RETAINED) unmeasured("a record from the first byte");
  return perChain;
}

static uint32_t allocBlock(Chain *chain, uint32_t seq, uint32_t next) {
  if (chain->blocks >= bytesAllowed(chain) / BLOCK_DATA + 2) return NONE;
  if (blocksInUse - recordInUse >= blockCapacity - recordBlocks) return NONE;
  uint32_t i = freeBlocks;
  if (i != NONE) {
    freeBlocks = blocks[i].next;
  } else {
    if (usedBlocks >= blockCapacity) return NONE;
    i = usedBlocks++;
  }
  blocksInUse++;
  chain->blocks++;
  blocks[i].seq = seq;
  blocks[i].length = 0;
  blocks[i].next = next;
  blocks[i].sum = NO_SUM;
  return i;
}

static void freeBlock(Chain *chain, uint32_t i) {
  blocks[i].next = freeBlocks;
  freeBlocks = i;
  blocksInUse--;
  if (chain->budget != BUDGET_RETAINED) recordInUse--;
  chain->blocks--;
}

static uint32_t blockBefore(const Chain *chain, uint32_t seq) {
  if (chain->tail != NONE && seqGe(seq, blocks[chain->tail].seq)) return chain->tail;
  uint32_t found = NONE;
  uint32_t i = chain->floor != NONE && seqGe(seq, blocks[chain->floor].seq) ? chain->floor : chain->head;
  while (i != NONE && !seqGt(blocks[i].seq, seq)) {
    found = i;
    i = blocks[i].next;
  }
  return found;
}

static uint32_t retain(Chain *chain, uint32_t seq, const uint8_t *bytes, uint32_t length) {
  uint32_t at = seq, left = length;
  while (left > 0) {
    uint32_t before = blockBefore(chain, at);
    if (before != NONE && seqLt(at, blockEnd(before))) {
      uint32_t known = min32(left, blockEnd(before) - at);
      at += known;
      bytes += known;
      left -= known;
      continue;
    }
    uint32_t after = before == NONE ? chain->head : blocks[before].next;
    uint32_t n = left;
    if (after != NONE) n = min32(n, blocks[after].seq - at);
    if (chain->bytes + n > bytesAllowed(chain)) break;
    uint32_t target = before;
    if (before == NONE || blockEnd(before) != at || blocks[before].length == BLOCK_DATA) {
      target = allocBlock(chain, at, after);
      if (target == NONE) break;
      if (before == NONE) chain->head = target;
      else blocks[before].next = target;
      if (after == NONE) chain->tail = target;
    }
    uint32_t filled = blocks[target].length;
    n = min32(n, BLOCK_DATA - filled);
    memcpy(blocks[target].data + filled, bytes, n);
    blocks[target].length = filled + n;
    if (blocks[target].sum != NO_SUM) unmeasured("a record from the first byte");
    chain->bytes += n;
    at += n;
    bytes += n;
    left -= n;
  }
  if (left > 0) countBy(RETAINED_DROPPED, left);
  return left;
}

static void releaseBefore(Chain *chain, uint32_t seq) {
  uint32_t i = chain->head;
  while (i != NONE && !seqGt(blockEnd(i), seq)) {
    uint32_t next = blocks[i].next;
    chain->bytes -= blocks[i].length;
    if (chain->hint == i) chain->hint = NONE;
    if (chain->floor == i) chain->floor = NONE;
    freeBlock(chain, i);
    i = next;
  }
  chain->head = i;
  if (i == NONE) chain->tail = NONE;
}

/* --- what a segment may do: see assembly/tracker/{tcp-state,window}.ts -------------------------------------------- */

enum { EVENT_SYN, EVENT_SYN_ACK, EVENT_ACK, EVENT_FIN, EVENT_RST, EVENTS };
enum { ig = 0xfe, iv = 0xff };

static const uint8_t TABLE[2][EVENTS][STATES] = {
  {
    {1, 1, 2, ig, ig, ig, ig, 1, 1},
    {iv, iv, iv, iv, iv, iv, iv, iv, iv},
    {3, 3, 3, 3, 4, 5, 6, 7, iv},
    {iv, 4, 4, 4, 4, 6, 6, 7, iv},
    {iv, 8, 8, 8, 8, 8, 8, 7, 8},
  },
  {
    {iv, iv, iv, iv, iv, iv, iv, iv, iv},
    {iv, 2, 2, 3, 4, 5, 6, 7, iv},
    {3, ig, 3, 3, 4, 5, 6, 7, iv},
    {iv, iv, 5, 5, 6, 5, 6, 7, iv},
    {iv, 8, 8, 8, 8, 8, 8, 7, 8},
  },
};

static inline int eventOf(uint32_t flags) {
  if (flags & RST) return EVENT_RST;
  if (flags & SYN) return flags & ACK ? EVENT_SYN_ACK : EVENT_SYN;
  return flags & FIN ? EVENT_FIN : EVENT_ACK;
}

static inline int transition(int dir, int event, int state) {
  int cell = TABLE[dir][event][state];
  if (cell == iv) return -INVALID_STATE;
  if (cell == ig) return event == EVENT_SYN ? -SYN_ON_LIVE : -NONE_WRONG;
  return cell;
}

#define ACK_WINDOW 66000u

static inline int checkWindow(const Connection *c, const Flow *sender, const Flow *receiver, const Packet *p) {
  bool full = (c->flags & HANDSHAKE) != 0;
  if (sender->flags & FLOW_SEEN) {
    if (full && seqGt(p->seq, sender->edge)) return SEQ_ABOVE_WINDOW;
    if (seqLt(p->seq + p->segmentLength, sender->end - max32(receiver->maxWindow, ACK_WINDOW) - 1)) return SEQ_BELOW_WINDOW;
  }
  if ((p->flags & ACK) == 0 || (receiver->flags & FLOW_SEEN) == 0) return NONE_WRONG;
  if (full && seqGt(p->ack, seqMax(receiver->edge, receiver->end + sender->maxWindow))) return ACK_ABOVE_WINDOW;
  uint32_t old = receiver->end - max32(sender->maxWindow, ACK_WINDOW) - 1;
  if (seqLt(p->ack, receiver->acked) && seqLt(p->ack, old)) return ACK_BELOW_WINDOW;
  return NONE_WRONG;
}

/* --- the record moves: see assembly/tracker/track.ts ------------------------------------------------------------- */

static inline uint32_t wireWindow(const Connection *c, const Flow *sender, const Packet *p) {
  if (p->flags & SYN) return p->window;
  bool scaled = (c->flags & HANDSHAKE) == 0 || (c->flags & AGREED_WINDOW_SCALE) != 0;
  return scaled ? p->window << sender->windowShift : p->window;
}

static inline bool isRecording(const Connection *c) { return c->record == RECORD_COMPLETE || c->record == RECORD_TRIMMED; }

static void putAtRisk(Connection *c, uint8_t risk, uint32_t seq, uint32_t bytes) {
  if (c->risk != 0 && c->risk != lastingRisk(c)) return;
  c->risk = risk;
  c->holeSeq = seq;
  c->holeBytes = bytes;
}

static inline void noteTimestamp(Flow *f, const Packet *p, uint32_t nowMs) {
  if ((p->options & HAS_TIMESTAMPS) == 0) return;
  if ((f->flags & FLOW_TS) && seqLt(p->tsval, f->tsval)) return;
  f->tsval = p->tsval;
  f->tsMs = nowMs;
  f->flags |= FLOW_TS;
}

static inline void noteEcho(Connection *c, Flow *server, const Packet *p, uint32_t nowMs) {
  if ((p->options & HAS_TIMESTAMPS) == 0 || (p->flags & ACK) == 0 || (c->flags & PROXIED)) return;
  if (server->flags & FLOW_TS) {
    if (!seqGt(p->tsecr, server->tsval)) return;
    c->tsDelta += p->tsecr - server->tsval;
  }
  server->tsval = p->tsecr;
  server->tsMs = nowMs;
  server->flags |= FLOW_TS;
}

static inline bool mustRetain(const Connection *c, const Flow *sender) {
  if (c->service == NO_SERVICE) return false;
  return c->phase != LIVE || (sender->flags & FLOW_FEEDING) != 0;
}

static void keepPayload(Connection *c, int dir, Flow *sender, const Packet *p) {
  bool direct = c->phase != LIVE && !isRecording(c);
  if (direct && dir == OUTBOUND && seqGt(p->seq, sender->end)) {
    putAtRisk(c, RISK_OUTBOUND_HOLE, sender->end, p->seq - sender->end);
  }
  if (!mustRetain(c, sender)) return;
  uint32_t end = p->seq + p->payloadWire;
  if (seqLe(end, sender->acked)) return;
  uint32_t skip = seqLt(p->seq, sender->acked) ? sender->acked - p->seq : 0;
  uint32_t missing = p->payloadWire - p->payloadLength;
  if (skip < p->payloadLength) {
    if (sender->kept.budget == BUDGET_RECORD) unmeasured("a record from the first byte");
    missing += retain(&sender->kept, p->seq + skip, p->payload + skip, p->payloadLength - skip);
  }
  if (!direct || dir == INBOUND) return;
  if (missing > 0) {
    putAtRisk(c, p->payloadLength < p->payloadWire ? RISK_OUTBOUND_HOLE : RISK_RETAINED_BUDGET, end - missing, missing);
  } else if (c->risk == RISK_OUTBOUND_HOLE && seqLe(p->seq, c->holeSeq) && seqGe(end, c->holeSeq + c->holeBytes)) {
    c->risk = lastingRisk(c);
  }
}

static inline void forgiveHole(Connection *c, int dir, uint32_t ack) {
  if (dir != INBOUND || c->holeBytes == 0) return;
  if (c->risk != RISK_OUTBOUND_HOLE && c->risk != RISK_RETAINED_BUDGET && c->risk != RISK_DIVERGED) return;
  if (c->risk == RISK_DIVERGED) unmeasured("a replica that differs");
  if (seqGe(ack, c->holeSeq + c->holeBytes)) c->risk = lastingRisk(c);
}

static inline void noteFinAcked(Connection *c, Flow *flow) {
  if ((flow->flags & FLOW_FIN) == 0 || !seqGt(flow->acked, flow->finSeq)) return;
  flow->flags |= FLOW_FIN_ACKED;
  if (c->state == BOTH_FIN && (c->flows[0].flags & FLOW_FIN_ACKED) && (c->flows[1].flags & FLOW_FIN_ACKED)) {
    c->state = TIME_WAIT;
  }
}

static void onAck(Connection *c, int dir, Flow *receiver, uint32_t ack, uint32_t window) {
  if ((receiver->flags & FLOW_SEEN) == 0) {
    receiver->end = receiver->acked = receiver->edge = ack;
    receiver->flags |= FLOW_SEEN;
  }
  if ((receiver->flags & FLOW_FIN_PENDING) && seqGt(ack, receiver->finSeq)) unmeasured("a FIN under suspicion");
  if (seqGt(ack, receiver->end)) {
    if (dir == OUTBOUND) putAtRisk(c, RISK_INBOUND_HOLE, receiver->end, ack - receiver->end);
    else c->unseen = 1;
    receiver->end = ack;
  }
  if (seqGt(ack, receiver->acked)) {
    receiver->passed += ack - receiver->acked;
    receiver->acked = ack;
    if (isRecording(c)) unmeasured("a record from the first byte");
    releaseBefore(&receiver->kept, receiver->acked);
    forgiveHole(c, dir, ack);
    noteFinAcked(c, receiver);
  }
  if (seqGt(ack + window, receiver->edge)) receiver->edge = ack + window;
}

static void onSegment(Connection *c, int dir, Flow *sender, Flow *receiver, const Packet *p, uint32_t window, uint32_t nowMs) {
  if ((c->flags & HANDSHAKE) == 0) {
    if (p->options & HAS_TIMESTAMPS) c->flags |= AGREED_TIMESTAMPS;
    if (p->options & HAS_SACK) c->flags |= AGREED_SACK;
  }
  noteTimestamp(sender, p, nowMs);
  if (dir == INBOUND) noteEcho(c, receiver, p, nowMs);
  uint32_t end = p->seq + p->segmentLength;
  if ((sender->flags & FLOW_SEEN) == 0) {
    sender->end = sender->acked = p->seq;
    sender->edge = end;
    sender->flags |= FLOW_SEEN;
  }
  if (dir == INBOUND && (sender->flags & FLOW_SPOKE) == 0) unmeasured("a client that was not heard before");
  sender->flags |= FLOW_SPOKE;
  if (dir == INBOUND && p->segmentLength > 0 && seqGt(end, sender->end) && isRecording(c)) unmeasured("a record");
  keepPayload(c, dir, sender, p);
  if (p->flags & FIN) {
    sender->finSeq = end - 1;
    sender->flags |= FLOW_FIN;
  }
  if (seqGt(end, sender->end)) {
    sender->end = end;
    if (dir == OUTBOUND) c->unseen = p->segmentLength == 0;
  }
  if (window > sender->maxWindow) sender->maxWindow = window;
  if (p->flags & ACK) onAck(c, dir, receiver, p->ack, window);
}

static int track(Connection *c, int dir, const Packet *p, uint32_t window, uint32_t nowMs) {
  Flow *sender = &c->flows[dir];
  Flow *receiver = &c->flows[dir == INBOUND ? OUTBOUND : INBOUND];
  int event = eventOf(p->flags);
  int next = transition(dir, event, c->state);
  if (next <= 0) {
    if (-next == SYN_ON_LIVE) unmeasured("a SYN for a live connection");
    return -next;
  }
  if (event == EVENT_SYN || event == EVENT_SYN_ACK || event == EVENT_RST) unmeasured("a handshake or a reset");
  int reason = checkWindow(c, sender, receiver, p);
  if (reason == SEQ_ABOVE_WINDOW || reason == ACK_ABOVE_WINDOW) unmeasured("a segment above the windows");
  if (reason != NONE_WRONG) return reason;
  c->strayTurns = 0;
  if (c->state == SYN_SENT) unmeasured("a SYN-ACK that was missed");
  c->state = (uint8_t)next;
  onSegment(c, dir, sender, receiver, p, window, nowMs);
  c->seenMs = nowMs;
  return NONE_WRONG;
}
