/*
 * The core as a C program has it: what wasm2c made of the module, its memory sized once, and reads of that memory. The
 * numbers are those of migware-abi.h, which the build writes from the same source as the module.
 */
#ifndef MIGWARE_CORE_H
#define MIGWARE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core-module.h"
#include "migware-abi.h"

typedef Z_core_instance_t core;

/* CORE(receive)(&c, port, length, wire_length, now_ms): the module's export of that name. */
#define CORE(name) Z_coreZ_##name

struct capacity {
  uint32_t connections, retained_bytes, retained_per_connection;
  uint32_t record_bytes, record_per_connection, compare_per_connection;
};

/* Starts a core; ends the program when the machine cannot hold it or the module is of another version. */
void core_start(core *c);
/* The memory these capacities need, then init. Its status. */
int32_t core_init(core *c, const struct capacity *capacity, const uint32_t key[4]);
void core_stop(core *c);

/* The byte at an address of the core's memory. Void once the memory grows, so not to be kept across core_init. */
uint8_t *core_at(core *c, uint32_t address);

/* The host's fields are little-endian, as WebAssembly is, whatever this machine is. */
uint16_t read_u16(const uint8_t *at);
uint32_t read_u32(const uint8_t *at);
uint64_t read_u64(const uint8_t *at);
void write_u16(uint8_t *at, uint16_t value);
void write_u32(uint8_t *at, uint32_t value);

/* Ends the program with a message on stderr. */
_Noreturn void fail(const char *format, ...);

#endif
