// SPDX-License-Identifier: MIT
/*L:742 The neighbour who plays the Internet
 *
 * `--net user` gives a Guest a network without asking anybody's permission.  How?  A
 * process may open sockets, but it may not send frames.  So somebody must take the
 * Guest's frames apart, find a TCP connection in them, open a socket of its own to
 * the same place, and put together frames again from what comes back: all of TCP/IP,
 * upside down.  That is libslirp, the library that QEMU uses for it, too.  The Guest
 * sees a small network of three:
 *
 *	10.0.2.15	the Guest itself (DHCP says so, or it just takes it)
 *	10.0.2.2	the gateway; behind it is everything that *we* can reach, and
 *			it is ourselves: port 80 of 10.0.2.2 is port 80 of this machine
 *	10.0.2.3	a DNS server: the one that /etc/resolv.conf names here
 *
 * It is a lot of code that reads what a Guest wrote, and such code has had holes
 * before.  So it does not live in the Launcher but next door: this is a program of
 * its own, and all that the two share is a socket that carries frames.  If a Guest
 * breaks it, it has broken a process that has no Guest memory, no disk, and no
 * /dev/lguest; the Launcher says so once, and the Guest goes on without a network.
 * (You can try: 4.7 dies of a piece of a packet that comes before the first piece.)
 * And the Launcher need not know any library.
 *
 * Its arguments are the word that stood after `--net`, "verbose" or "quiet", and the
 * user to become, if there was a --username.  The socket is descriptor 3; the
 * first message in it is a complaint, with status 0 if there is none.
 :*/
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "launcher.h"

#define BATCH	64	/* frames of the Guest's, before we look at the sockets again */

static struct pollfd *fds;
static unsigned used, room;

/*L:743 What libslirp wants to know
 * It does no input and output of its own but asks us: here is a frame, send it; what
 * time is it?  A frame that the Launcher has no room for is lost.  We still say
 * "sent", because libslirp would print a line for each, and TCP finds out anyway.
 */
