// SPDX-License-Identifier: GPL-2.0-only
/*H:250 Interrupts, or the art of waiting for a good moment
 *
 * A virtual interrupt is a bit.  The timer or the Launcher sets it, in passing, from
 * whatever CPU.  Delivering it is the delicate part.  The Guest has interrupts off; or
 * it has them on, but this one is masked; or it is halfway through the few instructions
 * that return from the last one; or it sleeps.  Linux on a real machine leaves all of
 * this to silicon.  Here it is some forty lines.
 */
#include "lg.h"

/*
 * Raise virtual interrupt `irq` (0..31).  Any context, any CPU.  The caller makes sure
 * that the Guest leaves its CPU or its bed (clock.c: lg_kick).
 */
/* LAB 8.1 BEGIN: a bit, in passing */
void lg_irq_raise(struct lguest *lg, unsigned int irq)
{
	u32 bit = 1u << irq;
	bool again = __atomic_fetch_or(&lg->irqs, bit, __ATOMIC_SEQ_CST) & bit;

	if (again)
		lg_count(lg, irq_coalesced);
	lg_trace_irq(lg, irq, again);
}
/* LAB 8.1 END */

/*
 * candidates: the interrupts that are raised and not masked; none before LGUEST_INIT.
 * lg_irq_would_wake: is there one that ends a HALT?  The loop sleeps until there is.
 */
/* LAB 8.2 BEGIN: which ones? */
static u32 candidates(struct lguest *lg)
{
	u32 irqs = __atomic_load_n(&lg->irqs, __ATOMIC_SEQ_CST);

	if (likely(!irqs) || !lg->initialised)
		return 0;
	return irqs & ~READ_ONCE(lg->data->blocked_interrupts);
}

bool lg_irq_would_wake(struct lguest *lg)
{
	return candidates(lg) != 0;
}
/* LAB 8.2 END */

/* Is the Guest halfway through the return from the last one (ABI.md 3.4)? */
/* LAB 8.3 BEGIN: not now */
static bool in_noirq_range(struct lguest *lg)
{
	u32 eip = lg_regs(lg)->eip;

	return eip >= lg->noirq_start && eip < lg->noirq_end;
}
/* LAB 8.3 END */
/*:*/

/*H:270 Five words on a stack
 *
 * To deliver anything, do what the CPU would have done: find the stack, push where the
 * Guest was, and send it to its handler.  From ring 3 that is the stack of SET_STACK;
 * from ring 1 the one it is on.
 *
 *	ring 3:  ss esp eflags cs eip [error]     ring 1:  eflags cs eip [error]
 *
 * The EFLAGS on the stack are the Guest's idea of them, not the truth.  In truth IF is
 * always set; the Guest's IF is a word in struct lguest_data.
 *
 * Every word is translated before the first is written: the frame may straddle two
 * pages, either may have to be fetched, and half a frame helps nobody.
 *
 * LG_RESUME: delivered.  LG_AGAIN: nothing happened yet.  LG_OUT: there was no gate or
 * no stack, and the Guest is dead.  A PC does then what is called a triple fault: it cannot
 * tell of the first fault, nor of the second, and so it resets without a word.  We leave a
 * note for the obituary (lg_undelivered).
 */
/* LAB 7.5 BEGIN: five words on a stack */
enum lg_result lg_deliver(struct lguest *lg, unsigned int vector, bool has_error, u32 error)
{
	struct lg_trap_frame *regs = lg_regs(lg);
	const struct lg_gate *gate = &lg->idt[vector];
	bool from_user = lg_cpl(lg) != 1;
	u32 word[6], *slot[6];
	u32 n = 0, i, esp, irq_enabled;
	enum lg_result r;

	if (!gate->present || !lg->initialised) {
		lg->stats.fatal[vector] = 1;
		lg_kill(lg, LG_TRAP_UNHANDLED, "unhandled trap %u at %#x (%#x)", vector,
			(u32)regs->eip, vector == LG_VECTOR_PF ? (u32)lg->pages->cr2 : error);
		return lg_undelivered(lg, vector, 0);
	}
	irq_enabled = READ_ONCE(lg->data->irq_enabled) & LGUEST_IF;

	if (from_user) {
		word[n++] = regs->ss;
		word[n++] = regs->esp;
	}
	word[n++] = ((u32)regs->eflags & ~LG_EFLAGS_IF) | irq_enabled;
	word[n++] = regs->cs;
	word[n++] = regs->eip;
	if (has_error)
		word[n++] = error;

	esp = from_user ? lg->pages->esp1 : regs->esp;
	for (i = 0; i < n; i++) {
		esp -= 4;
		/* One translation serves until the page ends. */
		if (i && !(esp & 3) && LG_PAGE_OFFSET(esp) != LG_PAGE_SIZE - 4) {
			slot[i] = slot[i - 1] - 1;
			continue;
		}
		if (LG_PAGE_OFFSET(esp) > LG_PAGE_SIZE - 4) {
			lg_kill(lg, LG_MEM_VIRTUAL, "Bad address %#x: a stack that is not aligned straddles two pages",
				esp);
			return lg_undelivered(lg, vector, esp);
		}
		r = lg_guest_address(lg, esp, true, (void **)&slot[i]);
		if (r != LG_RESUME)
			return r == LG_OUT ? lg_undelivered(lg, vector, esp) : r;
	}
	for (i = 0; i < n; i++)
		memcpy(slot[i], &word[i], 4);

