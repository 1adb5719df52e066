// SPDX-License-Identifier: MIT
/*
 * Lab 8, where no student looks: many bells rung at once, some of them masked; each handler
 * may mask and unmask others before it ends.  The order is worked out by looking through a
 * list each time.
 */
#include "world.h"

#define HANDLER	0x00200000u

static void bells(void **state)
{
	struct world *w;
	u32 round, irq, i;

	(void)state;
	random_start("bells");
	for (round = 0; round < 400; round++) {
		u32 rung = 0, blocked = random32() & random32(), delivered = 0, announced = 0;

		w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000 });
		for (irq = 0; irq < 32; irq++)
			check(world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, 32 + irq, 0x100 * irq | 0x61 << 16,
					      HANDLER | 0x8e00, 0) != DEAD, "%s", w->lg.text);
		w->lg.data->blocked_interrupts = blocked;
		w->lg.data->irq_enabled = 0;
		for (i = 0; i < 12; i++) {
			irq = below(32);
			lg_irq_raise(&w->lg, irq);
			rung |= 1u << irq;
			check(lg_irq_would_wake(&w->lg) == !!(rung & ~blocked), "rung %#x, blocked %#x: "
			      "would it wake?", rung, blocked);
		}
		for (i = 0; i < 200 && rung; i++) {
			u32 ready = rung & ~blocked, first = 0, eip;

			while (first < 32 && !(ready >> first & 1))
				first++;
			lg_regs(&w->lg)->eip = 0x7000;
			lg_regs(&w->lg)->esp = 0x9000;
			check(world_enter(w) == ENTERS, "%s", w->lg.text);
			check(lg_regs(&w->lg)->eip == 0x7000, "delivered with interrupts off");
			announced += w->lg.data->irq_pending == 0x200;
			check(w->lg.data->irq_pending == (ready ? 0x200u : 0u) || !ready,
			      "ready %#x, but irq_pending is %#x", ready, w->lg.data->irq_pending);
			w->lg.data->irq_enabled = 0x200;
			check(world_enter(w) == ENTERS, "%s", w->lg.text);
			eip = lg_regs(&w->lg)->eip;
			if (first == 32) {
				check(eip == 0x7000, "interrupt %u came, and all are masked: rung %#x, "
				      "blocked %#x", (eip - HANDLER) / 0x100, rung, blocked);
			} else {
				check(eip == HANDLER + 0x100 * first, "eip %#x, expected the handler of %u: "
				      "rung %#x, blocked %#x", eip, first, rung, blocked);
				check(w->lg.data->irq_enabled == 0, "the gate left interrupts on");
				rung &= ~(1u << first);
				delivered++;
			}
			/* The handler does this and that. */
			w->lg.data->irq_enabled = 0;
			if (chance(40) || !(rung & ~blocked))
				blocked = chance(50) ? 0 : random32() & random32() & random32();
			w->lg.data->blocked_interrupts = blocked;
			if (chance(15)) {
				irq = below(32);
				lg_irq_raise(&w->lg, irq);
				rung |= 1u << irq;
			}
		}
		check(delivered && announced, "%u delivered, %u announced", delivered, announced);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(bells) };

	return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
