/*
 * An ordinary TCP service. It keeps every byte it reads, by peer, so that a judge can put together what two instances
 * of it read; what it sends depends only on what it was asked.
 *
 *   service --listen ADDRESS --port N --mode sink|echo|get|memory [--backlog 4096] [--maxseg N] [--rcvbuf N] [--sndbuf N]
 *           [--goodbye BYTES] [--hold-goodbye 1] [--hold-reading 1] [--close-first 1] [--record BYTES] [--answer BYTES]
 *           [--slow MS] [--greet 1] [--error-after RECORDS] [--close-after RECORDS]
 *
 * sink   reads until the end of the stream; then sends --goodbye bytes of stream GOODBYE_STREAM (none by default), and
 *        closes
 * echo   sends back what it reads
 * get    answers each line "GET <stream> <offset> <length>" with those bytes of that stream
 * memory answers each record of up to --record bytes with up to --answer bytes, as memory.h says
 *
 * --hold-goodbye waits for the command `release` before the goodbye: a service that takes its time to answer.
 * --hold-reading waits for `read` before the first read: what the client sends fills the socket's buffer.
 * --close-first shuts the sending side right after accept, and reads on.
 * --slow lets each answer wait for so long. --greet says first when the service was started: no two instances greet alike.
 * memory: --error-after answers wrongly, at the right length, after so many records; --close-after shuts the sending side.
 *
 * Commands: stat | read | release | close (shuts the sending side of every connection) | drain (reads all that the
 * kernel has) | report DIRECTORY (writes a file of the bytes read for each connection). Each is answered by one line of
 * JSON.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>

#include "memory.h"
#include "sockets.h"

enum mode { SINK, ECHO, GET, MEMORY };

/* Bytes still to be sent: `length` bytes of stream `id` from `offset` on, not before `due_us`. */
struct job {
	uint32_t id;
	uint64_t offset, length;
	int64_t due_us;
	struct job *next;
};

struct connection {
	int fd; /* -1 when closed */
	char peer[ADDRESS_TEXT];
	uint8_t *bytes; /* everything read */
	size_t length, capacity;
	size_t used; /* bytes already echoed, or parsed as requests */
	uint64_t written;
	struct memory memory;
	uint64_t records;
	struct job *first, **last;
	bool end_read, farewell, closed_sending, wants_out;
	int error; /* errno that ended the connection, or 0 */
	struct connection *next;
};

static struct {
	enum mode mode;
	bool hold_goodbye, hold_reading, close_first;
	uint64_t goodbye, record, answer, error_after, close_after;
	int64_t slow_us;
	char greeting[GREETING_BYTES + 1];
} settings;

static struct connection *connections, **connections_end = &connections;
static int poller, listener;
static unsigned accepted, open_now;

static void watch(struct connection *c, int operation)
{
	uint32_t events = settings.hold_reading || c->end_read ? 0 : EPOLLIN;
	struct epoll_event event = { .events = events | (c->wants_out ? EPOLLOUT : 0), .data.ptr = c };
	if (epoll_ctl(poller, operation, c->fd, &event) < 0)
		die("epoll_ctl");
}

static void hang_up(struct connection *c, int error)
{
	c->error = error;
	close(c->fd);
	c->fd = -1;
	open_now--;
}

static void add_job(struct connection *c, uint32_t id, uint64_t offset, uint64_t length)
{
	struct job *job = malloc(sizeof *job);
	if (job == NULL)
		die("malloc");
	*job = (struct job){ id, offset, length, settings.slow_us > 0 ? now_us() + settings.slow_us : 0, NULL };
	*c->last = job;
	c->last = &job->next;
}

static void stop_sending(struct connection *c)
{
	shutdown(c->fd, SHUT_WR);
	c->closed_sending = true;
}

