// SPDX-License-Identifier: GPL-2.0-only
/*H:790 A Guest in an envelope
 *
 * Put a Guest away, take it out again next week: what is it that must go into the
 * envelope?  Its memory is the Launcher's own, and half of what we know of a Guest we
 * only know to be quick.  All of the shadow is like that: throw it away, and it fills
 * itself.  What is left are things that the Guest once said, in a hypercall, and that
 * stand nowhere in its memory; and a CPU, which had just come back from it.
 *
 *	said		gates, segments, the ring-1 stack, cr3, TS, HALT, the alarm,
 *			where lguest_data is, and the three words that INIT read
 *	the CPU		general registers, EFLAGS, selectors, the FPU
 *	on its way	interrupts that were raised and not delivered, the ring's cursor
 *
 * Coming back, all of it passes by the doors through which it came the first time:
 * lg_load_gdt_entry makes a call gate harmless here as well.  What never came through
 * a door is what the CPU had checked, when the Guest loaded CS or used POPF.  Nobody has
 * checked a file.  So lg_saved_wrong does, and it is the only function here that must
 * not be wrong: with IOPL 3, interrupts off or a CS of ring 0 in that envelope, the next
 * IRETQ would be the Guest's last instruction, and Linux' too.
 */
#include "lg.h"
/*:*/

/*H:791 What no Guest can have
 *
 * Registers first, then gates, then what it has promised.  Each of these sentences ends up
 * on somebody's terminal, behind the name of a file.
 */
/* What a program can have in its EFLAGS under IOPL 0 (SDM vol. 1, 3.4.3): CF PF AF ZF SF
 * TF IF DF OF NT RF AC ID. */
#define EFLAGS_POSSIBLE	0x00254fd7u
#define EFLAGS_ALWAYS	(LG_EFLAGS_IF | LG_EFLAGS_FIXED)

/* The CPU lets none of these be loaded in ring 1: the LDT's, which is empty, and the
 * Host's own. */
static bool selector_impossible(u32 selector)
{
	u32 entry = selector >> 3;

	return selector > 0xffff || (selector & 4) || entry >= LGUEST_GDT_ENTRIES ||
	       entry == LG_GDT_HOST_CS || entry == LG_GDT_HOST_DS;
}

static const char *registers_wrong(const struct lg_regs *regs)
{
	u32 rpl = regs->cs & 3;

	if (selector_impossible(regs->cs) || selector_impossible(regs->ss) ||
	    selector_impossible(regs->ds) || selector_impossible(regs->es) ||
	    selector_impossible(regs->fs) || selector_impossible(regs->gs))
		return "a selector that no Guest can have";
	if ((rpl != 1 && rpl != 3) || (regs->ss & 3) != rpl)
		return "cs and ss must both be of ring 1 or of ring 3";
	if ((regs->eflags & ~EFLAGS_POSSIBLE) ||
	    (regs->eflags & EFLAGS_ALWAYS) != EFLAGS_ALWAYS)
		return "EFLAGS that no Guest can have";
	return NULL;
}

static const char *gates_wrong(const struct lg_snapshot *s)
{
	u32 i, type;

	for (i = 0; i < 256; i++) {
		type = (s->idt[i] >> 40) & 0xf;
		if ((s->idt[i] >> 47 & 1) && type != LG_GATE_INTERRUPT && type != LG_GATE_TRAP)
			return "a gate that is neither an interrupt's nor a trap's";
	}
	return NULL;
}

/*
 * What the Guest says of itself after LGUEST_INIT, or cannot have said yet.  The rest of
 * the Host counts on these: it indexes the ring with the cursor, and writes to
 * lguest_data without asking.
 */
