/* `migware-c inspect FILE.pcap` prints what `migware inspect --json FILE.pcap` prints: see docs/inspect.md. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture.h"
#include "commands.h"
#include "text.h"
#include "watch.h"

/* Of the shortest TCP segment; records for the smallest file, and when its size is not known. */
#define MIN_SEGMENT_BYTES 54
#define LEAST_CONNECTIONS 1024
#define UNKNOWN_CONNECTIONS 262144
/* Records looked at per frame, on average, and the longest time between two looks, ms. */
#define LOOKED_AT_PER_FRAME 64
#define LOOK_EVERY_MS 10000
/* How often the core expects a tick, ms, and how many records it looks at in one. */
#define TICK_MS 100
#define SWEEP_RECORDS 1024

struct totals {
  uint64_t frames, bytes, connections, recoverable, at_risk, lost, inbound_bytes, outbound_bytes;
  double from_ms, to_ms;
  uint64_t states[COUNT_OF(TCP_STATE_NAMES)];
  /* States in the order in which the connections show them. */
  unsigned order[COUNT_OF(TCP_STATE_NAMES)], ordered;
};

static uint64_t rounded_up(uint64_t value, uint64_t by) { return (value + by - 1) / by; }

static uint32_t capacity_for(uint64_t file_bytes) {
  if (file_bytes == 0) return UNKNOWN_CONNECTIONS;
  uint64_t frames = rounded_up(file_bytes, MIN_SEGMENT_BYTES);
  if (frames < LEAST_CONNECTIONS) return LEAST_CONNECTIONS;
  return frames > MAX_CONNECTIONS ? MAX_CONNECTIONS : (uint32_t)frames;
}

/* The core's timers in a time that jumps from frame to frame: a long gap needs no more than one sweep at its end. */
static void advance(core *c, double now_ms, double *ticked_ms) {
  uint64_t due = (uint64_t)((now_ms - *ticked_ms) / TICK_MS);
  if (due == 0) return;
  *ticked_ms = now_ms;
  uint64_t sweep = rounded_up(CORE(connectionsUsed)(c), SWEEP_RECORDS);
  for (uint64_t n = due < sweep ? due : sweep; n > 0; n--) CORE(tick)(c, (uint32_t)(uint64_t)now_ms);
}

static void track(core *c, struct capture *capture, struct watch *watch, struct totals *t) {
  struct frame frame = {0};
  double looked_ms = 0, ticked_ms = 0, now_ms = 0;
  uint64_t look_at_frame = 0;
  uint32_t slot = CORE(rxSlot)(c);
  while (next_frame(capture, &frame)) {
    if (t->frames == 0) t->from_ms = frame.time_ms;
    /* Frames may be out of order, and one with a wrong time must not turn the clock back. */
    if (frame.time_ms > t->to_ms) t->to_ms = frame.time_ms;
    double at_ms = floor(t->to_ms - t->from_ms);
    if (at_ms - looked_ms >= LOOK_EVERY_MS) {
      watch_look(watch, now_ms, false);
      looked_ms = at_ms;
    }
    now_ms = at_ms;
    advance(c, now_ms, &ticked_ms);
    uint32_t length = frame.length < RX_FRAME_BYTES ? frame.length : RX_FRAME_BYTES;
    memcpy(core_at(c, slot), frame.bytes, length);
    CORE(receive)(c, PORT_WIRE, length, frame.wire_length, (uint32_t)(uint64_t)now_ms);
    t->frames++;
    t->bytes += frame.wire_length;
    if (t->frames >= look_at_frame) {
      watch_look(watch, now_ms, false);
      look_at_frame = t->frames + rounded_up(CORE(connectionsUsed)(c), LOOKED_AT_PER_FRAME);
    }
  }
  watch_look(watch, now_ms, true);
  close_capture(capture, &frame);
}

static void put_time(struct text *out, double ms) {
  time_t seconds = (time_t)floor(ms / 1000);
  struct tm utc;
  char date[32];
  strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &utc));
  put(out, "\"%s.%03uZ\"", date, (unsigned)(ms - (double)seconds * 1000));
}

