/* JSON as it stands in a file: values are parts of the text, looked up where they are. For files that JSON.stringify wrote. */
#ifndef MIGWARE_JSON_H
#define MIGWARE_JSON_H

#include <stdbool.h>
#include <stdint.h>

struct value {
  const char *begin, *end;
};

/* The member of an object; empty when there is none. */
struct value member(struct value object, const char *name);
/* The next item of a list, from which it is taken: begin with the list itself. False at its end. */
bool next_item(struct value *list, struct value *item);
bool is_absent(struct value v);
bool is_text(struct value v, const char *text);
uint32_t number(struct value v);
/* Without its quotes; the vectors escape nothing. */
struct value string(struct value v);

#endif
