/* SPDX-License-Identifier: MIT */
/*
 * 2.9, where no student looks: seven processes run, sleep, are woken and interrupted at any time,
 * and who is next is what a queue in an array says.
 */
#include "../../tests/layout.h"

#define MAGIC		0x50524f43u
#define PEOPLE		7u
#define SLICE		10000000u

static u32 now, armed_for, arms, batch, halts, switches, from, to;
static u32 queue[PEOPLE], waiting;
static bool slice, asleep[PEOPLE];

static u32 pv_now(const u32 *args) { (void)args; return now; }
static u32 clock_request(const u32 *args) { armed_for = args[0]; arms++; return 0; }
static u32 batch_begin(const u32 *args) { (void)args; return batch++; }
static u32 batch_end(const u32 *args) { (void)args; return batch--; }
static u32 nothing(const u32 *args) { (void)args; return 0; }
static u32 panic(const u32 *args)
{
	fail_msg("panic: %s", (char *)guest(args[0]));
	return 0;
}

static u32 running(void)
{
	return (GUEST(u32, "current") - person(0)) / GUEST(u32, "process_size");
}

static void wake(u32 n)
{
	asleep[n] = false;
	queue[waiting++] = n;
}

/* The interrupt that ends a halt wakes somebody: what make_ready() does, done by hand. */
static u32 halt(const u32 *args)
{
	u32 n = random32() % PEOPLE, p;

	(void)args;
	if (waiting)
		fail_msg("it halts, and %u processes wait for their turn", waiting);
	if (++halts > 1000)
		fail_msg("a thousand halts");
	if (random32() % 3)
		return 0;
	while (!asleep[n])
		n = (n + 1) % PEOPLE;
	p = person(n);
	wake(n);
	FIELD(process, p, state) = GUEST(u32, "state_ready");
	FIELD(process, p, next_ready) = 0;
	if (GUEST(u32, "ready_first"))
		FIELD(process, GUEST(u32, "ready_last"), next_ready) = p;
	else
		GUEST(u32, "ready_first") = p;
	GUEST(u32, "ready_last") = p;
	return 0;
}

static u32 switch_stacks(const u32 *args)
{
	from = args[0];
	to = args[1];
	switches++;
	if (batch)
		fail_msg("the stacks were switched inside the batch");
	return 0;
}

static void begin(void)
{
	now = 5000;
	armed_for = arms = batch = waiting = 0;
	slice = false;
	guest_on_call("clock_request", clock_request);
	guest_on_call("root_switch", nothing);
	guest_on_call("fpu_switch_to", nothing);
	guest_on_call("switch_stacks", switch_stacks);
	guest_on_call("panic", panic);
	PV(now) = guest_hook(pv_now);
	PV(batch_begin) = guest_hook(batch_begin);
	PV(batch_end) = guest_hook(batch_end);
	PV(halt) = guest_hook(halt);
	PV(set_kernel_stack) = PV(set_tls) = PV(irq_disable) = PV(irq_enable) = PV(irq_enabled) =
		guest_hook(nothing);
	GUEST(u32, "ready_first") = GUEST(u32, "ready_last") = 0;
	GUEST(u32, "process_list") = 0;
	for (u32 n = 0; n < PEOPLE; n++) {
		u32 p = person(n), stack = guest_symbol("stacks") + n * GUEST(u32, "kstack_size");

		memset(guest(p), 0, GUEST(u32, "process_size"));
		FIELD(process, p, magic) = MAGIC;
		FIELD(process, p, kstack) = stack;
		*(u32 *)guest(stack) = MAGIC;
		FIELD(process, p, esp) = stack + 2000 + n;
		FIELD(process, p, next) = GUEST(u32, "process_list");
		GUEST(u32, "process_list") = p;
		asleep[n] = n != 0;
		FIELD(process, p, state) = GUEST(u32, "state_sleeping");
	}
	FIELD(process, person(0), state) = GUEST(u32, "state_running");
	GUEST(u32, "current") = person(0);
}