static void put_flow(struct text *out, const struct watched *connection, int dir, bool has_scale) {
  const uint8_t *flow = connection->record + CONNECTION_FLOWS + dir * FLOW_BYTES;
  put(out, "{\"bytes\":%" PRIu64, payload_bytes(connection, dir));
  if (flow[FLOW_FLAGS] & FLOW_FLAG_ISN) put(out, ",\"isn\":%u", read_u32(flow + FLOW_ISN));
  if (read_u16(flow + FLOW_MSS) != 0) put(out, ",\"mss\":%u", read_u16(flow + FLOW_MSS));
  if (has_scale) put(out, ",\"windowShift\":%u", flow[FLOW_WINDOW_SHIFT]);
  put(out, ",\"fin\":%s}", flow[FLOW_FLAGS] & FLOW_FLAG_FIN ? "true" : "false");
}

static void put_verdict(struct text *out, const uint8_t *record, struct totals *t) {
  uint8_t loss = record[CONNECTION_LOSS], risk = record[CONNECTION_RISK];
  if (loss != LOSS_NONE) {
    t->lost++;
    put(out, "\"lost\",\"reason\":\"");
    put_name(out, LOSS_NAMES, COUNT_OF(LOSS_NAMES), loss);
    put(out, "\"");
  } else if (risk == RISK_NONE) {
    t->recoverable++;
    put(out, "\"recoverable\"");
  } else {
    t->at_risk++;
    put(out, "\"at-risk\",\"reason\":\"");
    put_name(out, RISK_NAMES, COUNT_OF(RISK_NAMES), risk);
    put(out, "\"");
    uint32_t hole = read_u32(record + CONNECTION_HOLE_BYTES);
    if (hole != 0) put(out, ",\"hole\":{\"seq\":%u,\"bytes\":%u}", read_u32(record + CONNECTION_HOLE_SEQ), hole);
  }
}

static void put_connection(struct text *out, const struct watched *connection, struct totals *t) {
  const uint8_t *record = connection->record;
  uint32_t flags = read_u32(record + CONNECTION_FLAGS), vlans = read_u32(record + CONNECTION_VLAN);
  bool handshake = flags & CONNECTION_FLAG_HANDSHAKE;
  uint8_t state = record[CONNECTION_STATE];
  put(out, "{\"client\":\"");
  put_endpoint(out, record + CONNECTION_CLIENT, read_u16(record + CONNECTION_CLIENT_PORT));
  put(out, "\",\"server\":\"");
  put_endpoint(out, record + CONNECTION_SERVER, read_u16(record + CONNECTION_SERVER_PORT));
  put(out, "\"");
  if (vlans >> 16 != 0) put(out, ",\"vlan\":%u", vlans >> 16);
  if ((vlans & 0xffff) != 0) put(out, ",\"innerVlan\":%u", vlans & 0xffff);
  put(out, ",\"state\":\"%s\",\"handshake\":%s,\"options\":", TCP_STATE_NAMES[state], handshake ? "true" : "false");
  put_options(out, flags);
  put(out, ",\"recoverable\":");
  put_verdict(out, record, t);
  put(out, ",\"startMs\":%.0f,\"endMs\":%.0f,\"inbound\":", connection->first_ms, connection->last_ms);
  bool has_scale = handshake && (flags & CONNECTION_FLAG_WINDOW_SCALE);
  put_flow(out, connection, DIR_INBOUND, has_scale);
  put(out, ",\"outbound\":");
  put_flow(out, connection, DIR_OUTBOUND, has_scale);
  put(out, "}");

  if (t->states[state]++ == 0) t->order[t->ordered++] = state;
  t->connections++;
  t->inbound_bytes += payload_bytes(connection, DIR_INBOUND);
  t->outbound_bytes += payload_bytes(connection, DIR_OUTBOUND);
}

static uint64_t refused(core *c, unsigned reason) {
  return read_u64(core_at(c, CORE(countersBase)(c) + reason * COUNTER_BYTES));
}

