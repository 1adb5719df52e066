/* SPDX-License-Identifier: MIT */
/*G:895 stress
 * stress WHAT [N]: too much of something, on purpose.  Each says how far it came; the
 * machine has to be as good as before.
 */
#include "user.h"

static int ends[2];

static int fork_or_say(u32 n)
{
	int pid = fork();

	if (pid < 0)
		printf("after %u: %s\n", n, error_text(pid));
	return pid;
}

/* Waits for all children; how many did not end well. */
static u32 bury(void)
{
	int status;
	u32 bad = 0;

	while (waitpid(-1, &status, 0) > 0)
		bad += status != 0;
	return bad;
}

/* All at once: they sleep until the pipe ends. */
static u32 stress_fork(u32 count)
{
	u32 n, bad;
	int pid = 0;
	char c;

	if (pipe(ends))
		die("stress: cannot make a pipe\n");
	for (n = 0; n < count && (pid = fork_or_say(n)) >= 0; n++)
		if (!pid) {
			close(ends[1]);
			exit(read(ends[0], &c, 1) != 0);
		}
	close(ends[1]);
	bad = bury();
	printf("%u processes at once, %u were killed\n", n, bad);
	return pid >= 0 && bad;
}

/* A child that takes page after page until there are none, and dies of it. */
static u32 stress_memory(u32 mib)
{
	volatile u32 *pages = NULL;
	u32 area, i, got = 0;
	int status = 0, pid;

	pipe(ends);
	pid = fork_or_say(0);
	if (!pid) {
		area = mmap(0, mib << 20, PROT_READ | PROT_WRITE, 0);
		if (area >= -4095u)
			die("stress: %u MiB: %s\n", mib, error_text(area));
		pages = (u32 *)area;
		for (i = 0; i < mib; i++) {
			for (area = 0; area < 256; area++)
				pages[(i * 256 + area) * 1024] = i;
			write(ends[1], "x", 1);		/* one for each MiB */
		}
		exit(0);
	}
	close(ends[1]);
	if (pid > 0) {
		char c;

		while (read(ends[0], &c, 1) == 1)
			got++;
		waitpid(pid, &status, 0);
	}
	printf("%u of %u MiB, then %s\n", got, mib, WIFEXITED(status) ? "enough" : "killed");
	return pid < 0 || (status && WTERMSIG(status) != SIGKILL);
}

/* Pairs of processes: one writes a megabyte, one reads and counts. */
static u32 stress_pipes(u32 count)
{
	static u8 chunk[3000];
	u32 n, i, sum, bad;
	int got, pid = 0;

	for (n = 0; n < count && (pid = fork_or_say(n)) >= 0; n++) {
		if (pid)
			continue;
		if (pipe(ends) || (pid = fork()) < 0)
			exit(1);
		if (!pid) {
			memset(chunk, 1, sizeof(chunk));
			close(ends[0]);
			for (i = 0; i < 1000000; i += got)
				if ((got = write(ends[1], chunk, 1000000 - i < 3000 ? 1000000 - i : 3000))
				    <= 0)
					exit(1);
			exit(0);
		}
		close(ends[1]);
		for (sum = 0; (got = read(ends[0], chunk, sizeof(chunk))) > 0;)
			for (i = 0; i < (u32)got; i++)
				sum += chunk[i];
		exit(sum != 1000000 || bury());
	}
	bad = bury();
	printf("%u pipes, a megabyte through each, %u lost something\n", n, bad);
	return bad;
}

static volatile u32 taps;

static void tap(int signal)
{
	(void)signal;
	taps++;
}

/* Two processes that tap each other on the shoulder. */
static u32 stress_signals(u32 count)
{
	int parent = getpid(), pid;
	u32 bad;

	signal(SIGUSR1, tap);
	pid = fork_or_say(0);
	if (!pid) {
		while (taps < count)
			if (kill(parent, SIGUSR1))
				exit(1);
			else
				sched_yield();
		exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0)
		if (taps)
			kill(pid, SIGUSR1);
	bad = pid < 0 || taps == 0;
	printf("%u taps received\n", taps);
	return bad;
}

static const struct {
	const char *name, *what;
	u32 usual;
	u32 (*run)(u32 n);
} tests[] = {
	{"fork", "N processes at once", 200, stress_fork},
	{"memory", "N MiB, or until there is no more", 1024, stress_memory},
	{"pipes", "a megabyte through each of N pipes, all at once", 10, stress_pipes},
	{"signals", "N taps on a process's shoulder", 1000, stress_signals},
};

int main(int argc, char **argv)
{
	u32 i, n;

	for (i = 0; argc > 1 && argc < 4 && i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (strcmp(argv[1], tests[i].name))
			continue;
		n = tests[i].usual;
		if (argc == 3 && (!parse_number(argv[2], &n) || !n || n > 1000000))
			die("stress: %s: expected a number from 1 to 1000000\n", argv[2]);
		if (tests[i].run == stress_memory && n > 2000)
			die("stress: %u MiB: expected at most 2000\n", n);
		return tests[i].run(n) != 0;
	}
	complain("stress: expected one of these, and perhaps N:\n");
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		complain("  %-8s %s (%u)\n", tests[i].name, tests[i].what, tests[i].usual);
	return 2;
}
/*:*/
