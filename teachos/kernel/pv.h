/* SPDX-License-Identifier: MIT */
/*G:120 Everything a kernel may not do itself
 *
 * A kernel in ring 0 says `cli`, `mov %eax, %cr3`, `lidt`, and the machine obeys.
 * In ring 1 the same instructions fault, or worse, quietly do nothing.  So all of
 * them stand in one table, and the rest of TeachOS calls through it without
 * knowing who answers: a Host by hypercalls (arch/lguest), or the bare processor and
 * the chips around it (arch/native).  This list *is* the difference between a machine
 * and a Guest; read it once, slowly.  About thirty lines are all that
 * paravirtualization has to replace:
 *
 *			a machine		a Guest
 *	interrupts off	cli			a word of memory
 *	on again	sti			a word; a call if one waits
 *	wait for one	sti, hlt		a call
 *	mask a line	out to the 8259A	a word
 *	go home		iret			a word, then iret
 *	stack, TLS, TS	words of memory, CR0	calls, in a batch
 *	gates		words of memory		a call each
 *	page tables	mov to CR3, invlpg	calls, in a batch
 *	fault address	CR2			a word
 *	timer		out to the 8254		a call
 *	power off	a port, if it is known	a call
 *
 * Whoever thinks that the right column is the slow one looks twice: a word of memory is
 * cheaper than `cli`, and far cheaper than a port.  What costs is the calls, so the
 * art is to need few of them.  `make bench` has the figures, side by side.
 *
 * The functions obey the processor's rules, not the Host's: irq_restore() of an
 * enabled state delivers what waited, pte_changed() comes after the table was
 * written, and between batch_begin() and batch_end() changes to page tables,
 * stacks and TS may be held back, but never reordered.
 */
#ifndef PV_H
#define PV_H

#include "lib.h"
#include "pagetable.h"

enum shutdown_how { SHUTDOWN_POWEROFF, SHUTDOWN_RESTART };

struct pv_ops {
	/* The end of trap.asm jumps here: undoes the frame eip, cs, eflags [, esp, ss] and
	 * restores the interrupt flag with it.  The second is for ring 3 only, where that
	 * flag is always on; system calls go home that way, and they are many. */
	void (*return_from_trap)(void);
	void (*return_to_user)(void);
	const char *name;
	/* Its `iret`: a process whose segments are gone faults there, in our name. */
	const void *iret;

	/* Interrupts. */
	void (*irq_disable)(void);
	void (*irq_enable)(void);
	bool (*irq_enabled)(void);
	void (*irq_mask)(unsigned int irq, bool masked);
	/* Vector IRQ_VECTOR + irq has come, interrupts are off: calls irq_dispatch() if it
	 * is one that was asked for, and tells the controller when that is done. */
	void (*interrupt)(unsigned int irq);
	void (*halt)(void);		/* enable interrupts and sleep until one came */

	/* What the processor keeps in tables of its own. */
	void (*set_gate)(unsigned int vector, u32 low, u32 high);
	void (*set_segment)(unsigned int entry, u32 low, u32 high);
	void (*set_kernel_stack)(u32 esp);	/* for the next trap from ring 3 */
	void (*set_tls)(const u64 tls[3]);	/* GDT entries 6..8; %gs must be 0 */
	void (*set_ts)(bool set);

	/* Paging.  Roots are physical addresses. */
	u32 (*fault_address)(void);
	void (*load_root)(u32 root);
	void (*flush_user)(void);		/* the current root's user part */
	void (*flush_all)(void);
	void (*pte_changed)(u32 root, u32 va, pte_t pte);
	void (*top_changed)(u32 root, unsigned int index);
	void (*batch_begin)(void);
	void (*batch_end)(void);

	/* Time, in nanoseconds.  now() never goes backwards; it may stand still until
	 * the next interrupt, if now_needs_ticks() says so. */
	void (*clock_arm)(u32 delta);		/* one interrupt 0; 0 cancels */
	u64 (*now)(void);
	bool (*now_needs_ticks)(void);

	/* First and last words.  find_devices() looks on the bus, whichever it is. */
	void (*find_devices)(void);
	void (*early_print)(const char *text);
	void (*shutdown)(const char *text, enum shutdown_how how);	/* does not return */
};

/* Empty until the back end has found out that it is the one: it copies its own here. */
extern struct pv_ops pv;
/*:*/

/* The same thing twice in a row is easier to get right with a name. */
static inline bool irq_save(void)
{
	bool was = pv.irq_enabled();

	pv.irq_disable();
	return was;
}

static inline void irq_restore(bool was)
{
	if (was)
		pv.irq_enable();
}

static inline void __attribute__((noreturn))
machine_shutdown(const char *text, enum shutdown_how how)
{
	pv.shutdown(text, how);
	__builtin_unreachable();
}

#endif
