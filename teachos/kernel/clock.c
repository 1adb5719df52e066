/* SPDX-License-Identifier: MIT */
/*G:240 An egg timer, not a metronome
 *
 * The clock rings once, when we ask it to.  Nobody needs a tick when one process
 * runs alone or all of them sleep, and a Guest that does not tick lets its Host
 * rest.  We keep the one deadline that the timer is set to; asking for a later one
 * changes nothing, for then the earlier interrupt comes first and whoever needs a
 * later one asks again.
 */
#include "kernel.h"

#define LONGEST	NS_PER_S	/* the argument has 32 bits; ring early, ask again */
#define SHORTEST 1000u

static u64 armed_for;		/* 0: the timer is not set */

void clock_request(u64 deadline)
{
	u64 now, delta;

	if (armed_for && armed_for <= deadline)
		return;
	now = pv.now();
	delta = deadline > now + SHORTEST ? deadline - now : SHORTEST;
	if (delta > LONGEST)
		delta = LONGEST;
	armed_for = now + delta;
	pv.clock_arm(delta);
}

/* For those who look at the clock again and again: it must not stand still. */
u64 clock_now(void)
{
	if (pv.now_needs_ticks())
		clock_request(pv.now() + SLICE_NS);
	return pv.now();
}

/* No division here overflows 32 bits as long as khz is at least 1000. */
u64 tsc_to_ns(u64 ticks, u32 khz)
{
	u32 rest;
	u64 ms = div64(ticks, khz, &rest);

	return ms * NS_PER_MS + div64((u64)rest * NS_PER_MS, khz, NULL);
}

u32 wall_seconds(void)
{
	return boot_info.wall_clock + (u32)div64(clock_now(), NS_PER_S, NULL);
}

static void clock_interrupt(unsigned int irq)
{
	(void)irq;
	armed_for = 0;
	sched_tick();
	net_clock();
}

void clock_init(void)
{
	armed_for = 0;
	irq_request(0, clock_interrupt);
}
/*:*/
