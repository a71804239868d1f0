/*
 * N ordinary TCP clients. Every byte they send is fixed by connection and position; each they get back is checked.
 *
 *   client --connect ADDRESS --port N --mode push|echo|get|memory [--connections 1] [--burst 64] [--source ADDRESS]
 *          [--stream FIRST] [--record BYTES] [--answer BYTES] [--interval MS] [--total BYTES] [--rcvbuf N] [--sndbuf N]
 *          [--maxseg N] [--record-route 1] [--greeting BYTES] [--goodbye BYTES] [--server-closes-first 1]
 *
 * push   sends a record each --interval ms (0: as fast as it goes), up to --total bytes (0: until `finish`)
 * echo   the same, and wants every byte back; the next record goes out when the last one is back
 * get    asks for --record bytes at a time of its stream, up to --total bytes; the next request goes out when the last
 *        one is answered
 * memory sends records of up to --record bytes, each of which is answered by up to --answer bytes, as memory.h says; the
 *        next record goes out when the last one is answered
 *
 * Connection i sends or asks for stream FIRST+i. At most --burst connections are being set up at a time.
 * --record-route asks for IP option 7 on every packet. --greeting bytes come first and are not checked; --goodbye is what the
 * service says before it closes.
 *
 * Commands: stat | pause (start no further record) | go | finish [MS] (end the sending side, spread over MS
 * milliseconds, and wait for the end of the other; when all are done the result is printed) | result (prints it now).
 * Each is answered by one line of JSON; "connected" comes by itself when all are.
 *
 * Silence: the longest time in which a connection waited, for an acknowledgement of what it had sent or for an answer,
 * and nothing came. Sampled each SAMPLE_US.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/timerfd.h>

#include "client.h"

static int poller, connecting, next_to_connect, next_sample;
static bool paused, finishing;
static uint8_t out[65536], in[262144];

static void watch(struct connection *c, int operation)
{
	uint32_t events = (c->end_read ? 0 : EPOLLIN) | (c->wants_out ? EPOLLOUT : 0);
	struct epoll_event event = { .events = events, .data.ptr = c };
	if (epoll_ctl(poller, operation, c->fd, &event) < 0)
		die("epoll_ctl");
}

static void end(struct connection *c, int error)
{
	if (error != 0) {
		c->error = error;
		c->error_at_ms = wall_ms();
	}
	connecting -= c->phase == CONNECTING;
	c->phase = DONE;
	done++;
	close(c->fd);
	c->fd = -1;
}

static void start(struct connection *c)
{
	c->fd = socket(settings.to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	set_number(c->fd, SOL_SOCKET, SO_RCVBUF, settings.rcvbuf, "SO_RCVBUF");
	set_number(c->fd, SOL_SOCKET, SO_SNDBUF, settings.sndbuf, "SO_SNDBUF");
	set_number(c->fd, IPPROTO_TCP, TCP_MAXSEG, settings.maxseg, "TCP_MAXSEG");
	set_number(c->fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	if (settings.record_route) {
		/* Record Route (RFC 791 3.1) with room for three addresses, padded by a NOP. */
		static const uint8_t route[16] = { 1, 7, 15, 4 };
		if (setsockopt(c->fd, IPPROTO_IP, IP_OPTIONS, route, sizeof route) < 0)
			die("IP_OPTIONS");
	}
	if (settings.source != NULL) {
		union address from;
		socklen_t length = address_parse(&from, settings.source, 0);
		set_number(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, "IP_BIND_ADDRESS_NO_PORT");
		if (bind(c->fd, &from.any, length) < 0)
			die("bind %s", settings.source);
	}
	c->phase = CONNECTING;
	connecting++;
	c->wants_out = true;
	if (connect(c->fd, &settings.to.any, settings.to_length) < 0 && errno != EINPROGRESS)
		end(c, errno);
	else
		watch(c, EPOLL_CTL_ADD);
}

static void start_more(void)
{
	while (next_to_connect < settings.connections && connecting < settings.burst)
		start(&connections[next_to_connect++]);
}

/* Writes until the socket takes no more; returns false when the connection has ended. */
static bool write_some(struct connection *c, const uint8_t *bytes, size_t length, size_t *written)
{
	ssize_t n = send(c->fd, bytes, length, MSG_NOSIGNAL);
	*written = n > 0 ? (size_t)n : 0;
	bool blocked = n < (ssize_t)length;
	if (n < 0 && errno != EAGAIN)
		return end(c, errno), false;
	if (blocked != c->wants_out) {
		c->wants_out = blocked;
		watch(c, EPOLL_CTL_MOD);
	}
	c->sent += *written;
	if (*written > 0 && c->waiting_since_us == 0)
		c->waiting_since_us = now_us();
	return !blocked;
}

