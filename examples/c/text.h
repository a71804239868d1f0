/* Text that grows, and what both commands write into it. */
#ifndef MIGWARE_TEXT_H
#define MIGWARE_TEXT_H

#include "core.h"

struct text {
  char *bytes;
  size_t length, room;
};

void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void put_hex(struct text *t, const uint8_t *bytes, size_t length);
/* In quotes, with what JSON wants escaped. */
void put_string(struct text *t, const char *string);
/* 16 bytes as RFC 5952 wants them, an IPv4 address as ever. */
void put_address(struct text *t, const uint8_t *address);
/* address:port, [address]:port. */
void put_endpoint(struct text *t, const uint8_t *address, uint16_t port);
/* The options that both ends agreed on: a list of names. */
void put_options(struct text *t, uint32_t connection_flags);
/* The name of a code, its number if it has none. */
void put_name(struct text *t, const char *const *names, size_t count, uint32_t code);
/* Makes it empty. */
void cut(struct text *t);
void free_text(struct text *t);

#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

#endif
