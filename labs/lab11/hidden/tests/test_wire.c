// SPDX-License-Identifier: MIT
/*
 * Lab 11, where no student looks: a long talk over a cable, both ways at once, of which two
 * queues in arrays know every byte; and one name for many cables, one after the other.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#define PATIENCE_MS	10000
#define LONGEST		1514u
#define UNDER_WAY	12u

static char folder[64];
static struct net_wish wish;

struct end {
	pthread_t thread;
	struct complaint c;
	int fd, status;
};

static int fresh(void **state)
{
	const char *place = getenv("TMPDIR");

	(void)state;
	snprintf(folder, sizeof(folder), "%s/wire-XXXXXX", place ? place : "/tmp");
	assert_non_null(mkdtemp(folder));
	memset(&wish, 0, sizeof(wish));
	wish.text = "cable:PATH";
	snprintf(wish.path, sizeof(wish.path), "%s/w", folder);
	return 0;
}

static int empty(void **state)
{
	(void)state;
	unlink(wish.path);
	return rmdir(folder);
}

static void *plug(void *arg)
{
	struct end *e = arg;

	e->fd = -1;
	e->status = cable_open(&wish, &e->fd, &e->c);
	return NULL;
}

/* Both at once, whoever is first; each has its own end within a while. */
static void two_ends(struct end e[2])
{
	struct timespec last;

	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&e[i].thread, NULL, plug, &e[i]), 0);
	clock_gettime(CLOCK_REALTIME, &last);
	last.tv_sec += PATIENCE_MS / 1000;
	for (int i = 0; i < 2; i++) {
		if (pthread_timedjoin_np(e[i].thread, NULL, &last))
			fail_msg("cable_open() still waits, but both ends are there");
		if (e[i].status || e[i].fd < 0)
			fail_msg("cable_open() says %d: %s", e[i].status, e[i].c.text);
	}
}

struct wire {
	unsigned n, bytes[UNDER_WAY];
	unsigned char frame[UNDER_WAY][LONGEST];
};

static void put(int fd, struct wire *q)
{
	unsigned bytes = 1 + below(below(3) ? 80 : LONGEST);

	if (q->n == UNDER_WAY)
		return;
	for (unsigned k = 0; k < bytes; k++)
		q->frame[q->n][k] = (unsigned char)random32();
	q->bytes[q->n] = bytes;
	if (write(fd, q->frame[q->n], bytes) != (ssize_t)bytes)
		fail_msg("a frame of %u bytes was not taken, with %u under way: %s", bytes, q->n,
			 strerror(errno));
	q->n++;
}

static void get(int fd, struct wire *q)
{
	unsigned char got[2 * LONGEST];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (!q->n) {
		n = read(fd, got, sizeof(got));
		if (n != -1 || errno != EAGAIN)
			fail_msg("nothing is under way, and read() says %zd", n);
		return;
	}
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	n = read(fd, got, sizeof(got));
	if (n != (ssize_t)q->bytes[0] || memcmp(got, q->frame[0], q->bytes[0]))
		fail_msg("a frame of %u bytes was next; %zd bytes came, %s", q->bytes[0], n,
			 n == (ssize_t)q->bytes[0] ? "and other ones" : "not as one frame");
	q->n--;
	memmove(q->bytes, q->bytes + 1, q->n * sizeof(q->bytes[0]));
	memmove(q->frame, q->frame + 1, q->n * sizeof(q->frame[0]));
}

static struct wire way[2];

static void a_long_talk(void **state)
{
	struct end e[2];

	(void)state;
	random_start("a_long_talk");
	memset(way, 0, sizeof(way));
	two_ends(e);
	for (unsigned step = 0; step < 12000; step++) {
		unsigned from = below(2);

		if (below(2))
			put(e[from].fd, &way[from]);
		else
			get(e[!from].fd, &way[from]);
	}
	for (unsigned from = 0; from < 2; from++)
		while (way[from].n)
			get(e[!from].fd, &way[from]);
	close(e[0].fd);
	close(e[1].fd);
}

/* Some of them still in use when the name is used again. */
static void one_name(void **state)
{
	struct end e[20][2];
	struct stat st;

	(void)state;
	random_start("one_name");
	memset(way, 0, sizeof(way));
	for (unsigned i = 0; i < 20; i++) {
		two_ends(e[i]);
		if (!lstat(wish.path, &st))
			fail_msg("cable %u is in use, and its name is still there", i + 1);
	}
	for (unsigned i = 0; i < 20; i++)
		for (unsigned k = 0; k < 4; k++) {
			put(e[i][k & 1].fd, way);
			get(e[i][~k & 1].fd, way);
		}
	for (unsigned i = 0; i < 40; i++)
		close(e[i / 2][i & 1].fd);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, empty)
	const struct CMUnitTest tests[] = { T(a_long_talk), T(one_name) };

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
