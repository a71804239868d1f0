/* The connections of programs/client.c: what is known of each, how its silences are measured, how all are reported. */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>

#include "memory.h"
#include "sockets.h"

#define SAMPLE_US 5000
/* Connections sampled in one turn: bounds the work when there are thousands. */
#define SAMPLES_PER_TURN 2000
/* Writes of one connection in one turn: a fast reader must not keep us from the other connections and from stdin. */
#define WRITES_PER_TURN 16

enum mode { PUSH, ECHO, GET, MEMORY };
enum phase { WAITING, CONNECTING, OPEN, DONE };

struct connection {
	int fd;
	enum phase phase;
	uint32_t stream;
	char local[ADDRESS_TEXT];
	uint64_t sent, acknowledged; /* bytes written to the socket; of these, acknowledged by the peer's stack */
	uint64_t asked, received; /* bytes asked for; bytes of the answers that came */
	uint64_t greeting; /* bytes of the greeting that came */
	struct memory memory; /* memory: what the service has to know when the record being written has ended */
	uint32_t answer; /* the stream that the answers are of; memory: the last answer asked for, ... */
	uint64_t answer_start; /* ... which begins at this place of all that is received */
	uint64_t goodbye; /* bytes of the goodbye that came */
	char request[64]; /* get: the request being written */
	unsigned request_length, request_sent;
	uint64_t record_end; /* all but get: `sent` at the end of the record being written */
	int64_t due_us; /* when the next record starts */
	int64_t finish_us; /* when to shut the sending side, 0 for not yet */
	int64_t waiting_since_us; /* last progress, or when the wait began; 0 when nothing is awaited */
	int64_t silence_us;
	double silence_at_ms; /* wall clock at the end of the longest silence */
	int64_t wrong_at; /* first wrong byte of what came back, or -1 */
	int error;
	double error_at_ms;
	bool shut, end_read, wants_out;
};

static struct {
	enum mode mode;
	int connections, burst;
	union address to;
	socklen_t to_length;
	const char *source;
	uint64_t record, answer, total, greeting, goodbye;
	int64_t interval_us;
	int rcvbuf, sndbuf, maxseg;
	bool record_route, server_closes_first;
} settings;

static struct connection *connections;
static int opened, done;

/* Waiting is over, or starts again: notes how long the silence was. */
static void progress(struct connection *c, int64_t now)
{
	if (c->waiting_since_us != 0 && now - c->waiting_since_us > c->silence_us) {
		c->silence_us = now - c->waiting_since_us;
		c->silence_at_ms = wall_ms();
	}
	c->waiting_since_us = now;
}

static void sample(struct connection *c, int64_t now)
{
	if (c->phase != OPEN)
		return;
	uint64_t outstanding = (uint64_t)unacknowledged(c->fd);
	uint64_t acknowledged = c->sent > outstanding ? c->sent - outstanding : 0;
	bool waits = outstanding > 0 || c->received < c->asked || c->shut;
	if (acknowledged > c->acknowledged) {
		c->acknowledged = acknowledged;
		progress(c, now);
	}
	if (!waits) {
		progress(c, now);
		c->waiting_since_us = 0;
	} else if (c->waiting_since_us == 0) {
		c->waiting_since_us = now;
	}
}

static void stat(const char *event)
{
	uint64_t sent = 0, acknowledged = 0, acknowledged_min = UINT64_MAX, acknowledged_max = 0;
	uint64_t received = 0, received_min = UINT64_MAX, received_max = 0;
	int errors = 0, ended = 0, waiting = 0, error = 0;
	for (int i = 0; i < settings.connections; i++) {
		struct connection *c = &connections[i];
		sample(c, now_us());
		sent += c->sent;
		acknowledged += c->acknowledged;
		received += c->received;
		acknowledged_min = c->acknowledged < acknowledged_min ? c->acknowledged : acknowledged_min;
		acknowledged_max = c->acknowledged > acknowledged_max ? c->acknowledged : acknowledged_max;
		received_min = c->received < received_min ? c->received : received_min;
		received_max = c->received > received_max ? c->received : received_max;
		waiting += c->waiting_since_us != 0;
		errors += c->error != 0;
		error = error != 0 ? error : c->error;
		ended += c->end_read;
	}
	printf("{\"event\":\"%s\",\"error\":\"%s\",\"connected\":%d,\"done\":%d,\"ended\":%d,\"errors\":%d,\"waiting\":%d,"
	       "\"sent\":%" PRIu64 ",\"acknowledged\":%" PRIu64 ",\"acknowledgedMin\":%" PRIu64
	       ",\"acknowledgedMax\":%" PRIu64 ",\"received\":%" PRIu64 ",\"receivedMin\":%" PRIu64
	       ",\"receivedMax\":%" PRIu64 "}\n",
	       event, error != 0 ? strerrorname_np(error) : "", opened, done, ended, errors, waiting, sent, acknowledged,
	       acknowledged_min, acknowledged_max, received, received_min, received_max);
}

static void print_result(void)
{
	printf("{\"event\":\"result\",\"connections\":[");
	for (int i = 0; i < settings.connections; i++) {
		struct connection *c = &connections[i];
		printf("%s{\"stream\":%u,\"local\":\"%s\",\"sent\":%" PRIu64 ",\"acknowledged\":%" PRIu64 ",\"asked\":%" PRIu64
		       ",\"received\":%" PRIu64 ",\"goodbye\":%" PRIu64 ",\"wrongAt\":%" PRId64 ",\"ended\":%s,"
		       "\"silenceMs\":%.1f,\"silenceAt\":%.1f,\"error\":\"%s\",\"errorAt\":%.1f}",
		       i > 0 ? "," : "", c->stream, c->local, c->sent, c->acknowledged, c->asked, c->received, c->goodbye,
		       c->wrong_at, c->end_read ? "true" : "false", c->silence_us / 1000.0, c->silence_at_ms,
		       c->error != 0 ? strerrorname_np(c->error) : "", c->error_at_ms);
	}
	printf("]}\n");
}

#endif
