// SPDX-License-Identifier: MIT
/*L:730 A network
 *
 * A network card has it easy: it need not understand a word of what passes through
 * it.  A *frame* is up to 1514 bytes, and we pass them on, one at a time, between the
 * Guest's two queues and a file descriptor:
 *
 *	queue 0, to be filled	<-- read()	a frame that came for the Guest
 *	queue 1, to be sent	--> write()	a frame of the Guest's
 *
 * What is behind the descriptor is none of this file's business.  It may be a tap, a
 * network card (tap.c), or the end of a pipe to a neighbour who plays the Internet
 * (neighbour.c).  All of them keep frames apart: one write(), one frame.
 *
 * In a buffer ten bytes stand in front of each frame.  With them a driver can leave
 * work to the card ("fill in the checksum", "cut this into pieces").  We never offered
 * to do any of it, so the two bytes that ask for something must be zero.
 *
 * A frame that cannot be delivered is lost.  That is no failure: it is how Ethernet
 * works, and why everything above it counts, waits and sends again.
 :*/
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "launcher.h"

#define FRAME_MIN	14u	/* two addresses and a type */
#define FRAME_MAX	1514u	/* and 1500 bytes for what is in it */
#define BATCH		64u	/* frames before the interrupt at the latest */

/* Feature bits (ABI.md section 8.5; virtio 0.9.5, appendix C). */
#define FEATURE_MAC	5

struct header {
	uint8_t flags, gso_type;	/* 0: nothing is left to the other side */
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
};

struct net {
	struct device dev;		/* must be the first */
	int fd;
	char name[48];
	uint8_t mac[6];			/* the configuration, all of it */
	struct queue *in;
	bool starving;			/* the Guest had its chance to put out buffers */
	atomic_bool is_gone;		/* nobody is at the other end any more */
	size_t held;			/* bytes in packet, header included; 0: none */
	uint8_t packet[sizeof(struct header) + FRAME_MAX + 1];
	/* For people.  Each is counted by one thread only. */
	uint64_t received, sent;
	uint64_t lost_no_buffer, lost_nobody_listens, lost_on_the_way, lost_size;
};

_Static_assert(sizeof(struct header) == 10, "ABI.md section 8.5");

/*
 * For whoever writes the list of what the Launcher may ask of its kernel: while the
 * Guest runs, the two threads of this file call read(), write() and poll() on their
 * descriptors and eventfds, futex() for the lock, ioctl() for the interrupt (host.c),
 * and clock_gettime() where it is a system call at all.  No socket is opened, and
 * none of the calls of usernet is ours.
 */

static struct net *all[NETS_MAX];
static unsigned count;

/*
 * The first loss is worth a line, and then each that doubles what was lost: a Guest
 * that has no driver yet would fill the screen with its neighbours' broadcasts.
 */
/* What a network counts for --stats. */
enum { PACKETS_IN, PACKETS_OUT, PACKETS_LOST };
static const char *const own_names[] = { "packets_in", "packets_out", "packets_lost", NULL };

static void lose(struct net *n, uint64_t *counter, const char *why)
{
	device_count(&n->dev, COUNT_OWN + PACKETS_LOST, 1);
	++*counter;
	if (!(*counter & (*counter - 1)))
		verbose("%s: %" PRIu64 " packet%s lost: %s", n->name, *counter,
			*counter > 1 ? "s" : "", why);
}

/* The other end is closed: once is enough, and the Guest runs on. */
static void gone(struct net *n)
{
	if (!atomic_exchange(&n->is_gone, true))
		say("%s: nobody is at the other end any more; the Guest goes on without", n->name);
}

/*L:732 What comes in
 * A thread of its own sleeps until there is a frame.  Then the Guest should have a
 * buffer out; a good driver always has some.  If not, it may just be slow, so we wait
 * for it, a fifth of a second.  Meanwhile other frames queue up at the other end of
 * our descriptor, and nothing is lost.  When that time is over it is not slow but
 * stuck, or has no driver at all.  From then on frames are thrown away as they come,
 * until there is a buffer again.
 */
#define PATIENCE_MS	200

