/* Loads and stores at any alignment, in the machine's order and in the network's. The machine is little-endian, as
 * WebAssembly is. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline uint16_t load16(const uint8_t *at) {
  uint16_t v;
  memcpy(&v, at, sizeof v);
  return v;
}

static inline uint32_t load32(const uint8_t *at) {
  uint32_t v;
  memcpy(&v, at, sizeof v);
  return v;
}

static inline uint64_t load64(const uint8_t *at) {
  uint64_t v;
  memcpy(&v, at, sizeof v);
  return v;
}

static inline void store16(uint8_t *at, uint16_t v) { memcpy(at, &v, sizeof v); }
static inline void store32(uint8_t *at, uint32_t v) { memcpy(at, &v, sizeof v); }
static inline void store64(uint8_t *at, uint64_t v) { memcpy(at, &v, sizeof v); }

static inline uint32_t net16(const uint8_t *at) { return __builtin_bswap16(load16(at)); }
static inline uint32_t net32(const uint8_t *at) { return __builtin_bswap32(load32(at)); }

static inline uint32_t rotl32(uint32_t v, int n) { return v << n | v >> (32 - n); }
static inline uint64_t rotl64(uint64_t v, int n) { return v << n | v >> (64 - n); }
static inline uint32_t min32(uint32_t a, uint32_t b) { return a < b ? a : b; }
static inline uint32_t max32(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* Serial arithmetic: see assembly/parser/seq.ts. */
static inline bool seqLt(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline bool seqLe(uint32_t a, uint32_t b) { return (int32_t)(b - a) >= 0; }
static inline bool seqGt(uint32_t a, uint32_t b) { return (int32_t)(b - a) < 0; }
static inline bool seqGe(uint32_t a, uint32_t b) { return (int32_t)(a - b) >= 0; }
static inline uint32_t seqMax(uint32_t a, uint32_t b) { return seqLt(a, b) ? b : a; }

/* A branch that the core has and no measured frame takes: its condition is part of the work, what it leads to is not
 * here. */
__attribute__((noreturn, cold)) static void unmeasured(const char *what) {
  fprintf(stderr, "%s is not part of this benchmark\n", what);
  exit(3);
}
