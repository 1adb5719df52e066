/* SPDX-License-Identifier: MIT */
/* 2.1: the way in and the way out.  The test is the processor, and the C behind it. */
#include "layout.h"

#define VECTORS 64u
#define SYSCALL 0x80u

struct frame {
	u32 gs, fs, es, ds, edi, esi, ebp, esp_ignored, ebx, edx, ecx, eax;
	u32 vector, error, eip, cs, eflags, esp, ss;
};

static struct frame seen;
static u32 calls, seen_at;
static void (*change)(struct frame *f);
static bool system_call;

static u32 handler(const u32 *args)
{
	seen_at = args[0];
	memcpy(&seen, guest(args[0]), sizeof(seen));
	calls++;
	if (change)
		change(guest(args[0]));
	return 0xdeadbeef;
}

static u32 trap_handler(const u32 *args)
{
	if (system_call)
		fail_msg("a system call went to trap_handler(), expected syscall_handler()");
	return handler(args);
}

static u32 syscall_handler(const u32 *args)
{
	if (!system_call)
		fail_msg("a trap went to syscall_handler(), expected trap_handler()");
	return handler(args);
}

/* A selector below 4 is none.  On its way back to ring 3 a processor may make a 0 of it, so any
 * interrupt of this machine may. */
static u32 plain(u32 selector)
{
	selector &= 0xffff;
	return selector < 4 ? 0 : selector;
}

static bool has_error(u32 v)
{
	return v == 8 || (v >= 10 && v <= 14) || v == 17;
}

static u32 entry(u32 vector)
{
	return vector == SYSCALL ? guest_symbol("syscall_stub") :
	       ((u32 *)guest(guest_symbol("trap_stubs")))[vector];
}

/* The processor's part, from ring 3 or from the kernel; -> what is there afterwards. */
static struct regs top, out;
static u32 frame_at, error;

static void raise(u32 vector, bool user)
{
	u32 *sp = guest(guest_stack_top - 4096);

	memset(guest(guest_stack_top - 8192), 0x5a, 8192);
	top = (struct regs){
		.eax = random32(), .ebx = random32(), .ecx = random32(), .edx = random32(),
		.esi = random32(), .edi = random32(), .ebp = random32(), .eip = entry(vector),
		.eflags = 0x8d5 | FLAG_DF, .ds = DATA32, .es = DATA32,
		.fs = user ? DATA32 : 0, .gs = user ? DATA32 : 0,
	};
	error = has_error(vector) ? random32() & 0xffff : 0;
	if (user) {
		*--sp = DATA32;
		*--sp = 0x12345678;
	}
	*--sp = 0x202 | (random32() & 0x8d5);
	*--sp = user ? 0x73 : CODE32;
	*--sp = random32();
	frame_at = (u32)(uintptr_t)sp;
	if (has_error(vector))
		*--sp = error;
	top.esp = (u32)(uintptr_t)sp;
	guest_on_call("trap_handler", trap_handler);
	guest_on_call("syscall_handler", syscall_handler);
	PV(return_from_trap) = guest_end;
	PV(return_to_user) = guest_other_end;
	system_call = vector == SYSCALL;
	calls = 0;
	memset(&seen, 0, sizeof(seen));
	out = guest_run(top);
	if (calls != 1)
		fail_msg("vector %u: C was called %u times, expected once", vector, calls);
}

#define WORD(name, expected) \
	do { \
		if ((expected) != seen.name) \
			fail_msg("vector %u: frame->" #name " is 0x%x, expected 0x%x", v, \
				 seen.name, (u32)(expected)); \
	} while (0)

static void one_frame(u32 v, bool user)
{
	change = NULL;
	raise(v, user);
	WORD(vector, v);
	WORD(error, error);
	WORD(eip, *(u32 *)guest(frame_at));
	WORD(cs, *(u32 *)guest(frame_at + 4));
	WORD(eflags, *(u32 *)guest(frame_at + 8));
	WORD(eax, top.eax);
	WORD(ecx, top.ecx);
	WORD(edx, top.edx);
	WORD(ebx, top.ebx);
	WORD(ebp, top.ebp);
	WORD(esi, top.esi);
	WORD(edi, top.edi);
	if (user) {
		WORD(esp, 0x12345678);
		WORD(ss, DATA32);
	}
	seen.ds &= 0xffff;
	seen.es &= 0xffff;
	seen.fs &= 0xffff;
	seen.gs &= 0xffff;
	WORD(ds, top.ds);
	WORD(es, top.es);
	WORD(fs, top.fs);
	WORD(gs, top.gs);
}

static void every_vector(void **state)
{
	(void)state;
	for (u32 v = 0; v < VECTORS; v++)
		if (!has_error(v))
			one_frame(v, v % 2);
}

static void error_codes(void **state)
{
	(void)state;
	for (u32 v = 0; v < 20; v++)
		if (has_error(v)) {
			one_frame(v, false);
			one_frame(v, true);
		}
}