/* Returns false if there is no frame now. */
static bool fetch(struct net *n)
{
	ssize_t got;

	do {
		got = read(n->fd, n->packet + sizeof(struct header), FRAME_MAX + 1);
	} while (got < 0 && errno == EINTR);
	if (got <= 0) {
		/* A tap that is down, or a card: not for ever. */
		if (got == 0 || errno == ECONNRESET)
			gone(n);
		return false;
	}
	if (got < (ssize_t)FRAME_MIN || got > (ssize_t)FRAME_MAX) {
		lose(n, &n->lost_size, "what came is no frame of 14 to 1514 bytes");
		return true;
	}
	memset(n->packet, 0, sizeof(struct header));
	n->held = sizeof(struct header) + (size_t)got;
	return true;
}

/*
 * Returns 1: it is the Guest's now; 0: there is no buffer; -1: the queue is broken.
 * Each buffer must be able to hold the largest frame, whatever comes (virtio 0.9.5,
 * appendix C): so a driver that gets this wrong learns it from the very first one.
 */
static int hand_over(struct net *n, struct vq *vq)
{
	struct vq_chain chain;
	size_t done = 0;
	int found = vq_pop(vq, &chain);

	if (found <= 0)
		return found;
	if (chain.readable)
		return vq_break(vq, "a buffer to be filled, with parts to be read");
	if (chain.write_bytes < sizeof(struct header) + FRAME_MAX)
		return vq_break(vq, "a buffer of %u bytes: a header and a frame can have %zu",
				chain.write_bytes, sizeof(struct header) + FRAME_MAX);
	for (unsigned i = 0; i < chain.writable && done < n->held; i++) {
		size_t part = chain.iov[i].iov_len;

		if (part > n->held - done)
			part = n->held - done;
		memcpy(chain.iov[i].iov_base, n->packet + done, part);
		done += part;
	}
	vq_push(vq, chain.head, (uint32_t)n->held);
	n->held = 0;
	n->received++;
	device_count(&n->dev, COUNT_OWN + PACKETS_IN, 1);
	n->starving = false;
	return 1;
}

/* The lock is held: no reset comes in between. */
static void serve_in(struct queue *q)
{
	struct net *n = (struct net *)q->dev;

	for (unsigned i = 0; i < BATCH; i++)
		if ((!n->held && !fetch(n)) || (n->held && hand_over(n, &q->vq) <= 0))
			return;
}

static int64_t milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static bool somebody_listens(struct net *n)
{
	bool running;

	pthread_mutex_lock(&n->in->lock);
	running = n->in->running && !n->dev.broken;
	pthread_mutex_unlock(&n->in->lock);
	return running;
}

/* The Guest kicks the queue when it puts out buffers; old kicks do no harm. */
static void deliver(struct net *n)
{
	int64_t end = milliseconds() + PATIENCE_MS, left;
	struct pollfd kick = { .fd = n->in->kick_fd, .events = POLLIN };
	uint64_t kicks;

	queue_serve(n->in);
	while (n->held && !n->starving && somebody_listens(n)) {
		left = end - milliseconds();
		if (left <= 0)
			n->starving = true;
		else if (poll(&kick, 1, (int)left) > 0 &&
			 read(kick.fd, &kicks, sizeof(kicks)) == sizeof(kicks))
			queue_serve(n->in);
	}
	if (!n->held)
		return;
	n->held = 0;
	if (somebody_listens(n))
		lose(n, &n->lost_no_buffer, "the Guest has put out no buffer for what comes in");
	else
		lose(n, &n->lost_nobody_listens, "the Guest does not listen");
}

static void *listen_for_ever(void *arg)
{
	struct net *n = arg;
	struct pollfd p = { .fd = n->fd, .events = POLLIN };

	while (!n->is_gone) {
		if (poll(&p, 1, -1) <= 0)
			continue;
		if (fetch(n) && n->held)
			deliver(n);
		else if (p.revents & (POLLERR | POLLHUP))
			poll(NULL, 0, PATIENCE_MS);	/* a card that went down: not in a hurry */
	}
	return NULL;
}
/*:*/

/*L:734 What goes out
 * The chain is copied out first, once: then nobody can change what we look at.  If the
 * other end is full we wait a little, as a card waits for a busy wire, but not for
 * ever: whoever wants to reset the device waits for us.
 *
 * A frame that is too long is lost, and a header that wants something breaks the
 * device.  Why the difference?  The first may be an honest mistake in a setting.  The
 * second is a driver that does not fill in its header, and that works today, and
 * fails on the day when the stack has other bytes in it.
 */
#define WIRE_MS	100

