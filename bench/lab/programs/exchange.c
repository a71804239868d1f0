/*
 * Requests and answers of any size, to measure how long a path takes and how much it carries. What a request wants is in
 * the request, so a service that knows nothing of the earlier ones can answer the next: a connection can be measured on
 * its primary and, after a fail-over, on its replica.
 *
 *   exchange --listen ADDRESS --port N [--pace MBIT]
 *   exchange --connect ADDRESS --port N [--connections 1] [--pace MBIT]
 *
 * A request is a header, two 64-bit numbers in the machine's byte order, and then the bytes that the first one counts; the
 * answer is as many bytes as the second one says. All bytes are zero: making and checking them would be measured too.
 * --pace bounds what each connection sends, in Mbit/s: a load that does not depend on how fast the path is.
 *
 * Commands of the client:
 *   echo BYTES MS   for MS milliseconds, a request of BYTES bytes in all and an answer of as many, one after the other on
 *                   all connections in turn; tells the round trips in microseconds
 *   upload BYTES    one request of so many bytes on the first connection; tells the seconds to its answer
 *   download BYTES  one answer of so many bytes
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <sys/time.h>

#include "sockets.h"

struct header {
	uint64_t up, down;
};

/* Round trips are kept whole, so that any percentile is exact: an hour of them at 20 us would not fit, a minute does. */
#define SAMPLES_MAX 4000000
/* An answer that takes longer is not coming. Arbitrary: far beyond any fail-over. */
#define PATIENCE_S 60

static uint8_t block[262144];
static uint64_t pace; /* bytes per second, 0: as fast as it goes */

static void set_pace(int fd)
{
	if (pace > 0 && setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &pace, sizeof pace) < 0)
		die("SO_MAX_PACING_RATE");
}

/* ---- service ---- */

struct connection {
	int fd;
	struct header header;
	size_t header_read;
	uint64_t up_left, down_left;
	bool wants_out;
};

static int poller;

static void hang_up(struct connection *c)
{
	close(c->fd);
	free(c);
}

static void watch(struct connection *c, int operation)
{
	struct epoll_event event = { .events = EPOLLIN | (c->wants_out ? EPOLLOUT : 0), .data.ptr = c };
	if (epoll_ctl(poller, operation, c->fd, &event) < 0)
		die("epoll_ctl");
}

/* Takes what is there, up to the end of a request; false when there is no more, or no connection. */
static bool take(struct connection *c)
{
	bool in_header = c->header_read < sizeof c->header;
	size_t room = in_header ? sizeof c->header - c->header_read : c->up_left < sizeof block ? c->up_left : sizeof block;
	ssize_t n = recv(c->fd, in_header ? (uint8_t *)&c->header + c->header_read : block, room, 0);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0)
		return hang_up(c), false;
	if (in_header)
		c->header_read += (size_t)n;
	else
		c->up_left -= (uint64_t)n;
	if (in_header && c->header_read == sizeof c->header) {
		c->up_left = c->header.up;
		c->down_left = c->header.down;
	}
	return true;
}