/* The queue, from its first to its last, is ours. */
static void same_queue(const char *when)
{
	u32 p = GUEST(u32, "ready_first"), k = 0;

	for (; p; p = FIELD(process, p, next_ready), k++)
		if (k == waiting || p != person(queue[k]))
			fail_msg("%s: process %u waits at place %u of %u, expected %d", when,
				 (p - person(0)) / GUEST(u32, "process_size"), k, waiting,
				 k == waiting ? -1 : (int)queue[k]);
	if (k != waiting)
		fail_msg("%s: %u processes wait, expected %u", when, k, waiting);
}

static void schedule(bool sleeps)
{
	u32 before = running(), after, set = arms;

	if (sleeps) {
		asleep[before] = true;
		FIELD(process, person(before), state) = GUEST(u32, "state_sleeping");
	} else {
		queue[waiting++] = before;
	}
	halts = switches = 0;
	GUEST(u8, "need_resched") = 1;
	guest_call("schedule", 0);
	if (!waiting)
		fail_msg("somebody runs, and all sleep");
	after = queue[0];
	memmove(queue, queue + 1, --waiting * sizeof(*queue));
	if (running() != after)
		fail_msg("process %u runs, expected %u; it was %u, and %s", running(), after, before,
			 sleeps ? "went to sleep" : "had to go");
	same_queue("schedule()");
	if (FIELD(process, person(after), state) != GUEST(u32, "state_running"))
		fail_msg("the process that runs is not RUNNING");
	if (switches != (before != after) ||
	    (switches && (from != person(before) + GUEST(u32, "at_process_esp") ||
			  to != FIELD(process, person(after), esp))))
		fail_msg("from process %u to %u: %u switches, the last to 0x%x", before, after,
			 switches, to);
	if (GUEST(u8, "need_resched"))
		fail_msg("need_resched is still set after schedule()");
	if (arms - set != (waiting && !slice))
		fail_msg("%u wait, a slice %s, and the clock was set %u times", waiting,
			 slice ? "runs" : "does not run", arms - set);
	if (arms != set && armed_for != now + SLICE)
		fail_msg("the clock is set for %u, expected %u", armed_for, now + SLICE);
	slice |= waiting != 0;
}

/* Sleepers with a time, in the order of the list, then the flag. */
static void tick(void)
{
	u32 earliest = 0, set = arms;

	for (u32 n = PEOPLE; n-- > 0;) {
		u32 at = FIELD(process, person(n), wake_at);

		if (!asleep[n] || !at)
			continue;
		if (at <= now) {
			wake(n);
			FIELD(process, person(n), state) = GUEST(u32, "state_sleeping");
		} else if (!earliest || at < earliest) {
			earliest = at;
		}
	}
	GUEST(u8, "need_resched") = 0;
	guest_call("sched_tick", 0);
	slice = false;
	same_queue("sched_tick()");
	if (GUEST(u8, "need_resched") != (waiting != 0))
		fail_msg("%u wait, and after the tick need_resched is %u", waiting,
			 GUEST(u8, "need_resched"));
	if (arms - set != (earliest != 0) || (earliest && armed_for != earliest))
		fail_msg("the next sleeper's time is %u, and the clock was set %u times, for %u",
			 earliest, arms - set, armed_for);
}

static void any_day(void **state)
{
	u32 ran[PEOPLE] = { 0 };

	(void)state;
	begin();
	for (u32 i = 0; i < 4000; i++) {
		u32 n = random32() % PEOPLE;

		now += random32() % 3000;
		switch (random32() % 8) {
		case 0: case 1: case 2:
			schedule(false);
			break;
		case 3: case 4:
			FIELD(process, person(running()), wake_at) =
				random32() % 2 ? now + 1 + random32() % 9000 : 0;
			schedule(true);
			break;
		case 5:
			tick();
			break;
		default:
			if (!asleep[n])
				break;
			wake(n);
			guest_call("make_ready", 1, person(n));
			same_queue("make_ready()");
			if (!GUEST(u8, "need_resched"))
				fail_msg("somebody is ready, and need_resched is not set");
		}
		ran[running()]++;
	}
	for (u32 n = 0; n < PEOPLE; n++)
		if (ran[n] < 100)
			fail_msg("process %u ran %u times of 4000", n, ran[n]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(any_day) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
