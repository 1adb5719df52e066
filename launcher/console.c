// SPDX-License-Identifier: MIT
/*L:680 The console, our first device
 *
 * Two queues.  In queue 0 the Guest puts out empty buffers, and we fill them with
 * what you type.  Through queue 1 it hands us full ones, and we print them.  No
 * features, no configuration: it is the smallest device that is of any use, and the
 * others are made after its pattern.
 *
 * A Guest may not want your keys just now.  They wait in a small store, and the
 * porter brings them in when the Guest has put out a buffer.  What if the store is
 * full?  If the keys come from a pipe we stop reading, and the pipe will wait.  At
 * a terminal we must read on, because the next key may be the Ctrl-A x of somebody
 * who has had enough.  So there the store is a large one: whoever pastes a megabyte
 * into a Guest that reads it at leisure loses nothing of it.
 *
 * At the end of a pipe nothing more is handed over: the virtio console of this ABI
 * has no word for "end of file".
 :*/
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "launcher.h"

enum { BYTES_IN, BYTES_OUT };
static const char *const own_names[] = { "bytes_in", "bytes_out", NULL };
static struct device console;
static struct queue *input;
static atomic_bool spoke;

/* The store; only the porter's thread knows it, apart from the queue's lock. */
static char store[KEYS_MAX];
static size_t first, stored;	/* what waits is store[first .. first + stored - 1] */
static size_t room_for;		/* so many may wait */
static bool keys_are_typed, has_escape, escape_pending, has_lost;

#define ROOM_FOR_A_PIPE 4096

/*L:690 Output
 * write() may take a part only, may be interrupted, and may say "not now" if whoever
 * shares our terminal made it non-blocking.  If nobody listens any more, we end as
 * any program in a broken pipe does.
 */
static void write_all(const char *text, size_t n)
{
	while (n && ending_asked() < 0) {
		ssize_t done = write(STDOUT_FILENO, text, n);

		if (done >= 0) {
			text += done;
			n -= (size_t)done;
		} else if (errno == EAGAIN) {
			poll(&(struct pollfd){ .fd = STDOUT_FILENO, .events = POLLOUT }, 1, -1);
		} else if (errno != EINTR) {
			ending_ask(STATUS_SIGNAL + 13);		/* SIGPIPE */
		}
	}
}

void console_write(const struct iovec *iov, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (iov[i].iov_len)
			spoke = true;
		write_all(iov[i].iov_base, iov[i].iov_len);
	}
}

bool console_spoke(void)
{
	return spoke;
}

/* Queue 1, at the door.  The lock is held and the Guest waits. */
static void serve_output(struct queue *q)
{
	struct vq_chain chain;

	while (vq_pop(&q->vq, &chain) > 0) {
		if (chain.writable) {
			vq_break(&q->vq, "a buffer to write into, but output is for reading");
			return;
		}
		console_write(chain.iov, chain.readable);
		device_count(&console, COUNT_OWN + BYTES_OUT, chain.read_bytes);
		vq_push(&q->vq, chain.head, 0);
	}
}
/*:*/

/*L:695 Input
 * Queue 0, in the porter's thread.  Take from the store what fits into the chain.
 */
static void serve_input(struct queue *q)
{
	struct vq_chain chain;

	while (stored && vq_pop(&q->vq, &chain) > 0) {
		uint32_t given = 0;

		if (chain.readable || !chain.write_bytes) {
			vq_break(&q->vq, "input needs a buffer to write into");
			return;
		}
		for (unsigned i = 0; i < chain.writable && given < stored; i++) {
			size_t n = chain.iov[i].iov_len;

			if (n > stored - given)
				n = stored - given;
			memcpy(chain.iov[i].iov_base, store + first + given, n);
			given += (uint32_t)n;
		}
		stored -= given;
		first = stored ? first + given : 0;
		device_count(&console, COUNT_OWN + BYTES_IN, given);
		vq_push(&q->vq, chain.head, given);
	}
}

/* A key, or a piece of what is in the pipe. */
static void keys_ready(struct watch *w)
{
	char text[4096];
	size_t room = room_for - stored, n;
	ssize_t got = read(w->fd, text, keys_are_typed || room > sizeof(text) ? sizeof(text) : room);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0) {
		w->fd = -1;	/* the end of the pipe, or the terminal is gone */
		return;
	}
	n = (size_t)got;
	if (has_escape) {
		switch (escape_filter(text, &n, &escape_pending)) {
		case ESCAPE_LEAVE:
			ending_ask(STATUS_POWEROFF);
			return;
		case ESCAPE_HELP:
			say("Ctrl-A x leaves; Ctrl-A Ctrl-A sends Ctrl-A");
			break;
		case ESCAPE_NONE:
			break;
		}
	}
	if (n > room) {
		n = room;
		if (!has_lost)
			say("the Guest does not read what is typed: keys are lost");
		has_lost = true;
	}
	if (n > sizeof(store) - first - stored) {
		memmove(store, store + first, stored);
		first = 0;
	}
	memcpy(store + first + stored, text, n);
	stored += n;
	queue_serve(input);
	w->paused = !keys_are_typed && stored == room_for;
}

/* The Guest has put out buffers. */
static void input_kicked(struct watch *w)
{
	struct watch *keys = w->arg;
	uint64_t kicks;

	if (read(w->fd, &kicks, sizeof(kicks)) < 0)
		return;
	queue_serve(input);
	keys->paused = !keys_are_typed && stored == room_for;
}
/*:*/

/* What was typed belongs to whoever is saved: it is in the snapshot. */
size_t console_keys(const char **keys)
{
	*keys = store + first;
	return stored;
}

void console_give_keys(const char *keys, size_t n)
{
	spoke = true;		/* long ago, and not to us */
	memcpy(store, keys, n);
	stored = n;
	if (room_for < n)		/* a pipe brings nothing until there is room */
		room_for = n;
}

struct device *console_create(bool no_escape)
{
	int kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (kick < 0)
		die(STATUS_INTERNAL, "eventfd: %s", strerror(errno));
	keys_are_typed = isatty(STDIN_FILENO);
	room_for = keys_are_typed ? sizeof(store) : ROOM_FOR_A_PIPE;
	has_escape = keys_are_typed && !no_escape;
	device_create(&console, "console", LGUEST_DEV_CONSOLE);
	console.own_names = own_names;
	input = device_queue(&console, serve_input, kick);
	device_queue(&console, serve_output, -1);
	porter_watch(kick, input_kicked, porter_watch(STDIN_FILENO, keys_ready, NULL));
	return &console;
}
