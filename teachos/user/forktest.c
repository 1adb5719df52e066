/* SPDX-License-Identifier: MIT */
/*G:843 forktest
 * forktest [N]: N children at once, each counts on its own copy of a variable. :*/
#include "user.h"

static volatile int counter = 1000;

static int child(int n)
{
	int i;

	for (i = 0; i < n; i++) {
		counter++;
		sched_yield();
	}
	return counter == 1000 + n ? n : 255;
}

int main(int argc, char **argv)
{
	u32 n = 10, i, good = 0;
	int pid, status;

	if (argc > 1 && (!parse_number(argv[1], &n) || n > 200))
		die("forktest: %s: expected a number up to 200\n", argv[1]);
	for (i = 0; i < n; i++) {
		pid = fork();
		if (pid == 0)
			exit(child(i % 100));
		if (pid < 0)
			die("forktest: fork number %u: %s\n", i, error_text(pid));
	}
	while (waitpid(-1, &status, 0) > 0)
		good += WIFEXITED(status) && WEXITSTATUS(status) < 100;
	printf("forktest: %u children, %u counted right, ours is still %d\n", n, good, counter);
	return good != n;
}
