/* SPDX-License-Identifier: MIT */
/*
 * Runs the registry of tests: `selftest` on the command line runs all of them,
 * `selftest WORD` those with WORD in their name.
 */
#include "selftest.h"

extern const struct selftest selftests[], selftests_end[];

u32 trap_start, trap_next;
static char message[160];
static bool skipped;

const char *test_message(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnformat(message, sizeof(message), fmt, ap);
	va_end(ap);
	return message;
}

const char *test_skip(const char *why)
{
	skipped = true;
	return why;
}

int run_program(const char *path, const char *name)
{
	char argument[48];
	char *argv[] = {(char *)path, argument, NULL};
	int pid, status = 0;

	strcopy(argument, name, sizeof(argument));
	last_user_fault.pid = 0;
	quiet_faults = true;
	pid = process_spawn(path, argv);
	while (pid > 0 && process_wait(-1, &status, 0) != pid)
		;
	quiet_faults = false;
	return pid < 0 ? pid : status;
}

int run_usertest(const char *name)
{
	return run_program("/bin/usertest", name);
}

void spin_thousands(u32 count)
{
	asm volatile("1: movl $1000, %%ecx\n2: loop 2b\n\tdecl %0\n\tjnz 1b"
		     : "+r"(count) : : "ecx", "cc");
}

bool spin_until_changed(volatile u32 *word, u32 value)
{
	u32 patience;

	for (patience = 200000; patience && *word == value; patience--)
		spin_thousands(10);
	return *word != value;
}

/* Tests set the timer behind the back of clock.c.  Let it ring once more, so that the
 * clock knows again where it stands. */
static void settle_clock(void)
{
	u32 before = irq_count[0];

	pv.clock_arm(NS_PER_MS);
	spin_until_changed(&irq_count[0], before);
}

/*G:605 The verdict
 *
 * One line a test, then the sum, then power off.  The Launcher sees in the last
 * words whether all went well: "Power down" is the only text that means so.
 */
void selftest_run(const char *pattern)
{
	static char text[64];
	const struct selftest *t;
	u32 passed = 0, failed = 0, skips = 0;

	for (t = selftests; t < selftests_end; t++) {
		const char *why;

		if ((t->only && strcmp(t->only, pv.name)) ||
		    (pattern && !strstr(t->name, pattern)))
			continue;
		skipped = false;
		why = t->run();
		trap_probe.armed = false;
		settle_clock();
		if (!pv.irq_enabled()) {
			pv.irq_enable();
			if (!why)
				why = "came back with interrupts off";
		}
		if (!why) {
			print("ok %s\n", t->name);
			passed++;
		} else if (skipped) {
			print("skip %s: %s\n", t->name, why);
			skips++;
		} else {
			print("not ok %s: %s\n", t->name, why);
			failed++;
		}
	}
	if (!passed && !failed && !skips)
		print("selftest: no test has \"%s\" in its name\n", pattern ? pattern : "");
	if (skips)
		print("%u passed, %u failed, %u skipped\n", passed, failed, skips);
	else
		print("%u passed, %u failed\n", passed, failed);
	if (!failed && passed)
		power_down("Power down", SHUTDOWN_POWEROFF);
	snformat(text, sizeof(text), "selftest: %u failed", failed);
	power_down(text, SHUTDOWN_POWEROFF);
}
/*:*/