/* True when the next record, or request, may begin. */
static bool may_begin(struct connection *c, int64_t now)
{
	uint64_t begun = settings.mode == GET ? c->asked : c->record_end;
	if (paused || c->finish_us != 0 || now < c->due_us || (settings.total != 0 && begun >= settings.total))
		return false;
	if (settings.mode == MEMORY && c->end_read)
		return false;
	return settings.mode == PUSH || c->received >= c->asked;
}

/* The length of the record that begins at `offset`; the answer to it is asked for. */
static uint64_t begin_record(struct connection *c, uint64_t offset)
{
	uint64_t length = 1;
	while (!memorise(&c->memory, pattern_byte(c->stream, offset + length - 1), settings.record))
		length++;
	c->answer = c->memory.hash;
	c->answer_start = c->asked;
	c->asked += answer_length(c->memory.hash, settings.answer);
	return length;
}

static void begin(struct connection *c, int64_t now)
{
	uint64_t begun = settings.mode == GET ? c->asked : c->record_end;
	uint64_t left = settings.total != 0 ? settings.total - begun : settings.record;
	uint64_t length = left < settings.record ? left : settings.record;
	/* A late wake-up does not shift the schedule, but a connection that was held up does not catch up in a burst. */
	c->due_us += settings.interval_us;
	if (c->due_us <= now)
		c->due_us = now + settings.interval_us;
	if (settings.mode == GET) {
		c->request_length = (unsigned)snprintf(c->request, sizeof c->request, "GET %u %" PRIu64 " %" PRIu64 "\n",
						       c->stream, c->asked, length);
		c->request_sent = 0;
		c->asked += length;
	} else if (settings.mode == MEMORY) {
		c->record_end += begin_record(c, begun);
	} else {
		c->record_end += length;
		if (settings.mode == ECHO)
			c->asked += length;
	}
}

static void feed(struct connection *c, int64_t now)
{
	size_t n;
	for (int writes = 0; c->phase == OPEN && !c->shut; writes++) {
		if (writes == WRITES_PER_TURN) { /* the others' turn; EPOLLOUT brings us back */
			c->wants_out = true;
			return watch(c, EPOLL_CTL_MOD);
		}
		if (settings.mode == GET && c->request_sent < c->request_length) {
			if (!write_some(c, (uint8_t *)c->request + c->request_sent, c->request_length - c->request_sent, &n))
				return;
			c->request_sent += (unsigned)n;
		} else if (settings.mode != GET && c->sent < c->record_end) {
			size_t length = c->record_end - c->sent < sizeof out ? (size_t)(c->record_end - c->sent) : sizeof out;
			pattern_fill(out, length, c->stream, c->sent);
			if (!write_some(c, out, length, &n))
				return;
		} else if (c->finish_us != 0 && now >= c->finish_us && c->received >= c->asked) {
			shutdown(c->fd, SHUT_WR);
			c->shut = true;
			if (c->end_read)
				end(c, 0);
		} else if (may_begin(c, now)) {
			begin(c, now);
		} else {
			return;
		}
	}
}

/* Checks and counts what came after the greeting: answers, then the goodbye. */
static void check(struct connection *c, const uint8_t *bytes, size_t n)
{
	size_t answer = c->asked - c->received < n ? (size_t)(c->asked - c->received) : n;
	int64_t wrong = pattern_mismatch(bytes, answer, c->answer, c->received - c->answer_start);
	if (wrong < 0 && answer < n) {
		wrong = pattern_mismatch(bytes + answer, n - answer, GOODBYE_STREAM, c->goodbye);
		if (wrong >= 0 || c->goodbye + n - answer > settings.goodbye)
			wrong = (int64_t)answer + (wrong > 0 ? wrong : 0);
	}
	if (wrong >= 0 && c->wrong_at < 0)
		c->wrong_at = (int64_t)(c->received + c->goodbye) + wrong;
	c->received += answer;
	c->goodbye += n - answer;
}

static void take(struct connection *c)
{
	ssize_t n = recv(c->fd, in, sizeof in, 0);
	if (n < 0) {
		if (errno != EAGAIN)
			end(c, errno);
		return;
	}
	progress(c, now_us());
	if (n == 0) {
		c->end_read = true;
		if (c->received == c->answer_start && settings.mode == MEMORY)
			c->asked = c->received; /* an answer that was never begun is not to be expected any more */
		if (c->shut)
			return end(c, 0);
		if (settings.server_closes_first)
			return watch(c, EPOLL_CTL_MOD);
		return end(c, EPIPE); /* an end nobody asked for */
	}
	uint64_t greeting = settings.greeting - c->greeting < (uint64_t)n ? settings.greeting - c->greeting : (uint64_t)n;
	c->greeting += greeting;
	check(c, in + greeting, (size_t)n - greeting);
}