static void ready_for_c(void **state)
{
	static const u32 some[] = {0, 14, 33, SYSCALL};

	(void)state;
	for (u32 i = 0; i < 4; i++) {
		change = NULL;
		raise(some[i], true);
		if (guest_at_call.eflags & FLAG_DF)
			fail_msg("vector %u: DF is set when C begins: each copy would go backwards",
				 some[i]);
		if (guest_at_call.ds != DATA32 || guest_at_call.es != DATA32)
			fail_msg("vector %u: C begins with the process's ds or es", some[i]);
		if (guest_at_call.fs || guest_at_call.gs)
			fail_msg("vector %u: C begins with fs 0x%x and gs 0x%x, expected 0", some[i],
				 guest_at_call.fs, guest_at_call.gs);
	}
}

/* A process may have loaded anything into ds and es; ss is the kernel's. */
static void foreign_segments(void **state)
{
	static const u32 some[] = {6, 32, SYSCALL};

	(void)state;
	for (u32 i = 0; i < 3; i++) {
		u32 *sp = guest(guest_stack_top - 4096);
		struct regs in = {.eip = entry(some[i]), .ds = 3, .es = 3};

		*--sp = 0x202;
		*--sp = CODE32;
		*--sp = 0x1000;
		in.esp = (u32)(uintptr_t)sp;
		guest_on_call("trap_handler", trap_handler);
		guest_on_call("syscall_handler", syscall_handler);
		PV(return_from_trap) = guest_end;
		PV(return_to_user) = guest_other_end;
		system_call = some[i] == SYSCALL;
		change = NULL;
		out = guest_run(in);
		if (guest_at_call.ds != DATA32 || guest_at_call.es != DATA32)
			fail_msg("vector %u: ds or es is not what ss is when C begins", some[i]);
		if (plain(out.ds) || plain(out.es))
			fail_msg("vector %u: ds 0x%x and es 0x%x afterwards, expected none", some[i],
				 out.ds, out.es);
	}
}

static void all_new(struct frame *f)
{
	f->eax = 0x11111111;
	f->ecx = 0x22222222;
	f->edx = 0x33333333;
	f->ebx = 0x44444444;
	f->ebp = 0x55555555;
	f->esi = 0x66666666;
	f->edi = 0x77777777;
	f->eip = 0x88888888;
	f->ds = DATA32;
	f->es = 3;
	f->fs = DATA32;
	f->gs = 3;
}

static void there_and_back(void **state)
{
	(void)state;
	for (u32 v = 0; v <= VECTORS; v++) {
		u32 vector = v == VECTORS ? SYSCALL : v;

		change = v % 2 ? all_new : NULL;
		raise(vector, true);
		if (change)
			top.eax = 0x11111111, top.ecx = 0x22222222, top.edx = 0x33333333,
			top.ebx = 0x44444444, top.ebp = 0x55555555, top.esi = 0x66666666,
			top.edi = 0x77777777, top.es = top.gs = 3;
		if (out.esp != frame_at)
			fail_msg("vector %u: esp is %d bytes off the frame's eip on the way out",
				 vector, (int)(out.esp - frame_at));
		if (out.eax != top.eax || out.ebx != top.ebx || out.ecx != top.ecx ||
		    out.edx != top.edx || out.esi != top.esi || out.edi != top.edi ||
		    out.ebp != top.ebp)
			fail_msg("vector %u: the registers on the way out are not those of the frame%s",
				 vector, change ? ", which C had changed" : "");
		if (plain(out.ds) != plain(top.ds) || plain(out.es) != plain(top.es) ||
		    plain(out.fs) != plain(top.fs) || plain(out.gs) != plain(top.gs))
			fail_msg("vector %u: the segments on the way out are not those of the frame",
				 vector);
	}
}

static void system_calls(void **state)
{
	(void)state;
	one_frame(SYSCALL, true);
	if (!guest_went_other)
		fail_msg("a system call goes home by pv.return_to_user");
	one_frame(33, true);
	if (guest_went_other)
		fail_msg("a trap goes home by pv.return_from_trap: interrupts may have been off");
}

static u32 culprit;
static bool at_a_pop(const struct regs *r)
{
	culprit = r->eip;
	return true;
}

static u32 which;
static void stale(struct frame *f)
{
	*(&f->gs + which) = 0x8888 | 7;		/* no such descriptor */
}

/* trap.c forgives a fault in this range, and nowhere else. */
static void stale_segments(void **state)
{
	u32 from = guest_symbol("trap_pop_segments"), to = guest_symbol("trap_pop_segments_end");

	(void)state;
	for (u32 v = 13; v <= SYSCALL; v += SYSCALL - 13)
		for (which = 0; which < 4; which++) {
			culprit = 0;
			guest_on_fault = at_a_pop;
			change = stale;
			raise(v, true);
			if (!culprit)
				fail_msg("vector %u: a stale segment register was not loaded", v);
			if (culprit < from || culprit >= to)
				fail_msg("vector %u: the fault is at 0x%x, outside of "
					 "trap_pop_segments (0x%x to 0x%x)", v, culprit, from, to);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_vector), TEST(error_codes), TEST(ready_for_c), TEST(foreign_segments),
		TEST(there_and_back), TEST(system_calls), TEST(stale_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
