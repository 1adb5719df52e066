/* SPDX-License-Identifier: MIT */
/* 2.4: who is asked, in which order, with interrupts on or off. */
#include "layout.h"

struct frame {
	u32 gs, fs, es, ds, edi, esi, ebp, esp_ignored, ebx, edx, ecx, eax;
	u32 vector, error, eip, cs, eflags, esp, ss;
};
#define FRAME_AT (guest_stack_top - 2048)

static bool irqs, mended, handled;
static u32 address, fault_args[3], signal_args[4], irq_seen, rounds;

static struct frame *frame(void)
{
	return guest(FRAME_AT);
}

static u32 irq_enable(const u32 *args) { (void)args; irqs = true; return note('+'); }
static u32 irq_disable(const u32 *args) { (void)args; irqs = false; return note('-'); }
static u32 irq_enabled(const u32 *args) { (void)args; return irqs; }
static u32 interrupt(const u32 *args)
{
	irq_seen = args[0];
	if (irqs)
		fail_msg("interrupts are on while one is handled");
	return note('i');
}

/* The next fault overwrites it: so it has to be read while none can come. */
static u32 fault_address(const u32 *args)
{
	(void)args;
	note('a');
	return irqs ? 0xbad : address;
}

static u32 vm_fault(const u32 *args)
{
	memcpy(fault_args, args, sizeof(fault_args));
	note('v');
	return mended;
}

static u32 signal_fault(const u32 *args)
{
	memcpy(signal_args, args, sizeof(signal_args));
	note('s');
	return handled;
}

static u32 fpu_trap(const u32 *args) { (void)args; return note('f'); }
static u32 vm_had_right(const u32 *args) { (void)args; return 0; }
static u32 print(const u32 *args) { (void)args; return 0; }
static u32 gone(const u32 *args) { (void)args; note('x'); guest_leave(); return 0; }
static u32 panic_trap(const u32 *args) { (void)args; note('P'); guest_leave(); return 0; }

static u32 schedule(const u32 *args)
{
	(void)args;
	if (irqs)
		fail_msg("schedule() was called with interrupts on");
	GUEST(u8, "need_resched") = rounds > 1;
	FIELD(process, person(0), due) = rounds && --rounds ? 1 : 0;
	return note('c');
}

static u32 signal_deliver(const u32 *args)
{
	(void)args;
	FIELD(process, person(0), due) = 0;
	irqs = true;			/* it may: a signal's handler takes its time */
	return note('d');
}

static void begin(u32 vector, bool user, u32 error)
{
	memset(frame(), 0, sizeof(*frame()));
	*frame() = (struct frame){.vector = vector, .error = error, .eip = 0x1234,
				  .cs = user ? 0x73 : 0x61, .eflags = 0x202};
	events[0] = '\0';
	irqs = false;
	mended = handled = false;
	address = random32() | 0x1000;
	rounds = 0;
	memset(fault_args, 0, sizeof(fault_args));
	memset(signal_args, 0, sizeof(signal_args));
	PV(irq_enable) = guest_hook(irq_enable);
	PV(irq_disable) = guest_hook(irq_disable);
	PV(irq_enabled) = guest_hook(irq_enabled);
	PV(interrupt) = guest_hook(interrupt);
	PV(fault_address) = guest_hook(fault_address);
	guest_on_call("vm_fault", vm_fault);
	guest_on_call("vm_had_right", vm_had_right);
	guest_on_call("signal_fault", signal_fault);
	guest_on_call("fpu_trap", fpu_trap);
	guest_on_call("print", print);
	guest_on_call("process_exit", gone);
	guest_on_call("panic_trap", panic_trap);
	guest_on_call("schedule", schedule);
	guest_on_call("signal_deliver", signal_deliver);
	GUEST(u32, "current") = person(0);
	FIELD(process, person(0), due) = 0;
	FIELD(process, person(0), root) = 0x5000;
	GUEST(u8, "need_resched") = 0;
}

/* guest_call() would complain about esp when something does not come back. */
static void handle(void)
{
	u32 *sp = guest(guest_stack_top - 256);
	struct regs in = {.eip = guest_symbol("trap_handler"), .esp = guest_stack_top - 256};

	sp[0] = guest_end;
	sp[1] = FRAME_AT;
	guest_run(in);
}

static void happened(const char *what, const char *expected)
{
	if (strcmp(events, expected))
		fail_msg("%s: %s, expected %s (i interrupt, a fault address, + irqs on, - off, v "
			 "vm_fault, s signal, x exit, f fpu, c schedule, d deliver, P panic)", what,
			 *events ? events : "nothing", expected);
}

