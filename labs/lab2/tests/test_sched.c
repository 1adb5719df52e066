/* SPDX-License-Identifier: MIT */
/* 2.9: who runs next, and what the Host is told on the way. */
#include "layout.h"

#define MAGIC 0x50524f43u

static u32 now, armed, arms, batch, root, stack, fpu, idle, from, to, wakes;

static u32 pv_now(const u32 *args) { (void)args; return now; }
static u32 clock_request(const u32 *args) { armed = args[0]; arms++; return note('t'); }
static u32 batch_begin(const u32 *args) { (void)args; batch++; return note('['); }
static u32 batch_end(const u32 *args) { (void)args; batch--; return note(']'); }
static void in_batch(const char *what)
{
	if (!batch)
		fail_msg("%s outside of the batch: a trip of its own", what);
}
static u32 root_switch(const u32 *args) { in_batch("root_switch()"); root = args[0]; return 0; }
static u32 set_kernel_stack(const u32 *args)
{
	in_batch("set_kernel_stack()");
	stack = args[0];
	return 0;
}
static u32 fpu_switch_to(const u32 *args) { in_batch("fpu_switch_to()"); fpu = args[0]; return 0; }
static u32 set_tls(const u32 *args) { (void)args; in_batch("set_tls()"); return 0; }
static u32 irq_disable(const u32 *args) { (void)args; return note('-'); }
static u32 irq_enable(const u32 *args) { (void)args; return note('+'); }
static u32 irq_enabled(const u32 *args) { (void)args; return 0; }

static u32 *word(const char *name)
{
	return guest(guest_symbol(name));
}

static void ready(u32 p)
{
	guest_call("make_ready", 1, p);
}

/* Asleep: sooner or later an interrupt's handler makes somebody ready. */
static u32 halt(const u32 *args)
{
	(void)args;
	note('h');
	if (++idle > 10)
		fail_msg("ten halts, and it still sleeps");
	if (idle == wakes) {
		FIELD(process, person(1), next_ready) = 0;
		FIELD(process, person(1), state) = GUEST(u32, "state_ready");
		*word("ready_first") = *word("ready_last") = person(1);
	}
	return 0;
}

static u32 switch_stacks(const u32 *args)
{
	from = args[0];
	to = args[1];
	note('s');
	if (batch)
		fail_msg("the stacks were switched inside the batch: it is closed by nobody");
	return 0;
}

static void begin(void)
{
	events[0] = '\0';
	now = 1000;
	armed = arms = batch = root = stack = fpu = idle = from = to = wakes = 0;
	guest_on_call("clock_request", clock_request);
	guest_on_call("root_switch", root_switch);
	guest_on_call("fpu_switch_to", fpu_switch_to);
	guest_on_call("switch_stacks", switch_stacks);
	guest_on_call("panic", panics);
	PV(now) = guest_hook(pv_now);
	PV(batch_begin) = guest_hook(batch_begin);
	PV(batch_end) = guest_hook(batch_end);
	PV(set_kernel_stack) = guest_hook(set_kernel_stack);
	PV(set_tls) = guest_hook(set_tls);
	PV(irq_disable) = guest_hook(irq_disable);
	PV(irq_enable) = guest_hook(irq_enable);
	PV(irq_enabled) = guest_hook(irq_enabled);
	PV(halt) = guest_hook(halt);
	*word("ready_first") = *word("ready_last") = 0;
	*word("process_list") = 0;
	for (u32 n = 0; n < 8; n++) {
		u32 p = person(n), kstack = guest_symbol("stacks") + n * GUEST(u32, "kstack_size");

		memset(guest(p), 0, GUEST(u32, "process_size"));
		FIELD(process, p, pid) = n;
		FIELD(process, p, magic) = MAGIC;
		FIELD(process, p, kstack) = kstack;
		*(u32 *)guest(kstack) = MAGIC;
		FIELD(process, p, root) = 0x100000 + n * 0x1000;
		FIELD(process, p, esp) = kstack + 4000 + n;
		FIELD(process, p, state) = GUEST(u32, "state_ready");
	}
	FIELD(process, person(0), state) = GUEST(u32, "state_running");
	*word("current") = person(0);
}

static void goes_to(u32 before, u32 after)
{
	if (*word("current") != person(after))
		fail_msg("process %u runs, expected %u", (*word("current") - person(0)) /
			 GUEST(u32, "process_size"), after);
	if (FIELD(process, person(after), state) != GUEST(u32, "state_running"))
		fail_msg("the process that runs is not RUNNING");
	if (to != FIELD(process, person(after), esp) ||
	    from != person(before) + GUEST(u32, "at_process_esp"))
		fail_msg("switch_stacks(0x%x, 0x%x), expected (&process %u's esp, 0x%x)", from, to,
			 before, FIELD(process, person(after), esp));
}

