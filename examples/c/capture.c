#include "capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core.h"

#define FILE_HEADER_BYTES 24
#define FRAME_HEADER_BYTES 16
#define MAGIC_MICROSECONDS 0xa1b2c3d4
#define MAGIC_NANOSECONDS 0xa1b23c4d
#define LINKTYPE_ETHERNET 1
/* What tcpdump writes at most: what is longer is no length. */
#define MAX_FRAME_BYTES 262144

static uint32_t u32_of(const struct capture *c, const uint8_t *at) {
  uint32_t value = read_u32(at);
  return c->big_endian ? __builtin_bswap32(value) : value;
}

void open_capture(struct capture *c, const char *path) {
  *c = (struct capture){.path = path, .file = fopen(path, "rb")};
  if (c->file == NULL) fail("%s: cannot be read (%s)", path, strerror(errno));
  struct stat status;
  if (fstat(fileno(c->file), &status) == 0 && S_ISREG(status.st_mode)) c->file_bytes = (uint64_t)status.st_size;

  uint8_t header[FILE_HEADER_BYTES];
  size_t got = fread(header, 1, sizeof header, c->file);
  if (got >= 4 && read_u32(header) == 0x0a0d0d0a) fail("%s: is pcapng; this host reads pcap: editcap -F pcap", path);
  if (got < sizeof header) fail("%s: is no capture file, expected pcap", path);
  uint32_t magic = read_u32(header);
  if (magic != MAGIC_MICROSECONDS && magic != MAGIC_NANOSECONDS) {
    c->big_endian = true;
    magic = u32_of(c, header);
  }
  if (magic != MAGIC_MICROSECONDS && magic != MAGIC_NANOSECONDS) fail("%s: is no capture file, expected pcap", path);
  c->units_per_ms = magic == MAGIC_NANOSECONDS ? 1e6 : 1e3;
  c->link_type = u32_of(c, header + 20) & 0xffff;
}

bool next_frame(struct capture *c, struct frame *frame) {
  uint8_t header[FRAME_HEADER_BYTES];
  size_t got = fread(header, 1, sizeof header, c->file);
  if (got == 0) return false;
  c->number++;
  if (got < sizeof header) {
    snprintf(c->problem, sizeof c->problem, "the file ends within the header of frame %u", c->number);
    return false;
  }
  if (c->link_type != LINKTYPE_ETHERNET) fail("%s: frames of link type %u, expected Ethernet", c->path, c->link_type);
  frame->time_ms = u32_of(c, header) * 1000.0 + u32_of(c, header + 4) / c->units_per_ms;
  frame->length = u32_of(c, header + 8);
  frame->wire_length = u32_of(c, header + 12);
  if (frame->length > MAX_FRAME_BYTES) {
    snprintf(c->problem, sizeof c->problem, "frame %u is said to have %u bytes: the file is damaged there", c->number,
             frame->length);
    return false;
  }
  if (frame->length > c->room) {
    c->room = MAX_FRAME_BYTES;
    frame->bytes = malloc(c->room);
    if (frame->bytes == NULL) fail("out of memory");
  }
  if (fread(frame->bytes, 1, frame->length, c->file) < frame->length) {
    snprintf(c->problem, sizeof c->problem, "the file ends within frame %u", c->number);
    return false;
  }
  return true;
}

void close_capture(struct capture *c, struct frame *frame) {
  if (c->room > 0) free(frame->bytes);
  fclose(c->file);
}