static void page_fault(void **state)
{
	(void)state;
	for (u32 e = 0; e < 8; e++) {
		begin(14, true, e);
		mended = true;
		handle();
		if (fault_args[1] == 0xbad)
			fail_msg("the fault address was read with interrupts on: the next fault had "
				 "overwritten it");
		happened("a page fault of a process, mended", "a+v-");
		if (fault_args[0] != person(0) || fault_args[1] != address ||
		    !fault_args[2] != !(e & 2))
			fail_msg("vm_fault(0x%x, 0x%x, %u) for address 0x%x, error %u",
				 fault_args[0], fault_args[1], fault_args[2], address, e);
	}
}

static void bad_address(void **state)
{
	(void)state;
	begin(14, true, 6);
	handled = true;
	handle();
	happened("a page fault, not mended, with a handler of SIGSEGV", "a+vs-");
	begin(14, true, 6);
	handle();
	happened("a page fault, not mended, without", "a+vsx");
}

static void other_traps(void **state)
{
	static const struct {
		u32 vector, signal;
	} table[] = {{0, 8}, {3, 5}, {4, 11}, {6, 4}, {11, 11}, {13, 11}, {17, 7}};

	(void)state;
	for (u32 i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		begin(table[i].vector, true, 0x18);
		handled = true;
		handle();
		happened("a process's own fault, and its handler", "+s-");
		if (signal_args[0] != table[i].signal || signal_args[1] != table[i].vector)
			fail_msg("vector %u: signal %u for vector %u, expected %u", table[i].vector,
				 signal_args[0], signal_args[1], table[i].signal);
		begin(table[i].vector, true, 0x18);
		handle();
		happened("a process's own fault, no handler", "+sx");
	}
	begin(7, true, 0);
	handle();
	happened("no FPU, for a process", "f-");
	begin(7, false, 0);
	handle();
	happened("no FPU, for the kernel", "f");
}

static void interrupts(void **state)
{
	(void)state;
	for (u32 n = 0; n < 32; n++) {
		begin(32 + n, false, 0);
		handle();
		happened("an interrupt of the kernel", "i");
		assert_int_equal(irq_seen, n);
		begin(32 + n, true, 0);
		handle();
		happened("an interrupt of a process", "i-");
	}
}

static void the_kernel_trips(void **state)
{
	(void)state;
	begin(14, false, 2);
	handle();
	happened("a page fault of the kernel's", "aP");
	begin(13, false, 0);
	handle();
	happened("#GP in the kernel", "P");
	begin(14, false, 2);
	frame()->eip = guest_symbol("trap_pop_segments");
	handled = true;
	handle();
	if (strchr(events, 'P'))
		fail_msg("a fault at trap_pop_segments is the process's, and it was a panic");
}

/* Only for trap gates, and only from the kernel: the processor's own flag is always on. */
static void the_flag_in_the_frame(void **state)
{
	(void)state;
	for (u32 i = 0; i < 16; i++) {
		bool trap = i & 1, user = i & 2, on = i & 4, was = i & 8;
		u32 expected = trap && !user ? (on ? FLAG_IF : 0) : (was ? FLAG_IF : 0);

		begin(7, user, 0);
		((u8 *)guest(guest_symbol("is_trap_gate")))[7] = trap;
		frame()->eflags = 2 | (was ? FLAG_IF : 0);
		irqs = on;
		handle();
		if ((frame()->eflags & FLAG_IF) != expected)
			fail_msg("%s gate, from %s, irq_enabled %u, IF in the frame %u: it became %u, "
				 "expected %u", trap ? "trap" : "interrupt", user ? "ring 3" : "the kernel",
				 on, was, (frame()->eflags & FLAG_IF) != 0, expected != 0);
		((u8 *)guest(guest_symbol("is_trap_gate")))[7] = 0;
	}
}

static void last_look(void **state)
{
	(void)state;
	begin(32, true, 0);
	GUEST(u8, "need_resched") = 1;
	rounds = 1;
	handle();
	happened("an interrupt, and somebody else's turn", "i-c-");
	begin(32, true, 0);
	FIELD(process, person(0), due) = 1;
	handle();
	happened("an interrupt, and a signal", "i-d-");
	if (irqs)
		fail_msg("on the way to ring 3 with interrupts on");
	begin(32, true, 0);
	GUEST(u8, "need_resched") = 1;
	rounds = 3;
	handle();
	happened("schedule() comes back with a signal, twice", "i-c-d-c-d-c-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(page_fault), TEST(bad_address), TEST(other_traps), TEST(interrupts),
		TEST(the_kernel_trips), TEST(the_flag_in_the_frame), TEST(last_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