static void put_head(struct text *out, core *c, const struct capture *capture, const struct totals *t) {
  uint64_t full = refused(c, REASON_TABLE_FULL);
  bool has_problem = capture->problem[0] != '\0';
  put(out, "{\n  \"file\": ");
  put_string(out, capture->path);
  put(out, ",\n  \"format\": \"pcap\",\n  \"complete\": %s,\n  \"warnings\": [", has_problem ? "false" : "true");
  if (has_problem) put(out, "\n    \"%s\"", capture->problem);
  if (full > 0) {
    put(out, "%s\n    \"the table was full: %" PRIu64 " segments of connections without a record\"",
        has_problem ? "," : "", full);
  }
  put(out, "%s],\n  \"frames\": %" PRIu64 ",\n  \"bytes\": %" PRIu64, has_problem || full > 0 ? "\n  " : "", t->frames,
      t->bytes);
  if (t->frames > 0) {
    put(out, ",\n  \"from\": ");
    put_time(out, t->from_ms);
    put(out, ",\n  \"to\": ");
    put_time(out, t->to_ms);
  }
  put(out, ",\n  \"refused\": {");
  const char *separator = "";
  for (unsigned reason = 0; reason < COUNT_OF(REASON_NAMES); reason++) {
    if (refused(c, reason) == 0) continue;
    put(out, "%s\n    \"%s\": %" PRIu64, separator, REASON_NAMES[reason], refused(c, reason));
    separator = ",";
  }
  put(out, "%s}", separator[0] == '\0' ? "" : "\n  ");
}

static void put_totals(struct text *out, const struct totals *t) {
  put(out, "\"totals\": {\n    \"connections\": %" PRIu64 ",\n    \"recoverable\": %" PRIu64, t->connections,
      t->recoverable);
  put(out, ",\n    \"atRisk\": %" PRIu64 ",\n    \"lost\": %" PRIu64, t->at_risk, t->lost);
  put(out, ",\n    \"inboundBytes\": %" PRIu64 ",\n    \"outboundBytes\": %" PRIu64, t->inbound_bytes,
      t->outbound_bytes);
  put(out, ",\n    \"states\": {");
  for (unsigned i = 0; i < t->ordered; i++) {
    put(out, "%s\n      \"%s\": %" PRIu64, i == 0 ? "" : ",", TCP_STATE_NAMES[t->order[i]], t->states[t->order[i]]);
  }
  put(out, "%s}\n  }", t->ordered == 0 ? "" : "\n    ");
}

int inspect(const char *path) {
  struct capture capture;
  open_capture(&capture, path);
  core c;
  core_start(&c);
  struct capacity capacity = {.connections = capacity_for(capture.file_bytes)};
  uint32_t key[4];
  FILE *random = fopen("/dev/urandom", "rb");
  if (random == NULL || fread(key, sizeof key, 1, random) != 1) fail("/dev/urandom: cannot be read");
  fclose(random);
  int32_t status = core_init(&c, &capacity, key);
  if (status != STATUS_OK) fail("init: status %d", status);
  CORE(trackAll)(&c, 1);

  struct watch watch = {.core = &c};
  struct totals totals = {0};
  track(&c, &capture, &watch, &totals);
  if (capture.problem[0] != '\0') fprintf(stderr, "migware-c: %s: %s\n", path, capture.problem);

  struct text out = {0};
  put_head(&out, &c, &capture, &totals);
  put(&out, ",\n  \"connections\": [");
  size_t count;
  const struct watched **list = watch_connections(&watch, &count);
  for (size_t i = 0; i < count; i++) {
    put(&out, i == 0 ? "\n    " : ",\n    ");
    put_connection(&out, list[i], &totals);
  }
  put(&out, "%s],\n  ", count == 0 ? "" : "\n  ");
  put_totals(&out, &totals);
  put(&out, "\n}\n");
  fwrite(out.bytes, 1, out.length, stdout);
  free_text(&out);
  free(list);
  watch_free(&watch);
  core_stop(&c);
  return 0;
}
