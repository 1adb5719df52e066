/* SPDX-License-Identifier: MIT */
/*G:173 The egg timer itself
 *
 * The 8254 counts down from at most 65536 at 1,193,182 Hz, a third of the frequency of an
 * American television's colours, because that crystal was cheap.  In mode 0 it pulls its
 * line when it arrives at zero, once: what SET_CLOCKEVENT does for a Guest, but for 55
 * milliseconds at most.  A longer wait is made of several short ones, and only the last
 * is shown to TeachOS.  Cancelling is done the same way: whatever rings while nobody asked
 * was not ours.
 *
 * Its third counter only ever made the speaker beep.  We use it once, at boot, to find out
 * how fast the processor's time-stamp counter is; that one then tells the time.  The Host
 * hands a Guest the number (lguest_data.tsc_khz), having done the same.
 */
#include "native.h"

#define PIT_HZ		1193182u
#define COUNTER_0	0x40u
#define COUNTER_2	0x42u
#define COMMAND		0x43u
#define ONE_SHOT_0	0x30u		/* counter 0, low byte then high byte, mode 0 */
#define ONE_SHOT_2	0xb0u
#define SPEAKER		0x61u
#define GATE_2		0x01u
#define SPEAKER_ON	0x02u
#define OUTPUT_2	0x20u
#define LONGEST_NS	(50 * NS_PER_MS)
#define NEAR_NS		(10 * 1000u)	/* two clocks never agree to the last microsecond */
#define CALIBRATE_MS	20u
#define LATCH_2		0x80u		/* hold still while we read */

static u32 tsc_khz;
static u64 tsc_base;
static u64 deadline;			/* native_now() terms; 0: nobody asked */

u64 native_now(void)
{
	return tsc_to_ns(rdtsc() - tsc_base, tsc_khz);
}

static void start_counter(u64 ns)
{
	u32 count;

	if (ns > LONGEST_NS)
		ns = LONGEST_NS;
	count = div64(ns * PIT_HZ, NS_PER_S, NULL) + 1;		/* late rather than early */
	outb(COMMAND, ONE_SHOT_0);
	outb(COUNTER_0, count);
	outb(COUNTER_0, count >> 8);
}

void native_clock_arm(u32 delta)
{
	bool irqs = irq_save();

	deadline = delta ? native_now() + delta : 0;
	if (delta)
		start_counter(delta);
	irq_restore(irqs);
}

bool pit_expired(void)
{
	u64 now = native_now();

	if (!deadline)
		return false;
	if (deadline > now + NEAR_NS) {
		start_counter(deadline - now);
		return false;
	}
	deadline = 0;
	return true;
}

/* Where both clocks stand, at the same time: of several looks the one that was not
 * interrupted in the middle. */
static u32 look(u64 *when)
{
	u32 count = 0, now, i, least = 0xffffffff;
	u64 before, took;

	for (i = 0; i < 8; i++) {
		before = rdtsc();
		outb(COMMAND, LATCH_2);
		now = inb(COUNTER_2);
		now |= inb(COUNTER_2) << 8;
		took = rdtsc() - before;
		if (took < least) {
			least = took;
			count = now;
			*when = before + took / 2;
		}
	}
	return count;
}

static bool calibrate(void)
{
	u32 first, second;
	u64 start, end;

	outb(SPEAKER, (inb(SPEAKER) & ~SPEAKER_ON) | GATE_2);
	outb(COMMAND, ONE_SHOT_2);
	outb(COUNTER_2, 0xff);
	outb(COUNTER_2, 0xff);
	first = look(&start);
	do {
		second = look(&end);
		if (inb(SPEAKER) & OUTPUT_2)
			return false;	/* it has come around: we were away for too long */
	} while (first - second < PIT_HZ / 1000 * CALIBRATE_MS);
	tsc_khz = div64(div64((end - start) * PIT_HZ, first - second, NULL), 1000, NULL);
	return true;
}

void pit_init(void)
{
	while (!calibrate())
		;
	tsc_base = rdtsc();
	outb(COMMAND, ONE_SHOT_0);	/* the BIOS had it ring 18 times a second */
}
/*:*/
