/* SPDX-License-Identifier: MIT */
/*M:427 A burglar
 *
 * Somebody has taken over the Launcher and makes it call execve().  To play that, we
 * need no bug: a debugger may do as it likes.  This one stops a running Launcher, puts
 * the numbers of a system call into its registers, points it at a `syscall` instruction
 * of its own code, and lets it go.  What the Launcher does then is what it would do for
 * a real burglar.
 *
 *	inject PID NUMBER		any of its threads' IDs will do
 *:*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

/* The address of the first `syscall` (0f 05) in its code, or 0. */
static unsigned long find_syscall(pid_t pid)
{
	unsigned long from, to, at;
	char path[64], line[256], rights[8];
	FILE *maps, *memory;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	memory = fopen(path, "r");
	while (maps && memory && fgets(line, sizeof(line), maps)) {
		int c, before = 0;

		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || rights[2] != 'x' ||
		    strstr(line, "[v"))
			continue;
		fseek(memory, (long)from, SEEK_SET);
		for (at = from; at < to && (c = fgetc(memory)) != EOF; at++, before = c)
			if (before == 0x0f && c == 0x05)
				return at - 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct user_regs_struct regs;
	unsigned long at;
	pid_t pid;
	int status;

	if (argc != 3) {
		fprintf(stderr, "usage: inject PID NUMBER\n");
		return 2;
	}
	pid = atoi(argv[1]);
	if (ptrace(PTRACE_ATTACH, pid, 0, 0) < 0 || waitpid(pid, &status, __WALL) != pid ||
	    ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0) {
		perror("inject");
		return 1;
	}
	at = find_syscall(pid);
	if (!at) {
		fprintf(stderr, "inject: no syscall instruction found\n");
		return 1;
	}
	regs.rip = at;
	regs.rax = strtoul(argv[2], NULL, 0);
	regs.orig_rax = -1ul;		/* it was in no system call that would go on */
	regs.rdi = regs.rsi = regs.rdx = 0;
	if (ptrace(PTRACE_SETREGS, pid, 0, &regs) < 0 || ptrace(PTRACE_DETACH, pid, 0, 0) < 0) {
		perror("inject");
		return 1;
	}
	return 0;
}
