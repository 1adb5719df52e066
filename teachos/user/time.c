/* SPDX-License-Identifier: MIT */
/*G:848 time
 * time PROGRAM...: runs it and says how long it took. :*/
#include "user.h"

int main(int argc, char **argv)
{
	u64 begun = uptime_ms();
	int pid, status, error;
	char path[128];
	u32 ms;

	if (argc < 2)
		die("time: expected a program, and perhaps its arguments\n");
	pid = fork();
	if (pid < 0)
		die("time: cannot start %s: %s\n", argv[1], error_text(pid));
	if (!pid) {
		snformat(path, sizeof(path), "%s%s", strchr(argv[1], '/') ? "" : "/bin/", argv[1]);
		error = execve(path, argv + 1);
		die("time: %s: %s\n", argv[1], error_text(error));
	}
	error = waitpid(pid, &status, 0);
	if (error < 0)
		die("time: %s\n", error_text(error));
	ms = uptime_ms() - begun;
	complain("%u.%03u seconds\n", ms / 1000, ms % 1000);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
