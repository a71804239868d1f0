#include "core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_BYTES 65536u

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("migware-c: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

void core_start(core *c) {
  if (!wasm_rt_is_initialized()) {
    wasm_rt_init();
    Z_core_init_module();
  }
  Z_core_instantiate(c);
  uint32_t version = CORE(abiVersion)(c);
  if (version != ABI_VERSION) fail("the core speaks ABI version %u, this host %u", version, (unsigned)ABI_VERSION);
}

int32_t core_init(core *c, const struct capacity *k, const uint32_t key[4]) {
  wasm_rt_memory_t *memory = CORE(memory)(c);
  uint32_t pages = CORE(pagesNeeded)(c, k->connections, k->retained_bytes, k->record_bytes);
  uint32_t present = memory->size / PAGE_BYTES;
  if (pages > present && wasm_rt_grow_memory(memory, pages - present) == UINT32_MAX)
    fail("the core needs %u pages of 64 KiB, more than this process can have", pages);
  return (int32_t)CORE(init)(c, k->connections, k->retained_bytes, k->retained_per_connection, k->record_bytes,
                             k->record_per_connection, k->compare_per_connection, key[0], key[1], key[2], key[3]);
}

void core_stop(core *c) { Z_core_free(c); }

uint8_t *core_at(core *c, uint32_t address) { return CORE(memory)(c)->data + address; }

uint16_t read_u16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

uint32_t read_u32(const uint8_t *at) { return read_u16(at) | (uint32_t)read_u16(at + 2) << 16; }

uint64_t read_u64(const uint8_t *at) { return read_u32(at) | (uint64_t)read_u32(at + 4) << 32; }

void write_u16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)value;
  at[1] = (uint8_t)(value >> 8);
}

void write_u32(uint8_t *at, uint32_t value) {
  write_u16(at, (uint16_t)value);
  write_u16(at + 2, (uint16_t)(value >> 16));
}