static bool put(struct net *n, const uint8_t *frame, size_t bytes)
{
	struct pollfd p = { .fd = n->fd, .events = POLLOUT };
	bool waited = false;

	for (;;) {
		ssize_t done = write(n->fd, frame, bytes);

		if (done >= 0)
			return true;
		if (errno == EPIPE || errno == ECONNRESET)
			gone(n);
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || waited)
			return false;
		waited = true;
		poll(&p, 1, WIRE_MS);
	}
}

static void sent(struct net *n)
{
	n->sent++;
	device_count(&n->dev, COUNT_OWN + PACKETS_OUT, 1);
}

static int send_one(struct net *n, struct vq *vq, struct vq_chain *chain)
{
	uint8_t packet[sizeof(struct header) + FRAME_MAX];
	const struct header *h = (const struct header *)packet;
	size_t done = 0;

	if (chain->writable)
		return vq_break(vq, "a packet to be sent, with parts to be written");
	if (chain->read_bytes < sizeof(*h))
		return vq_break(vq, "a packet of %u bytes: its header alone has %zu",
				chain->read_bytes, sizeof(*h));
	for (unsigned i = 0; i < chain->readable && done < sizeof(packet); i++) {
		size_t part = chain->iov[i].iov_len;

		if (part > sizeof(packet) - done)
			part = sizeof(packet) - done;
		memcpy(packet + done, chain->iov[i].iov_base, part);
		done += part;
	}
	if (h->flags || h->gso_type)
		return vq_break(vq, "a header with flags 0x%02x and gso_type 0x%02x: nothing was "
				"offered, so both must be 0", h->flags, h->gso_type);
	if (done < sizeof(*h) + FRAME_MIN || chain->read_bytes > sizeof(packet))
		lose(n, &n->lost_size, "what the Guest sent is no frame of 14 to 1514 bytes");
	else if (!put(n, packet + sizeof(*h), done - sizeof(*h)))
		lose(n, &n->lost_on_the_way, "the other end did not take it");
	else
		sent(n);
	vq_push(vq, chain->head, 0);
	return 0;
}

/* In the queue's own thread. */
static void serve_out(struct queue *q)
{
	struct net *n = (struct net *)q->dev;
	struct vq_chain chain;

	while (ending_asked() < 0 && vq_pop(&q->vq, &chain) > 0)
		if (send_one(n, &q->vq, &chain) < 0)
			return;
}
/*:*/

struct device *net_create(const struct net_link *link)
{
	struct net *n = calloc(1, sizeof(*n));
	pthread_t thread;
	int kicks = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (!n || count == NETS_MAX)
		die(STATUS_INTERNAL, n ? "too many networks" : "out of memory");
	if (kicks < 0)
		die(STATUS_INTERNAL, "eventfd: %s", strerror(errno));
	snprintf(n->name, sizeof(n->name), "network %s", link->name);
	n->fd = link->fd;
	memcpy(n->mac, link->mac, sizeof(n->mac));
	device_create(&n->dev, n->name, LGUEST_DEV_NET);
	n->dev.own_names = own_names;
	n->dev.config = n->mac;
	n->dev.config_len = sizeof(n->mac);
	device_feature(&n->dev, FEATURE_MAC);
	n->in = device_queue(&n->dev, serve_in, kicks);
	device_queue_with_thread(&n->dev, serve_out);
	if (pthread_create(&thread, NULL, listen_for_ever, n))
		die(STATUS_INTERNAL, "could not start a thread");
	pthread_detach(thread);
	all[count++] = n;
	return &n->dev;
}

void net_farewell(void)
{
	for (unsigned i = 0; i < count; i++) {
		const struct net *n = all[i];

		verbose("%s: %" PRIu64 " packets for the Guest, %" PRIu64 " from it; lost: %" PRIu64
			" without a buffer, %" PRIu64 " while nobody listened, %" PRIu64
			" on the way out, %" PRIu64 " of a wrong size", n->name, n->received,
			n->sent, n->lost_no_buffer, n->lost_nobody_listens, n->lost_on_the_way,
			n->lost_size);
	}
}

/*M:315 Yours to build: less copying, less waking
 * Each frame is copied twice, and each costs a system call.  Offer checksums and large
 * segments (the header is there for them) and count what a megabyte costs before and
 * after.  Or capture what passes through, as a file that wireshark reads: it is forty
 * lines, and the best way to see a protocol.
 :*/
