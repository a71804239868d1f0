/*
 * The core's steps in C, for bench/core: how far is the module from what a compiler makes of the same algorithm? One
 * translation unit, as the module is one to its optimiser; no intrinsics; what gcc -O3 makes of it is what counts.
 *
 * Reads one command a line: a name, numbers, and bytes in hex where it takes some; answers each with one line. What is
 * measured answers `<ns in all> <result>`. Offsets are of an arena that stands for the memory of the module.
 */
#include <time.h>
#include "pipeline.h"

#define ARENA_BYTES (1u << 20)
static uint8_t arena[ARENA_BYTES] __attribute__((aligned(64)));

/* As assembly/testing/bench-probes.ts. */
#define HEADERS_BYTES 128
#define RING_STRIDE 2048
#define RING_HEADER 16

static inline void putHeaders(uint8_t *to, const uint8_t *from) {
  for (int i = 0; i < HEADERS_BYTES; i += 8) store64(to + i, load64(from + i));
}

/* What was computed may have changed: no repetition is taken out of a loop. */
static inline void again(void) { __asm__ volatile("" ::: "memory"); }

static uint32_t runChecksum(const uint8_t *at, uint32_t length, uint32_t n) {
  uint32_t result = 0;
  for (uint32_t i = 0; i < n; i++) {
    result = (result << 1) + finish(sum(at, length, 0));
    again();
  }
  return result;
}

static uint32_t runPatch(uint8_t *segment, uint8_t *field, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    uint32_t old = load32(field);
    store32(field, old + 1);
    patch32At(segment + 16, segment, field, old, old + 1);
    again();
  }
  return load16(segment + 16);
}

static uint32_t runParse(uint8_t *frame, uint32_t length, uint32_t n) {
  uint32_t result = 0;
  for (uint32_t i = 0; i < n; i++) {
    result += (uint32_t)parse(&thePacket, frame, length, length) + thePacket.payloadLength;
    again();
  }
  return result;
}

/* --- lookup ------------------------------------------------------------------------------------------------------ */

static uint8_t address[16];
/* Where the last call has ended. */
static uint32_t cursor;

static inline uint32_t putClient(uint32_t i) {
  store64(address, 0);
  store32(address + 8, 0xffff0000);
  store32(address + 12, __builtin_bswap32(0x0b000000 + i));
  return (1024 + (i >> 4)) & 0xffff;
}

static uint32_t runFill(const uint8_t *server, uint32_t port, uint32_t count) {
  for (uint32_t i = 0; i < count && usedRecords < connectionCapacity; i++) {
    uint32_t clientPort = putClient(i);
    Connection *c = &connections[usedRecords];
    memcpy(c->client, address, 16);
    memcpy(c->server, server, 16);
    c->clientPort = (uint16_t)clientPort;
    c->serverPort = (uint16_t)port;
    enter(usedRecords++);
  }
  return count;
}

static uint32_t runFind(const uint8_t *server, uint32_t port, uint32_t first, uint32_t count, uint32_t step, uint32_t n) {
  uint32_t i = cursor % count, result = 0;
  for (uint32_t k = 0; k < n; k++) {
    uint32_t clientPort = putClient(first + i);
    uint32_t found = findOnWire(address, clientPort, server, port, 0);
    result += found;
    i = (found == NONE ? i : found) + step;
    if (i >= count) i -= count;
    again();
  }
  cursor = i;
  return result;
}

static uint32_t runTouch(uint32_t count, uint32_t step, uint32_t n) {
  uint32_t i = cursor % count, never = 0;
  for (uint32_t k = 0; k < n; k++) {
    uint32_t slot = ((i + never) * 0x9e3779b1u) & indexMask;
    never = entries[slot].ref >> 31;
    const Connection *c = &connections[i + never];
    never += (uint32_t)load64(c->client) + c->vlan;
    i += step + never;
    if (i >= count) i -= count;
    again();
  }
  cursor = i;
  return i + never;
}

/* --- track, translate, all of it ----------------------------------------------------------------------------------- */