/* Sends what is due; false when the socket takes no more, or there is no connection. */
static bool answer(struct connection *c)
{
	while (c->down_left > 0) {
		size_t length = c->down_left < sizeof block ? c->down_left : sizeof block;
		ssize_t n = send(c->fd, block, length, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return hang_up(c), false;
		bool blocked = n < 0;
		if (blocked != c->wants_out) {
			c->wants_out = blocked;
			watch(c, EPOLL_CTL_MOD);
		}
		if (blocked)
			return false;
		c->down_left -= (uint64_t)n;
	}
	c->header_read = 0;
	return true;
}

static void serve(struct connection *c)
{
	for (;;) {
		bool whole = c->header_read == sizeof c->header && c->up_left == 0;
		if (!(whole ? answer(c) : take(c)))
			return;
	}
}

static void accept_all(int listener)
{
	int fd;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct connection *c = calloc(1, sizeof *c);
		if (c == NULL)
			die("calloc");
		c->fd = fd;
		set_number(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
		set_pace(fd);
		watch(c, EPOLL_CTL_ADD);
	}
}

static void nothing(char *line)
{
	(void)line;
}

static void run_service(const union address *local, socklen_t length)
{
	int listener = socket(local->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	set_number(listener, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
	if (bind(listener, &local->any, length) < 0 || listen(listener, 4096) < 0)
		die("listen");
	poller = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &listener };
	epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
	event.data.ptr = NULL;
	if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
		die("stdin must be a pipe");
	printf("{\"event\":\"listening\"}\n");
	for (;;) {
		struct epoll_event ready[64];
		int n = epoll_wait(poller, ready, 64, -1);
		for (int i = 0; i < n; i++) {
			if (ready[i].data.ptr == NULL)
				read_commands(nothing);
			else if (ready[i].data.ptr == &listener)
				accept_all(listener);
			else
				serve(ready[i].data.ptr);
		}
	}
}

/* ---- client ---- */

static int *sockets;
static int connections, turn;
static uint32_t samples[SAMPLES_MAX]; /* ns */

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void send_all(int fd, const void *bytes, size_t length)
{
	for (size_t at = 0; at < length;) {
		ssize_t n = send(fd, (const uint8_t *)bytes + at, length - at, MSG_NOSIGNAL);
		if (n < 0)
			die("send");
		at += (size_t)n;
	}
}

/* Bytes to send, each at its own place in memory: what is sent again and again from a cache goes faster than any data. */
static const uint8_t *body(uint64_t bytes)
{
	static uint8_t *kept;
	static uint64_t length;
	if (length < bytes) {
		free(kept);
		if ((kept = malloc(bytes)) == NULL)
			die("malloc");
		memset(kept, 0, bytes);
		length = bytes;
	}
	return kept;
}

/* One request and its answer; returns how long both took, ns. */
static int64_t ask(int fd, uint64_t up, uint64_t down)
{
	const uint8_t *rest = body(up);
	struct header header = { up, down };
	uint8_t first[4096] = { 0 };
	size_t with_header = up < sizeof first - sizeof header ? (size_t)up : sizeof first - sizeof header;
	memcpy(first, &header, sizeof header);
	int64_t start = now_ns();
	send_all(fd, first, sizeof header + with_header);
	send_all(fd, rest, up - with_header);
	while (down > 0) {
		ssize_t n = recv(fd, block, down < sizeof block ? down : sizeof block, 0);
		if (n == 0)
			errno = EPIPE;
		if (n <= 0)
			die("recv");
		down -= (uint64_t)n;
	}
	return now_ns() - start;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static double percentile(int count, double share)
{
	return samples[(int)((count - 1) * share)] / 1e3;
}

static void echo(uint64_t bytes, int64_t ms)
{
	int count = 0;
	int64_t end = now_ns() + ms * 1000000;
	uint64_t body = bytes > sizeof(struct header) ? bytes - sizeof(struct header) : 0;
	while (count < SAMPLES_MAX && now_ns() < end) {
		int64_t ns = ask(sockets[turn], body, body + sizeof(struct header));
		samples[count++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
		turn = (turn + 1) % connections;
	}
	qsort(samples, (size_t)count, sizeof *samples, compare);
	printf("{\"event\":\"echo\",\"count\":%d,\"min\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f}\n", count,
	       percentile(count, 0), percentile(count, 0.5), percentile(count, 0.9), percentile(count, 0.99),
	       percentile(count, 1));
}

static void command(char *line)
{
	char *rest = strchr(line, ' ');
	if (rest == NULL)
		return;
	uint64_t bytes = strtoull(rest, &rest, 10);
	if (strncmp(line, "echo ", 5) == 0)
		echo(bytes, strtoll(rest, NULL, 10));
	else if (strncmp(line, "upload ", 7) == 0)
		printf("{\"event\":\"upload\",\"seconds\":%.6f}\n", ask(sockets[0], bytes, 1) / 1e9);
	else if (strncmp(line, "download ", 9) == 0)
		printf("{\"event\":\"download\",\"seconds\":%.6f}\n", ask(sockets[0], 0, bytes) / 1e9);
}

static void run_client(const union address *to, socklen_t length)
{
	struct timeval patience = { PATIENCE_S, 0 };
	sockets = calloc((size_t)connections, sizeof *sockets);
	for (int i = 0; i < connections; i++) {
		sockets[i] = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (sockets[i] < 0 || connect(sockets[i], &to->any, length) < 0)
			die("connect");
		set_number(sockets[i], IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
		set_pace(sockets[i]);
		setsockopt(sockets[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		setsockopt(sockets[i], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	}
	printf("{\"event\":\"connected\"}\n");
	for (;;)
		read_commands(command);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 65536);
	raise_descriptor_limit();
	union address address;
	int port = (int)number(argc, argv, "port", 7001);
	const char *listen_on = option(argc, argv, "listen", NULL);
	const char *to = option(argc, argv, "connect", "127.0.0.1");
	connections = (int)number(argc, argv, "connections", 1);
	pace = (uint64_t)number(argc, argv, "pace", 0) * 125000;
	socklen_t length = address_parse(&address, listen_on != NULL ? listen_on : to, port);
	if (listen_on != NULL)
		run_service(&address, length);
	run_client(&address, length);
}
