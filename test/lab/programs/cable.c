/*
 * A cable between two interfaces, with the faults and the boxes that real ones have on the way.
 *
 *   cable A B [--loss PERCENT] [--duplicate PERCENT] [--reorder PERCENT] [--reorder-delay MS] [--delay MS] [--seed N]
 *             [--tag ID | --tag OUTER,INNER] [--untagged MAC] [--isn NUMBER] [--isn-step NUMBER]
 *
 * --loss, --duplicate, --reorder apply to each frame of either direction by a seeded generator; a reordered frame is
 * one that comes --reorder-delay later than its turn.
 * --tag       A is an access port: frames from A get the VLAN tag(s), frames for A must carry them and lose them
 *             (802.1Q; two: 802.1ad).
 * --untagged  A's frames for this MAC address stay untagged, and untagged frames for A pass (MAC-based VLAN).
 * --isn       A sits behind a firewall that chooses initial sequence numbers: the k-th connection's numbers, as seen
 *             from B, start at NUMBER - k * STEP. Acknowledgements and SACK edges from B are shifted back.
 *
 * Commands: calm (no loss, duplicates and reordering from now on) | rough (they are back) | stat; each is answered by
 * one line of JSON. The offloads of the neighbours must be off: frames need to be whole and their checksums complete.
 */
#define _GNU_SOURCE
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lab.h"

#define FRAME_BYTES 2048
#define FRAMES 65536
#define FLOWS 65536 /* power of two */

struct frame {
	int64_t due_us;
	uint64_t order; /* frames due at the same time leave in the order they came */
	uint8_t to;
	uint16_t length;
	uint8_t bytes[FRAME_BYTES];
};

/* A connection opened, or answered, by A: `shift` is added to A's sequence numbers. */
struct flow {
	bool used;
	uint8_t key[36]; /* A's address and port, the other's address and port */
	uint32_t original; /* A's own initial sequence number */
	uint32_t shift;
};

static const char *names[2];
static int sockets[2];
static double loss, duplicate, reorder;
static int64_t delay_us, reorder_delay_us;
static uint64_t seed;
static int tags;
static uint16_t tag[2];
static bool has_untagged, has_isn, is_calm;
static uint8_t untagged[6];
static uint32_t isn, isn_step, connections;
static struct flow flows[FLOWS];
static struct frame *heap[FRAMES];
static int waiting;
static uint64_t order, passed, lost, duplicated, reordered, shifted;

/* splitmix64: repeatable from the seed alone. */
static bool happens(double percent)
{
	if (percent == 0 || is_calm)
		return false;
	uint64_t z = seed += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0 * 100 < percent;
}

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }
static void put16(uint8_t *at, uint32_t value) { at[0] = (uint8_t)(value >> 8); at[1] = (uint8_t)value; }

