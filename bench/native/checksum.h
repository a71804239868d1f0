/* The Internet checksum, as assembly/parser/checksum.ts has it. */
#pragma once
#include "bytes.h"

static inline uint64_t addLane(uint64_t acc, uint64_t value) { return acc + (value & 0xffffffff) + (value >> 32); }

static uint64_t sum(const uint8_t *at, uint32_t left, uint64_t acc) {
  if (left >= 32) {
    uint64_t words0 = 0, words1 = 0, upper0 = 0, upper1 = 0;
    do {
      uint64_t a = load64(at), b = load64(at + 8), c = load64(at + 16), d = load64(at + 24);
      words0 += a;
      upper0 += a >> 32;
      words1 += b;
      upper1 += b >> 32;
      words0 += c;
      upper0 += c >> 32;
      words1 += d;
      upper1 += d >> 32;
      at += 32;
      left -= 32;
    } while (left >= 32);
    uint64_t upper = upper0 + upper1;
    acc += words0 + words1 - (upper << 32) + upper;
  }
  while (left >= 8) {
    acc = addLane(acc, load64(at));
    at += 8;
    left -= 8;
  }
  if (left >= 4) {
    acc += load32(at);
    at += 4;
    left -= 4;
  }
  if (left >= 2) {
    acc += load16(at);
    at += 2;
    left -= 2;
  }
  return left == 0 ? acc : acc + *at;
}

static inline uint64_t sumIpv4(const uint8_t *ip, uint32_t headers) {
  uint64_t acc = addLane(addLane(load32(ip + 16), load64(ip)), load64(ip + 8));
  return headers == 20 ? acc : sum(ip + 20, headers - 20, acc);
}

static inline uint32_t fold(uint64_t acc) {
  uint64_t folded = (acc & 0xffffffff) + (acc >> 32);
  folded = (folded & 0xffffffff) + (folded >> 32);
  uint32_t low = (uint32_t)folded;
  low = (low & 0xffff) + (low >> 16);
  return (low & 0xffff) + (low >> 16);
}

static inline uint32_t finish(uint64_t acc) { return fold(acc) ^ 0xffff; }

static inline void patchSum(uint8_t *checksum, uint64_t removed, uint64_t added) {
  uint64_t inverted = load16(checksum) ^ 0xffff;
  store16(checksum, (uint16_t)finish(inverted + (fold(removed) ^ 0xffff) + added));
}

static inline void patch32(uint8_t *checksum, uint32_t old, uint32_t now) {
  uint32_t inverted = load16(checksum) ^ 0xffff;
  store16(checksum, (uint16_t)finish((uint64_t)inverted + (uint32_t)~old + now));
}

static inline void patch32At(uint8_t *checksum, const uint8_t *segment, const uint8_t *field, uint32_t old, uint32_t now) {
  if (((field - segment) & 1) == 0) patch32(checksum, old, now);
  else patch32(checksum, rotl32(old, 8), rotl32(now, 8));
}
