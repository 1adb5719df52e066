/* SPDX-License-Identifier: MIT */
/* 2.8: called on one stack, back on another. */
#include "layout.h"

static u32 saved[2];

/* A process that sleeps in switch_stacks(): what it will have when it wakes. */
static u32 sleeper(u32 at, const u32 regs[4])
{
	u32 *sp = guest(at);

	*--sp = guest_other_end;
	*--sp = regs[0];	/* ebp, ebx, esi, edi, as they are pushed */
	*--sp = regs[1];
	*--sp = regs[2];
	*--sp = regs[3];
	return (u32)(uintptr_t)sp;
}

static struct regs in;
static struct regs leave(u32 save, u32 to)
{
	u32 *sp = guest(guest_stack_top - 256);

	sp[0] = guest_end;
	sp[1] = save;
	sp[2] = to;
	in = (struct regs){
		.eip = guest_symbol("switch_stacks"), .esp = guest_stack_top - 256,
		.ebx = random32(), .esi = random32(), .edi = random32(), .ebp = random32(),
	};
	return guest_run(in);
}

static u32 low(void *address)
{
	return (u32)(uintptr_t)address;
}

static void to_another(void **state)
{
	u32 top = guest_stack_top - 8192, other[4] = {random32(), random32(), random32(), random32()};
	struct regs out;

	(void)state;
	out = leave(low(&saved[0]), sleeper(top, other));
	if (!guest_went_other)
		fail_msg("it came back where it was called: the stack is still the old one");
	if (out.esp != top)
		fail_msg("esp is %d bytes off on the other stack", (int)(out.esp - top));
	if (out.ebp != other[0] || out.ebx != other[1] || out.esi != other[2] || out.edi != other[3])
		fail_msg("the other process woke up with ebp 0x%x, ebx 0x%x, esi 0x%x, edi 0x%x, "
			 "expected 0x%x, 0x%x, 0x%x, 0x%x", out.ebp, out.ebx, out.esi, out.edi,
			 other[0], other[1], other[2], other[3]);
}

static void and_back(void **state)
{
	u32 other[4] = {1, 2, 3, 4};
	struct regs first, out;

	(void)state;
	leave(low(&saved[0]), sleeper(guest_stack_top - 8192, other));
	first = in;
	if (saved[0] <= guest_stack_top - 512 || saved[0] > first.esp)
		fail_msg("the esp that was saved is 0x%x: not on the stack that was left (0x%x)",
			 saved[0], first.esp);
	/* Somebody else leaves, on a third stack, to the first. */
	u32 *sp = guest(guest_stack_top - 16384);

	sp[0] = guest_other_end;
	sp[1] = low(&saved[1]);
	sp[2] = saved[0];
	out = guest_run((struct regs){.eip = guest_symbol("switch_stacks"),
				      .esp = guest_stack_top - 16384, .ebx = 5, .esi = 6, .edi = 7,
				      .ebp = 8});
	if (guest_went_other)
		fail_msg("the first process does not run again");
	if (out.ebx != first.ebx || out.esi != first.esi || out.edi != first.edi ||
	    out.ebp != first.ebp || out.esp != first.esp + 4)
		fail_msg("the first process woke up with another %s",
			 out.ebx != first.ebx ? "ebx" : out.esi != first.esi ? "esi" :
			 out.edi != first.edi ? "edi" : out.ebp != first.ebp ? "ebp" : "esp");
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(to_another), TEST(and_back)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
