// SPDX-License-Identifier: GPL-2.0-only
/*H:770 Looking over the Guest's shoulder
 *
 * A debugger wants three things: stop, look, and take one step.  Looking needs no help,
 * for the Guest's memory is the Launcher's own.  The other two need the Host, since a
 * breakpoint is an INT3 in the Guest's code and a step is the TF flag, and both end in
 * a trap (#BP, #DB) that the Guest's own kernel would get.  While somebody debugs, the
 * Launcher gets them first, and says of each whether it was one of its own.  If not, it
 * is handed on, and the Guest never knows that anybody was asked.
 *
 * All stops happen in one place, right before the Guest would run on: then registers are
 * as the Guest left them and no exit is half-way done.
 */
#include "lg.h"

/* SDM vol. 1, 3.4.3: CF PF AF ZF SF DF OF, the flags that are only about arithmetic. */
#define HARMLESS_FLAGS 0x00000cd5u

/*
 * LG_IOC_DEBUG: from now on, or not any more.  flags: LG_DEBUG_*.  While a step is
 * wanted, no trap goes around the Host: the Switcher would leave TF in a frame on the
 * Guest's stack, to go off later.
 * Context: between two RUNs, the creating thread.
 */
void lg_debug_set(struct lguest *lg, u32 flags)
{
	bool debug = flags & LG_DEBUG_ON, step = debug && (flags & LG_DEBUG_STEP);
	u32 vector;

	lg->debug_reflect = debug && (flags & LG_DEBUG_REFLECT) ? lg->debug_trap : 0;
	lg->debug_stop = debug && (flags & LG_DEBUG_STOP);
	lg->debug_irqs = flags & LG_DEBUG_IRQS;
	if (!lg->debug_reflect)
		lg->debug_trap = 0;
	/* It may be left over from an entry that was given up for a real interrupt. */
	if (lg->debug_step)
		lg_regs(lg)->eflags &= ~(u64)LG_EFLAGS_TF;
	if (debug == lg->debug && step == lg->debug_step)
		return;
	lg->debug = debug;
	lg->debug_step = step;
	for (vector = 0; vector < 32; vector++)
		lg_show_gate(lg, vector);
	lg_show_gate(lg, LG_VECTOR_SYSCALL);
}

/*
 * LG_IOC_SET_REGS.  Everything but selectors may change, and of EFLAGS only what has no
 * power: the rest decides about rings and interrupts.  False: something else was wanted,
 * nothing has changed.  Context: as above.
 */
bool lg_debug_set_regs(struct lguest *lg, const struct lg_regs *to)
{
	struct lg_trap_frame *regs = lg_regs(lg);

	if (to->cs != (u16)regs->cs || to->ss != (u16)regs->ss || to->ds != (u16)regs->ds ||
	    to->es != (u16)regs->es || to->fs != (u16)regs->fs || to->gs != (u16)regs->gs)
		return false;
	regs->eax = to->eax;
	regs->ebx = to->ebx;
	regs->ecx = to->ecx;
	regs->edx = to->edx;
	regs->esi = to->esi;
	regs->edi = to->edi;
	regs->ebp = to->ebp;
	regs->esp = to->esp;
	regs->eip = to->eip;
	regs->eflags = (regs->eflags & ~(u64)HARMLESS_FLAGS) | (to->eflags & HARMLESS_FLAGS);
	return true;
}

/* The trap of the last stop was the Guest's own.  INT3 needs a gate that it may use: our
 * own was open to all (SDM vol. 3, 6.12.1.1). */
static enum lg_result reflect(struct lguest *lg)
{
	struct lg_trap_frame *regs = lg_regs(lg);
	u32 vector = lg->debug_reflect;
	const struct lg_gate *gate = &lg->idt[vector];
	u32 eip = regs->eip;
	enum lg_result r;

	if (vector == LG_VECTOR_BP && (!gate->present || gate->dpl < lg_cpl(lg))) {
		regs->eip = (u32)(eip - 1);
		r = lg_deliver(lg, LG_VECTOR_GP, true, LG_VECTOR_BP * 8 + 2);
		vector = LG_VECTOR_GP;
	} else {
		r = lg_deliver(lg, vector, false, 0);
	}
	if (r == LG_AGAIN) {
		regs->eip = eip;
	} else {
		lg->debug_reflect = lg->debug_trap = 0;
		if (r == LG_RESUME)
			lg->stats.reflected[vector]++;
	}
	return r;
}

/* lg_before_entry asks, if lg->debug.  LG_OUT: the Launcher is to be told. */
enum lg_result lg_debug_before_entry(struct lguest *lg)
{
	enum lg_result r;

	if (lg->debug_reflect) {
		r = reflect(lg);
		if (r != LG_RESUME)
			return r;
		if (lg->debug_step)
			lg->debug_stop = true;	/* the step has led into the handler */
	}
	if (lg->debug_stop) {
		lg->debug_stop = false;
		lg->want = LG_WANT_DEBUG;
		return LG_OUT;
	}
	return LG_RESUME;
}

/*
 * lg_handle_exit asks first, if lg->debug: is this the debugger's?  TF never shows in a
 * frame that the Host builds for the Guest.
 */
bool lg_debug_exit(struct lguest *lg)
{
	struct lg_trap_frame *regs = lg_regs(lg);

	if (lg->debug_step)
		regs->eflags &= ~(u64)LG_EFLAGS_TF;
	if (regs->trapno != LG_VECTOR_DB && regs->trapno != LG_VECTOR_BP)
		return false;
	lg->debug_trap = regs->trapno;
	lg->debug_stop = true;
	return true;
}

/* ... and at the end, with eip as it was when the exit came: was that an instruction?
 * A page that was filled in was none, and a hypercall was. */
void lg_debug_exit_done(struct lguest *lg, u32 eip)
{
	struct lg_trap_frame *regs = lg_regs(lg);

	if (lg->debug_step && (regs->trapno == LGUEST_TRAP_ENTRY || (u32)regs->eip != eip))
		lg->debug_stop = true;
}
/*:*/

/*H:780 What the shadow has
 *
 * For people who want to see it: one shadow table, as it is now, for the two MiB at gva
 * in the address space `root` (0: the one in use).  Where pages really are is nobody's
 * business without show_frames, and then the frame bits are zero.
 */
void lg_debug_shadow(struct lguest *lg, struct lg_shadow *s, bool show_frames)
{
	u64 hide = show_frames ? ~0ull : ~(u64)LG_PTE_FRAME;
	struct lg_root *root = s->root ? lg_find_root(lg, s->root) :
			       &lg->root[lg->current_root];
	u64 *slot;
	u32 i;

	s->found = LG_SHADOW_NO_ROOT;
	if (!root)
		return;
	slot = lg_shadow_find(lg, root, s->gva & ~0x1fffffu);
	s->found = slot ? LG_SHADOW_TABLE : LG_SHADOW_NO_TABLE;
	for (i = 0; i < LG_TABLE_ENTRIES; i++)
		s->entry[i] = slot ? READ_ONCE(slot[i]) & hide : 0;
}

/* All address spaces that have a shadow: their top-level tables, 0 for linear mode. */
void lg_debug_roots(struct lguest *lg, struct lg_roots *roots)
{
	u32 i;

	memset(roots, 0, sizeof(*roots));
	for (i = 0; i < LG_ROOTS; i++) {
		if (!lg->root[i].used || (i == 0 && !lg->linear))
			continue;
		if (i == lg->current_root)
			roots->current_index = roots->count;
		roots->gpa[roots->count++] = lg->root[i].gpa;
	}
}
/*:*/
