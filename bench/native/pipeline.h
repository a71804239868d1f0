/* One captured frame from parsing to what has to be sent, as assembly/pipeline.ts: a segment between client and primary that
 * is tracked, or one of a client whose replica serves. */
#pragma once
#include "translate.h"

#define RX_HEADROOM 64
static uint8_t slotRoom[RX_HEADROOM + 65600] __attribute__((aligned(16)));
#define RX_SLOT (slotRoom + RX_HEADROOM)

static Packet thePacket;

static inline bool isOver(const Connection *c) { return c->state == TIME_WAIT || c->state == CLOSED; }

static inline void learnLink(Connection *c, const Packet *p) {
  c->clientMacHi = load16(p->frame + 6);
  c->clientMacLo = load32(p->frame + 8);
  c->outerTag = p->outerTag;
  c->innerTag = p->innerTag;
}

static inline bool isOneSided(const Connection *c) {
  if ((c->flags & HANDSHAKE) || isOver(c)) return false;
  return (c->flows[0].flags & FLOW_SPOKE) == 0 || (c->flows[1].flags & FLOW_SPOKE) == 0;
}

static inline void settleHalfOpen(Connection *c) {
  if (c->state < ESTABLISHED || isOneSided(c)) unmeasured("a half-open connection");
  if (c->list == LIST_HALF_OPEN) unmeasured("a connection that was half-open");
}

static void hearPrimary(const Packet *p, uint32_t nowMs) {
  if (p->ipVersion == 0) return;
  uint32_t i = findServiceByAddress(p->src, 0);
  while (i != NONE) {
    Service *s = &services[i];
    s->heardMs = nowMs;
    s->heard++;
    s->unansweredMs = 0;
    memcpy(s->primaryMac, p->frame + 6, 6);
    i = findServiceByAddress(p->src, i + 1);
  }
}

static int observe(uint32_t i, uint32_t service, int dir, Packet *p, uint32_t nowMs) {
  if (!isIntact(p)) return refuse(BAD_TCP_CHECKSUM);
  int event = eventOf(p->flags);
  if (i == NONE) unmeasured("a new connection");
  Connection *c = &connections[i];
  if (event == EVENT_SYN && isOver(c)) unmeasured("a new connection");
  int reason = track(c, dir, p, wireWindow(c, &c->flows[dir], p), nowMs);
  if (reason != NONE_WRONG) return refuse(reason);
  if (dir == INBOUND) learnLink(c, p);
  if (p->options & (HAS_MD5 | HAS_AO)) unmeasured("a signed segment");
  settleHalfOpen(c);
  if (service < serviceCount && (services[service].flags & SERVICE_SHADOW)) unmeasured("a shadow");
  return NONE_WRONG;
}

/* Numbers for the replica: see assembly/recovery/proxy.ts. */
static int fromClient(Connection *c, const Service *s, Packet *p, uint32_t nowMs) {
  Flow *inbound = &c->flows[INBOUND], *outbound = &c->flows[OUTBOUND];
  uint32_t window = wireWindow(c, inbound, p);
  bool finPending = (outbound->flags & FLOW_FIN_PENDING) != 0;
  if ((c->flags & RECOVERED) && (c->marks & UNPROVEN) && p->segmentLength != 0) unmeasured("a possible gap");
  int reason = track(c, INBOUND, p, window, nowMs);
  if (finPending && (outbound->flags & FLOW_FIN_PENDING) == 0) unmeasured("a FIN under suspicion");
  if (reason == NONE_WRONG) {
    if (outbound->flags & FLOW_FEEDING) unmeasured("a feed");
    if (c->state == SYN_SENT) unmeasured("a new connection");
  }
  if ((c->flags & RECOVERED) == 0) return forward(c, s, p, p->window);
  if ((p->flags & RST) && c->state == TIME_WAIT) unmeasured("a late reset");
  if ((inbound->flags & FLOW_FEEDING) && reason == NONE_WRONG && p->segmentLength > 0) unmeasured("a feed");
  uint32_t ack = seqMax(p->ack, c->serverBase);
  uint32_t field = 0;
  if ((p->flags & RST) == 0) {
    uint32_t shift = c->marks & REPLICA_WS ? inbound->windowShift : 0;
    uint32_t edge = p->ack + window;
    field = seqLt(edge, ack) ? 0 : min32((edge - ack) >> shift, 0xffff);
  }
  p->seq += c->d1;
  if (p->flags & ACK) p->ack = ack + c->d2;
  if (p->options & HAS_TIMESTAMPS) {
    p->tsecr = c->flags & PROXIED ? p->tsecr : c->phase == LIVE ? seqMax(p->tsecr - c->tsDelta, c->replicaTs) : c->replicaTs;
  }
  int refused = forward(c, s, p, field);
  if (reason == NONE_WRONG && refused == NONE_WRONG && (c->flags & SACK_FORGED)) unmeasured("blocks in the replica's place");
  return refused;
}

