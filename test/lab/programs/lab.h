/*
 * What the programs of the lab share: the clock, the byte pattern that makes every byte checkable by its position, and
 * lines of commands on stdin. A program ends when its stdin does, so nothing outlives the test that started it.
 */
#ifndef LAB_H
#define LAB_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Stream of what a service says before it closes. */
#define GOODBYE_STREAM 0x600db1eu
/* Length of the greeting that says when a service was started. */
#define GREETING_BYTES 32

/* Says why on stderr and ends the program. */
__attribute__((format(printf, 1, 2), noreturn)) static inline void die(const char *format, ...)
{
	int error = errno;
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(error));
	exit(1);
}

/* Monotonic clock, microseconds. */
static inline int64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Wall clock, milliseconds: comparable between the programs of one machine and with Date.now(). */
static inline double wall_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000.0 + now.tv_nsec / 1e6;
}

/*
 * Word `index` of stream `id`; a stream's bytes are its words in little-endian order. test/lab/pattern.ts computes the
 * same. Any 8 bytes in a row name their position, so a judge can say where a displaced block came from.
 */
static inline uint32_t pattern_word(uint32_t id, uint32_t index)
{
	uint32_t x = id * 0x9e3779b1u + index;
	x = (x ^ x >> 16) * 0x7feb352du;
	x = (x ^ x >> 15) * 0x846ca68bu;
	return x ^ x >> 16;
}

static inline uint8_t pattern_byte(uint32_t id, uint64_t offset)
{
	return (uint8_t)(pattern_word(id, (uint32_t)(offset >> 2)) >> ((offset & 3) * 8));
}

static inline void pattern_fill(uint8_t *to, size_t length, uint32_t id, uint64_t offset)
{
	size_t i = 0;
	for (; i < length && ((offset + i) & 3) != 0; i++)
		to[i] = pattern_byte(id, offset + i);
	for (; i + 4 <= length; i += 4) {
		uint32_t word = pattern_word(id, (uint32_t)((offset + i) >> 2));
		memcpy(to + i, &word, 4);
	}
	for (; i < length; i++)
		to[i] = pattern_byte(id, offset + i);
}

/* Index of the first byte that differs from the pattern, or -1. */
static inline int64_t pattern_mismatch(const uint8_t *bytes, size_t length, uint32_t id, uint64_t offset)
{
	uint8_t expected[4096];
	for (size_t at = 0; at < length;) {
		size_t n = length - at < sizeof expected ? length - at : sizeof expected;
		pattern_fill(expected, n, id, offset + at);
		if (memcmp(expected, bytes + at, n) != 0)
			for (size_t i = 0; i < n; i++)
				if (expected[i] != bytes[at + i])
					return (int64_t)(at + i);
		at += n;
	}
	return -1;
}

/* Reads what stdin has and calls `command` for each whole line; ends the program at the end of stdin. */
static inline void read_commands(void (*command)(char *line))
{
	static char buffer[4096];
	static size_t used;
	ssize_t n = read(STDIN_FILENO, buffer + used, sizeof buffer - 1 - used);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		exit(0);
	if (n < 0)
		return;
	used += (size_t)n;
	buffer[used] = 0;
	char *line = buffer;
	for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = 0;
		command(line);
	}
	used = strlen(line);
	memmove(buffer, line, used + 1);
}

/* An option of the form --name VALUE, at any place of the command line. */
static inline const char *option(int argc, char **argv, const char *name, const char *fallback)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0)
			return argv[i + 1];
	return fallback;
}

/* Place of a word in a list; any other word ends the program. */
static inline int find_word(const char *word, const char *words[])
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(word, words[i]) == 0)
			return i;
	errno = EINVAL;
	die("%s", word);
}

static inline long long number(int argc, char **argv, const char *name, long long fallback)
{
	const char *text = option(argc, argv, name, NULL);
	return text != NULL ? strtoll(text, NULL, 0) : fallback;
}

#endif