static ssize_t send_frame(const void *frame, size_t bytes, void *opaque)
{
	(void)opaque;
	if (send(NEIGHBOUR_FD, frame, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EPIPE)
		exit(0);
	return (ssize_t)bytes;
}

static void guest_error(const char *text, void *opaque)
{
	(void)opaque;
	verbose("network: libslirp: %s", text);
}

static int64_t clock_ns(void *opaque)
{
	struct timespec t;

	(void)opaque;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* Timers are for the router advertisements of IPv6, which is switched off. */
static void *timer_new(SlirpTimerCb f, void *arg, void *opaque)
{
	(void)f, (void)arg, (void)opaque;
	die(STATUS_INTERNAL, "libslirp wants a timer, which only its IPv6 should need");
}

static void timer_free(void *timer, void *opaque)
{
	(void)timer, (void)opaque;
}

static void timer_mod(void *timer, int64_t when, void *opaque)
{
	(void)timer, (void)when, (void)opaque;
}

/* poll() wants no preparations, and we look at everything each time. */
static void of_no_interest(int fd, void *opaque)
{
	(void)fd, (void)opaque;
}

static void notify(void *opaque)
{
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = send_frame,
	.guest_error = guest_error,
	.clock_get_ns = clock_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = of_no_interest,
	.unregister_poll_fd = of_no_interest,
	.notify = notify,
};
/*:*/

static Slirp *make_network(void)
{
	SlirpConfig config = {
		.version = 1,
		.in_enabled = true,
		.vnetwork.s_addr = htonl(0x0a000200),	/* 10.0.2.0 */
		.vnetmask.s_addr = htonl(0xffffff00),
		.vhost.s_addr = htonl(0x0a000202),
		.vnameserver.s_addr = htonl(0x0a000203),
		.vdhcp_start.s_addr = htonl(0x0a00020f),
		.vhostname = "lguest",
	};

	return slirp_new(&config, &callbacks, NULL);
}

static int add_forwards(Slirp *slirp, const struct net_wish *w, struct complaint *c)
{
	for (unsigned i = 0; i < w->forwards; i++) {
		const struct net_forward *f = &w->forward[i];

		if (slirp_add_hostfwd(slirp, f->udp, f->host_addr, f->host_port, f->guest_addr,
				      f->guest_port) < 0)
			return net_complain_port(f, errno, c);
	}
	return 0;
}

/*L:744 Its day
 * libslirp says which sockets it wants to be told of; we sleep until one of them, or
 * the Launcher, has something.  Two vocabularies for the same five events meet here.
 *
 * The sockets first, and then the Launcher's frames: libslirp looks at the clock only
 * when it looks at the sockets.  The other way round the very first frame arrives in
 * the year 1970, what it opens is given four minutes, and these are over at once.
 */
static const struct { int theirs; short ours; } event[] = {
	{ SLIRP_POLL_IN, POLLIN }, { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI },
	{ SLIRP_POLL_ERR, POLLERR }, { SLIRP_POLL_HUP, POLLHUP },
};

static int add_poll(int fd, int events, void *opaque)
{
	short wanted = 0;

	(void)opaque;
	if (used == room) {
		room = room ? 2 * room : 64;
		fds = realloc(fds, room * sizeof(*fds));
		if (!fds)
			die(STATUS_INTERNAL, "out of memory");
	}
	for (unsigned i = 0; i < sizeof(event) / sizeof(event[0]); i++)
		if (events & event[i].theirs)
			wanted |= event[i].ours;
	fds[used] = (struct pollfd){ .fd = fd, .events = wanted };
	return (int)used++;
}

static int get_revents(int index, void *opaque)
{
	int happened = 0;

	(void)opaque;
	for (unsigned i = 0; i < sizeof(event) / sizeof(event[0]); i++)
		if (fds[index].revents & event[i].ours)
			happened |= event[i].theirs;
	return happened;
}

/* When the Launcher is gone there is nothing left to do. */
static void take_frames(Slirp *slirp)
{
	uint8_t frame[2048];

	for (unsigned i = 0; i < BATCH; i++) {
		ssize_t n = recv(NEIGHBOUR_FD, frame, sizeof(frame), MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			exit(0);
		if (n < 0)
			return;
		slirp_input(slirp, frame, (int)n);
	}
}

static _Noreturn void work(Slirp *slirp)
{
	for (;;) {
		uint32_t timeout = UINT32_MAX;
		int happened;

		used = 0;
		add_poll(NEIGHBOUR_FD, SLIRP_POLL_IN, NULL);
		slirp_pollfds_fill(slirp, &timeout, add_poll, NULL);
		happened = poll(fds, used, timeout > 60000 ? -1 : (int)timeout);
		slirp_pollfds_poll(slirp, happened < 0, get_revents, NULL);
		if (happened > 0 && fds[0].revents)
			take_frames(slirp);
	}
}
/*:*/

/* The ports are open; what comes now needs no right of root's. */
static int give_up_rights(const char *user, struct complaint *c)
{
	struct rights rights;

	/* Else it would be taken for something that was left open for us. */
	if (fcntl(NEIGHBOUR_FD, F_SETFD, FD_CLOEXEC) < 0)
		return complain(c, STATUS_INTERNAL, "usernet: %s", strerror(errno));
	if (rights_find(&rights, user, NULL, c) || rights_drop(&rights, c))
		return c->status;
	return cell_shut(c);
}

int main(int argc, char **argv)
{
	static const int not_for_us[] = { SIGINT, SIGHUP, SIGQUIT, SIGTERM, SIGPIPE, SIGTSTP };
	struct complaint c = { .status = 0 };
	struct net_wish wish;
	Slirp *slirp;

	/* Whoever ends the Launcher ends us: the socket tells. */
	for (unsigned i = 0; i < sizeof(not_for_us) / sizeof(not_for_us[0]); i++)
		signal(not_for_us[i], SIG_IGN);
	if (argc >= 3 && !strcmp(argv[2], "verbose"))
		verbose_on();
	else if (argc < 3)
		die(STATUS_USAGE, "usernet is started by the Launcher: launcher --net user ...");
	if (net_parse(&wish, false, argv[1], &c))
		die_complaining(&c);
	slirp = make_network();
	if (!slirp)
		complain(&c, STATUS_NO_NETWORK, "--net=user: libslirp %s does not start",
			 slirp_version_string());
	else if (!add_forwards(slirp, &wish, &c))
		give_up_rights(argv[3], &c);
	if (send(NEIGHBOUR_FD, &c, sizeof(c), MSG_NOSIGNAL) != sizeof(c) || c.status) {
		if (slirp)
			slirp_cleanup(slirp);
		return c.status;
	}
	work(slirp);
}
