/*
 * The conversation of the mode `memory`, in which every answer depends on all that was said before it.
 *
 * The client's stream is its pattern, cut into records of a size that its first two bytes give; so nothing but the pattern
 * itself goes over the wire. A record is answered by the beginning of another stream: the one named by the hash of all of the
 * client's bytes so far. Whoever has missed one of them, or has read one twice, answers everything that follows wrongly.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>

#include "lab.h"

#define RECORD_HEAD 2

/* What one side knows of the client's stream. */
struct memory {
	uint32_t hash; /* of everything, FNV-1a */
	uint32_t head; /* of the record that is being read */
	uint32_t length; /* of it, so far */
};

#define NO_MEMORY ((struct memory){ .hash = 2166136261u })

/* Takes the next byte of the client's stream; true if it is the last of a record. */
static inline bool memorise(struct memory *m, uint8_t byte, uint64_t most)
{
	m->hash = (m->hash ^ byte) * 16777619u;
	if (m->length < RECORD_HEAD)
		m->head |= (uint32_t)byte << (8 * m->length);
	m->length++;
	if (m->length < RECORD_HEAD || m->length < RECORD_HEAD + m->head % most)
		return false;
	m->head = m->length = 0;
	return true;
}

/* Length of the answer that follows from a hash, at least one byte. */
static inline uint64_t answer_length(uint32_t hash, uint64_t most)
{
	return 1 + hash % most;
}

#endif
