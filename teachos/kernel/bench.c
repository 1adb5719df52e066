/* SPDX-License-Identifier: MIT */
/*
 * `bench` on the command line: what a system call, a fault, a fork and a switch
 * between processes cost.  What only this back end can measure is in arch/.
 */
#include "bench.h"

static u32 per_operation(u64 ticks, u32 count)
{
	return div64(ticks * 10 + count / 2, count, NULL);
}

struct bench_result bench_measure(void (*batch)(void *arg), void *arg, u32 count)
{
	u32 sorted[BENCH_BATCHES], i, j, value;

	for (i = 0; i < BENCH_BATCHES; i++) {
		u64 start = rdtsc();

		batch(arg);
		value = per_operation(rdtsc() - start, count);
		for (j = i; j && sorted[j - 1] > value; j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = value;
	}
	return (struct bench_result){sorted[BENCH_BATCHES / 2], sorted[0]};
}

void bench_print(const char *name, u32 value10, const char *unit)
{
	print("bench %s %u.%u %s\n", name, value10 / 10, value10 % 10, unit);
}

void bench_report(const char *name, struct bench_result r)
{
	char text[48];

	bench_print(name, r.median10, "ticks");
	snformat(text, sizeof(text), "%s_min", name);
	bench_print(text, r.min10, "ticks");
}

/*G:710 From the other side
 *
 * What a process feels must be measured by a process: /bin/benchuser does it and
 * prints the same lines.  The null system call is measured twice, once with a
 * handler that does nothing but return (the round trip alone), once through all of
 * TeachOS.
 */
static void run_user(const char *what)
{
	char name[32];
	char *argv[] = {"benchuser", name, NULL};
	int status = 0, pid;

	strcopy(name, what, sizeof(name));
	pid = process_spawn("/bin/benchuser", argv);
	while (pid > 0 && process_wait(-1, &status, false) != pid)
		;
	if (pid < 0 || status)
		print("bench: /bin/benchuser %s failed: %d\n", what, pid < 0 ? pid : status);
}

static void bare_syscall(void)
{
	trap_set_gate(0x80, (void (*)(void))bench_bare_syscall, GATE_TRAP, 3);
	run_user("bare");
	trap_reset_gate(0x80);
}

void bench_run(void)
{
	static const char *const user[] = {
		"loop", "syscall", "zero", "cow", "fork", "exec", "switch2", "switch8",
	};
	u32 i;

	print("# every figure is for one operation, in ticks of the time-stamp counter\n");
	bench_backend();
	bare_syscall();
	for (i = 0; i < sizeof(user) / sizeof(user[0]); i++)
		run_user(user[i]);
	machine_shutdown("Power down", SHUTDOWN_POWEROFF);
}
/*:*/
