/* The connection table: SipHash-1-3, open addressing over {hash, reference}, as assembly/tracker/{key,table}.ts. */
#pragma once
#include "connection.h"

static uint64_t key0, key1;

typedef struct {
  uint32_t hash, ref;
} Entry;

static Entry *entries;
static uint32_t indexMask;

typedef struct {
  uint64_t v0, v1, v2, v3;
} Sip;

static inline void sipRound(Sip *s) {
  s->v0 += s->v1;
  s->v1 = rotl64(s->v1, 13) ^ s->v0;
  s->v0 = rotl64(s->v0, 32);
  s->v2 += s->v3;
  s->v3 = rotl64(s->v3, 16) ^ s->v2;
  s->v0 += s->v3;
  s->v3 = rotl64(s->v3, 21) ^ s->v0;
  s->v2 += s->v1;
  s->v1 = rotl64(s->v1, 17) ^ s->v2;
  s->v2 = rotl64(s->v2, 32);
}

static inline void sipAbsorb(Sip *s, uint64_t word) {
  s->v3 ^= word;
  sipRound(s);
  s->v0 ^= word;
}

static uint32_t hashTuple(const uint8_t *far, uint32_t farPort, const uint8_t *ours, uint32_t ourPort, uint32_t vlan) {
  Sip s = {key0 ^ 0x736f6d6570736575, key1 ^ 0x646f72616e646f6d, key0 ^ 0x6c7967656e657261, key1 ^ 0x7465646279746573};
  sipAbsorb(&s, load64(far));
  sipAbsorb(&s, load64(far + 8));
  sipAbsorb(&s, load64(ours));
  sipAbsorb(&s, load64(ours + 8));
  sipAbsorb(&s, (uint64_t)vlan << 32 | (uint64_t)farPort << 16 | ourPort);
  s.v2 ^= 0xff;
  sipRound(&s);
  sipRound(&s);
  sipRound(&s);
  uint64_t h = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
  return (uint32_t)h ^ (uint32_t)(h >> 32);
}

static void insertEntry(uint32_t hash, uint32_t ref) {
  uint32_t slot = hash & indexMask;
  while (entries[slot].ref != 0) slot = (slot + 1) & indexMask;
  entries[slot] = (Entry){hash, ref};
}

static uint32_t findOnWire(const uint8_t *client, uint32_t clientPort, const uint8_t *server, uint32_t serverPort, uint32_t vlan) {
  uint32_t hash = hashTuple(client, clientPort, server, serverPort, vlan);
  uint32_t slot = hash & indexMask;
  uint32_t ref = entries[slot].ref;
  while (ref != 0) {
    if (entries[slot].hash == hash && ((ref - 1) & 1) == 0) {
      uint32_t i = (ref - 1) >> 1;
      const Connection *c = &connections[i];
      if (c->clientPort == clientPort && c->serverPort == serverPort && c->vlan == vlan &&
          sameAddress(c->client, client) && sameAddress(c->server, server)) {
        return i;
      }
    }
    slot = (slot + 1) & indexMask;
    ref = entries[slot].ref;
  }
  return NONE;
}

/* The index knows the record by its tuple of the wire. */
static void enter(uint32_t i) {
  const Connection *c = &connections[i];
  insertEntry(hashTuple(c->client, c->clientPort, c->server, c->serverPort, c->vlan), (i << 1) + 1);
}

/* Room as of assembly/memory/regions.ts, on pages like those of the module's memory. */
static void makeTable(uint32_t capacity) {
  uint32_t n = 1024;
  while (n < capacity * 4) n <<= 1;
  free(entries);
  free(connections);
  entries = calloc(n, sizeof *entries);
  connections = calloc(capacity, sizeof *connections);
  if (entries == NULL || connections == NULL) {
    fprintf(stderr, "no memory for %u connections\n", capacity);
    exit(1);
  }
  indexMask = n - 1;
  connectionCapacity = capacity;
  usedRecords = 0;
}
