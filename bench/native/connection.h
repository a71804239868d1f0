/* The records of services and connections, byte for byte those of assembly/tracker, so that a state which the core has
 * come to can be given to this program, and compared afterwards. The constants in capitals that are not defined here come
 * from assembly/abi/layout.ts: bench/core/native.ts passes them on. */
#pragma once
#include <stddef.h>
#include "parse.h"

#define NONE 0x7fffffffu
#define NO_SERVICE 0xffff

enum { INBOUND = 0, OUTBOUND = 1 };
enum { WIRE = 0, STACK = 1 };
enum { FREE = 0, SYN_SENT = 1, SYN_RECEIVED = 2, ESTABLISHED = 3, BOTH_FIN = 6, TIME_WAIT = 7, CLOSED = 8, STATES = 9 };
enum { DIRECT = 0, LIVE = 4 };

enum { FLOW_FIN = 1, FLOW_TS = 4, FLOW_FEEDING = 8, FLOW_FIN_ACKED = 16, FLOW_SEEN = 32, FLOW_FIN_PENDING = 64, FLOW_SPOKE = 128 };
enum {
  AGREED_WINDOW_SCALE = 1,
  AGREED_SACK = 2,
  AGREED_TIMESTAMPS = 4,
  AGREED_ECN = 8,
  AGREED_MPTCP = 16,
  HANDSHAKE = 64,
  IPV6 = 128,
  PROXIED = 256,
  RECOVERED = 512,
  SACK_FORGED = 2048,
};
enum { REPLICA_TS = 2, REPLICA_WS = 4, REPLICA_ECN = 8, COPY = 2048, UNPROVEN = 32768 };
enum { RISK_WINDOW_SCALE = 1, RISK_INBOUND_HOLE = 2, RISK_OUTBOUND_HOLE = 3, RISK_RETAINED_BUDGET = 4, RISK_MPTCP = 5, RISK_DIVERGED = 9 };
enum { RECORD_COMPLETE = 1, RECORD_TRIMMED = 2 };
enum { LIST_HALF_OPEN = 2 };
enum { SERVICE_REMOTE = 1, SERVICE_SHADOW = 8, SERVICE_DIVERGED_RESET = 64 };
enum { BUDGET_RETAINED = 0, BUDGET_RECORD = 1 };

typedef struct {
  uint32_t head, tail, bytes, blocks, hint, floor, budget;
} Chain;

typedef struct {
  uint32_t isn, end, acked, edge, maxWindow, finSeq, tsval, tsMs;
  uint16_t mss;
  uint8_t windowShift, flags;
  Chain kept;
  uint32_t feedNext, feedWindow, feedMs, feedRtoMs, feedMark, feedHeardMs;
  uint64_t passed;
} Flow;

typedef struct {
  uint8_t client[16], server[16];
  uint16_t clientPort, serverPort;
  uint32_t vlan;
  uint8_t state, phase, risk, loss;
  uint32_t flags;
  uint16_t service, generation, stackPort, clientMacHi;
  uint32_t clientMacLo, seenMs, holeSeq, holeBytes, outerTag, innerTag, next, prev, readyNext;
  uint8_t list, ready;
  uint16_t pad0;
  Flow flows[2];
  uint32_t d1, d2, tsDelta, serverBase, clientBase, replicaTs, timerMs, startedMs, toldEdge, pendingIsn;
  uint16_t replicaMss, pathMss, marks;
  uint8_t replicaShift, attempts;
  uint32_t replicaEdge;
  /* Of a replica that reads from the first byte: nothing that is measured touches it. */
  uint8_t copy[CONNECTION_RECORD - 1 - (CONNECTION_FLOWS + 2 * FLOW_BYTES + 52)];
  uint8_t copyTries, record, repeats, unseen;
  uint32_t passedLeft, passedRight;
  uint32_t strayEnd, strayAck;
  uint8_t strayDir, strayTurns;
  uint8_t rest[CONNECTION_BYTES - CONNECTION_STRAYS - 10];
} Connection;

typedef struct {
  uint8_t address[16], replica[16], replicaMac[6];
  uint16_t portCount, ports[64];
  uint32_t flags, handshakeWindow;
  uint16_t vlan, mapFirst, mapLast, pad0;
  uint32_t state, tracked, recovering, recovered, proxied, lost, heardMs, heard, unansweredMs, losses[12];
  uint8_t primaryMac[8];
  uint32_t halfOpen, divergences, queueHead, queueTail, inFlight, pace, quarantine;
  uint32_t mapNext, defendedMs, defended, slowedMs, slowed, pad2;
  uint64_t rest[7];
} Service;

_Static_assert(sizeof(Flow) == FLOW_BYTES, "Flow");
_Static_assert(sizeof(Connection) == CONNECTION_BYTES, "Connection");
_Static_assert(offsetof(Connection, flows) == CONNECTION_FLOWS, "Connection.flows");
_Static_assert(offsetof(Connection, record) == CONNECTION_RECORD, "Connection.record");
_Static_assert(offsetof(Connection, strayEnd) == CONNECTION_STRAYS, "Connection.strayEnd");
_Static_assert(sizeof(Service) == SERVICE_BYTES, "Service");
_Static_assert(offsetof(Service, divergences) == SERVICE_DIVERGENCES, "Service.divergences");

static Connection *connections;
static uint32_t connectionCapacity, usedRecords;
static Service services[64];
static uint32_t serviceCount;
/* Visible, so that the compiler cannot know that nothing here puts a connection into the queue. */
uint32_t readyHead = NONE;

static uint64_t counters[REASONS + COUNTERS];
enum { FRAMES_WIRE, FRAMES_STACK, BYTES_WIRE, BYTES_STACK, FRAMES_OUT_WIRE, FRAMES_OUT_STACK, TRANSLATED_INBOUND };
enum { CHECKSUM_PATCHED = 16, CHECKSUM_RECOMPUTED = 17, RETAINED_DROPPED = 23 };

static inline int refuse(int reason) {
  counters[reason]++;
  return reason;
}

static inline void countBy(int counter, uint32_t n) { counters[REASONS + counter] += n; }

static inline bool isRemote(const Service *s) { return (s->flags & SERVICE_REMOTE) != 0; }
static inline bool isTakenOver(const Service *s) { return s->state != 0; }
static inline bool sameAddress(const uint8_t *a, const uint8_t *b) {
  return load64(a) == load64(b) && load64(a + 8) == load64(b + 8);
}

static inline bool hasPort(const Service *s, uint32_t port) {
  for (uint32_t i = 0; i < s->portCount; i++) {
    if (s->ports[i] == port) return true;
  }
  return false;
}

static inline uint32_t findServiceByAddress(const uint8_t *address, uint32_t from) {
  for (uint32_t i = from; i < serviceCount; i++) {
    if (sameAddress(services[i].address, address)) return i;
  }
  return NONE;
}

static inline uint32_t findService(const uint8_t *address, uint32_t port) {
  for (uint32_t i = 0; i < serviceCount; i++) {
    if (sameAddress(services[i].address, address) && hasPort(&services[i], port)) return i;
  }
  return NONE;
}

/* What the SYNs of a connection have left uncertain. */
static inline uint8_t lastingRisk(const Connection *c) {
  if ((c->flags & HANDSHAKE) == 0) return RISK_WINDOW_SCALE;
  return c->flags & AGREED_MPTCP ? RISK_MPTCP : 0;
}
