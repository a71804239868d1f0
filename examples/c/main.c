/*
 * A host of the migware core in C. The module is turned into C by wasm2c and linked; nothing of Node or of the daemon is
 * in it.
 *
 *   migware-c inspect FILE.pcap    the connections of a capture, as JSON
 *   migware-c vectors FILE.json    whether this host and this build of the core do what the vectors say
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"

int main(int count, char **arguments) {
  if (count == 3 && strcmp(arguments[1], "inspect") == 0) return inspect(arguments[2]);
  if (count == 3 && strcmp(arguments[1], "vectors") == 0) return run_vectors(arguments[2]);
  fputs("usage: migware-c inspect FILE.pcap | vectors FILE.json\n", stderr);
  return 2;
}