static void one_after_the_other(void **state)
{
	(void)state;
	begin();
	for (u32 n = 1; n < 4; n++)
		ready(person(n));
	for (u32 i = 0; i < 12; i++) {
		guest_call("schedule", 0);
		goes_to(i % 4, (i + 1) % 4);
	}
	/* Who sleeps is not in the queue. */
	begin();
	ready(person(1));
	FIELD(process, person(0), state) = GUEST(u32, "state_sleeping");
	guest_call("schedule", 0);
	goes_to(0, 1);
	if (*word("ready_first"))
		fail_msg("a process that sleeps waits for its turn");
}

static void told_in_a_batch(void **state)
{
	(void)state;
	begin();
	ready(person(1));
	*events = '\0';
	guest_call("schedule", 0);
	if (root != FIELD(process, person(1), root))
		fail_msg("root 0x%x, expected 0x%x", root, FIELD(process, person(1), root));
	if (stack != FIELD(process, person(1), kstack) + GUEST(u32, "kstack_size"))
		fail_msg("kernel stack 0x%x, expected 0x%x: its end, where the next trap pushes",
			 stack, FIELD(process, person(1), kstack) + GUEST(u32, "kstack_size"));
	if (fpu != person(1))
		fail_msg("fpu_switch_to() was not told");
	if (!strstr(events, "[]s"))
		fail_msg("%s, expected one batch and then the stacks", events);
}

/* Ten milliseconds for each, as long as somebody else waits. */
static void slices(void **state)
{
	(void)state;
	begin();
	ready(person(1));
	guest_call("schedule", 0);
	if (arms != 1 || armed != now + 10000000)
		fail_msg("two processes, and the clock was set %u times, for %u; expected once, for %u",
			 arms, armed, now + 10000000);
	guest_call("schedule", 0);
	guest_call("schedule", 0);
	if (arms != 1)
		fail_msg("the clock was set %u times in one slice, expected once", arms);
	GUEST(u8, "need_resched") = 0;
	guest_call("sched_tick", 0);
	if (!GUEST(u8, "need_resched"))
		fail_msg("the slice is over, somebody waits, and nobody has to go");
	guest_call("schedule", 0);
	if (arms != 2)
		fail_msg("the clock was set %u times in two slices, expected twice", arms);
	if (GUEST(u8, "need_resched"))
		fail_msg("need_resched is still set after schedule()");
}

static void alone(void **state)
{
	(void)state;
	begin();
	GUEST(u8, "need_resched") = 1;
	guest_call("schedule", 0);
	if (GUEST(u8, "need_resched"))
		fail_msg("need_resched is still set after schedule()");
	if (strchr(events, 's'))
		fail_msg("alone, and the stacks were switched");
	if (arms)
		fail_msg("alone, and the clock was set %u times: nobody waits", arms);
	if (*word("current") != person(0))
		fail_msg("alone, and somebody else runs");
	guest_call("sched_tick", 0);
	if (GUEST(u8, "need_resched"))
		fail_msg("nobody waits, and the process has to go");
}

static void nobody(void **state)
{
	(void)state;
	begin();
	FIELD(process, person(0), state) = GUEST(u32, "state_sleeping");
	wakes = 3;
	guest_call("schedule", 0);
	goes_to(0, 1);
	if (strncmp(events, "h-h-h-", 6))
		fail_msg("%s, expected h-h-h-[]s: sleep (h), and turn interrupts off (-), since the "
			 "halt has turned them on", events);
}

static void sleepers(void **state)
{
	(void)state;
	begin();
	*word("process_list") = person(2);
	FIELD(process, person(2), state) = GUEST(u32, "state_sleeping");
	FIELD(process, person(2), wake_at) = now + 500;
	guest_call("sched_tick", 0);
	if (armed != now + 500)
		fail_msg("a process sleeps until %u, and the clock is set for %u", now + 500, armed);
	now += 600;
	guest_call("sched_tick", 0);
	if (*word("ready_first") != person(2))
		fail_msg("its time is over, and it still sleeps");
}

static void the_kernel(void **state)
{
	(void)state;
	begin();
	memcpy(guest(guest_symbol("kernel_process")), guest(person(5)), GUEST(u32, "process_size"));
	ready(guest_symbol("kernel_process"));
	guest_call("schedule", 0);
	if (root || stack)
		fail_msg("the kernel's own process has no root (0x%x) and no stack (0x%x) to tell of",
			 root, stack);
	if (*word("current") != guest_symbol("kernel_process"))
		fail_msg("the kernel's own process does not run");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_after_the_other), TEST(told_in_a_batch), TEST(slices), TEST(alone),
		TEST(nobody), TEST(sleepers), TEST(the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
