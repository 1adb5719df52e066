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
 * repeats a word that its parent gave it, *and* its code is still what it was: the parent
 * compares all of it that cannot be written with its own, for who may write to
 * /proc/self/mem can make a test of the oracle's that never fails.  exit(0) in the middle is
 * no way to pass, nor is printing "ok".  Whoever searches our memory for that word can find
 * it: this keeps accidents and jokes away, and not the last determined attacker.
 */
#define _GNU_SOURCE
#include <errno.h>
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
#include <sys/uio.h>
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

/* AddressSanitizer's, where a program has it. */
void __sanitizer_print_stack_trace(void) __attribute__((weak));

/* A test whose time is over is asked where it is before it is ended; unit.py reads on. */
static void where_are_you(int signal)
{
	static const char mark[] = "\nSTILL RUNNING\n";

	(void)signal;
	if (write(STDERR_FILENO, mark, sizeof(mark) - 1) > 0 && __sanitizer_print_stack_trace)
		__sanitizer_print_stack_trace();
	_exit(1);
}

/* Its answer: what it still says, for at most two seconds.  Bytes that were kept. */
static size_t last_answer(pid_t pid, int out, char *log, size_t room)
{
	struct pollfd p = { .fd = out, .events = POLLIN };
	size_t kept = 0;
	int tries = 20;
	ssize_t n;

	if (kill(pid, SIGUSR2) < 0)
		return 0;
	while (kept < room && tries--) {
		if (poll(&p, 1, 100) <= 0)
			continue;
		n = read(out, log + kept, room - kept);
		if (n <= 0)
			break;
		kept += (size_t)n;
	}
	return kept;
}

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

/* memcmp() is AddressSanitizer's here, and objects to what lies between variables. */
static bool differs(const char *one, const char *other, size_t len)
{
	size_t i = 0;

	while (i < len && one[i] == other[i])
		i++;
	return i < len;
}

/*
 * Is what our child cannot write still the same as here?  We are its parent, and were the
 * same before we parted; so each address means the same in both.
 */
static bool changed(pid_t pid)
{
	static char theirs[65536];
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long from, to, inode;
	char rights[5], line[512];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %4s %*s %*s %lu", &from, &to, rights, &inode) != 4 ||
		    !inode || rights[0] != 'r' || rights[1] != '-')
			continue;
		for (; from < to && !found; from += sizeof(theirs)) {
			size_t len = to - from < sizeof(theirs) ? to - from : sizeof(theirs);
			struct iovec here = { theirs, len }, there = { (void *)from, len };

			if (process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)len)
				found = differs(theirs, (void *)from, len);
			else	/* EPERM: this kernel lets nobody look.  Else it is not there. */
				found = errno != EPERM && errno != ENOSYS;
		}
	}
	if (f)
		fclose(f);
	return found;
}

static void one_test(const char *nonce, const char *group, const struct CMUnitTest *test,
		     CMFixtureFunction setup, CMFixtureFunction teardown, long patience)
{
	static char log[LOG_KEPT], buffer[65536];
	const char *logs = getenv("LAB_LOGS"), *word = "FAIL";
	char why[128] = "", path[512];
	uint8_t token[16], said[17];
	int out[2], back[2], go[2], status = 0;
	size_t kept = 0, total = 0;
	long end = now_ms() + patience * 1000;
	ssize_t n, tokens = 0;
	pid_t pid;

	if (getrandom(token, sizeof(token), 0) != sizeof(token) || pipe2(out, O_CLOEXEC) < 0 ||
	    pipe2(back, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0) {
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
		signal(SIGUSR2, where_are_you);
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		close(verdicts);
		if (__real__cmocka_run_group_tests(group, test, 1, setup, teardown) != 0)
			_exit(1);
		fflush(NULL);
		prctl(PR_SET_DUMPABLE, 1);	/* our parent wants to look at us */
		n = write(back[1], mine, sizeof(mine));
		close(go[1]);
		n = read(go[0], mine, 1);	/* until it has */
		_exit(0);
	}
	close(out[1]);
	close(back[1]);
	close(go[0]);
	out[1] = back[1] = go[0] = -1;

	for (struct pollfd p[] = { { .fd = out[0], .events = POLLIN },
				   { .fd = back[0], .events = POLLIN } };;) {
		long left = end - now_ms();

		if (left <= 0) {
			word = "TIMEOUT";
			snprintf(why, sizeof(why), "still running after %ld s", patience);
			if (pid)
				kept += last_answer(pid, out[0], log + kept, sizeof(log) - kept);
			break;
		}
		/* The child may have ended while one of its own keeps the pipe open. */
		if (waitpid(pid, &status, WNOHANG) == pid) {
			pid = 0;
			fcntl(out[0], F_SETFL, O_NONBLOCK);
		}
		/* Both pipes are at their end: it is about to go, and only the clock wakes us. */
		long pause = p[0].fd < 0 && p[1].fd < 0 ? 1 : 100;

		if (poll(p, 2, left < pause ? left : pause) <= 0) {
			if (!pid)
				break;
			continue;
		}
		if (p[1].revents) {
			tokens = read(back[0], said, sizeof(said));
			if (tokens > 0 && (!pid || changed(pid)))
				snprintf(why, sizeof(why), "changed code in memory");
			close(go[1]);
			p[1].fd = go[1] = -1;
			if (why[0])
				break;
			if (!p[0].revents)
				continue;
		}
		n = read(out[0], buffer, sizeof(buffer));
		if (n <= 0) {
			if (!pid)
				break;
			if (n == 0)	/* it says no more, but goes on */
				p[0].fd = -1;
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
	if (pid && why[0]) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	if (!why[0]) {
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
	if (go[0] >= 0)
		close(go[0]);
	if (go[1] >= 0)
		close(go[1]);
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