	if (from_user)
		regs->ss = lg->pages->ss1;
	regs->esp = esp;
	regs->cs = LGUEST_KERNEL_CS;
	regs->eip = gate->offset;
	regs->eflags &= ~(u64)(LG_EFLAGS_TF | LG_EFLAGS_NT | LG_EFLAGS_RF | LG_EFLAGS_VM);
	if (lg->smap)
		regs->eflags |= LG_EFLAGS_AC;
	if (gate->type == LG_GATE_INTERRUPT)
		WRITE_ONCE(lg->data->irq_enabled, 0);
	lg_trace_inject(lg, vector, error);
	return LG_RESUME;
}
/* LAB 7.5 END */
/*:*/

/*H:260 Now?
 *
 * Asked before every entry, so the usual answer, "there is nothing", must be quick.
 * One interrupt at a time, lowest number first: the handler's own end is an exit soon
 * enough.
 *
 * When the Guest has interrupts off we leave a note in irq_pending, and it is supposed
 * to ask when it turns them on again.  Some ways of turning them on do not look (the
 * IRET is one).  So we also ask for a nudge: an exit, before long, whatever happens.
 *
 * LG_OUT: the Guest sleeps, or is dead.
 */
/* LAB 8.4 BEGIN: now? */
static noinline enum lg_result deliver_interrupt(struct lguest *lg)
{
	struct lguest_data *data = lg->data;
	u32 pending = candidates(lg);
	u32 irq, bit, sec, nsec;
	bool first_look;
	enum lg_result r;

	if (!pending) {
		lg_count(lg, irq_blocked);
		return LG_RESUME;
	}
	irq = __builtin_ctz(pending);
	bit = 1u << irq;
	first_look = !(lg->irqs_seen & bit);
	lg->irqs_seen |= pending;
	if (in_noirq_range(lg)) {
		lg_count(lg, irq_in_noirq);
		lg_os_nudge(lg);
		return LG_RESUME;
	}
	if (lg->halted) {
		WRITE_ONCE(data->irq_enabled, LGUEST_IF);
		lg->halted = false;
		lg_count(lg, irq_woke);
	} else if (!(READ_ONCE(data->irq_enabled) & LGUEST_IF)) {
		WRITE_ONCE(data->irq_pending, LGUEST_IF);
		lg_count(lg, irq_waited);
		lg_os_nudge(lg);
		return LG_RESUME;
	}
	if (!lg->idt[LGUEST_IRQ_VECTOR + irq].present) {
		lg_count(lg, irq_no_gate);
		lg_os_nudge(lg);
		return LG_RESUME;
	}

	r = lg_deliver(lg, LGUEST_IRQ_VECTOR + irq, false, 0);
	if (r != LG_RESUME)
		return r;
	__atomic_fetch_and(&lg->irqs, ~bit, __ATOMIC_SEQ_CST);
	lg->irqs_seen &= ~bit;
	lg_count(lg, irq_delivered);
	if (first_look)
		lg_count(lg, irq_at_once);

	lg_os_wall_clock(&sec, &nsec);
	WRITE_ONCE(data->time.tv_sec, sec);
	WRITE_ONCE(data->time.tv_nsec, nsec);
	/* Another one?  The handler will end with an IRET, which asks nobody. */
	if (candidates(lg)) {
		WRITE_ONCE(data->irq_pending, LGUEST_IF);
		lg_os_nudge(lg);
	} else {
		WRITE_ONCE(data->irq_pending, 0);
	}
	return LG_RESUME;
}
/* LAB 8.4 END */

/*
 * While somebody debugs.  Nobody steps into an interrupt by accident; but a HALT is waiting
 * for one, and who steps in order to watch (LG_DEBUG_IRQS) wants the Guest to live.  TF is
 * set last: no frame is to have it.
 */
static noinline enum lg_result before_entry_debugged(struct lguest *lg)
{
	enum lg_result r = lg_debug_before_entry(lg);

	if (r != LG_RESUME || !lg->debug_step)
		return r;
	lg_regs(lg)->eflags &= ~(u64)LG_EFLAGS_TF;
	if (READ_ONCE(lg->irqs) && (lg->halted || lg->debug_irqs))
		r = deliver_interrupt(lg);
	if (r == LG_RESUME && !lg->halted)
		lg_regs(lg)->eflags |= LG_EFLAGS_TF;
	return r;
}

enum lg_result lg_before_entry(struct lguest *lg)
{
	enum lg_result r;

	if (unlikely(lg->debug)) {
		r = before_entry_debugged(lg);
		if (r != LG_RESUME)
			return r;
	}
	if (unlikely(lg->stack_unpinned)) {
		r = lg_pin_stack(lg);
		if (r != LG_RESUME)
			return r;
	}
	if (unlikely(READ_ONCE(lg->irqs)) && likely(!lg->debug_step)) {
		r = deliver_interrupt(lg);
		if (r != LG_RESUME)
			return r;
	}
	return unlikely(lg->halted) ? LG_OUT : LG_RESUME;
}
/*:*/

/*M:110 Yours to build: interrupts without the Host
 *
 * Turning interrupts on and finding one pending costs a hypercall, SEND_INTERRUPTS, that
 * does nothing but come here.  The Switcher has the pending word within reach, and the
 * Guest's gates (lg_pages.direct holds those below 32).  How much of lg_before_entry
 * could it do alone?  Mind the one thing that C makes easy: half a frame.
 *:*/
