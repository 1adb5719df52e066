/* SPDX-License-Identifier: MIT */
/*G:460 The lazy painter
 *
 * The floating-point registers are half a kilobyte, and most processes never touch
 * them.  So they are not exchanged when the process is: we set TS, "task switched",
 * and go on.  If the new process wants the FPU, its first such instruction traps
 * (#NM), and then there is work to do: put the old owner's colours away, lay out
 * the new one's.  If it doesn't, nothing was spent.
 */
#include "kernel.h"

static struct process *owner;		/* whose values are in the registers */
static bool ts_set;
static u8 clean[512] __attribute__((aligned(16)));

static void change_ts(bool set)
{
	if (ts_set != set)
		pv.set_ts(set);
	ts_set = set;
}

void fpu_init(void)
{
	u32 mxcsr = 0x1f80;		/* all SIMD exceptions masked */

	pv.set_ts(false);
	asm volatile("fninit; ldmxcsr %1; fxsave %0" : "=m"(clean) : "m"(mxcsr));
	pv.set_ts(true);
	ts_set = true;
	owner = NULL;
}

void fpu_switch_to(struct process *next)
{
	change_ts(owner != next);
}

static void put_away(void)
{
	if (owner)
		asm volatile("fxsave %0" : "=m"(owner->fpu));
}

void fpu_trap(void)
{
	change_ts(false);
	if (owner == current)
		return;
	put_away();
	asm volatile("fxrstor %0" : : "m"(*(current->fpu_used ? &current->fpu : &clean)));
	current->fpu_used = true;
	owner = current;
}

/* The child starts with a copy of the parent's registers. */
void fpu_fork(struct process *child)
{
	child->fpu_used = current->fpu_used;
	if (!current->fpu_used)
		return;
	if (owner == current) {
		change_ts(false);
		put_away();
	}
	memcpy(child->fpu, current->fpu, sizeof(child->fpu));
}

/* p's registers are worth nothing any more. */
void fpu_forget(struct process *p)
{
	p->fpu_used = false;
	if (owner != p)
		return;
	owner = NULL;
	if (p == current)
		change_ts(true);
}
/*:*/