static void handle(struct connection *c, uint32_t events)
{
	int64_t now = now_us();
	if (c->phase == CONNECTING) {
		int error = pending_error(c->fd);
		if (error != 0) {
			end(c, error);
			return start_more();
		}
		union address local;
		socklen_t length = sizeof local;
		getsockname(c->fd, &local.any, &length);
		address_text(&local, c->local);
		c->phase = OPEN;
		connecting--;
		c->wants_out = false;
		watch(c, EPOLL_CTL_MOD);
		/* Records of different connections are spread over the interval. */
		c->due_us = now + settings.interval_us * (c - connections) / settings.connections;
		opened++;
		start_more();
		if (opened == settings.connections)
			stat("connected");
	} else if (!c->end_read && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		take(c);
	} else if (events & EPOLLERR) {
		end(c, pending_error(c->fd));
	}
	feed(c, now);
}

/* Each SAMPLE_US: looks at some of the connections and starts the records that are due. */
static void take_turn(void)
{
	int64_t now = now_us();
	int samples = settings.connections < SAMPLES_PER_TURN ? settings.connections : SAMPLES_PER_TURN;
	for (int i = 0; i < samples; i++) {
		sample(&connections[next_sample], now);
		next_sample = (next_sample + 1) % settings.connections;
	}
	for (int i = 0; i < settings.connections; i++)
		if (connections[i].phase == OPEN && !connections[i].wants_out)
			feed(&connections[i], now);
}

static void command(char *line)
{
	if (strcmp(line, "pause") == 0) {
		paused = true;
	} else if (strcmp(line, "go") == 0) {
		paused = false;
	} else if (strncmp(line, "finish", 6) == 0) {
		int64_t spread_us = strtoll(line + 6, NULL, 10) * 1000, now = now_us();
		finishing = true;
		for (int i = 0; i < settings.connections; i++)
			connections[i].finish_us = now + spread_us * i / settings.connections;
		line[6] = 0;
	} else if (strcmp(line, "result") == 0) {
		return print_result();
	}
	stat(line);
}

int main(int argc, char **argv)
{
	const char *mode = option(argc, argv, "mode", "push");
	settings.mode = find_word(mode, (const char *[]){ "push", "echo", "get", "memory", NULL });
	settings.connections = (int)number(argc, argv, "connections", 1);
	settings.burst = (int)number(argc, argv, "burst", 64);
	settings.source = option(argc, argv, "source", NULL);
	settings.to_length = address_parse(&settings.to, option(argc, argv, "connect", "127.0.0.1"),
					   (int)number(argc, argv, "port", 7000));
	settings.record = (uint64_t)number(argc, argv, "record", 16);
	settings.answer = (uint64_t)number(argc, argv, "answer", 1000);
	settings.greeting = (uint64_t)number(argc, argv, "greeting", 0);
	settings.interval_us = number(argc, argv, "interval", 20) * 1000;
	settings.total = (uint64_t)number(argc, argv, "total", 0);
	settings.goodbye = (uint64_t)number(argc, argv, "goodbye", 0);
	settings.rcvbuf = (int)number(argc, argv, "rcvbuf", 0);
	settings.sndbuf = (int)number(argc, argv, "sndbuf", 0);
	settings.maxseg = (int)number(argc, argv, "maxseg", 0);
	settings.record_route = number(argc, argv, "record-route", 0) != 0;
	settings.server_closes_first = number(argc, argv, "server-closes-first", 0) != 0;
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 65536);
	raise_descriptor_limit();

	connections = calloc((size_t)settings.connections, sizeof *connections);
	for (int i = 0; i < settings.connections; i++) {
		uint32_t stream = (uint32_t)(number(argc, argv, "stream", 0) + i);
		connections[i] = (struct connection){ .fd = -1, .wrong_at = -1, .stream = stream, .answer = stream,
						      .memory = NO_MEMORY };
	}

	poller = epoll_create1(EPOLL_CLOEXEC);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	struct itimerspec period = { { 0, SAMPLE_US * 1000 }, { 0, SAMPLE_US * 1000 } };
	timerfd_settime(timer, 0, &period, NULL);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &settings };
	epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
	event.data.ptr = NULL;
	if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
		die("stdin must be a pipe");
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	start_more();

	for (;;) {
		struct epoll_event ready[256];
		int n = epoll_wait(poller, ready, 256, -1);
		for (int i = 0; i < n; i++) {
			struct connection *c = ready[i].data.ptr;
			if (c == NULL) {
				read_commands(command);
			} else if (ready[i].data.ptr == &settings) {
				uint64_t ticks;
				if (read(timer, &ticks, sizeof ticks) == sizeof ticks)
					take_turn();
			} else if (c->phase == CONNECTING || c->phase == OPEN) {
				handle(c, ready[i].events);
			}
		}
		if (done == settings.connections && (finishing || opened < settings.connections)) {
			print_result();
			return 0;
		}
	}
}
