/* SPDX-License-Identifier: MIT */
/* 2.2: the last instructions.  Each is looked at: may an interrupt come here? */
#include "layout.h"
#include "lguest.h"

static u32 *enabled(void)
{
	return guest(guest_symbol("lguest_data"));
}

static struct regs in, out;

static void go(const char *name, u32 eflags, u32 before)
{
	u32 *sp = guest(guest_stack_top - 256);

	*--sp = eflags;
	*--sp = CODE32;
	*--sp = guest_end;
	in = (struct regs){
		.eax = random32(), .ebx = random32(), .ecx = random32(), .edx = random32(),
		.esi = random32(), .edi = random32(), .ebp = random32(),
		.ds = 3, .es = 3, .fs = DATA32, .gs = 3,	/* a process's: anything */
		.eip = guest_symbol(name), .esp = (u32)(uintptr_t)sp,
		.eflags = guest_single_step ? FLAG_TF : 0,
	};
	*enabled() = before;
	out = guest_run(in);
	if (out.esp != in.esp + 12)
		fail_msg("%s: esp is %d bytes off after iret", name, (int)(out.esp - in.esp - 12));
	if (out.eax != in.eax || out.ebx != in.ebx || out.ecx != in.ecx || out.edx != in.edx ||
	    out.esi != in.esi || out.edi != in.edi || out.ebp != in.ebp)
		fail_msg("%s: a register changed: %s", name, out.eax != in.eax ? "eax" :
			 out.ecx != in.ecx ? "ecx" : out.edx != in.edx ? "edx" : "another one");
	if ((out.eflags & 0x8d5) != (eflags & 0x8d5))
		fail_msg("%s: eflags are 0x%x, the frame said 0x%x", name, out.eflags, eflags);
}

static void flag_of_the_frame(void **state)
{
	(void)state;
	for (u32 i = 0; i < 64; i++) {
		u32 flags = 2 | (random32() & 0x8d5) | (i & 1 ? FLAG_IF : 0);

		go("lguest_return", flags, i & 2 ? FLAG_IF : 0);
		if (*enabled() != (flags & FLAG_IF))
			fail_msg("the frame's eflags were 0x%x, and irq_enabled is 0x%x, expected 0x%x",
				 flags, *enabled(), flags & FLAG_IF);
	}
}

static void to_ring_3(void **state)
{
	(void)state;
	for (u32 i = 0; i < 8; i++) {
		go("lguest_return_to_user", 2 | (random32() & 0x8d5) | FLAG_IF, 0);
		if (*enabled() != FLAG_IF)
			fail_msg("irq_enabled is 0x%x on the way to ring 3, expected 0x200", *enabled());
	}
}

static const char *which;
static void step(struct regs *r)
{
	u32 from = guest_symbol("noirq_start"), to = guest_symbol("noirq_end");

	if ((*enabled() & FLAG_IF) && (r->eip < from || r->eip >= to))
		fail_msg("%s: interrupts are on, the frame is still on the stack, and eip 0x%x is not "
			 "in [noirq_start, noirq_end)", which, r->eip);
}

static void held_back(void **state)
{
	(void)state;
	guest_on_step = step;
	guest_single_step = true;
	which = "lguest_return";
	go("lguest_return", FLAG_IF | 2, 0);
	which = "lguest_return_to_user";
	go("lguest_return_to_user", FLAG_IF | 2, 0);
	if (guest_symbol("noirq_end") - guest_symbol("noirq_start") > 256)
		fail_msg("the range has %u bytes: interrupts would be held back for no reason",
			 guest_symbol("noirq_end") - guest_symbol("noirq_start"));
}

static void the_iret(void **state)
{
	u8 byte = GUEST(u8, "lguest_iret");

	(void)state;
	if (byte != 0xcf)
		fail_msg("at lguest_iret is no iret but 0x%02x: trap.c looks there for stale segments",
			 byte);
	if (!guest_has("noirq_spin"))
		fail_msg("noirq_spin is gone: the kernel's self-test calls it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(flag_of_the_frame), TEST(to_ring_3), TEST(held_back), TEST(the_iret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