static const char *promises_wrong(struct lguest *lg, const struct lg_snapshot *s)
{
	bool initialised = s->flags & LG_SAVED_INITIALISED, linear = s->flags & LG_SAVED_LINEAR;

	if (!initialised && (!linear || (s->flags & LG_SAVED_HALTED) || s->data_gpa ||
			     s->noirq_start || s->noirq_end || s->kernel_address ||
			     s->ring_cursor))
		return "the Guest has not called INIT, and has done more than that";
	if (linear && (s->cr3 || (s->flags & LG_SAVED_PAE)))
		return "there are page tables, and there are none";
	if (s->ring_cursor >= LHCALL_RING_SIZE)
		return "the ring's cursor is outside the ring";
	if (initialised && !lg_range_ok(lg, s->data_gpa, sizeof(struct lguest_data)))
		return "lguest_data is outside memory";
	if (s->kernel_address >= LG_RESERVED)
		return "kernel_address lies in the reserved area";
	if (s->stack_pages > 2 || s->ss1 > 0xffff || ((s->ss1 & 3) != 1 &&
						      (s->ss1 || s->esp1 || s->stack_pages)))
		return "a ring-1 stack that SET_STACK would not take";
	return NULL;
}

/* NULL: lg_restore may have it, and it can hurt nobody but the Guest.  Else what is wrong
 * with it, in less than LG_WHY_MAX characters.  (The FPU is for whoever knows the CPU.) */
const char *lg_saved_wrong(struct lguest *lg, const struct lg_snapshot *s)
{
	const char *why;

	if (s->bytes != sizeof(*s) || s->interface != LG_INTERFACE)
		return "another version of the Host's interface";
	if (s->pages != lg->pfn_limit)
		return "another size of memory";
	if (s->flags & ~(u32)LG_SAVED_ALL)
		return "flags that mean nothing";
	why = registers_wrong(&s->regs);
	if (!why)
		why = gates_wrong(s);
	return why ? why : promises_wrong(lg, s);
}
/*:*/

/*H:792 In, and out
 *
 * lg_save: all but the clock and the FPU, which are for the caller.  The Guest stands
 * still, and no exit is half-way done.
 * lg_restore: into a Guest that has not run; lg_saved_wrong had nothing to say, and
 * lg->data is there if it is to be.  Neither can fail.
 */
static u64 gate_words(const struct lg_gate *gate)
{
	if (!gate->present)
		return 0;
	return (u64)((gate->offset & 0xffff0000) | 0x8000 | (u32)gate->dpl << 13 |
		     (u32)gate->type << 8) << 32 | (gate->offset & 0xffff);
}

void lg_save(struct lguest *lg, struct lg_snapshot *s)
{
	const struct lg_trap_frame *r = lg_regs(lg);
	u32 i;

	s->bytes = sizeof(*s);
	s->interface = LG_INTERFACE;
	s->pages = lg->pfn_limit;
	s->flags = (lg->initialised ? LG_SAVED_INITIALISED : 0) |
		   (lg->linear ? LG_SAVED_LINEAR : 0) | (lg->pae ? LG_SAVED_PAE : 0) |
		   (lg->ts ? LG_SAVED_TS : 0) | (lg->halted ? LG_SAVED_HALTED : 0);
	s->regs = (struct lg_regs) {
		.eax = r->eax, .ebx = r->ebx, .ecx = r->ecx, .edx = r->edx, .esi = r->esi,
		.edi = r->edi, .ebp = r->ebp, .esp = r->esp, .eip = r->eip,
		.eflags = r->eflags, .cs = (u16)r->cs, .ds = (u16)r->ds, .es = (u16)r->es,
		.fs = (u16)r->fs, .gs = (u16)r->gs, .ss = (u16)r->ss,
	};
	s->cr3 = lg->linear ? 0 : lg->cr3;
	s->data_gpa = lg->initialised ? lg->data_gpa : 0;
	s->noirq_start = lg->noirq_start;
	s->noirq_end = lg->noirq_end;
	s->kernel_address = lg->kernel_address;
	s->ring_cursor = lg->ring_cursor;
	s->irqs = __atomic_load_n(&lg->irqs, __ATOMIC_SEQ_CST);
	s->ss1 = lg->pages->ss1;
	s->esp1 = lg->pages->esp1;
	s->stack_pages = lg->stack_pages;
	s->tsc_khz = lg->moved.yes ? lg->moved.khz : lg_os_tsc_khz();
	s->tsc = lg_tsc(lg);
	memcpy(s->gdt, lg->gdt, sizeof(s->gdt));
	for (i = 0; i < 256; i++)
		s->idt[i] = gate_words(&lg->idt[i]);
}

