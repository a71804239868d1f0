#include "json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at, const char *end) {
  while (at < end && (isspace((unsigned char)*at) || *at == ',' || *at == ':')) at++;
  return at;
}

static const char *string_end(const char *at, const char *end) {
  for (at++; at < end && *at != '"'; at++) {
    if (*at == '\\') at++;
  }
  return at < end ? at + 1 : end;
}

/* The value that begins behind `at`. */
static struct value value_at(const char *at, const char *end) {
  at = skip_space(at, end);
  struct value v = {at, at};
  int depth = 0;
  while (v.end < end) {
    char c = *v.end;
    if (c == '"') {
      v.end = string_end(v.end, end);
    } else if (c == '{' || c == '[') {
      depth++;
      v.end++;
      continue;
    } else if (c == '}' || c == ']') {
      if (depth == 0) break;
      depth--;
      v.end++;
    } else if (depth == 0 && (c == ',' || isspace((unsigned char)c))) {
      break;
    } else {
      v.end++;
      if (depth == 0) continue;
    }
    if (depth == 0) break;
  }
  return v;
}

struct value member(struct value object, const char *name) {
  const char *at = object.begin + 1;
  while (object.begin < object.end) {
    struct value key = value_at(at, object.end - 1);
    if (is_absent(key)) break;
    struct value v = value_at(key.end, object.end - 1);
    struct value bare = string(key);
    if ((size_t)(bare.end - bare.begin) == strlen(name) && is_text(bare, name)) return v;
    at = v.end;
  }
  return (struct value){object.end, object.end};
}

bool next_item(struct value *list, struct value *item) {
  if (list->begin < list->end && *list->begin == '[') {
    list->begin++;
    list->end--;
  }
  *item = value_at(list->begin, list->end);
  list->begin = item->end;
  return !is_absent(*item);
}

bool is_absent(struct value v) { return v.begin == v.end; }

bool is_text(struct value v, const char *text) {
  size_t length = strlen(text);
  return (size_t)(v.end - v.begin) == length && memcmp(v.begin, text, length) == 0;
}

uint32_t number(struct value v) { return is_absent(v) ? 0 : (uint32_t)strtoll(v.begin, NULL, 10); }

struct value string(struct value v) {
  if (v.end - v.begin < 2) return v;
  return (struct value){v.begin + 1, v.end - 1};
}
