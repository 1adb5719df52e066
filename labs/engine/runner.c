// SPDX-License-Identifier: MIT
/*
 * Stands between main() of a cmocka program and cmocka, by ld's --wrap.  Each test runs in
 * a process of its own, and its verdict does not travel by anything that it prints.
 *
 *	standard input	the nonce of this run, a line; read once, before any test
 *	LAB_VERDICTS	a descriptor for our verdicts: "NONCE NAME PASS|FAIL|TIMEOUT WHY"
 *	LAB_TESTS	names, with commas; only these run
 *	LAB_PATIENCE	seconds for one test
 *	LAB_LOGS	folder: what a test said, in NAME.log
 *
 * A test has passed if cmocka says so *and* control came back here, where the child
 * repeats a word that its parent gave it.  exit(0) in the middle is no way to pass, nor is
 * printing "ok".  Whoever searches our memory for that word can find it: this keeps
 * accidents and jokes away, and not the last determined attacker.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LOG_KEPT	65536
#define LOG_MOST	(16u << 20)	/* who says more than that has lost */

int __real__cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests, size_t n,
				   CMFixtureFunction setup, CMFixtureFunction teardown);
int __wrap__cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests, size_t n,
				   CMFixtureFunction setup, CMFixtureFunction teardown);

static int verdicts = -1;

static bool listed(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = names; p && *p; p = strchr(p, ','), p = p ? p + 1 : NULL)
		if (!strncmp(p, name, len) && (p[len] == ',' || !p[len]))
			return true;
	return !names;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Nothing that a test started may outlive it: orphans become ours, and die. */
static void bury_orphans(void)
{
	char path[64], text[4096];
	int tries = 0;

	while (tries++ < 1000) {
		snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
		FILE *f = fopen(path, "re");
		size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

		if (f)
			fclose(f);
		text[n] = '\0';
		for (char *p = strtok(text, " \n"); p; p = strtok(NULL, " \n"))
			kill(atoi(p), SIGKILL);
		if (waitpid(-1, NULL, WNOHANG) < 0)
			return;
		if (!n)
			usleep(1000);
	}
}

static void one_test(const char *nonce, const char *group, const struct CMUnitTest *test,
		     CMFixtureFunction setup, CMFixtureFunction teardown, long patience)
{
	static char log[LOG_KEPT], buffer[65536];
	const char *logs = getenv("LAB_LOGS"), *word = "FAIL";
	char why[128] = "", path[512];
	uint8_t token[16], said[17];
	int out[2], back[2], status = 0;
	size_t kept = 0, total = 0;
	long end = now_ms() + patience * 1000;
	ssize_t n, tokens = 0;
	pid_t pid;

	if (getrandom(token, sizeof(token), 0) != sizeof(token) || pipe2(out, O_CLOEXEC) < 0 ||
	    pipe2(back, O_CLOEXEC) < 0) {
		dprintf(verdicts, "%s %s ERROR no pipe\n", nonce, test->name);
		return;
	}
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		dprintf(verdicts, "%s %s FAIL no process left for this test\n", nonce, test->name);
		goto out;
	}
	if (pid == 0) {
		uint8_t mine[16];

		setpgid(0, 0);
		prctl(PR_SET_CHILD_SUBREAPER, 0);
		memcpy(mine, token, sizeof(mine));
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		close(verdicts);
		if (__real__cmocka_run_group_tests(group, test, 1, setup, teardown) != 0)
			_exit(1);
		fflush(NULL);
		n = write(back[1], mine, sizeof(mine));
		_exit(0);
	}
	close(out[1]);
	close(back[1]);
	out[1] = back[1] = -1;

	for (struct pollfd p = { .fd = out[0], .events = POLLIN };;) {
		long left = end - now_ms();

		if (left <= 0) {
			word = "TIMEOUT";
			snprintf(why, sizeof(why), "still running after %ld s", patience);
			break;
		}
		/* The child may have ended while one of its own keeps the pipe open. */
		if (waitpid(pid, &status, WNOHANG) == pid) {
			pid = 0;
			fcntl(out[0], F_SETFL, O_NONBLOCK);
		}
		if (poll(&p, 1, left < 100 ? left : 100) <= 0) {
			if (!pid)
				break;
			continue;
		}
		n = read(out[0], buffer, sizeof(buffer));
		if (n <= 0) {
			if (!pid || n == 0)
				break;
			continue;
		}
		if (kept < sizeof(log)) {
			size_t take = (size_t)n < sizeof(log) - kept ? (size_t)n : sizeof(log) - kept;

			memcpy(log + kept, buffer, take);
			kept += take;
		}
		total += (size_t)n;
		if (total > LOG_MOST) {
			snprintf(why, sizeof(why), "printed more than %u MiB", LOG_MOST >> 20);
			break;
		}
	}
	/* The pipe is closed but the process may go on: give it the rest of its time. */
	while (pid && !why[0] && waitpid(pid, &status, WNOHANG) != pid) {
		if (now_ms() >= end) {
			word = "TIMEOUT";
			snprintf(why, sizeof(why), "still running after %ld s", patience);
			break;
		}
		usleep(2000);
		continue;
	}
	if (pid && why[0]) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	if (!why[0]) {
		fcntl(back[0], F_SETFL, O_NONBLOCK);
		tokens = read(back[0], said, sizeof(said));
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && tokens == sizeof(token) &&
		    !memcmp(said, token, sizeof(token)))
			word = "PASS";
		else if (WIFSIGNALED(status))
			snprintf(why, sizeof(why), "ended by signal %d", WTERMSIG(status));
		else if (WEXITSTATUS(status) == 0)
			snprintf(why, sizeof(why), "left with exit status 0 before the test was over");
		else
			snprintf(why, sizeof(why), "exit status %d", WEXITSTATUS(status));
	}
	if (logs) {
		snprintf(path, sizeof(path), "%s/%s.log", logs, test->name);
		FILE *f = fopen(path, "we");

		if (f) {
			fwrite(log, 1, kept, f);
			fclose(f);
		}
	}
	bury_orphans();
	dprintf(verdicts, "%s %s %s %s\n", nonce, test->name, word, why);
out:
	close(out[0]);
	close(back[0]);
	if (out[1] >= 0)
		close(out[1]);
	if (back[1] >= 0)
		close(back[1]);
}

int __wrap__cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests, size_t n,
				   CMFixtureFunction setup, CMFixtureFunction teardown)
{
	const char *names = getenv("LAB_TESTS"), *patience = getenv("LAB_PATIENCE");
	char nonce[80] = "";
	ssize_t len = 0, got;

	if (getenv("LAB_VERDICTS"))
		verdicts = atoi(getenv("LAB_VERDICTS"));
	if (verdicts < 0 || fcntl(verdicts, F_GETFD) < 0)
		return __real__cmocka_run_group_tests(group, tests, n, setup, teardown);
	while (len < (ssize_t)sizeof(nonce) - 1 &&
	       (got = read(0, nonce + len, sizeof(nonce) - 1 - (size_t)len)) > 0)
		len += got;
	nonce[strcspn(nonce, "\n")] = '\0';
	fcntl(verdicts, F_SETFD, FD_CLOEXEC);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_DUMPABLE, 0);	/* our descriptors are not for our children's /proc */
	for (size_t i = 0; i < n; i++)
		if (listed(names, tests[i].name))
			one_test(nonce, group, &tests[i], setup, teardown,
				 patience ? atol(patience) : 20);
	dprintf(verdicts, "%s . END\n", nonce);
	return 0;
}