/* Sends what is waiting; returns false when the connection has failed. */
static bool flush(struct connection *c)
{
	static uint8_t out[65536];
	bool blocked = false;
	while (!blocked && settings.mode == ECHO && c->used < c->length) {
		ssize_t n = send(c->fd, c->bytes + c->used, c->length - c->used, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return hang_up(c, errno), false;
		blocked = n < 0;
		c->used += n > 0 ? (size_t)n : 0;
		c->written += n > 0 ? (size_t)n : 0;
	}
	while (!blocked && c->first != NULL && (c->first->due_us == 0 || c->first->due_us <= now_us())) {
		struct job *job = c->first;
		size_t length = job->length < sizeof out ? job->length : sizeof out;
		pattern_fill(out, length, job->id, job->offset);
		ssize_t n = length > 0 ? send(c->fd, out, length, MSG_NOSIGNAL) : 0;
		if (n < 0 && errno != EAGAIN)
			return hang_up(c, errno), false;
		blocked = n < 0;
		if (n > 0) {
			job->offset += (size_t)n;
			job->length -= (size_t)n;
			c->written += (size_t)n;
		}
		if (job->length == 0) {
			c->first = job->next;
			if (c->first == NULL)
				c->last = &c->first;
			free(job);
		}
	}
	if (c->first == NULL && c->records == settings.close_after && !c->closed_sending)
		stop_sending(c);
	if (blocked != c->wants_out) {
		c->wants_out = blocked;
		watch(c, EPOLL_CTL_MOD);
	}
	return true;
}

static bool drained_out(const struct connection *c)
{
	return c->first == NULL && (settings.mode != ECHO || c->used == c->length);
}

/* After the end of the client's stream: the goodbye, once, then the end of ours. */
static void say_goodbye(struct connection *c)
{
	if (!c->end_read || c->fd < 0)
		return;
	if (!c->farewell && settings.goodbye > 0 && settings.hold_goodbye)
		return;
	if (!c->farewell && settings.goodbye > 0 && !c->closed_sending)
		add_job(c, GOODBYE_STREAM, 0, settings.goodbye);
	c->farewell = true;
	if (flush(c) && drained_out(c))
		hang_up(c, 0);
}

static void parse_requests(struct connection *c)
{
	uint8_t *end;
	while ((end = memchr(c->bytes + c->used, '\n', c->length - c->used)) != NULL) {
		uint32_t id;
		uint64_t offset, length;
		if (sscanf((char *)c->bytes + c->used, "GET %" SCNu32 " %" SCNu64 " %" SCNu64 "\n", &id, &offset, &length) == 3)
			add_job(c, id, offset, length);
		c->used = (size_t)(end - c->bytes) + 1;
	}
}

static void answer_records(struct connection *c)
{
	while (c->used < c->length && c->records < settings.close_after) {
		if (!memorise(&c->memory, c->bytes[c->used++], settings.record))
			continue;
		bool wrong = c->records++ >= settings.error_after;
		add_job(c, c->memory.hash + wrong, 0, answer_length(c->memory.hash, settings.answer));
	}
}

/* Reads once; returns true while there may be more. */
static bool take(struct connection *c)
{
	if (c->capacity - c->length < 4096) {
		c->capacity = c->capacity * 2 + 8192;
		if ((c->bytes = realloc(c->bytes, c->capacity)) == NULL)
			die("realloc");
	}
	ssize_t n = recv(c->fd, c->bytes + c->length, c->capacity - c->length - 1, 0);
	if (n < 0) {
		if (errno != EAGAIN)
			hang_up(c, errno);
		return false;
	}
	c->length += (size_t)n;
	c->bytes[c->length] = 0;
	if (n == 0) {
		c->end_read = true;
		watch(c, EPOLL_CTL_MOD);
	} else if (settings.mode == GET) {
		parse_requests(c);
	} else if (settings.mode == MEMORY) {
		answer_records(c);
	}
	return n > 0;
}

static void serve(struct connection *c, uint32_t events)
{
	if (!c->end_read)
		take(c);
	else if (events & EPOLLERR)
		hang_up(c, pending_error(c->fd));
	if (c->fd >= 0 && flush(c))
		say_goodbye(c);
}

static void accept_all(void)
{
	for (;;) {
		union address peer;
		socklen_t length = sizeof peer;
		int fd = accept4(listener, &peer.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		struct connection *c = calloc(1, sizeof *c);
		if (c == NULL)
			die("calloc");
		c->fd = fd;
		c->last = &c->first;
		address_text(&peer, c->peer);
		set_number(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
		*connections_end = c;
		connections_end = &c->next;
		accepted++;
		open_now++;
		c->memory = NO_MEMORY;
		if (settings.greeting[0] != 0 && send(fd, settings.greeting, GREETING_BYTES, MSG_NOSIGNAL) > 0)
			c->written += GREETING_BYTES;
		if (settings.close_first)
			stop_sending(c);
		watch(c, EPOLL_CTL_ADD);
	}
}

static void stat(const char *event)
{
	uint64_t read_bytes = 0, written = 0, smallest = UINT64_MAX, in_flight = 0, not_sent = 0;
	unsigned ended = 0, errors = 0, unheard = 0;
	for (struct connection *c = connections; c != NULL; c = c->next) {
		read_bytes += c->length;
		written += c->written;
		smallest = c->length < smallest ? c->length : smallest;
		ended += c->end_read;
		errors += c->error != 0;
		if (c->fd >= 0) {
			in_flight += (uint64_t)unacknowledged(c->fd);
			unheard += unacknowledged(c->fd) > 0;
			not_sent += (uint64_t)unsent(c->fd);
		}
	}
	printf("{\"event\":\"%s\",\"accepted\":%u,\"open\":%u,\"ended\":%u,\"errors\":%u,\"read\":%" PRIu64
	       ",\"readMin\":%" PRIu64 ",\"written\":%" PRIu64 ",\"unacknowledged\":%" PRIu64 ",\"unheard\":%u,\"unsent\":%" PRIu64 "}\n",
	       event, accepted, open_now, ended, errors, read_bytes, connections != NULL ? smallest : 0, written, in_flight,
	       unheard, not_sent);
}

static void report(const char *directory)
{
	printf("{\"event\":\"report\",\"connections\":[");
	unsigned index = 0;
	for (struct connection *c = connections; c != NULL; c = c->next, index++) {
		char path[512];
		snprintf(path, sizeof path, "%s/%u", directory, index);
		FILE *file = fopen(path, "w");
		if (file == NULL || fwrite(c->bytes, 1, c->length, file) != c->length || fclose(file) != 0)
			die("%s", path);
		printf("%s{\"peer\":\"%s\",\"file\":\"%s\",\"read\":%zu,\"written\":%" PRIu64
		       ",\"ended\":%s,\"open\":%s,\"error\":\"%s\"}",
		       index > 0 ? "," : "", c->peer, path, c->length, c->written,
		       c->end_read ? "true" : "false", c->fd >= 0 ? "true" : "false",
		       c->error != 0 ? strerrorname_np(c->error) : "");
	}
	printf("]}\n");
}

static void command(char *line)
{
	struct connection *c;
	if (strcmp(line, "read") == 0) {
		settings.hold_reading = false;
		for (c = connections; c != NULL; c = c->next)
			if (c->fd >= 0)
				watch(c, EPOLL_CTL_MOD);
	} else if (strcmp(line, "drain") == 0) {
		settings.hold_reading = false;
		accept_all();
		for (c = connections; c != NULL; c = c->next)
			while (c->fd >= 0 && !c->end_read && take(c))
				;
	} else if (strcmp(line, "release") == 0) {
		settings.hold_goodbye = false;
		for (c = connections; c != NULL; c = c->next)
			say_goodbye(c);
	} else if (strcmp(line, "close") == 0) {
		for (c = connections; c != NULL; c = c->next)
			if (c->fd >= 0)
				stop_sending(c);
	} else if (strncmp(line, "report ", 7) == 0) {
		report(line + 7);
		return;
	}
	stat(line);
}

int main(int argc, char **argv)
{
	const char *mode = option(argc, argv, "mode", "sink");
	settings.mode = find_word(mode, (const char *[]){ "sink", "echo", "get", "memory", NULL });
	settings.goodbye = (uint64_t)number(argc, argv, "goodbye", 0);
	settings.hold_goodbye = number(argc, argv, "hold-goodbye", 0) != 0;
	settings.hold_reading = number(argc, argv, "hold-reading", 0) != 0;
	settings.close_first = number(argc, argv, "close-first", 0) != 0;
	settings.record = (uint64_t)number(argc, argv, "record", 1000);
	settings.answer = (uint64_t)number(argc, argv, "answer", 1000);
	settings.error_after = (uint64_t)number(argc, argv, "error-after", INT64_MAX);
	settings.close_after = (uint64_t)number(argc, argv, "close-after", INT64_MAX);
	settings.slow_us = number(argc, argv, "slow", 0) * 1000;
	if (number(argc, argv, "greet", 0) != 0)
		snprintf(settings.greeting, sizeof settings.greeting, "started at %0*.3f ms", GREETING_BYTES - 14, wall_ms());
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 65536);
	raise_descriptor_limit();

	union address local;
	const char *ip = option(argc, argv, "listen", "0.0.0.0");
	socklen_t length = address_parse(&local, ip, (int)number(argc, argv, "port", 7000));
	listener = socket(local.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	set_number(listener, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
	set_number(listener, SOL_SOCKET, SO_RCVBUF, (int)number(argc, argv, "rcvbuf", 0), "SO_RCVBUF");
	set_number(listener, SOL_SOCKET, SO_SNDBUF, (int)number(argc, argv, "sndbuf", 0), "SO_SNDBUF");
	set_number(listener, IPPROTO_TCP, TCP_MAXSEG, (int)number(argc, argv, "maxseg", 0), "TCP_MAXSEG");
	if (bind(listener, &local.any, length) < 0)
		die("bind");
	if (listen(listener, (int)number(argc, argv, "backlog", 4096)) < 0)
		die("listen");

	poller = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &listener };
	epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
	event.data.ptr = NULL;
	if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
		die("stdin must be a pipe");
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	printf("{\"event\":\"listening\",\"greeting\":\"%s\"}\n", settings.greeting);

	for (;;) {
		struct epoll_event ready[256];
		int n = epoll_wait(poller, ready, 256, settings.slow_us > 0 ? 1 : -1);
		for (int i = 0; i < n; i++) {
			struct connection *c = ready[i].data.ptr;
			if (c == NULL)
				read_commands(command);
			else if (ready[i].data.ptr == &listener)
				accept_all();
			else if (c->fd >= 0)
				serve(c, ready[i].events);
		}
		if (settings.slow_us > 0)
			for (struct connection *c = connections; c != NULL; c = c->next)
				if (c->fd >= 0 && flush(c))
					say_goodbye(c);
	}
}