/* Writes a 32-bit field and patches the checksum (RFC 1624 eqn. 3); `at` may be at an odd distance from the header. */
static void change32(uint8_t *at, uint32_t value, uint8_t *tcp)
{
	uint32_t sum = (uint16_t)~get16(tcp + 16);
	for (int i = 0; i < 4; i++) {
		int place = (at + i - tcp) & 1 ? 0 : 8;
		uint8_t new = (uint8_t)(value >> (24 - i * 8));
		sum += (uint16_t)~(at[i] << place) + (uint32_t)(new << place);
		at[i] = new;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(tcp + 16, ~sum);
}

/* The TCP header of a frame and the two ends of its connection, sender first; NULL for anything else. */
static uint8_t *find_tcp(uint8_t *frame, size_t length, uint8_t ends[2][18])
{
	size_t at = 12;
	while (at + 2 < length && (get16(frame + at) == ETH_P_8021Q || get16(frame + at) == ETH_P_8021AD))
		at += 4;
	if (at + 42 > length)
		return NULL;
	uint8_t *ip = frame + at + 2, *tcp;
	memset(ends, 0, 36);
	if (get16(frame + at) == ETH_P_IP && ip[9] == IPPROTO_TCP && (get16(ip + 6) & 0x3fff) == 0) {
		tcp = ip + (ip[0] & 15) * 4;
		memcpy(ends[0], ip + 12, 4);
		memcpy(ends[1], ip + 16, 4);
	} else if (get16(frame + at) == ETH_P_IPV6 && ip[6] == IPPROTO_TCP) {
		tcp = ip + 40;
		memcpy(ends[0], ip + 8, 16);
		memcpy(ends[1], ip + 24, 16);
	} else {
		return NULL;
	}
	if (tcp + 20 > frame + length || tcp + (tcp[12] >> 4) * 4 > frame + length)
		return NULL;
	memcpy(ends[0] + 16, tcp, 2);
	memcpy(ends[1] + 16, tcp + 2, 2);
	return tcp;
}

static struct flow *find_flow(const uint8_t *near, const uint8_t *far)
{
	uint8_t key[36];
	memcpy(key, near, 18);
	memcpy(key + 18, far, 18);
	uint32_t hash = 2166136261u;
	for (int i = 0; i < 36; i++)
		hash = (hash ^ key[i]) * 16777619u;
	struct flow *flow = &flows[hash & (FLOWS - 1)];
	while (flow->used && memcmp(flow->key, key, 36) != 0)
		flow = flow == &flows[FLOWS - 1] ? flows : flow + 1;
	memcpy(flow->key, key, 36);
	return flow;
}

/* Shifts the numbers of the host at A. */
static void shift_numbers(uint8_t *frame, size_t length, int from)
{
	uint8_t ends[2][18];
	uint8_t *tcp = find_tcp(frame, length, ends);
	if (tcp == NULL)
		return;
	struct flow *flow = from == 0 ? find_flow(ends[0], ends[1]) : find_flow(ends[1], ends[0]);
	bool syn = tcp[13] & 2, ack = tcp[13] & 16;
	if (from == 0) {
		if (syn && (!flow->used || flow->original != get32(tcp + 4))) {
			flow->used = true;
			flow->original = get32(tcp + 4);
			flow->shift = isn - connections++ * isn_step - flow->original;
		}
		if (flow->used)
			change32(tcp + 4, get32(tcp + 4) + flow->shift, tcp);
	} else if (flow->used && ack) {
		change32(tcp + 8, get32(tcp + 8) - flow->shift, tcp);
		uint8_t *end = tcp + (tcp[12] >> 4) * 4;
		for (uint8_t *at = tcp + 20; at < end && *at != 0; at += *at == 1 ? 1 : at[1]) {
			if (*at == 1)
				continue;
			if (at + 1 >= end || at[1] < 2 || at + at[1] > end)
				break;
			for (int edge = 2; *at == 5 && edge + 4 <= at[1]; edge += 4)
				change32(at + edge, get32(at + edge) - flow->shift, tcp);
		}
	}
	shifted += flow->used;
}

/* Puts the VLAN tag(s) on, or takes them off; returns the new length, 0 for a frame that may not pass. */
static size_t retag(uint8_t *frame, size_t length, int from)
{
	if (from == 0) {
		if (has_untagged && memcmp(frame, untagged, 6) == 0)
			return length;
		memmove(frame + 12 + 4 * tags, frame + 12, length - 12);
		for (int i = 0; i < tags; i++) {
			put16(frame + 12 + 4 * i, tags == 2 && i == 0 ? ETH_P_8021AD : ETH_P_8021Q);
			put16(frame + 14 + 4 * i, tag[i]);
		}
		return length + 4 * (size_t)tags;
	}
	uint16_t type = get16(frame + 12);
	if (has_untagged && type != ETH_P_8021Q && type != ETH_P_8021AD)
		return length;
	for (int i = 0; i < tags; i++) {
		type = get16(frame + 12 + 4 * i);
		if ((type != ETH_P_8021Q && type != ETH_P_8021AD) || (get16(frame + 14 + 4 * i) & 0xfff) != tag[i])
			return 0;
	}
	memmove(frame + 12, frame + 12 + 4 * tags, length - 12 - 4 * (size_t)tags);
	return length - 4 * (size_t)tags;
}

static bool before(const struct frame *a, const struct frame *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void enqueue(const uint8_t *bytes, size_t length, int to, int64_t due_us)
{
	struct frame *frame = waiting < FRAMES ? malloc(offsetof(struct frame, bytes) + length) : NULL;
	if (frame == NULL) {
		lost++;
		return;
	}
	frame->due_us = due_us;
	frame->order = order++;
	frame->to = (uint8_t)to;
	frame->length = (uint16_t)length;
	memcpy(frame->bytes, bytes, length);
	int at = waiting++;
	for (; at > 0 && before(frame, heap[(at - 1) / 2]); at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = frame;
}

static struct frame *dequeue(void)
{
	struct frame *first = heap[0], *last = heap[--waiting];
	int at = 0;
	for (int child; (child = 2 * at + 1) < waiting; at = child) {
		if (child + 1 < waiting && before(heap[child + 1], heap[child]))
			child++;
		if (!before(heap[child], last))
			break;
		heap[at] = heap[child];
	}
	heap[at] = last;
	return first;
}

static void transmit(const uint8_t *bytes, size_t length, int to)
{
	if (send(sockets[to], bytes, length, 0) < 0)
		lost++;
	else
		passed++;
}

static void pass(uint8_t *frame, size_t length, int from)
{
	int64_t due = now_us() + delay_us;
	if (has_isn)
		shift_numbers(frame, length, from);
	if (tags > 0 && (length = retag(frame, length, from)) == 0)
		return;
	if (happens(loss)) {
		lost++;
		return;
	}
	if (happens(reorder)) {
		due += reorder_delay_us;
		reordered++;
	}
	int copies = 1;
	if (happens(duplicate)) {
		copies = 2;
		duplicated++;
	}
	for (int i = 0; i < copies; i++)
		if (delay_us == 0 && reorder == 0)
			transmit(frame, length, !from);
		else
			enqueue(frame, length, !from, due);
}

/* Takes a frame from the interface; the kernel hands its outer tag over beside it, so it is put back. */
static bool receive(int from)
{
	static uint8_t buffer[FRAME_BYTES + 16];
	uint8_t *frame = buffer + 4;
	union {
		char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		struct cmsghdr align;
	} control;
	struct iovec data = { frame, FRAME_BYTES - 16 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1,
				  .msg_control = &control, .msg_controllen = sizeof control };
	ssize_t n = recvmsg(sockets[from], &message, MSG_TRUNC);
	if (n < 14)
		return false;
	if (n > FRAME_BYTES - 16) {
		fprintf(stderr, "cable: frame of %zd bytes on %s: offloads are on\n", n, names[from]);
		exit(1);
	}
	size_t length = (size_t)n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
		struct tpacket_auxdata aux;
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof aux);
		if (aux.tp_status & TP_STATUS_VLAN_VALID) {
			frame = buffer;
			memmove(frame, frame + 4, 12);
			put16(frame + 12, aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETH_P_8021Q);
			put16(frame + 14, aux.tp_vlan_tci);
			length += 4;
		}
	}
	pass(frame, length, from);
	return true;
}

static int open_end(const char *name)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL)), on = 1, room = 64 << 20;
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(name) };
	struct packet_mreq all = { .mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC };
	if (fd < 0 || at.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
		die("interface %s", name);
	return fd;
}

