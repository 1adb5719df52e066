// SPDX-License-Identifier: GPL-2.0-only
/*H:200 Why did it come back?
 *
 * The Guest ran, and now it does not.  trapno says why.  There are only five kinds of
 * answers: it asked for something (a hypercall), it tripped over a page that we had
 * not filled in yet, it tried what ring 1 may not, it made a mistake that its own
 * kernel should hear of, or it is none of its business (a real interrupt).
 */
#include "lg.h"

/* The Guest's gates for these are ours: a load is accepted and ignored (ABI.md 5.1). */
static bool vector_is_ours(unsigned int vector)
{
	return vector == LG_VECTOR_NMI || vector == LG_VECTOR_DF || vector == 15 ||
	       vector == LGUEST_TRAP_ENTRY;
}

/* Does a frame for this vector carry an error code (SDM vol. 3, table 6-1, as far as
 * a Guest of this ABI knows it: ABI.md 4.1)? */
/* LAB 7.2 BEGIN: which traps carry an error code */
bool lg_trap_has_error(unsigned int vector)
{
	return vector == LG_VECTOR_DF || (vector >= 10 && vector <= 14) || vector == 17;
}
/* LAB 7.2 END */

/* May the Guest's gate for `vector` be reached without the Host (ABI.md 5.2)? */
/* LAB 11.1 BEGIN: who may be left out */
static bool may_be_direct(unsigned int vector)
{
	switch (vector) {
	case LG_VECTOR_NM:
	case LG_VECTOR_GP:
	case LG_VECTOR_PF:
	case LG_VECTOR_MC:	/* a real one is for Linux */
		return false;
	}
	return vector < 32 || vector == LG_VECTOR_SYSCALL;
}
/* LAB 11.1 END */

/* May `int n` find the Guest's own DPL here (ABI.md 5.1)?  Everything else has DPL 0. */
static bool dpl_is_honoured(unsigned int vector)
{
	if (vector_is_ours(vector))
		return false;
	return (vector < 32 && vector != LG_VECTOR_NM && vector != LG_VECTOR_GP &&
		vector != LG_VECTOR_PF) || vector == LG_VECTOR_SYSCALL;
}
/*:*/

/*H:210 The Guest's IDT
 *
 * We keep its gates and show the CPU our own, which all lead to the Switcher.  Two
 * things of the Guest's gate matter to the CPU: who may use it with INT n, and
 * whether it is a trap gate.  A trap gate leaves interrupts as they are, so the Switcher
 * can deliver it alone.  An interrupt gate disables them, and that means a word in
 * Guest memory that must change at the same instant: the Host does those.
 */
/* LAB 7.3 BEGIN: the Guest's gates */
void lg_show_gate(struct lguest *lg, u32 vector)
{
	const struct lg_gate *gate = &lg->idt[vector];
	bool debugger = lg->debug && (vector == LG_VECTOR_DB || vector == LG_VECTOR_BP);
	bool direct = gate->type == LG_GATE_TRAP && may_be_direct(vector) && !debugger &&
		      !lg->debug_step && !lg->watch.rings;
	u32 dpl = dpl_is_honoured(vector) ? gate->dpl : 0;

	if (vector_is_ours(vector))
		return;
	/* A breakpoint in ring 3 must get here whatever the Guest's gate says. */
	if (debugger && vector == LG_VECTOR_BP)
		dpl = 3;
	lg_arch_set_gate(lg, vector, dpl, direct ? gate->offset : 0);
}

void lg_load_idt_entry(struct lguest *lg, u32 vector, u32 low, u32 high)
{
	struct lg_gate *gate;
	u8 type = (high >> 8) & 0xf;

	if (vector >= 256) {
		lg_kill(lg, LG_TRAP_VECTOR, "Setting idt entry %u: there are 256", vector);
		return;
	}
	if (vector_is_ours(vector))
		return;

	gate = &lg->idt[vector];
	memset(gate, 0, sizeof(*gate));
	if (high & 0x8000) {
		if (type != LG_GATE_INTERRUPT && type != LG_GATE_TRAP) {
			lg_kill(lg, LG_TRAP_GATE_TYPE,
				"bad IDT type %u in the gate for vector %u: 14 or 15 expected",
				type, vector);
			return;
		}
		gate->offset = (high & 0xffff0000) | (low & 0xffff);
		gate->type = type;
		gate->dpl = (high >> 13) & 3;
		gate->present = true;
	}
	lg_show_gate(lg, vector);
}
/* LAB 7.3 END */

