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
static u8 clean[FPU_SIZE] __attribute__((aligned(16)));

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

const void *fpu_save(void)
{
	if (!current->fpu_used)
		return NULL;
	if (owner == current) {
		change_ts(false);
		put_away();
	}
	return current->fpu;
}

/* MXCSR is the one place where FXRSTOR is picky: a bit that does not exist, and it
 * faults.  Which exist, stands in the next word; 0 there means the first ones ever. */
#define MXCSR 6
#define MXCSR_MASK 7

void fpu_load(const void *registers)
{
	u32 *words = (u32 *)current->fpu, mask = ((const u32 *)clean)[MXCSR_MASK];

	fpu_forget(current);
	memcpy(words, registers, FPU_SIZE);
	words[MXCSR] &= mask ? mask : 0xffbf;
	current->fpu_used = true;
}

/* The child starts with a copy of the parent's registers. */
void fpu_fork(struct process *child)
{
	const void *registers = fpu_save();

	child->fpu_used = registers;
	if (registers)
		memcpy(child->fpu, registers, FPU_SIZE);
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
