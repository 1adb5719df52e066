/* SPDX-License-Identifier: MIT */
/*G:150 Shopping lists
 *
 * Each trip to the Host costs hundreds of instructions, mostly for the journey.
 * When TeachOS changes from one process to the next it wants four things at once:
 * page tables, stack, TLS, TS.  So it writes a list.  struct lguest_data has room
 * for 64 calls, each with a status byte: 0xff "free, or done", anything else
 * "please do".  The next real hypercall, whatever it is, makes the Host work the
 * list off first, in order.
 *
 * The order of our writes matters and of nothing else: the five words first, the
 * status byte last.  When the slot at our position is still taken the ring is full;
 * then the call is simply made directly, and as that empties the ring before it is
 * looked at, nothing overtakes anything.
 *
 * Batches don't nest.  Interrupt handlers never use the ring: they make their calls
 * directly, and if such a call comes between two lines of ring_push() (hypercall.h),
 * the Host finds a slot that is not yet "please do", and leaves it.
 */
#include "hypercall.h"
#include "kernel.h"

void lguest_batch_begin(void);
void lguest_batch_end(void);

unsigned int ring_position;		/* always the Host's cursor plus what waits */
bool ring_used;

/* LAB 1.5 BEGIN: when to write a list, and when to send it */
static bool batching;

void ring_flush(void)
{
	if (!ring_used)
		return;
	ring_used = false;
	hypercall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
}

void lazy_hypercall(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4)
{
	if (!batching || !ring_push(number, arg1, arg2, arg3, arg4))
		hypercall(number, arg1, arg2, arg3, arg4);
}

void lguest_batch_begin(void)
{
	batching = true;
}

void lguest_batch_end(void)
{
	batching = false;
	ring_flush();
}
/* LAB 1.5 END */
/*:*/