static uint32_t runTrack(uint32_t connection, uint8_t *data, uint32_t dataLength, uint8_t *ack, uint32_t ackLength, uint32_t n) {
  static Packet other;
  Connection *c = &connections[connection];
  Flow *inbound = &c->flows[INBOUND], *outbound = &c->flows[OUTBOUND];
  Packet *segment = &thePacket, *answer = &other;
  uint32_t result = (uint32_t)parse(segment, data, dataLength, dataLength) + (uint32_t)parse(answer, ack, ackLength, ackLength);
  for (uint32_t i = 0; i < n; i++) {
    segment->seq = inbound->end;
    segment->ack = outbound->end;
    result += (uint32_t)track(c, INBOUND, segment, wireWindow(c, inbound, segment), i);
    answer->seq = outbound->end;
    answer->ack = inbound->end;
    result += (uint32_t)track(c, OUTBOUND, answer, wireWindow(c, outbound, answer), i);
    again();
  }
  return result;
}

static uint32_t runTranslate(uint32_t connection, const uint8_t *frame, uint32_t length, uint32_t n) {
  Connection *c = &connections[connection];
  const Service *s = &services[c->service];
  Packet *p = &thePacket;
  putHeaders(RX_SLOT, frame);
  uint32_t result = (uint32_t)parse(p, RX_SLOT, length, length);
  p->seq += c->d1;
  p->ack += c->d2;
  p->tsecr -= c->tsDelta;
  for (uint32_t i = 0; i < n; i++) {
    putHeaders(RX_SLOT, frame);
    txReset();
    result += (uint32_t)forward(c, s, p, p->window);
    again();
  }
  return result;
}

static void advance(uint8_t *segment, uint32_t field, uint32_t step) {
  uint32_t old = load32(segment + field);
  uint32_t next = __builtin_bswap32(__builtin_bswap32(old) + step);
  store32(segment + field, next);
  patch32(segment + 16, old, next);
}

