/* A capture in the classic pcap format, in either byte order, with micro- or nanoseconds. */
#ifndef MIGWARE_CAPTURE_H
#define MIGWARE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct capture {
  const char *path;
  FILE *file;
  /* 0 for what is no regular file. */
  uint64_t file_bytes;
  /* Why the frames ended before the end of the file; empty if they did not. */
  char problem[120];
  bool big_endian;
  double units_per_ms;
  uint32_t link_type, number, room;
};

struct frame {
  /* Valid until the next one is read. */
  uint8_t *bytes;
  uint32_t length, wire_length;
  double time_ms;
};

/* Ends the program when the file is no such capture. */
void open_capture(struct capture *capture, const char *path);
/* False at the end. */
bool next_frame(struct capture *capture, struct frame *frame);
void close_capture(struct capture *capture, struct frame *frame);

#endif