void lg_restore(struct lguest *lg, const struct lg_snapshot *s)
{
	struct lg_trap_frame *r = lg_regs(lg);
	u32 i;

	for (i = 0; i < LGUEST_GDT_ENTRIES; i++)
		lg_load_gdt_entry(lg, i, s->gdt[i], s->gdt[i] >> 32);
	for (i = 0; i < 256; i++)
		lg_load_idt_entry(lg, i, s->idt[i], s->idt[i] >> 32);
	if (s->ss1)
		lg_set_stack(lg, s->ss1, s->esp1, s->stack_pages);
	if (s->flags & LG_SAVED_INITIALISED) {
		lg->noirq_start = s->noirq_start;
		lg->noirq_end = s->noirq_end;
		lg->ring_cursor = s->ring_cursor;
		lg_shadow_kernel_address(lg, s->kernel_address);
		lg->initialised = true;
	}
	if (!(s->flags & LG_SAVED_LINEAR)) {
		lg->pae = s->flags & LG_SAVED_PAE;
		lg->linear = false;
		lg_new_pgtable(lg, s->cr3);
	}
	lg->ts = s->flags & LG_SAVED_TS;
	lg->halted = s->flags & LG_SAVED_HALTED;
	__atomic_fetch_or(&lg->irqs, s->irqs, __ATOMIC_SEQ_CST);
	/* The clock before the alarm, as in freeze.c the alarm before the clock: late is fine,
	 * but one that goes off before its time by the Guest's own clock is believed by nobody. */
	lg->moved = (struct lg_moved) {
		.yes = s->tsc_khz, .khz = s->tsc_khz, .khz_here = lg_os_tsc_khz(),
		.tsc = s->tsc, .tsc_here = lg_arch_tsc(),
	};
	lg_os_set_timer(lg, s->timer_ns);

	r->eax = s->regs.eax;
	r->ebx = s->regs.ebx;
	r->ecx = s->regs.ecx;
	r->edx = s->regs.edx;
	r->esi = s->regs.esi;
	r->edi = s->regs.edi;
	r->ebp = s->regs.ebp;
	r->esp = s->regs.esp;
	r->eip = s->regs.eip;
	r->eflags = s->regs.eflags;
	r->cs = s->regs.cs;
	r->ds = s->regs.ds;
	r->es = s->regs.es;
	r->fs = s->regs.fs;
	r->gs = s->regs.gs;
	r->ss = s->regs.ss;
}
/*:*/

/*H:794 What time is it?
 *
 * Whoever was told that the TSC is a clock believes that it goes on where it was.  It does
 * not: it is another machine's now, or the same one's a week later.  We cannot move it,
 * but there is a bit in CR4 (TSD) that makes each RDTSC outside ring 0 a #GP, and then
 * the Guest reads what it would have read, had nobody stopped it, and at the rate it was
 * told.  Only a Guest that comes out of an envelope pays for that, and of those only one
 * that has such a clock; the others live by the time in lguest_data, which is true.
 */
u64 lg_tsc(const struct lguest *lg)
{
	const struct lg_moved *m = &lg->moved;
	u64 ticks = lg_arch_tsc() - m->tsc_here;

	if (!m->yes)
		return lg_arch_tsc();
	if (m->khz_here)
		ticks = ticks / m->khz_here * m->khz + ticks % m->khz_here * m->khz / m->khz_here;
	return m->tsc + ticks;
}
/*:*/