static uint32_t runReceive(uint8_t *ring, uint32_t count, uint32_t from, uint32_t n, uint32_t nowMs) {
  uint32_t result = 0, at = from;
  for (uint32_t i = 0; i < n; i++) {
    uint8_t *entry = ring + at * RING_STRIDE;
    uint8_t *frame = entry + RING_HEADER;
    uint32_t length = load32(entry);
    if (load32(entry + 4) != WIRE) unmeasured("a frame of the replica");
    putHeaders(RX_SLOT, frame);
    result += receive(length, length, nowMs);
    uint32_t seqStep = load32(entry + 8), ackStep = load32(entry + 12);
    if (seqStep != 0) advance(frame + 34, 4, seqStep);
    if (ackStep != 0) advance(frame + 34, 8, ackStep);
    if (++at == count) at = 0;
    again();
  }
  return result;
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

static uint64_t nowNs(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t number[8];
static uint8_t given[1 << 17];
static uint32_t givenLength;

static void printHex(const uint8_t *bytes, uint32_t length) {
  for (uint32_t i = 0; i < length; i++) printf("%02x", bytes[i]);
  printf("\n");
}

/* Every field that a caller may rely on; addresses in the frame as offsets from its beginning, -1 for none. */
static void printPacket(int reason, const Packet *p) {
#define AT(field) (p->field == NULL ? -1 : (int)(p->field - p->frame))
  printf("%d %u %u %u %u %u %u %u %d %u %u %u %d %u %u %u ", reason, p->kind, p->tagCount, p->outerTag, p->innerTag, p->vlan,
         p->etherType, p->wireLength, AT(l3), p->ipVersion, p->protocol, p->ipHeaderLength, AT(l4), p->l4Wire, p->l4Length,
         p->fragmentHasPorts);
  printf("%u %u %u %u %u %u %u %u %d %u %u %u %u %u %u %u %u %d %d %u ", p->srcPort, p->dstPort, p->seq, p->ack, p->window,
         p->urgent, p->flags, p->headerLength, AT(payload), p->payloadLength, p->payloadWire, p->segmentLength, p->options,
         p->mss, p->windowShift, p->tsval, p->tsecr, AT(ts), AT(sack), p->sackCount);
  for (int i = 0; i < 16; i++) printf("%02x", p->src[i]);
  for (int i = 0; i < 16; i++) printf("%02x", p->dst[i]);
  printf("\n");
}

#define MEASURE(call)                                                                    \
  do {                                                                                   \
    uint64_t begin = nowNs();                                                            \
    uint32_t result = call;                                                              \
    printf("%llu %u\n", (unsigned long long)(nowNs() - begin), result);                  \
  } while (0)

static void obey(const char *name) {
  uint32_t *v = number;
  if (!strcmp(name, "key")) {
    key0 = (uint64_t)v[1] << 32 | v[0];
    key1 = (uint64_t)v[3] << 32 | v[2];
    printf("ok\n");
  } else if (!strcmp(name, "port")) {
    ports[v[0]].mtu = v[1];
    memcpy(ports[v[0]].own, given, 6);
    memcpy(ports[v[0]].peer, given + 6, 6);
    printf("ok\n");
  } else if (!strcmp(name, "state")) {
    makeTable(v[0]);
    makeStore(v[1], v[2]);
    serviceCount = cursor = 0;
    memset(counters, 0, sizeof counters);
    printf("ok\n");
  } else if (!strcmp(name, "service")) {
    memcpy(&services[serviceCount++], given, sizeof(Service));
    printf("ok\n");
  } else if (!strcmp(name, "connection")) {
    memcpy(&connections[v[0]], given, sizeof(Connection));
    enter(v[0]);
    if (usedRecords <= v[0]) usedRecords = v[0] + 1;
    printf("ok\n");
  } else if (!strcmp(name, "write")) {
    memcpy(arena + v[0], given, givenLength);
    printf("ok\n");
  } else if (!strcmp(name, "slot")) {
    memcpy(RX_SLOT, given, givenLength);
    printf("ok\n");
  } else if (!strcmp(name, "read")) {
    printHex(arena + v[0], v[1]);
  } else if (!strcmp(name, "record")) {
    printHex((const uint8_t *)&connections[v[0]], sizeof(Connection));
  } else if (!strcmp(name, "sent")) {
    if (queued == 0) printf("\n");
    else printHex(queue[queued - 1].frame, queue[queued - 1].length);
  } else if (!strcmp(name, "counters")) {
    for (uint32_t i = 0; i < REASONS + COUNTERS; i++) printf("%llu ", (unsigned long long)counters[i]);
    printf("\n");
  } else if (!strcmp(name, "packet")) {
    memset(&thePacket, 0, sizeof thePacket);
    int reason = parse(&thePacket, arena + v[0], v[1], v[2]);
    printPacket(reason, &thePacket);
  } else if (!strcmp(name, "checksum")) {
    MEASURE(runChecksum(arena + v[0], v[1], v[2]));
  } else if (!strcmp(name, "patch")) {
    MEASURE(runPatch(arena + v[0], arena + v[1], v[2]));
  } else if (!strcmp(name, "parse")) {
    MEASURE(runParse(arena + v[0], v[1], v[2]));
  } else if (!strcmp(name, "fill")) {
    MEASURE(runFill(arena + v[0], v[1], v[2]));
  } else if (!strcmp(name, "find")) {
    MEASURE(runFind(arena + v[0], v[1], v[2], v[3], v[4], v[5]));
  } else if (!strcmp(name, "touch")) {
    MEASURE(runTouch(v[0], v[1], v[2]));
  } else if (!strcmp(name, "track")) {
    MEASURE(runTrack(v[0], arena + v[1], v[2], arena + v[3], v[4], v[5]));
  } else if (!strcmp(name, "translate")) {
    MEASURE(runTranslate(v[0], arena + v[1], v[2], v[3]));
  } else if (!strcmp(name, "receive")) {
    MEASURE(runReceive(arena + v[0], v[1], v[2], v[3], v[4]));
  } else {
    fprintf(stderr, "unknown command %s\n", name);
    exit(2);
  }
}

static int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

int main(void) {
  static char line[1 << 18];
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    char *name = strtok(line, " ");
    if (name == NULL) continue;
    int numbers = 0;
    memset(number, 0, sizeof number);
    givenLength = 0;
    for (char *word = strtok(NULL, " "); word != NULL; word = strtok(NULL, " ")) {
      if (*word == 'x') {
        for (const char *at = word + 1; at[0] != '\0' && at[1] != '\0' && givenLength < sizeof given; at += 2) {
          given[givenLength++] = (uint8_t)(digit(at[0]) << 4 | digit(at[1]));
        }
      } else if (numbers < 8) {
        number[numbers++] = (uint32_t)strtoul(word, NULL, 10);
      }
    }
    obey(name);
    fflush(stdout);
  }
  return 0;
}