/* LHCALL_SET_STACK (ABI.md 2.2, 6): where ring 3 lands when it traps. */
/* LAB 7.4 BEGIN: where ring 3 lands */
void lg_set_stack(struct lguest *lg, u32 ss, u32 esp, u32 pages)
{
	if ((ss & 3) != 1) {
		lg_kill(lg, LG_TRAP_STACK_SS, "bad stack segment %u: its RPL must be 1", ss);
		return;
	}
	if (pages > 2) {
		lg_kill(lg, LG_TRAP_STACK_PAGES, "bad stack pages %u: at most 2", pages);
		return;
	}
	lg->pages->ss1 = ss & 0xffff;
	lg->pages->esp1 = esp;
	lg->pages->syscall_frame.ss = ss & 0xffff;
	lg->pages->syscall_frame.rsp = (u32)(esp - 20);	/* below ss, esp, eflags, cs, eip */
	lg->stack_pages = pages;
	lg->stack_unpinned = true;	/* lg_before_entry pins it */
}
/* LAB 7.4 END */
/*:*/

/* Hand the current exception to the Guest's own handler. */
static enum lg_result reflect(struct lguest *lg, unsigned int vector, u32 error)
{
	enum lg_result r = lg_deliver(lg, vector, lg_trap_has_error(vector), error);

	if (r == LG_RESUME)
		lg->stats.reflected[vector]++;
	return r;
}

/* Copy up to `len` bytes of code at eip.  They may straddle two pages. */
static enum lg_result fetch_code(struct lguest *lg, u8 *code, u32 len)
{
	u32 at = lg_segment_base(lg, lg_regs(lg)->cs) + (u32)lg_regs(lg)->eip;
	enum lg_result r;
	void *byte;
	u32 i;

	for (i = 0; i < len; i++) {
		if (i == 0 || LG_PAGE_OFFSET(at + i) == 0) {
			r = lg_guest_address(lg, at + i, false, &byte);
			if (r != LG_RESUME)
				return r;
		} else {
			byte = (u8 *)byte + 1;
		}
		code[i] = READ_ONCE(*(u8 *)byte);
	}
	return LG_RESUME;
}

static void skip(struct lguest *lg, u32 bytes)
{
	lg_regs(lg)->eip = (u32)(lg_regs(lg)->eip + bytes);
}

/*H:220 Instructions that we finish
 *
 * A kernel that knows it is a Guest uses no privileged instructions, but drivers that
 * look for hardware use IN and OUT, and they look early, before there is anybody to
 * handle a #GP.  "All ones" is what a bus with nothing on it answers.  So that is the
 * whole emulator (ABI.md 5.4).  Returns the instruction's length, 0 if it is none of
 * these.
 *
 *   [66] E4 ib  IN AL          [66] E5 ib  IN eAX         EC, ED  the same, port in DX
 *   [66] E6 ib  OUT AL         [66] E7 ib  OUT eAX        EE, EF  the same, port in DX
 *   FA          CLI: skipped, and it disables nothing
 */
static u32 emulate(struct lguest *lg, const u8 *code)
{
	bool word = code[0] == 0x66;
	u8 op = code[word];
	u64 *eax = &lg_regs(lg)->eax;
	u32 len = word + 1;

	if (op == 0xfa && !word) {
		lg_count(lg, cli_skipped);
		return len;
	}
	if ((op & 0xf4) != 0xe4)	/* E4-E7, EC-EF */
		return 0;
	if (!(op & 8))			/* the port is in the next byte */
		len++;
	if (op & 2) {
		lg_count(lg, out_emulated);
		return len;
	}
	lg_count(lg, in_emulated);
	if (!(op & 1))
		*eax |= 0xff;
	else if (word)
		*eax |= 0xffff;
	else
		*eax = 0xffffffff;
	return len;
}
/*:*/

