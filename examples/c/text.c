#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make_room(struct text *t, size_t more) {
  if (t->length + more < t->room) return;
  t->room = (t->length + more + 1) * 2;
  t->bytes = realloc(t->bytes, t->room);
  if (t->bytes == NULL) fail("out of memory");
}

void put(struct text *t, const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, arguments);
  make_room(t, (size_t)length);
  vsnprintf(t->bytes + t->length, (size_t)length + 1, format, again);
  t->length += (size_t)length;
  va_end(again);
  va_end(arguments);
}

void put_hex(struct text *t, const uint8_t *bytes, size_t length) {
  static const char digits[] = "0123456789abcdef";
  make_room(t, 2 * length);
  for (size_t i = 0; i < length; i++) {
    t->bytes[t->length++] = digits[bytes[i] >> 4];
    t->bytes[t->length++] = digits[bytes[i] & 15];
  }
  t->bytes[t->length] = '\0';
}

void put_string(struct text *t, const char *string) {
  put(t, "\"");
  for (const char *at = string; *at != '\0'; at++) {
    if (*at == '"' || *at == '\\') put(t, "\\%c", *at);
    else if (*at == '\n') put(t, "\\n");
    else if (*at == '\t') put(t, "\\t");
    else if ((unsigned char)*at < 0x20) put(t, "\\u%04x", (unsigned)*at);
    else put(t, "%c", *at);
  }
  put(t, "\"");
}

static bool is_ipv4(const uint8_t *address) {
  static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
  return memcmp(address, prefix, sizeof prefix) == 0;
}

void put_address(struct text *t, const uint8_t *address) {
  if (is_ipv4(address)) {
    put(t, "%u.%u.%u.%u", address[12], address[13], address[14], address[15]);
    return;
  }
  unsigned groups[8];
  for (int i = 0; i < 8; i++) groups[i] = (unsigned)(address[2 * i] << 8 | address[2 * i + 1]);
  /* The first of the longest runs of zeros (RFC 5952 4.2.3); a single zero is not shortened (4.2.2). */
  int start = 0, longest = 0;
  for (int i = 0, run = 0; i < 8; i++) {
    run = groups[i] == 0 ? run + 1 : 0;
    if (run <= longest) continue;
    longest = run;
    start = i - run + 1;
  }
  if (longest < 2) start = 8;
  for (int i = 0; i < 8; i++) {
    if (i == start) {
      put(t, "::");
      i += longest - 1;
    } else {
      put(t, "%s%x", i == 0 || (start < 8 && i == start + longest) ? "" : ":", groups[i]);
    }
  }
}

void put_endpoint(struct text *t, const uint8_t *address, uint16_t port) {
  bool brackets = !is_ipv4(address);
  if (brackets) put(t, "[");
  put_address(t, address);
  put(t, "%s:%u", brackets ? "]" : "", port);
}

void put_options(struct text *t, uint32_t flags) {
  static const struct {
    uint32_t flag;
    const char *name;
  } options[] = {
      {CONNECTION_FLAG_WINDOW_SCALE, "window-scale"}, {CONNECTION_FLAG_SACK, "sack"},
      {CONNECTION_FLAG_TIMESTAMPS, "timestamps"},     {CONNECTION_FLAG_ECN, "ecn"},
      {CONNECTION_FLAG_MPTCP, "mptcp"},               {CONNECTION_FLAG_TFO, "tfo"},
  };
  const char *separator = "";
  put(t, "[");
  for (size_t i = 0; i < COUNT_OF(options); i++) {
    if ((flags & options[i].flag) == 0) continue;
    put(t, "%s\"%s\"", separator, options[i].name);
    separator = ",";
  }
  put(t, "]");
}

void put_name(struct text *t, const char *const *names, size_t count, uint32_t code) {
  if (code < count) put(t, "%s", names[code]);
  else put(t, "%u", code);
}

void cut(struct text *t) {
  t->length = 0;
  make_room(t, 1);
  t->bytes[0] = '\0';
}

void free_text(struct text *t) {
  free(t->bytes);
  *t = (struct text){0};
}
