// SPDX-License-Identifier: MIT
/*
 * Lab 11, where no student looks: a Guest that changes its mind, thousands of gates one after
 * the other, taken back, refused, and loaded anew.  After each of them the way of all 256 vectors
 * is what a list of vectors says that stay at home.
 */
#include "world.h"

static u32 want[256];		/* the handler that the Switcher may go to; 0: the Host's */

/* Never without the Host, with the reason. */
static bool stays_at_home(u32 vector)
{
	switch (vector) {
	case 2: case 8: case 15: case 0x1f:	/* no Guest's at all */
	case 7:					/* the FPU is the Host's to give */
	case 13:				/* half of them are INT n */
	case 14:				/* who else knows the address? */
	case 18:				/* a real one is Linux's */
		return true;
	}
	return vector >= 32 && vector != 0x80;
}

static void compare(struct world *w, u32 vector)
{
	for (u32 v = 0; v < 256; v++)
		check(w->gate_handler[v] == want[v], "after a gate for %u, vector %u leads to %#x; "
		      "expected %#x (0: the Host)", vector, v, w->gate_handler[v], want[v]);
}

static void change_of_mind(void **state)
{
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000 });
	u32 taken = 0, refused = 0, direct = 0;

	(void)state;
	random_start("change_of_mind");
	memset(want, 0, sizeof(want));
	for (u32 i = 0; i < 30000; i++) {
		/* Mostly those for which it matters. */
		u32 vector = chance(70) ? below(32) : chance(50) ? 0x80 : below(256);
		u32 type = chance(45) ? 15 : chance(80) ? 14 : below(16), offset = random32() | 4;
		bool present = chance(80);
		enum state s;

		s = world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, vector,
				    (offset & 0xffff) | random32() << 16,
				    (offset & 0xffff0000) | (u32)present << 15 | below(4) << 13 |
				    type << 8 | below(32), random32());
		if (s == DEAD) {
			check(present && type != 14 && type != 15, "vector %u, type %u: %s", vector,
			      type, w->lg.text);
			world_revive(w);
			refused++;
		} else if (!stays_at_home(vector)) {
			want[vector] = present && type == 15 ? offset : 0;
			direct += want[vector] != 0;
			taken++;
		}
		world_forget(w);
		compare(w, vector);
	}
	check(taken > 5000 && refused > 200 && direct > 2000, "%u taken, %u refused, %u direct", taken,
	      refused, direct);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(change_of_mind) };

	return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
