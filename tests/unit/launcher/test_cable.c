// SPDX-License-Identifier: MIT
/*
 * Two processes that know only a name, and a cable between them: whoever comes first,
 * whatever somebody else left there, and however many come.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define PATIENCE_MS	10000

static char folder[64];
static struct net_wish wish;
static struct complaint c;

static int fresh(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "%s/cable-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(folder));
	memset(&wish, 0, sizeof(wish));
	wish.text = "cable:PATH";
	snprintf(wish.path, sizeof(wish.path), "%s/c", folder);
	return 0;
}

/* Nothing may be left behind, not even the name. */
static int empty(void **state)
{
	(void)state;
	unlink(wish.path);
	return rmdir(folder);
}

struct end {
	pthread_t thread;
	struct complaint c;
	int fd, status;
};

static void *plug(void *arg)
{
	struct end *e = arg;

	e->fd = -1;
	e->status = cable_open(&wish, &e->fd, &e->c);
	return NULL;
}

static void start(struct end *e)
{
	assert_int_equal(pthread_create(&e->thread, NULL, plug, e), 0);
}

/* It has laid out its end when the name is there. */
static void until_named(void)
{
	struct stat st;

	for (int i = 0; i < PATIENCE_MS && lstat(wish.path, &st) < 0; i++)
		poll(NULL, 0, 1);
	assert_int_equal(lstat(wish.path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
}

static void finished(struct end *e)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE_MS / 1000;
	if (pthread_timedjoin_np(e->thread, NULL, &end))
		fail_msg("cable_open() still waits, but both ends are there");
	if (e->status)
		fail_msg("cable_open() gave up with status %d, expected 0: %s", e->status, e->c.text);
	assert_true(e->fd >= 0);
}

/* Frames go from one to the other, whole, in order, and reading does not wait. */
static void talk(int from, int to)
{
	uint8_t frame[1514], got[2000];
	struct pollfd p = { .fd = to, .events = POLLIN };

	assert_int_equal(read(to, got, sizeof(got)), -1);
	assert_int_equal(errno, EAGAIN);
	for (unsigned n = 1; n <= 1514; n += 89) {
		memset(frame, (int)n, n);
		assert_int_equal(write(from, frame, n), n);
	}
	for (unsigned n = 1; n <= 1514; n += 89) {
		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		if (read(to, got, sizeof(got)) != (ssize_t)n || got[0] != (uint8_t)n)
			fail_msg("a frame of %u bytes did not arrive as one", n);
	}
}

static void nothing_left(void)
{
	struct stat st;

	if (!lstat(wish.path, &st))
		fail_msg("the name is still there, and the cable is in use");
}

static void both_ends(void **state)
{
	struct end one, two;

	(void)state;
	start(&one);
	until_named();
	start(&two);
	finished(&one);
	finished(&two);
	nothing_left();
	talk(one.fd, two.fd);
	talk(two.fd, one.fd);
	assert_true(fcntl(one.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(two.fd, F_GETFD) & FD_CLOEXEC);
	close(one.fd);
	assert_int_equal(read(two.fd, folder, 1), 0);	/* gone: net.c says so */
	close(two.fd);
}

static void only_for_the_owner(void **state)
{
	struct end one, two;
	struct stat st;

	(void)state;
	start(&one);
	until_named();
	assert_int_equal(lstat(wish.path, &st), 0);
	if (st.st_mode & 0177)
		fail_msg("the name has mode %o: others may plug in; expected 600", st.st_mode & 0777);
	start(&two);
	finished(&one);
	finished(&two);
	close(one.fd);
	close(two.fd);
}

/* A Launcher that was killed while it waited leaves its socket behind. */
static void a_dead_end(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct end one, two;
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	char corpse[200];
	struct stat st;
	ino_t old;

	(void)state;
	strcpy(a.sun_path, wish.path);
	assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s, 1), 0);
	close(s);
	lstat(wish.path, &st);
	old = st.st_ino;
	/* A second name for it: else a file system may give its number to the next one. */
	snprintf(corpse, sizeof(corpse), "%s/corpse", folder);
	assert_int_equal(link(wish.path, corpse), 0);
	start(&one);
	for (int i = 0; i < PATIENCE_MS && (lstat(wish.path, &st) < 0 || st.st_ino == old); i++)
		poll(NULL, 0, 1);
	unlink(corpse);
	if (st.st_ino == old)
		fail_msg("the dead socket is still there");
	start(&two);
	finished(&one);
	finished(&two);
	nothing_left();
	talk(one.fd, two.fd);
	close(one.fd);
	close(two.fd);
}

/* What is no socket stays as it is. */
static void somebodys_file(void **state)
{
	int fd = -1, f = open(wish.path, O_CREAT | O_WRONLY, 0600);
	char text[8] = "";

	(void)state;
	assert_int_equal(write(f, "dear", 4), 4);
	close(f);
	assert_int_equal(cable_open(&wish, &fd, &c), STATUS_NO_NETWORK);
	assert_non_null(strstr(c.text, "no socket"));
	f = open(wish.path, O_RDONLY);
	assert_int_equal(read(f, text, sizeof(text)), 4);
	assert_string_equal(text, "dear");
	close(f);
	unlink(wish.path);
	assert_int_equal(symlink("/nowhere", wish.path), 0);
	assert_int_equal(cable_open(&wish, &fd, &c), STATUS_NO_NETWORK);
	unlink(wish.path);
	snprintf(wish.path, sizeof(wish.path), "%s/none/c", folder);
	assert_int_equal(cable_open(&wish, &fd, &c), STATUS_NO_NETWORK);
	assert_non_null(strstr(c.text, "No such file"));
}

/* Many come at once, always an even number: each gets exactly one other. */
static void a_crowd(void **state)
{
	enum { CROWD = 8 };
	struct end e[CROWD];
	char got[CROWD] = { 0 };

	(void)state;
	for (int i = 0; i < CROWD; i++)
		start(&e[i]);
	for (int i = 0; i < CROWD; i++)
		finished(&e[i]);
	nothing_left();
	for (int i = 0; i < CROWD; i++) {
		char name = (char)(i + 1);

		assert_int_equal(write(e[i].fd, &name, 1), 1);
	}
	for (int i = 0; i < CROWD; i++) {
		struct pollfd p = { .fd = e[i].fd, .events = POLLIN };

		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		assert_int_equal(read(e[i].fd, &got[i], 1), 1);
	}
	for (int i = 0; i < CROWD; i++)
		if (got[i] < 1 || got[got[i] - 1] != i + 1 || got[i] == i + 1)
			fail_msg("number %d heard number %d, who heard another one", i + 1, got[i]);
	for (int i = 0; i < CROWD; i++)
		close(e[i].fd);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, empty)
	const struct CMUnitTest tests[] = {
		T(both_ends), T(only_for_the_owner), T(a_dead_end), T(somebodys_file), T(a_crowd),
	};

	return cmocka_run_group_tests_name("cable", tests, NULL, NULL);
}