static void command(char *line)
{
	if (strcmp(line, "calm") == 0)
		is_calm = true;
	else if (strcmp(line, "rough") == 0)
		is_calm = false;
	printf("{\"event\":\"%s\",\"passed\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"duplicated\":%" PRIu64
	       ",\"reordered\":%" PRIu64 ",\"shifted\":%" PRIu64 "}\n",
	       line, passed, lost, duplicated, reordered, shifted);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		die("usage: cable A B [options]");
	loss = atof(option(argc, argv, "loss", "0"));
	duplicate = atof(option(argc, argv, "duplicate", "0"));
	reorder = atof(option(argc, argv, "reorder", "0"));
	delay_us = (int64_t)(atof(option(argc, argv, "delay", "0")) * 1000);
	reorder_delay_us = (int64_t)(atof(option(argc, argv, "reorder-delay", "5")) * 1000);
	seed = (uint64_t)number(argc, argv, "seed", 1);
	isn = (uint32_t)number(argc, argv, "isn", 0);
	isn_step = (uint32_t)number(argc, argv, "isn-step", 0);
	has_isn = option(argc, argv, "isn", NULL) != NULL;
	tags = sscanf(option(argc, argv, "tag", ""), "%hu,%hu", &tag[0], &tag[1]);
	tags = tags < 0 ? 0 : tags;
	const char *mac = option(argc, argv, "untagged", "");
	has_untagged = sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &untagged[0], &untagged[1], &untagged[2],
			      &untagged[3], &untagged[4], &untagged[5]) == 6;
	setvbuf(stdout, NULL, _IOLBF, 4096);

	int poller = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < 3; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
		if (i < 2) {
			names[i] = argv[1 + i];
			sockets[i] = open_end(names[i]);
		}
		if (epoll_ctl(poller, EPOLL_CTL_ADD, i < 2 ? sockets[i] : STDIN_FILENO, &event) < 0)
			die("epoll_ctl");
	}
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	printf("{\"event\":\"connected\"}\n");

	for (;;) {
		struct epoll_event ready[3];
		struct timespec limit = { 1, 0 };
		int64_t now = now_us();
		if (waiting > 0) {
			int64_t left = heap[0]->due_us > now ? heap[0]->due_us - now : 0;
			limit = (struct timespec){ left / 1000000, left % 1000000 * 1000 };
		}
		int n = epoll_pwait2(poller, ready, 3, &limit, NULL);
		for (int i = 0; i < n; i++) {
			if (ready[i].data.u32 == 2)
				read_commands(command);
			else
				for (int turn = 0; turn < 64 && receive((int)ready[i].data.u32); turn++)
					;
		}
		for (now = now_us(); waiting > 0 && heap[0]->due_us <= now;) {
			struct frame *frame = dequeue();
			transmit(frame->bytes, frame->length, frame->to);
			free(frame);
		}
	}
}
