/*
 * `migware-c vectors FILE` repeats what the vectors say a host did, and compares everything that came of it: verdicts, frames,
 * and the state in the end. The file writes each value as this host does, so texts are compared. See docs/abi.md.
 */
#include <inttypes.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "json.h"
#include "text.h"

#define MAX_ARGUMENTS 10

static struct value load(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail("%s: cannot be read", path);
  fseek(file, 0, SEEK_END);
  long length = ftell(file);
  rewind(file);
  char *bytes = malloc((size_t)length + 1);
  if (bytes == NULL || fread(bytes, 1, (size_t)length, file) != (size_t)length) fail("%s: cannot be read", path);
  fclose(file);
  bytes[length] = '\0';
  return (struct value){bytes, bytes + length};
}

/* --- what is put into the core --- */

static void put_bytes(core *c, struct value hex) {
  uint8_t *slot = core_at(c, CORE(rxSlot)(c));
  for (const char *at = hex.begin; at + 1 < hex.end; at += 2) {
    char digits[3] = {at[0], at[1], '\0'};
    *slot++ = (uint8_t)strtoul(digits, NULL, 16);
  }
}

static void write_address(uint8_t *at, struct value text) {
  char address[INET6_ADDRSTRLEN] = {0};
  memcpy(address, text.begin, (size_t)(text.end - text.begin));
  memset(at, 0, 16);
  if (inet_pton(AF_INET6, address, at) == 1) return;
  at[10] = at[11] = 0xff;
  if (inet_pton(AF_INET, address, at + 12) != 1) fail("%s: no address", address);
}

static void write_service(core *c, struct value service) {
  uint8_t *at = core_at(c, CORE(serviceScratch)(c));
  memset(at, 0, SERVICE_BYTES);
  write_address(at + SERVICE_ADDRESS, string(member(service, "address")));
  write_address(at + SERVICE_REPLICA, string(member(service, "replica")));
  struct value mac = string(member(service, "replicaMac"));
  for (int i = 0; i < 6; i++) at[SERVICE_REPLICA_MAC + i] = (uint8_t)strtoul(mac.begin + 3 * i, NULL, 16);
  struct value ports = member(service, "ports"), port;
  uint16_t count = 0;
  while (next_item(&ports, &port)) write_u16(at + SERVICE_PORTS + 2 * count++, (uint16_t)number(port));
  write_u16(at + SERVICE_PORT_COUNT, count);
  write_u32(at + SERVICE_FLAGS, number(member(service, "flags")));
  write_u32(at + SERVICE_HANDSHAKE_WINDOW, number(member(service, "handshakeWindow")));
  write_u16(at + SERVICE_VLAN, (uint16_t)number(member(service, "vlan")));
  write_u16(at + SERVICE_MAP_FIRST, (uint16_t)number(member(service, "mapFirst")));
  write_u16(at + SERVICE_MAP_LAST, (uint16_t)number(member(service, "mapLast")));
}

/* --- calls --- */

static int32_t init_again(core *c, const uint32_t *a) {
  struct capacity capacity = {a[0], a[1], a[2], a[3], a[4], a[5]};
  return core_init(c, &capacity, a + 6);
}

