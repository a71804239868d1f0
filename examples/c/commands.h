#ifndef MIGWARE_COMMANDS_H
#define MIGWARE_COMMANDS_H

/* Both give the exit code. */
int inspect(const char *path);
int run_vectors(const char *path);

#endif
