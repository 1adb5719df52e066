// SPDX-License-Identifier: MIT
/*
 * Lab 7, where no student looks: a trap in a handler in a handler, with gates of either
 * kind, and all the frames that lie on the stack then, oldest first.
 */
#include "world.h"

#define TOP	0x9000u
#define HANDLER	0x00300000u

static const u8 vectors[] = { 0, 6, 10, 11, 12, 13, 16, 17, 19 };

static bool has_error(u32 vector)
{
	return vector >= 10 && vector != 16 && vector != 19;
}

static void nested(void **state)
{
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000 });
	struct lg_trap_frame *regs = lg_regs(&w->lg);
	u32 type[32], want[64], n, esp;

	(void)state;
	random_start("nested");
	check(world_hypercall(w, LHCALL_SET_STACK, 0x69, TOP, 2, 0) == ENTERS, "%s", w->lg.text);
	for (u32 round = 0; round < 1500; round++) {
		for (u32 i = 0; i < sizeof(vectors); i++) {
			u32 v = vectors[i], handler = HANDLER + 0x100 * v;

			/* 6 and 13 always come to the Host: the others may be direct ones. */
			type[v] = 14 + below(2);
			check(world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, v, (handler & 0xffff) | 0x61 << 16,
					      (handler & 0xffff0000) | 0x8000 | type[v] << 8, 0) == ENTERS,
			      "%s", w->lg.text);
		}
		n = 0;
		esp = TOP;
		regs->cs = 0x73;
		regs->ss = 0x7b;
		regs->esp = random32();
		regs->eip = random32() & 0x3fffffff;
		regs->eflags = 0x202;
		w->lg.data->irq_enabled = chance(70) ? 0x200 : 0;
		for (u32 depth = 0; depth < 4; depth++) {
			u32 v = vectors[below(sizeof(vectors))], error = below(0x2000) << 3;
			u32 on = w->lg.data->irq_enabled & 0x200;

			if (regs->ss != 0x69) {
				want[n++] = regs->ss;
				want[n++] = regs->esp;
			}
			want[n++] = (u32)regs->eflags & ~0x200u | on;
			want[n++] = regs->cs;
			want[n++] = regs->eip;
			if (has_error(v))
				want[n++] = error;
			/* #GP is looked at first: no instruction there that the Host would know. */
			check(world_trap(w, v == 13 ? 11 : v, v == 13 ? error : has_error(v) ? error : 0)
			      == ENTERS, "%s", w->lg.text);
			if (v == 13)
				v = 11;
			check(regs->eip == HANDLER + 0x100 * v, "round %u, trap %u in depth %u: eip %#x, "
			      "expected %#x", round, v, depth, (u32)regs->eip, HANDLER + 0x100 * v);
			check(regs->cs == 0x61 && regs->ss == 0x69, "cs %#x, ss %#x in the handler",
			      (u32)regs->cs, (u32)regs->ss);
			check(regs->esp == esp - 4 * n, "round %u, depth %u: esp %#x, expected %#x", round,
			      depth, (u32)regs->esp, esp - 4 * n);
			for (u32 i = 0; i < n; i++)
				check(world_get32(w, TOP - 4 - 4 * i) == want[i], "round %u, depth %u: word %u "
				      "from the top is %#x, expected %#x", round, depth, i,
				      world_get32(w, TOP - 4 - 4 * i), want[i]);
			on = type[v] == 14 ? 0 : on;
			check((w->lg.data->irq_enabled & 0x200) == on, "round %u, depth %u: virtual IF is "
			      "%#x, expected %#x", round, depth, w->lg.data->irq_enabled, on);
			regs->eip = random32() & 0x3fffffff;
			if (chance(30))
				w->lg.data->irq_enabled ^= 0x200;
		}
	}
	world_free(w);
}

/* Washed twice is as clean as washed once, and nothing dangerous is left. */
static void wash(void **state)
{
	(void)state;
	random_start("wash");
	for (u32 i = 0; i < 200000; i++) {
		u64 given = (u64)random32() << 32 | random32(), once = lg_sanitise_descriptor(given);
		u32 access = once >> 40 & 0xff;

		check(lg_sanitise_descriptor(once) == once, "%#llx became %#llx, and that %#llx", given,
		      once, lg_sanitise_descriptor(once));
		if (!(given >> 44 & 1) || !(given >> 47 & 1))
			continue;
		check((access >> 5 & 3) == 1 || (access >> 5 & 3) == 3, "%#llx: DPL %u", given,
		      access >> 5 & 3);
		check(!((access & 8) && (once >> 53 & 1)), "%#llx became 64-bit code", given);
		check(access & 1, "%#llx: not accessed: the CPU would write to our page", given);
		check((once & 0xff8f00ffffffffffull) == (given & 0xff8f00ffffffffffull),
		      "%#llx became %#llx: base, limit and granularity are the Guest's", given, once);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(nested), TEST(wash) };

	return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
