/*
 * Copies of connection records, so that none is forgotten when the core gives its record to another connection or drops it.
 * The same as src/core/connection-watch.ts, which says more.
 */
#ifndef MIGWARE_WATCH_H
#define MIGWARE_WATCH_H

#include "core.h"

/* The part of a record that is kept. */
#define COPY_BYTES (CONNECTION_FLOWS + 2 * FLOW_BYTES)

struct watched {
  uint8_t record[COPY_BYTES];
  /* Sequence numbers that each sender has used, by Dir; bytes are what SYN and FIN leave of them. */
  uint64_t numbers[2];
  /* Of the first and the last frame, ms. */
  double first_ms, last_ms;
  uint64_t ordinal;
};

struct watch {
  core *core;
  /* Entry i is the copy of record i. */
  struct watched *present, *gone;
  size_t present_count, present_room, gone_count, gone_room;
  uint64_t found;
};

/* Brings the copies up to date; `all`: also of records that seem not to have changed. */
void watch_look(struct watch *w, double now_ms, bool all);
/* All connections so far, in the order in which they were found; to be freed by the caller. */
const struct watched **watch_connections(const struct watch *w, size_t *count);
uint64_t payload_bytes(const struct watched *connection, int dir);
void watch_free(struct watch *w);

#endif