/*H:230 INT n that may not
 *
 * All our gates but a few have DPL 0, so INT n arrives here, as a #GP whose error code
 * names the vector (SDM vol. 3, 6.13: bit 1 says "IDT", the vector stands at bit 3).
 * We read the instruction all the same.  First, the Guest may have opened a gate to its
 * ring 3 that we could not open for real: 10, 11, 12 and 17, for which our stubs
 * count on an error code, and INT n pushes none.  Second, an emulator that we know
 * gets the error code wrong, and the Guest should not.
 *
 * Returns true if there is an INT n at eip, with its vector and length.
 */
static bool is_software_interrupt(const u8 *code, u32 have, unsigned int *vector, u32 *len)
{
	if (have >= 2 && code[0] == 0xcd) {
		*vector = code[1];
		*len = 2;
		return true;
	}
	if (code[0] == 0xcc || code[0] == 0xce) {
		*vector = code[0] == 0xcc ? 3 : 4;
		*len = 1;
		return true;
	}
	return false;
}

/* noinline: its stack frame would be paid for by every hypercall. */
/* LAB 7.6 BEGIN: what INT n meant */
static noinline enum lg_result general_protection(struct lguest *lg)
{
	struct lg_trap_frame *regs = lg_regs(lg);
	u32 error = regs->error;
	unsigned int vector;
	enum lg_result r;
	u8 code[3];
	u32 len;

	if (error == 0 && lg_cpl(lg) == 1) {
		/* The last byte may lie on a page that is not there: fetch what we need. */
		r = fetch_code(lg, code, 1);
		if (r != LG_RESUME)
			return r;
		len = code[0] == 0x66 ? 2 : 1;
		r = fetch_code(lg, code, len);
		if (r != LG_RESUME)
			return r;
		len = emulate(lg, code);
		if (len) {
			skip(lg, len);
			return LG_RESUME;
		}
	} else if (error & 2) {
		r = fetch_code(lg, code, 1);
		if (r == LG_RESUME && code[0] == 0xcd)
			r = fetch_code(lg, code, 2);
		if (r != LG_RESUME)
			return r;
		if (is_software_interrupt(code, code[0] == 0xcd ? 2 : 1, &vector, &len)) {
			if (dpl_is_honoured(vector) && lg->idt[vector].present &&
			    lg->idt[vector].dpl >= lg_cpl(lg)) {
				u32 eip = regs->eip;

				skip(lg, len);
				r = lg_deliver(lg, vector, false, 0);
				if (r == LG_RESUME)
					lg->stats.reflected[vector]++;
				else
					regs->eip = eip;	/* again, from the start */
				return r;
			}
			error = vector * 8 + 2;
		}
	}
	return reflect(lg, LG_VECTOR_GP, error);
}
/* LAB 7.6 END */
/*:*/

/*H:235 RDTSC, when it is not to be trusted
 *
 * A #GP of a Guest whose clock was another machine's (snapshot.c): was it RDTSC, 0F 31, or
 * RDTSCP, 0F 01 F9, which says a CPU's number as well?  Ring 3 gets here, too, with whatever
 * it likes in eip, so nobody is to die of a look: we look only where the CPU has just
 * fetched from.
 */
static bool was_fetched(struct lguest *lg, u32 at)
{
	u64 *entry = lg_shadow_find(lg, &lg->root[lg->current_root], at);

	return entry && (*entry & LG_PTE_PRESENT);
}

static noinline enum lg_result moved_clock(struct lguest *lg)
{
	struct lg_trap_frame *regs = lg_regs(lg);
	u32 at = lg_segment_base(lg, regs->cs) + (u32)regs->eip, len = 1;
	u8 code[3] = { 0 };
	enum lg_result r;
	u64 tsc;

	if (regs->error || !was_fetched(lg, at))
		return general_protection(lg);
	r = fetch_code(lg, code, 1);
	if (r == LG_RESUME && code[0] == 0x0f && was_fetched(lg, at + 1))
		r = fetch_code(lg, code, len = 2);
	if (r == LG_RESUME && len == 2 && code[1] == 0x01 && was_fetched(lg, at + 2))
		r = fetch_code(lg, code, len = 3);
	if (r != LG_RESUME)
		return r;
	if (!(len == 2 && code[1] == 0x31) && !(len == 3 && code[2] == 0xf9))
		return general_protection(lg);
	tsc = lg_tsc(lg);
	regs->eax = (u32)tsc;
	regs->edx = tsc >> 32;
	if (len == 3)
		regs->ecx = 0;
	skip(lg, len);
	return LG_RESUME;
}
/*:*/