static int32_t call(core *c, struct value name, const uint32_t *a) {
  if (is_text(name, "init")) return init_again(c, a);
  if (is_text(name, "setPort")) return (int32_t)CORE(setPort)(c, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (is_text(name, "trackAll")) return (int32_t)CORE(trackAll)(c, a[0]);
  if (is_text(name, "addService")) return (int32_t)CORE(addService)(c);
  if (is_text(name, "setServiceState")) return (int32_t)CORE(setServiceState)(c, a[0], a[1], a[2]);
  if (is_text(name, "setQuarantine")) return (int32_t)CORE(setQuarantine)(c, a[0], a[1]);
  if (is_text(name, "setHandshakeWindow")) return (int32_t)CORE(setHandshakeWindow)(c, a[0], a[1]);
  if (is_text(name, "setReplicaMac")) return (int32_t)CORE(setReplicaMac)(c, a[0], a[1], a[2]);
  if (is_text(name, "dismiss")) return (int32_t)CORE(dismiss)(c, a[0], a[1]);
  if (is_text(name, "receive")) return (int32_t)CORE(receive)(c, a[0], a[1], a[2], a[3]);
  if (is_text(name, "tick")) return (int32_t)CORE(tick)(c, a[0]);
  if (is_text(name, "announce")) return (int32_t)CORE(announce)(c, a[0]);
  if (is_text(name, "exportLive")) return (int32_t)CORE(exportLive)(c, a[0]);
  if (is_text(name, "importLive")) return (int32_t)CORE(importLive)(c, a[0], a[1]);
  if (is_text(name, "spill")) return (int32_t)CORE(spill)(c);
  if (is_text(name, "spillConnection")) return (int32_t)CORE(spillConnection)(c);
  if (is_text(name, "spillOffset")) return (int32_t)CORE(spillOffset)(c);
  if (is_text(name, "spillFailed")) return (int32_t)CORE(spillFailed)(c, a[0]);
  if (is_text(name, "wantedConnection")) return (int32_t)CORE(wantedConnection)(c);
  if (is_text(name, "wantedFrom")) return (int32_t)CORE(wantedFrom)(c, a[0]);
  if (is_text(name, "wantedLength")) return (int32_t)CORE(wantedLength)(c, a[0]);
  if (is_text(name, "supplyWanted")) return (int32_t)CORE(supplyWanted)(c, a[0], a[1], a[2]);
  fail("unknown call %.*s", (int)(name.end - name.begin), name.begin);
}

/* Where each call that makes frames is told the time. */
static uint32_t time_of(struct value name, const uint32_t *a) {
  if (is_text(name, "receive")) return a[3];
  if (is_text(name, "setServiceState") || is_text(name, "supplyWanted")) return a[2];
  return is_text(name, "dismiss") ? a[1] : a[0];
}

/* The frames of the call, and of `pump` until there are no more. */
static void put_sent(struct text *out, core *c, int32_t count, uint32_t now_ms) {
  const char *separator = "";
  put(out, "[");
  for (; count > 0; count = (int32_t)CORE(pump)(c, now_ms)) {
    for (int32_t i = 0; i < count; i++) {
      const uint8_t *at = core_at(c, CORE(txTable)(c) + (uint32_t)i * TX_DESC_BYTES);
      uint32_t connection = read_u32(at + TX_DESC_CONN);
      put(out, "%s{\"port\":%u,\"connection\":", separator, read_u32(at + TX_DESC_PORT));
      if (connection == NONE) put(out, "null,\"frame\":\"");
      else put(out, "%u,\"frame\":\"", connection);
      put_hex(out, core_at(c, read_u32(at + TX_DESC_OFF)), read_u32(at + TX_DESC_LEN));
      put(out, "\"}");
      separator = ",";
    }
  }
  put(out, "]");
}

/* --- the state in the end --- */

static void put_flow(struct text *out, const uint8_t *flow, bool recorded) {
  uint8_t flags = flow[FLOW_FLAGS];
  put(out, "{");
  if (flags & FLOW_FLAG_ISN) put(out, "\"isn\":%u,", read_u32(flow + FLOW_ISN));
  if (flags & FLOW_FLAG_SEEN) {
    put(out, "\"end\":%u,\"acked\":%u,", read_u32(flow + FLOW_END), read_u32(flow + FLOW_ACKED));
    put(out, "\"edge\":%u,", read_u32(flow + FLOW_EDGE));
  }
  if (read_u16(flow + FLOW_MSS) != 0) put(out, "\"mss\":%u,", read_u16(flow + FLOW_MSS));
  put(out, "\"windowShift\":%u,\"finSent\":%s", flow[FLOW_WINDOW_SHIFT], flags & FLOW_FLAG_FIN ? "true" : "false");
  put(out, ",\"finAcked\":%s", flags & FLOW_FLAG_FIN_ACKED ? "true" : "false");
  put(out, ",\"retainedBytes\":%u}", recorded ? 0 : read_u32(flow + FLOW_RETAINED_BYTES));
}

static void put_connection(struct text *out, const uint8_t *at, uint32_t index) {
  uint32_t flags = read_u32(at + CONNECTION_FLAGS), vlans = read_u32(at + CONNECTION_VLAN);
  uint16_t service = read_u16(at + CONNECTION_SERVICE), generation = read_u16(at + CONNECTION_GENERATION);
  const uint8_t *inbound = at + CONNECTION_FLOWS, *outbound = inbound + FLOW_BYTES;
  uint8_t record = at[CONNECTION_RECORD];
  bool recorded = record == RECORD_STATE_COMPLETE || record == RECORD_STATE_TRIMMED;
  put(out, "{\"index\":%u,\"generation\":%u,", index, generation);
  if (service != 0xffff) put(out, "\"service\":%u,", service);
  put(out, "\"client\":\"");
  put_address(out, at + CONNECTION_CLIENT);
  put(out, "\",\"clientPort\":%u,\"server\":\"", read_u16(at + CONNECTION_CLIENT_PORT));
  put_address(out, at + CONNECTION_SERVER);
  put(out, "\",\"serverPort\":%u,\"stackPort\":%u,", read_u16(at + CONNECTION_SERVER_PORT),
      read_u16(at + CONNECTION_STACK_PORT));
  put(out, "\"vlan\":%u,\"innerVlan\":%u,\"state\":%u,", vlans >> 16, vlans & 0xffff, at[CONNECTION_STATE]);
  put(out, "\"phase\":%u,\"risk\":%u,\"loss\":%u,", at[CONNECTION_PHASE], at[CONNECTION_RISK], at[CONNECTION_LOSS]);
  put(out, "\"holeSeq\":%u,\"holeBytes\":%u,", read_u32(at + CONNECTION_HOLE_SEQ), read_u32(at + CONNECTION_HOLE_BYTES));
  put(out, "\"seenMs\":%u,\"handshakeSeen\":%s,\"options\":", read_u32(at + CONNECTION_SEEN_MS),
      flags & CONNECTION_FLAG_HANDSHAKE ? "true" : "false");
  put_options(out, flags);
  put(out, ",\"recovered\":%s", flags & CONNECTION_FLAG_RECOVERED ? "true" : "false");
  put(out, ",\"proxied\":%s,\"inbound\":", flags & CONNECTION_FLAG_PROXIED ? "true" : "false");
  put_flow(out, inbound, recorded);
  put(out, ",\"outbound\":");
  put_flow(out, outbound, false);
  uint64_t incarnation = (uint64_t)generation << 32 | read_u32(inbound + FLOW_ISN);
  put(out, ",\"incarnation\":%" PRIu64 ",\"record\":%u", incarnation, record);
  uint64_t differs_to = read_u64(at + CONNECTION_DIVERGED_LAST);
  if (differs_to != 0) {
    /* The SYN uses the first number. */
    bool delivered = differs_to <= read_u64(outbound + FLOW_PASSED) - 1;
    put(out, ",\"divergence\":{\"offset\":%" PRIu64, read_u64(at + CONNECTION_DIVERGED_FIRST));
    put(out, ",\"delivered\":%s}", delivered ? "true" : "false");
  }
  put(out, ",\"recordedBytes\":%u}", recorded ? read_u32(inbound + FLOW_RETAINED_BYTES) : 0);
}

static void put_service(struct text *out, const uint8_t *at) {
  static const struct {
    const char *name;
    size_t offset;
  } numbers[] = {
      {"state", SERVICE_STATE},         {"handshakeWindow", SERVICE_HANDSHAKE_WINDOW},
      {"tracked", SERVICE_TRACKED},     {"halfOpen", SERVICE_HALF_OPEN},
      {"recovering", SERVICE_RECOVERING}, {"recovered", SERVICE_RECOVERED},
      {"proxied", SERVICE_PROXIED},     {"lost", SERVICE_LOST},
  };
  bool heard = read_u32(at + SERVICE_HEARD) != 0;
  uint32_t unanswered = read_u32(at + SERVICE_UNANSWERED);
  put(out, "{");
  for (size_t i = 0; i < COUNT_OF(numbers); i++) put(out, "\"%s\":%u,", numbers[i].name, read_u32(at + numbers[i].offset));
  if (heard) put(out, "\"heardMs\":%u,", read_u32(at + SERVICE_HEARD_MS));
  if (unanswered != 0) put(out, "\"unansweredMs\":%u,", unanswered);
  if (heard) {
    const uint8_t *mac = at + SERVICE_PRIMARY_MAC;
    put(out, "\"primaryMac\":\"%02x:%02x:%02x:%02x:%02x:%02x\",", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  }
  put(out, "\"losses\":[");
  for (uint32_t i = 0; i < LOSS_COUNT; i++) put(out, "%s%u", i == 0 ? "" : ",", read_u32(at + SERVICE_LOSSES + 4 * i));
  put(out, "],\"divergences\":%u}", read_u32(at + SERVICE_DIVERGENCES));
}

static void put_counters(struct text *out, core *c, uint32_t first, const char *const *names, uint32_t count) {
  const char *separator = "";
  put(out, "{");
  for (uint32_t i = 0; i < count; i++) {
    uint64_t value = read_u64(core_at(c, CORE(countersBase)(c) + (first + i) * COUNTER_BYTES));
    if (value == 0) continue;
    put(out, "%s\"%s\":%" PRIu64, separator, names[i], value);
    separator = ",";
  }
  put(out, "}");
}

/* --- a vector --- */

static bool expect(struct value name, const char *what, struct value wanted, const struct text *got) {
  if (is_text(wanted, got->bytes)) return true;
  printf("%.*s: %s\n  expected %.*s\n  got      %s\n", (int)(name.end - name.begin), name.begin, what,
         (int)(wanted.end - wanted.begin), wanted.begin, got->bytes);
  return false;
}

static bool run_step(core *c, struct value vector, struct value step, struct text *got) {
  struct value name = string(member(step, "call")), arguments = member(step, "args"), argument;
  struct value service = member(step, "service"), frame = member(step, "frame"), wanted;
  uint32_t a[MAX_ARGUMENTS] = {0};
  char what[64];
  snprintf(what, sizeof what, "%.*s", (int)(name.end - name.begin), name.begin);
  for (int i = 0; i < MAX_ARGUMENTS && next_item(&arguments, &argument); i++) a[i] = number(argument);
  if (!is_absent(service)) write_service(c, service);
  if (!is_absent(frame)) put_bytes(c, string(frame));
  int32_t result = call(c, name, a);

  if (!is_absent(wanted = member(step, "result"))) {
    cut(got);
    put(got, "%d", result);
    if (!expect(vector, what, wanted, got)) return false;
  }
  if (!is_absent(wanted = member(step, "reason"))) {
    cut(got);
    put(got, "\"%s\"", REASON_NAMES[CORE(lastReason)(c)]);
    if (!expect(vector, what, wanted, got)) return false;
  }
  if (!is_absent(wanted = member(step, "bytes"))) {
    cut(got);
    put(got, "\"");
    put_hex(got, core_at(c, CORE(rxSlot)(c)), (size_t)result);
    put(got, "\"");
    if (!expect(vector, what, wanted, got)) return false;
  }
  if (is_absent(wanted = member(step, "sent"))) return true;
  bool has_to_pump = is_text(name, "setServiceState") || is_text(name, "dismiss");
  uint32_t now_ms = time_of(name, a);
  cut(got);
  put_sent(got, c, has_to_pump ? (int32_t)CORE(pump)(c, now_ms) : result, now_ms);
  return expect(vector, what, wanted, got);
}

static bool run_vector(struct value vector, uint32_t *calls) {
  core c;
  core_start(&c);
  struct text got = {0};
  struct value name = string(member(vector, "name")), steps = member(vector, "steps"), item, list;
  bool good = true;
  for (; good && next_item(&steps, &item); (*calls)++) good = run_step(&c, name, item, &got);

  list = member(vector, "connections");
  for (uint32_t i = 0; good && i < CORE(connectionsUsed)(&c); i++) {
    const uint8_t *at = core_at(&c, CORE(connectionsBase)(&c) + i * CONNECTION_BYTES);
    if (at[CONNECTION_STATE] == TCP_STATE_FREE) continue;
    cut(&got);
    put_connection(&got, at, i);
    next_item(&list, &item);
    good = expect(name, "connection", item, &got);
  }
  if (good && next_item(&list, &item)) {
    cut(&got);
    good = expect(name, "connection", item, &got);
  }
  list = member(vector, "services");
  for (uint32_t i = 0; good && next_item(&list, &item); i++) {
    cut(&got);
    put_service(&got, core_at(&c, CORE(servicesBase)(&c) + i * SERVICE_BYTES));
    good = expect(name, "service", item, &got);
  }
  if (good) {
    cut(&got);
    put(&got, "{\"refused\":");
    put_counters(&got, &c, 0, REASON_NAMES, COUNT_OF(REASON_NAMES));
    put(&got, ",\"events\":");
    put_counters(&got, &c, REASON_COUNT, COUNTER_NAMES, COUNT_OF(COUNTER_NAMES));
    put(&got, "}");
    good = expect(name, "counters", member(vector, "counters"), &got);
  }
  free_text(&got);
  core_stop(&c);
  return good;
}

int run_vectors(const char *path) {
  struct value file = load(path), list, vector;
  if (!is_text(member(file, "format"), "\"migware-vectors\"")) fail("%s: is no file of vectors", path);
  if (number(member(file, "version")) != 1) fail("%s: vectors of another version", path);
  if (number(member(file, "abiVersion")) != ABI_VERSION) fail("%s: vectors of another version of the core", path);
  uint32_t passed = 0, failed = 0, calls = 0;
  for (list = member(file, "vectors"); next_item(&list, &vector);) *(run_vector(vector, &calls) ? &passed : &failed) += 1;
  printf("%u vectors, %u calls: %u failed\n", passed + failed, calls, failed);
  return failed == 0 ? 0 : 1;
}
