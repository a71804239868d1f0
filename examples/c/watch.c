#include "watch.h"

#include <stdlib.h>
#include <string.h>

#define FLOW_AT(dir) (CONNECTION_FLOWS + (dir) * FLOW_BYTES)

static bool has(const uint8_t *flow, uint8_t flag) { return (flow[FLOW_FLAGS] & flag) != 0; }

static bool same_u32(const uint8_t *a, const uint8_t *b, size_t offset) { return memcmp(a + offset, b + offset, 4) == 0; }

static bool has_changed(const uint8_t *record, const uint8_t *copy) {
  return !same_u32(record, copy, CONNECTION_STATE) || !same_u32(record, copy, CONNECTION_SERVICE) ||
         !same_u32(record, copy, CONNECTION_SEEN_MS) || !same_u32(record, copy, FLOW_AT(DIR_INBOUND) + FLOW_END) ||
         !same_u32(record, copy, FLOW_AT(DIR_OUTBOUND) + FLOW_END);
}

/* Whether two flows have the same initial number, or neither has one. */
static bool same_isn(const uint8_t *a, const uint8_t *b) {
  if (has(a, FLOW_FLAG_ISN) != has(b, FLOW_FLAG_ISN)) return false;
  return !has(a, FLOW_FLAG_ISN) || same_u32(a, b, FLOW_ISN);
}

/* The record may have been given to another connection, or the client may have opened anew with the same ports. */
static bool is_same_connection(const uint8_t *record, const uint8_t *copy) {
  if (read_u16(record + CONNECTION_GENERATION) != read_u16(copy + CONNECTION_GENERATION)) return false;
  bool is_over = record[CONNECTION_STATE] >= TCP_STATE_TIME_WAIT;
  bool was_over = copy[CONNECTION_STATE] >= TCP_STATE_TIME_WAIT;
  if (was_over && !is_over) return false;
  return same_isn(record + FLOW_AT(DIR_INBOUND), copy + FLOW_AT(DIR_INBOUND));
}

/* Sequence numbers that the sender has used. */
static uint64_t progress(const uint8_t *flow, const uint8_t *copy, uint64_t before) {
  if (!has(flow, FLOW_FLAG_SEEN)) return 0;
  uint32_t end = read_u32(flow + FLOW_END);
  if (has(copy, FLOW_FLAG_SEEN) && same_isn(flow, copy)) return before + (uint32_t)(end - read_u32(copy + FLOW_END));
  return (uint32_t)(end - read_u32(flow + (has(flow, FLOW_FLAG_ISN) ? FLOW_ISN : FLOW_ACKED)));
}

static struct watched *grow(struct watched *list, size_t *room, size_t needed) {
  if (needed <= *room) return list;
  size_t more = needed * 2;
  list = realloc(list, more * sizeof *list);
  if (list == NULL) fail("out of memory");
  memset(list + *room, 0, (more - *room) * sizeof *list);
  *room = more;
  return list;
}

static void update(struct watch *w, struct watched *entry, const uint8_t *record, double now_ms) {
  bool was_used = entry->record[CONNECTION_STATE] != TCP_STATE_FREE;
  bool is_free = record[CONNECTION_STATE] == TCP_STATE_FREE;
  bool is_same = was_used && !is_free && is_same_connection(record, entry->record);
  if (was_used && !is_same) {
    w->gone = grow(w->gone, &w->gone_room, w->gone_count + 1);
    w->gone[w->gone_count++] = *entry;
  }
  if (!is_same) memset(entry, 0, sizeof *entry);
  if (is_free) return;
  for (int dir = 0; dir < 2; dir++) {
    entry->numbers[dir] = progress(record + FLOW_AT(dir), entry->record + FLOW_AT(dir), entry->numbers[dir]);
  }
  memcpy(entry->record, record, COPY_BYTES);
  /* The core's clock wraps; the frame it last saw is at most one turn old. */
  uint32_t age = (uint32_t)(uint64_t)now_ms - read_u32(record + CONNECTION_SEEN_MS);
  entry->last_ms = now_ms - age;
  if (is_same) return;
  entry->first_ms = entry->last_ms;
  entry->ordinal = w->found++;
}

void watch_look(struct watch *w, double now_ms, bool all) {
  uint32_t used = CORE(connectionsUsed)(w->core);
  w->present = grow(w->present, &w->present_room, used);
  if (used > w->present_count) w->present_count = used;
  const uint8_t *records = core_at(w->core, CORE(connectionsBase)(w->core));
  for (uint32_t i = 0; i < used; i++) {
    const uint8_t *record = records + (size_t)i * CONNECTION_BYTES;
    if (all || has_changed(record, w->present[i].record)) update(w, &w->present[i], record, now_ms);
  }
}

static int by_first_frame(const void *a, const void *b) {
  const struct watched *x = *(const struct watched *const *)a, *y = *(const struct watched *const *)b;
  if (x->first_ms != y->first_ms) return x->first_ms < y->first_ms ? -1 : 1;
  return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

const struct watched **watch_connections(const struct watch *w, size_t *count) {
  const struct watched **list = malloc((w->gone_count + w->present_count + 1) * sizeof *list);
  if (list == NULL) fail("out of memory");
  *count = 0;
  for (size_t i = 0; i < w->gone_count; i++) list[(*count)++] = &w->gone[i];
  for (size_t i = 0; i < w->present_count; i++) {
    if (w->present[i].record[CONNECTION_STATE] != TCP_STATE_FREE) list[(*count)++] = &w->present[i];
  }
  qsort(list, *count, sizeof *list, by_first_frame);
  return list;
}

uint64_t payload_bytes(const struct watched *connection, int dir) {
  const uint8_t *flow = connection->record + FLOW_AT(dir);
  /* SYN and FIN use a number each (RFC 9293 3.4). */
  uint64_t used = (has(flow, FLOW_FLAG_ISN) ? 1 : 0) + (has(flow, FLOW_FLAG_FIN) ? 1 : 0);
  return connection->numbers[dir] > used ? connection->numbers[dir] - used : 0;
}

void watch_free(struct watch *w) {
  free(w->present);
  free(w->gone);
}
