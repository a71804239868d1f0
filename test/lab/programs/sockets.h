/* TCP sockets for either family, as an ordinary program opens them. */
#ifndef SOCKETS_H
#define SOCKETS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "lab.h"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static inline socklen_t address_parse(union address *to, const char *ip, int port)
{
	memset(to, 0, sizeof *to);
	if (strchr(ip, ':') != NULL) {
		to->v6.sin6_family = AF_INET6;
		to->v6.sin6_port = htons((uint16_t)port);
		if (inet_pton(AF_INET6, ip, &to->v6.sin6_addr) == 1)
			return sizeof to->v6;
	} else {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = htons((uint16_t)port);
		if (inet_pton(AF_INET, ip, &to->v4.sin_addr) == 1)
			return sizeof to->v4;
	}
	errno = EINVAL;
	die("address %s", ip);
}

#define ADDRESS_TEXT 64

/* "1.2.3.4:80" or "[fd77::2]:80"; an IPv4 peer of an IPv6 socket is written as IPv4. */
static inline void address_text(const union address *from, char text[ADDRESS_TEXT])
{
	char ip[INET6_ADDRSTRLEN];
	if (from->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &from->v4.sin_addr, ip, sizeof ip);
		snprintf(text, ADDRESS_TEXT, "%s:%d", ip, ntohs(from->v4.sin_port));
	} else if (IN6_IS_ADDR_V4MAPPED(&from->v6.sin6_addr)) {
		inet_ntop(AF_INET, from->v6.sin6_addr.s6_addr + 12, ip, sizeof ip);
		snprintf(text, ADDRESS_TEXT, "%s:%d", ip, ntohs(from->v6.sin6_port));
	} else {
		inet_ntop(AF_INET6, &from->v6.sin6_addr, ip, sizeof ip);
		snprintf(text, ADDRESS_TEXT, "[%s]:%d", ip, ntohs(from->v6.sin6_port));
	}
}

static inline void set_number(int fd, int level, int name, int value, const char *what)
{
	if (value != 0 && setsockopt(fd, level, name, &value, sizeof value) < 0)
		die("%s", what);
}

/* Bytes of the send queue the peer has not acknowledged, and of those the ones never sent. */
static inline int unacknowledged(int fd)
{
	int bytes = 0;
	return ioctl(fd, TIOCOUTQ, &bytes) < 0 ? 0 : bytes;
}

static inline int unsent(int fd)
{
	int bytes = 0;
	return ioctl(fd, 0x894b /* SIOCOUTQNSD */, &bytes) < 0 ? 0 : bytes;
}

/* The error that a socket has in store; reading it takes it away. */
static inline int pending_error(int fd)
{
	int error = 0;
	socklen_t length = sizeof error;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	return error;
}

/* Lets the program hold as many descriptors as the system allows. */
static inline void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

#endif
