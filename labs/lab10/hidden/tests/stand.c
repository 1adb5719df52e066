// SPDX-License-Identifier: MIT
/*
 * Lab 10, where no student looks: days of two Guests, in which anything follows on anything,
 * with an NMI now and then; and stacks at any address, of which nobody writes a word too many.
 */

/* All that is in there is static; it comes along, but for its table. */
#define tests tests_that_all_see
#include "tests.c"
#undef tests

/* Below n.  The lower bits of draw() come round too soon for choices. */
static u32 any(u32 n)
{
	u32 a = draw() * 2654435761u;

	return ((a >> 15 ^ a) + draw()) % n;
}

/* ---- Days -------------------------------------------------------------------------------- */

/* A selector that cannot be loaded, in any of the four. */
static bool bad_segment_trip(struct world *w)
{
	static const u16 bad[] = { 23 * 8 + 1, 0x3f8, 23 * 8 + 3, 0x2b0 };
	u16 selector = bad[any(4)];

	start(w, false, int_1f, sizeof(int_1f));
	*segment_slot(&w->pages->regs, any(4)) = selector;
	return stay(w) && trapped(w, LG_TRAP_ENTRY_SEGMENT | 13, selector & ~3u);
}

/* Out by a fault, and in again with what the Host has saved: nothing else was given to it. */
static bool resumed_trip(struct world *w)
{
	struct guest_view last;

	start(w, false, ud2, sizeof(ud2));
	if (!trip(w, 6, 0, GUEST_TAIL))
		return false;
	last = *next(w);
	any_view(next(w), false);
	came_with = last;
	w->pages->regs.eip = GUEST_CODE;
	return trip(w, 6, 0, GUEST_TAIL);
}

static bool ring3_trip(struct world *w)
{
	start(w, true, ud2, sizeof(ud2));
	return stay(w) && trapped(w, 6, 0) && arrived(w, &came_with) && left(w, next(w)) &&
	       frame(w, GUEST_TAIL, UCS, next(w)->flags, GUEST_STACK, UDS);
}

static bool page_fault_trip(struct world *w)
{
	static const u8 read[] = { 0x36, 0xa1, 0x34, 0x12, 0x90, 0 };

	w->pages->cr2 = 0;
	start(w, false, read, sizeof(read));
	if (!trip(w, 14, 0, GUEST_TAIL))
		return false;
	return w->pages->cr2 == 0x901234 || fail("way out: cr2 is %x, expected 0x901234",
						 w->pages->cr2);
}

static bool any_trap_trip(struct world *w)
{
	return trap_trip(w, any(4), any(2));
}

static bool random_days(u32 kinds)
{
	static bool (*const kind[])(struct world *w) = {
		hypercall_trip, resumed_trip, ring3_trip, page_fault_trip, bad_segment_trip,
		fault_trip, call_trip, any_trap_trip,
	};
	u32 i, which, armed, hits = 0, visits[8] = { 0 };
	u64 before;

	for (i = 0; i < 900; i++) {
		struct world *w = &world[any(2)];

		which = any(kinds);
		visits[which]++;
		before = nmis;
		armed = any(3) ? 0 : 1 + any(150);
		arm(armed, true);
		if (!kind[which](w)) {
			say("# visit %d, of kind %d; an NMI after %d instructions\n", (u64)i,
			    (u64)which, (u64)armed);
			return false;
		}
		if (armed && fired() && nmis != before + 1)
			return fail("NMI: one came after %d instructions, but the Host heard of %d",
				    (u64)armed, nmis - before);
		hits += armed && fired();
	}
	for (which = 0; which < kinds; which++)
		if (visits[which] < 30)
			return fail("stand: %d visits of kind %d", (u64)visits[which], (u64)which);
	return hits > 40 || fail("stand: only %d NMIs in a day", (u64)hits);
}

/* Without what a Guest does by itself, and with it. */
static bool days(void)
{
	return random_days(6);
}

static bool days_at_home(void)
{
	return random_days(8);
}

/* ---- Stacks at any address ---------------------------------------------------------------- */

#define AROUND	96u

static u8 kept[2 * AROUND + 4];

/* The bytes from `low` on, `size` of them, are new; those around are as they were, but for some
 * right below, where the handler has a stack. */
static bool nothing_beside(struct world *w, u32 low, u32 size, u32 from)
{
	u32 i;

	for (i = 0; i < 2 * AROUND; i++)
		if ((from + i < low - 16 || from + i >= low + size) && w->ram[from + i] != kept[i])
			return fail("short cut: byte %x was written; the frame is %d bytes at %x",
				    (u64)(from + i), (u64)size, (u64)low);
	return true;
}

static void remember(struct world *w, u32 from)
{
	u32 i;

	for (i = 0; i < 2 * AROUND; i++)
		w->ram[from + i] = kept[i] = (u8)draw();
}

/* Anywhere in three pages, on words or across them, and over the end of a page. */
static u32 any_top(void)
{
	return 0x38000 + (any(3) ? any(0x2000) : 0x1000 - 24 + any(48));
}

static bool call_anywhere(void)
{
	u32 i, top, flags;

	for (i = 0; i < ROUNDS; i++) {
		struct world *w = &world[any(2)];

		top = any_top();
		start_call(w, true);
		flags = came_with.flags;
		w->pages->esp1 = top;
		w->pages->syscall_frame.rsp = top - 20;
		remember(w, top - AROUND);
		if (!stay(w) || !trapped(w, 0x1f, 0) ||
		    !pushed(w, top - 20, (u32[]){ GUEST_CODE + 2, UCS, flags, GUEST_STACK, UDS }) ||
		    !handler_sees(w, top - 20, LG_EFLAGS_IF, LG_EFLAGS_IF | 0x100) ||
		    !nothing_beside(w, top - 20, 20, top - AROUND))
			return false;
		w->pages->esp1 = GUEST_KERNEL_STACK;
		w->pages->syscall_frame.rsp = GUEST_KERNEL_STACK - 20;
	}
	return true;
}

/* From ring 1 on its own stack, wherever that is; from ring 3 on the Guest's. */
static bool trap_anywhere(void)
{
	u32 i, top, flags, k, words;
	bool user;

	for (i = 0; i < ROUNDS; i++) {
		struct world *w = &world[any(2)];

		k = any(4);
		user = any(2);
		top = any_top();
		start_trap(w, user, silly[k].vector, silly[k].code, sizeof(silly[k].code));
		flags = came_with.flags;
		if (user)
			w->pages->esp1 = top;
		else
			w->pages->regs.esp = top;
		words = (user ? 5 : 3) + silly[k].has_error;
		remember(w, top - AROUND);
		if (!stay(w) || !trapped(w, 0x1f, 0) ||
		    !pushed(w, top - (user ? 20 : 12),
			    (u32[]){ GUEST_CODE + silly[k].ahead, user ? UCS : KCS, flags,
				     user ? GUEST_STACK : 0xffffffff, user ? UDS : 0xffffffff }) ||
		    !handler_sees(w, top - 4 * words, LG_EFLAGS_IF, LG_EFLAGS_IF | LG_EFLAGS_TF) ||
		    !nothing_beside(w, top - 4 * words, 4 * words, top - AROUND))
			return false;
		w->pages->esp1 = GUEST_KERNEL_STACK;
		w->pages->direct[silly[k].vector] = 0;
	}
	return true;
}

MORE_TESTS = {
	{ "hidden-days", days },
	{ "hidden-days-at-home", days_at_home },
	{ "hidden-call-anywhere", call_anywhere },
	{ "hidden-trap-anywhere", trap_anywhere },
};