static int onClientSegment(uint32_t service, Packet *p, uint32_t nowMs) {
  Service *s = &services[service];
  uint32_t i = findOnWire(p->src, p->srcPort, p->dst, p->dstPort, p->vlan);
  if (i != NONE && connections[i].phase == LIVE) {
    Connection *c = &connections[i];
    bool isNew = eventOf(p->flags) == EVENT_SYN && isOver(c);
    if (!isTakenOver(s) && isNew) unmeasured("a new connection");
    bool behindGap = (c->marks & UNPROVEN) && p->segmentLength > 0 && seqGt(p->seq, c->flows[INBOUND].acked);
    bool isKept = (c->flows[INBOUND].flags & FLOW_FEEDING) || behindGap || (c->flags & SACK_FORGED);
    if (isKept && !isIntact(p)) return refuse(BAD_TCP_CHECKSUM);
    learnLink(c, p);
    int reason = fromClient(c, s, p, nowMs);
    settleHalfOpen(c);
    return reason;
  }
  if (isTakenOver(s)) unmeasured("a connection on its way");
  if (i != NONE && p->payloadWire > 0 && seqLt(p->seq, connections[i].flows[INBOUND].end)) s->unansweredMs = max32(nowMs, 1);
  return observe(i, service, INBOUND, p, nowMs);
}

static int onServerSegment(uint32_t service, Packet *p, uint32_t nowMs) {
  Service *s = &services[service];
  if (isTakenOver(s)) unmeasured("the primary after its connections have moved");
  uint32_t i = findOnWire(p->dst, p->dstPort, p->src, p->srcPort, p->vlan);
  if (i != NONE && connections[i].phase == LIVE) unmeasured("the primary of a moved connection");
  if (s->quarantine != 0) unmeasured("a primary under suspicion");
  return observe(i, service, OUTBOUND, p, nowMs);
}

static int onWireSegment(Packet *p, uint32_t nowMs) {
  uint32_t i = findService(p->dst, p->dstPort);
  if (i != NONE) return onClientSegment(i, p, nowMs);
  i = findService(p->src, p->srcPort);
  if (i != NONE) return onServerSegment(i, p, nowMs);
  unmeasured("a segment of no service");
}

static void onFrame(uint32_t length, uint32_t wireLength, uint32_t nowMs) {
  txReset();
  countBy(FRAMES_WIRE, 1);
  countBy(BYTES_WIRE, wireLength);
  Packet *p = &thePacket;
  int reason = parse(p, RX_SLOT, length, wireLength);
  hearPrimary(p, nowMs);
  if (reason != NONE_WRONG) {
    refuse(reason);
    if (reason == FRAGMENT && p->fragmentHasPorts) unmeasured("a fragment");
    return;
  }
  onWireSegment(p, nowMs);
}

static void drain(void) {
  for (uint32_t i = 0; i < serviceCount; i++) {
    Service *s = &services[i];
    while (s->queueHead != NONE && s->inFlight < s->pace && txHasRoom()) unmeasured("a handshake");
  }
  while (txHasRoom()) {
    if (readyHead == NONE) return;
    unmeasured("a ready connection");
  }
}

static uint32_t receive(uint32_t length, uint32_t wireLength, uint32_t nowMs) {
  onFrame(length, wireLength, nowMs);
  drain();
  return queued;
}
