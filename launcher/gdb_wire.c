// SPDX-License-Identifier: MIT
/*L:768 Dollars and sums
 *
 * $contents#sum, where the sum is that of all characters, modulo 256, as two hexadecimal
 * digits.  Each side says + for "got it" or - for "again", until both agree that TCP does
 * that well enough (QStartNoAckMode).  One byte is no packet: 0x03, "stop now".
 *
 * The porter listens for us while the Guest runs, on an epoll descriptor: what that
 * listens to can change at any time, from the door to the wire and back, and he need not
 * know.
 :*/
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gdb.h"

/*L:764 Shouting down the wire */
#define LOOK_MS	200	/* the note that the run is to end makes no sound on a wire */

static int door = -1, wire = -1, ear = -1;
static bool acks;

const struct sandbox_call gdb_calls[] = {
	ALWAYS(accept, "gdb: come in"),
	ALWAYS(setsockopt, "gdb: each packet at once"),
	ALWAYS(recvfrom, "gdb: what it says"),
	ALWAYS(sendto, "gdb: what we say"),
	ALWAYS(epoll_ctl, "gdb: the door or the wire, whichever is to be watched"),
	CALLS_END
};

static void listen_to(int fd, bool yes)
{
	struct epoll_event e = { .events = EPOLLIN };

	epoll_ctl(ear, yes ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &e);
}

void wire_hang_up(void)
{
	if (wire < 0)
		return;
	listen_to(wire, false);
	close(wire);
	wire = -1;
}

static void put_all(const char *text, size_t length)
{
	while (wire >= 0 && length) {
		ssize_t n = send(wire, text, length, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR && ending_asked() < 0)
			continue;
		if (n <= 0) {
			wire_hang_up();
			return;
		}
		text += n;
		length -= (size_t)n;
	}
}

int wire_byte(void)
{
	struct pollfd p = { .fd = wire, .events = POLLIN };
	unsigned char c;

	for (;;) {
		if (wire < 0 || ending_asked() >= 0)
			return -1;
		if (poll(&p, 1, LOOK_MS) <= 0)
			continue;
		if (recv(wire, &c, 1, 0) == 1)
			return c;
		wire_hang_up();
	}
}

void wire_send(const char *text)
{
	char packet[GDB_PACKET_MAX + 8];
	unsigned char sum = 0;
	int n;

	for (const char *p = text; *p; p++)
		sum += (unsigned char)*p;
	n = snprintf(packet, sizeof(packet), "$%s#%02x", text, sum);
	do {
		put_all(packet, (size_t)n);
	} while (acks && wire_byte() == '-');
}

static int hex_digit(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* An interrupt byte between two packets is passed over: we stand already. */
bool wire_receive(char packet[GDB_PACKET_MAX + 1])
{
	for (;;) {
		unsigned char sum = 0;
		size_t n = 0;
		int c;

		while ((c = wire_byte()) != '$')
			if (c < 0)
				return false;
		while ((c = wire_byte()) != '#') {
			if (c < 0)
				return false;
			sum += (unsigned char)c;
			if (n < GDB_PACKET_MAX)
				packet[n++] = (char)c;
		}
		packet[n] = '\0';
		c = hex_digit(wire_byte()) << 4;
		c |= hex_digit(wire_byte());
		if (!acks)
			return wire >= 0;
		put_all(c == sum ? "+" : "-", 1);
		if (c == sum)
			return wire >= 0;
	}
}

void wire_accept(void)
{
	int one = 1;

	wire = accept(door, NULL, NULL);
	if (wire < 0)
		return;
	setsockopt(wire, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	acks = true;
	listen_to(wire, true);
	verbose("--gdb: a debugger has come");
}

/* One whose line is dead is about to be found out, and does not count. */
bool wire_refuse(void)
{
	struct pollfd p = { .fd = door, .events = POLLIN };
	char byte;
	int other;

	if (wire < 0 || poll(&p, 1, 0) <= 0 ||
	    recv(wire, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		return false;
	other = accept(door, NULL, NULL);
	if (other < 0)
		return false;
	close(other);
	say("--gdb: a second debugger called, and was sent away: one at a time");
	return true;
}

bool wire_wait(void)
{
	struct pollfd p = { .fd = door, .events = POLLIN };

	while (ending_asked() < 0)
		if (poll(&p, 1, LOOK_MS) > 0) {
			wire_accept();
			return true;
		}
	return false;
}

bool wire_up(void)
{
	return wire >= 0;
}

void wire_no_acks(void)
{
	acks = false;
}

int wire_listen(uint16_t *port, bool any_address, int *ear_out)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons(*port),
		.sin_addr.s_addr = htonl(any_address ? INADDR_ANY : INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(a);
	int one = 1;

	ear = epoll_create1(EPOLL_CLOEXEC);
	door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ear < 0 || door < 0 ||
	    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(door, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(door, 1) < 0 ||
	    getsockname(door, (struct sockaddr *)&a, &length) < 0)
		return -errno;
	listen_to(door, true);
	*port = ntohs(a.sin_port);
	*ear_out = ear;
	return 0;
}

void wire_close(void)
{
	close(ear);
	close(door);
	ear = door = -1;
}

char *hex_put(char *to, const void *from, size_t bytes)
{
	const uint8_t *p = from;

	for (size_t i = 0; i < bytes; i++)
		to += sprintf(to, "%02x", p[i]);
	*to = '\0';
	return to;
}

bool hex_get(const char **p, void *to, size_t bytes)
{
	uint8_t *out = to;

	for (size_t i = 0; i < bytes; i++, *p += 2) {
		int high = hex_digit((unsigned char)(*p)[0]);
		int low = high < 0 ? -1 : hex_digit((unsigned char)(*p)[1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
/*:*/
