/* SPDX-License-Identifier: MIT */
/*G:740 The process's own stop-watch
 *
 * `benchuser WHAT` measures one thing and prints it.  The loop around a system call
 * is three instructions; `loop` shows what a loop costs by itself.
 */
#include "user.h"

#define BATCHES 11

static u32 ticks[BATCHES];

static void sort(void)
{
	u32 i, j, value;

	for (i = 1; i < BATCHES; i++) {
		value = ticks[i];
		for (j = i; j && ticks[j - 1] > value; j--)
			ticks[j] = ticks[j - 1];
		ticks[j] = value;
	}
}

static void report(const char *name, u32 count)
{
	u32 value;

	sort();
	value = div64((u64)ticks[BATCHES / 2] * 10 + count / 2, count, NULL);
	printf("bench %s %u.%u ticks\n", name, value / 10, value % 10);
}

#define MEASURE(name, count, code) \
	do { \
		u32 batch_; \
		for (batch_ = 0; batch_ < BATCHES; batch_++) { \
			u64 start_ = rdtsc(); \
			code; \
			ticks[batch_] = rdtsc() - start_; \
		} \
		report(name, count); \
	} while (0)

static void loop(void)
{
	u32 n = 1000;

	asm volatile("1: movl $20, %%eax\n\tdecl %0\n\tjnz 1b" : "+r"(n) : : "eax", "cc");
}

static void system_calls(void)
{
	u32 n = 1000;

	asm volatile("1: movl $20, %%eax\n\tint $0x80\n\tdecl %0\n\tjnz 1b"
		     : "+S"(n) : : "eax", "cc", "memory");
}

static void touch(volatile char *from, u32 pages)
{
	for (; pages--; from += 4096)
		*from = 1;
}

/* Demand-zero: 64 new pages of heap, and back. */
static void zero(void)
{
	char *heap = brk(0);
	u32 batch;

	for (batch = 0; batch < BATCHES; batch++) {
		u64 start;

		brk(heap + 64 * 4096);
		start = rdtsc();
		touch(heap, 64);
		ticks[batch] = rdtsc() - start;
		brk(heap);
	}
	report("demand_zero_fault", 64);
}

/* Copy-on-write: the child writes to 64 shared pages. */
static void cow(void)
{
	char *heap = brk(0);
	u64 start;
	int status;

	brk(heap + 64 * 4096);
	touch(heap, 64);
	if (!fork()) {
		start = rdtsc();
		touch(heap, 64);
		status = (u32)(rdtsc() - start) * 10 / 64;
		printf("bench copy_on_write_fault %d.%d ticks\n", status / 10, status % 10);
		exit(0);
	}
	waitpid(-1, &status, 0);
}

static void fork_exit_wait(void)
{
	int status, pid = fork();

	if (!pid)
		exit(0);
	waitpid(pid, &status, 0);
}

static void fork_exec_wait(void)
{
	char *argv[] = {"true", NULL};
	int status, pid = fork();

	if (!pid) {
		execve("/bin/true", argv);
		exit(1);
	}
	waitpid(pid, &status, 0);
}

/* n processes hand the processor round; one round is n switches. */
#define ROUNDS 100

static void switches(const char *name, u32 n)
{
	u32 i, others = n - 1;
	int pids[8], status;

	for (i = 0; i < others; i++) {
		pids[i] = fork();
		if (!pids[i])
			for (;;)
				sched_yield();
	}
	for (i = 0; i < 10; i++)
		sched_yield();		/* everybody has everything at hand */
	MEASURE(name, ROUNDS * n, for (i = 0; i < ROUNDS; i++) sched_yield());
	for (i = 0; i < others; i++) {
		kill(pids[i], 9);
		waitpid(pids[i], &status, 0);
	}
}

/* A child reads what we write: PIPE_KIB kilobytes, a page at a time.  The first byte of
 * each batch that comes back says that all of it has arrived. */
#define PIPE_KIB 64

static void pipe_child(int from, int back)
{
	static char buffer[4096];
	u32 have = 0;
	int n;

	while ((n = read(from, buffer, sizeof(buffer))) > 0) {
		have += n;
		if (have == PIPE_KIB * 1024) {
			write(back, buffer, 1);
			have = 0;
		}
	}
	exit(0);
}

static void pipe_batch(int to, int back)
{
	static char buffer[4096];
	u32 i;

	for (i = 0; i < PIPE_KIB / 4; i++)
		write(to, buffer, sizeof(buffer));
	read(back, buffer, 1);
}

static void pipe_throughput(void)
{
	int there[2], back[2], status;

	pipe(there);
	pipe(back);
	if (!fork()) {
		close(there[1]);
		close(back[0]);
		pipe_child(there[0], back[1]);
	}
	close(there[0]);
	close(back[1]);
	pipe_batch(there[1], back[0]);
	MEASURE("pipe_kib", PIPE_KIB, pipe_batch(there[1], back[0]));
	close(there[1]);
	waitpid(-1, &status, 0);
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (!strcmp(what, "bare"))
		MEASURE("bare_syscall", 1000, system_calls());
	else if (!strcmp(what, "loop"))
		MEASURE("user_loop", 1000, loop());
	else if (!strcmp(what, "syscall"))
		MEASURE("null_syscall", 1000, system_calls());
	else if (!strcmp(what, "zero"))
		zero();
	else if (!strcmp(what, "cow"))
		cow();
	else if (!strcmp(what, "fork"))
		MEASURE("fork_exit_wait", 10, for (int i = 0; i < 10; i++) fork_exit_wait());
	else if (!strcmp(what, "exec"))
		MEASURE("fork_exec_wait", 10, for (int i = 0; i < 10; i++) fork_exec_wait());
	else if (!strcmp(what, "switch2"))
		switches("context_switch_2", 2);
	else if (!strcmp(what, "switch8"))
		switches("context_switch_8", 8);
	else if (!strcmp(what, "pipe"))
		pipe_throughput();
	else
		die("benchuser: expected bare, loop, syscall, zero, cow, fork, exec, switch2, switch8 "
		    "or pipe\n");
	return 0;
}
/*:*/