/* Keep the last exits for the obituary.  A dozen instructions, worth it at 2 a.m. */
static void record_exit(struct lguest *lg, u32 trapno)
{
	struct lg_trap_frame *regs = lg_regs(lg);
	struct lg_exit_record *record = &lg->exit_record[lg->exits++ % LG_EXIT_RECORDS];

	record->vector = trapno;
	record->error = regs->error;
	record->cs = regs->cs;
	record->eip = regs->eip;
	record->number = regs->eax;
	record->cr2 = lg->pages->cr2;
	record->tsc = lg_arch_tsc();
}

/*H:240 One exit
 *
 * Called by the loop after each stay in the Guest, and again for the same exit after
 * LG_AGAIN.  Real interrupts, NMIs and machine checks never get here.
 * Context: interrupts off, in a section.
 */
static enum lg_result handle_exit(struct lguest *lg)
{
	struct lg_trap_frame *regs = lg_regs(lg);
	u32 trapno = regs->trapno;

	if (unlikely(trapno >= 256)) {
		/* No processor lets an IRET do that in 64-bit mode; QEMU's TCG does. */
		if ((trapno & LG_TRAP_BUG) && (regs->eflags & LG_EFLAGS_VM))
			lg_kill(lg, LG_SEG_VM86, "trap %u in virtual-8086 mode at %#x:%#x: an "
				"IRET set EFLAGS.VM, and this processor let it",
				trapno & 0xff, (u32)regs->cs, (u32)regs->eip);
		else if (trapno & LG_TRAP_BUG)
			lg_kill(lg, LG_HOST_SWITCHER, "trap %u in the Switcher, error %#x: this is a bug of the Host",
				trapno & 0xff, (u32)regs->error);
		else
			lg_kill(lg, LG_SEG_LOAD, "unhandled trap 256 at %#x (%#x): %s cannot be "
				"loaded: cs %#x ss %#x ds %#x es %#x fs %#x gs %#x",
				(u32)regs->eip, (u32)regs->error,
				trapno >= LG_TRAP_ENTRY_SEGMENT ? "ds, es, fs or gs" : "cs or ss",
				(u16)regs->cs, (u16)regs->ss, (u16)regs->ds, (u16)regs->es,
				(u16)regs->fs, (u16)regs->gs);
		return LG_OUT;
	}

	switch (trapno) {
	case LGUEST_TRAP_ENTRY:
		return lg_hypercall(lg);
	case LG_VECTOR_PF:
		return lg_page_fault(lg, lg->pages->cr2, regs->error);
	case LG_VECTOR_GP:
		return unlikely(lg->moved.yes) ? moved_clock(lg) : general_protection(lg);
	case LG_VECTOR_NM:
		if (!lg->ts)
			return LG_RESUME;
		lg_count(lg, nm_reflected);
		break;
	}
	return reflect(lg, trapno, regs->error);
}

static noinline enum lg_result handle_exit_debugged(struct lguest *lg)
{
	u32 eip = lg_regs(lg)->eip;
	enum lg_result r;

	if (lg_debug_exit(lg))
		return LG_RESUME;
	r = handle_exit(lg);
	if (r != LG_AGAIN)
		lg_debug_exit_done(lg, eip);
	return r;
}

enum lg_result lg_handle_exit(struct lguest *lg)
{
	if (unlikely(lg->debug))
		return handle_exit_debugged(lg);
	return handle_exit(lg);
}

/* What the loop calls once for each new exit, before lg_handle_exit. */
void lg_note_exit(struct lguest *lg)
{
	u32 trapno = lg_regs(lg)->trapno;

	if (likely(trapno < 256))
		lg->stats.exit_vector[trapno]++;
	record_exit(lg, trapno < 256 ? trapno : 256 + (trapno & 0xff));
}
/*:*/

/*M:150 Yours to build: a second CPU
 *
 * struct lguest is one machine with one CPU.  Split it: what belongs to the machine
 * (frames, shadow, lguest_data), what to the CPU (registers, cr3, interrupts)?  The ABI
 * has no call to start another, so you will invent one.  When one CPU changes a shadow
 * entry that the other uses right now, what then?
 *:*/
