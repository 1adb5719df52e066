// SPDX-License-Identifier: MIT
/*L:745 Luck
 *
 * A Guest has no luck of its own.  It has no mouse and no fan, its clock is ours,
 * and each boot of it is like the one before; keys that it "thinks of" could be
 * guessed.  So we lend it some: it puts out a buffer, and we fill it with random
 * bytes from our own kernel.
 *
 * It is the smallest device of all: one queue, no features, no configuration, and a
 * device may fill less than it was given.  We use that: more than PORTION at a time
 * is not luck but greed, and whoever wants more can ask again.
 *
 * Why a thread?  Just after a machine was switched on, its kernel has not collected
 * any luck either, and getrandom() waits until it has.
 :*/
#include <errno.h>
#include <sys/random.h>

#include "launcher.h"

#define PORTION 4096u

static struct device rng;

/* Returns how many bytes were filled: n, unless the kernel fails us. */
static uint32_t fill(uint8_t *to, size_t n)
{
	uint32_t done = 0;

	while (done < n) {
		ssize_t got = getrandom(to + done, n - done, 0);

		if (got < 0 && errno == EINTR && ending_asked() < 0)
			continue;
		if (got <= 0)
			break;
		done += (uint32_t)got;
	}
	return done;
}

static void serve(struct queue *q)
{
	struct vq_chain chain;

	while (ending_asked() < 0 && vq_pop(&q->vq, &chain) > 0) {
		uint32_t given = 0;

		if (chain.readable || !chain.write_bytes) {
			vq_break(&q->vq, "random numbers need a buffer to be written into");
			return;
		}
		for (unsigned i = 0; i < chain.writable && given < PORTION; i++) {
			size_t n = chain.iov[i].iov_len;
			uint32_t got;

			if (n > PORTION - given)
				n = PORTION - given;
			got = fill(chain.iov[i].iov_base, n);
			given += got;
			if (got < n)
				break;
		}
		device_count(&rng, COUNT_OWN, given);
		vq_push(&q->vq, chain.head, given);
	}
}

static const struct sandbox_call calls[] = {
	ALWAYS(getrandom, "random numbers"),
	CALLS_END
};

struct device *rng_create(void)
{
	static const char *const own_names[] = { "bytes", NULL };

	device_create(&rng, "rng", LGUEST_DEV_RNG);
	rng.calls = calls;
	rng.own_names = own_names;
	device_queue_with_thread(&rng, serve);
	return &rng;
}
