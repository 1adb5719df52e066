// SPDX-License-Identifier: GPL-2.0-only
/*H:300 Hypercalls
 *
 * An application that wants something from its kernel makes a system call.  A Guest
 * kernel that wants something from its Host makes a hypercall.  There are seventeen,
 * and most of them say the same in different words: "I would have used a privileged
 * instruction here, but I know where I am."
 *
 * eax is the number, ebx, ecx, edx and esi are the arguments.  Nothing comes back: not
 * even in eax.  That is what makes it possible to queue them (H:320).
 */
#include "lg.h"

/* Is gpa .. gpa + len - 1 inside the Guest's memory (ABI.md 2.5)? */
/* LAB 6.1 BEGIN: inside or outside? */
bool lg_range_ok(struct lguest *lg, u32 gpa, u32 len)
{
	u64 end = (u64)gpa + len;

	return end <= (u64)lg->pfn_limit << LG_PAGE_SHIFT;
}
/* LAB 6.1 END */

/*
 * Copy `len` bytes of Guest memory at guest-physical `gpa` to `to`.
 * LG_AGAIN: a frame must be fetched first.  LG_OUT: out of range, the Guest is dead.
 */
/* LAB 6.2 BEGIN: copy from the Guest */
enum lg_result lg_read(struct lguest *lg, u32 gpa, void *to, u32 len)
{
	u32 done, piece, at;

	if (!lg_range_ok(lg, gpa, len)) {
		lg_kill(lg, LG_MEM_READ,
			"bad read address %#x len %u: the Guest's memory ends at %#llx", gpa, len,
			(unsigned long long)lg->pfn_limit << LG_PAGE_SHIFT);
		return LG_OUT;
	}
	for (done = 0; done < len; done += piece) {
		at = gpa + done;
		piece = LG_PAGE_SIZE - LG_PAGE_OFFSET(at);
		if (piece > len - done)
			piece = len - done;
		if (!lg->frame[at >> LG_PAGE_SHIFT])
			return lg_want_frame(lg, at >> LG_PAGE_SHIFT);
		memcpy((char *)to + done, (char *)lg->frame[at >> LG_PAGE_SHIFT] +
		       LG_PAGE_OFFSET(at), piece);
	}
	return LG_RESUME;
}
/* LAB 6.2 END */
/*:*/

/*H:310 The first word, and the last
 *
 * LGUEST_INIT introduces the page on which Host and Guest leave each other notes.  We
 * remember it for ever, so the Guest had better not move it.
 */
/* LAB 6.3 BEGIN: the first word */
static noinline enum lg_result initialise(struct lguest *lg, u32 gpa)
{
	struct lguest_data *data;
	u32 sec, nsec, vector, kernel_address;

	if (lg->initialised) {
		lg_kill(lg, LG_HC_INIT_TWICE, "already have lguest_data, at %#x", lg->data_gpa);
		return LG_OUT;
	}
	if (!lg_range_ok(lg, gpa, sizeof(*data))) {
		lg_kill(lg, LG_HC_BAD_DATA, "bad guest page: lguest_data at %#x does not fit in memory",
			gpa);
		return LG_OUT;
	}
	lg->data_gpa = gpa;
	if (!lg->data) {
		lg->want = LG_WANT_DATA;
		return LG_AGAIN;
	}
	data = lg->data;

	data->tsc_khz = lg_os_tsc_khz();
	vector = READ_ONCE(data->syscall_vec);
	if (vector != LG_VECTOR_SYSCALL) {
		lg_kill(lg, LG_HC_BAD_SYSCALL, "bad syscall vector %#x: only 0x80 is offered",
			vector);
		return LG_OUT;
	}
	lg->noirq_start = READ_ONCE(data->noirq_start);
	lg->noirq_end = READ_ONCE(data->noirq_end);
	lg_os_wall_clock(&sec, &nsec);
	data->time.tv_sec = sec;
	data->time.tv_nsec = nsec;
	data->reserve_mem = LG_RESERVE_MEM;
	kernel_address = READ_ONCE(data->kernel_address);
	if (kernel_address >= LG_RESERVED) {
		lg_kill(lg, LG_HC_BAD_KERNEL, "bad kernel address %#x: from %#x up all is reserved",
			kernel_address, LG_RESERVED);
		return LG_OUT;
	}
	lg_shadow_kernel_address(lg, kernel_address);
	lg->initialised = true;
	return LG_RESUME;
}
/* LAB 6.3 END */

/*
 * SHUTDOWN.  A Guest that asks for a restart gets one even if its farewell cannot be
 * read: Linux passes a NULL pointer there, dressed up as a physical address.
 */
/* LAB 6.4 BEGIN: the last */
static noinline enum lg_result shut_down(struct lguest *lg, u32 gpa, u32 how)
{
	char text[128] = "";
	enum lg_result r;

	if (how != LGUEST_SHUTDOWN_RESTART || lg_range_ok(lg, gpa, sizeof(text))) {
		r = lg_read(lg, gpa, text, sizeof(text));
		if (r != LG_RESUME)
			return r;
		text[sizeof(text) - 1] = '\0';
	}
	memcpy(lg->text, text, sizeof(text));
	lg->over = how == LGUEST_SHUTDOWN_RESTART ? LG_RUN_RESTART : LG_RUN_POWEROFF;
	return LG_OUT;
}
/* LAB 6.4 END */
/*:*/

/*H:330 The switchboard
 *
 * Arguments that a call does not use may be anything: assembly callers leave junk in
 * them.  In the interest of the next reader, every call that has effects elsewhere
 * leads to the file that tells about it.  Inlined, because for a call from the ring the
 * way here would cost as much as the call.
 */
/* LAB 6.5 BEGIN: the switchboard */
static __always_inline enum lg_result do_hypercall(struct lguest *lg,
						   const struct hcall_args *args)
{
	switch (args->number) {
	case LHCALL_FLUSH_ASYNC:	/* the ring has been run already */
		return LG_RESUME;
	case LHCALL_SEND_INTERRUPTS:	/* they are looked at before every entry */
		if (!lg_irq_would_wake(lg))	/* masked since: no need to ask again */
			WRITE_ONCE(lg->data->irq_pending, 0);
		return LG_RESUME;
	case LHCALL_LGUEST_INIT:
		return initialise(lg, args->arg1);
	case LHCALL_SHUTDOWN:
		return shut_down(lg, args->arg1, args->arg2);
	case LHCALL_NEW_PGTABLE:
		return lg_new_pgtable(lg, args->arg1);
	case LHCALL_FLUSH_TLB:
		if (args->arg1)
			lg_flush_all(lg);
		else
			lg_flush_user(lg);
		return LG_RESUME;
	case LHCALL_LOAD_IDT_ENTRY:
		lg_load_idt_entry(lg, args->arg1, args->arg2, args->arg3);
		break;
	case LHCALL_SET_STACK:
		lg_set_stack(lg, args->arg1, args->arg2, args->arg3);
		break;
	case LHCALL_TS:
		if (lg->ts != (args->arg1 != 0)) {
			lg->ts = !lg->ts;
			lg_arch_set_ts(lg, lg->ts);
		}
		return LG_RESUME;
	case LHCALL_SET_CLOCKEVENT:
		if (args->arg1)
			lg_count(lg, timer_armed);
		lg_os_set_timer(lg, args->arg1);
		return LG_RESUME;
	case LHCALL_HALT:
		lg->halted = true;	/* lg_before_entry will notice */
		return LG_RESUME;
	case LHCALL_SET_PTE:
		lg_set_pte(lg, args->arg1, args->arg2,
			   lg->pae ? ((u64)args->arg4 << 32) | args->arg3 : args->arg3);
		break;
	case LHCALL_SET_PGD:
		lg_set_pgd(lg, args->arg1, args->arg2);
		break;
	case LHCALL_SET_PMD:
		if (!lg->pae)
			goto unknown;
		lg_flush_all(lg);
		return LG_RESUME;
	case LHCALL_LOAD_TLS:
		return lg_load_tls(lg, args->arg1);
	case LHCALL_NOTIFY:
		if (!args->arg1)
			return LG_RESUME;
		lg->notify = args->arg1;
		lg->want = LG_WANT_NOTIFY;
		return LG_OUT;
	case LHCALL_LOAD_GDT_ENTRY:
		lg_load_gdt_entry(lg, args->arg1, args->arg2, args->arg3);
		break;
	default:
	unknown:
		lg_kill(lg, LG_HC_UNKNOWN, "Bad hypercall %u", args->number);
	}
	return lg->over ? LG_OUT : LG_RESUME;
}
/* LAB 6.5 END */
/*:*/

/* Called when it is done, so that one that had to be started twice counts once. */
static __always_inline void note_hypercall(struct lguest *lg, const struct hcall_args *args,
					   bool ring)
{
	lg_trace_hypercall(lg, args, ring);
	if (args->number >= LG_HYPERCALLS)
		return;
	if (ring)
		lg->stats.hypercall_ring[args->number]++;
	else
		lg->stats.hypercall_direct[args->number]++;
}

/*H:320 Many at once
 *
 * A trip to the Host and back costs more than most things one could ask for there.
 * Page table updates come by the dozen, and none of them is urgent.  So a Guest may
 * write them on a ring of 64 slots, mark each with a 0, and go on with its life; at
 * its next real hypercall we do all of them first, in order, and mark them 0xff again.
 *
 * The ring lies in Guest memory.  A hostile Guest's Launcher can change a slot while
 * we read it, so each word is read once, into args, and only args are looked at.
 */
/* LAB 6.6 BEGIN: the ring */
static noinline enum lg_result run_ring(struct lguest *lg)
{
	struct lguest_data *data = lg->data;
	struct hcall_args args;
	enum lg_result r;
	u32 n, slot;

	lg_count(lg, ring_runs);
	for (n = 0; n < LHCALL_RING_SIZE; n++) {
		slot = lg->ring_cursor;
		if (READ_ONCE(data->hcall_status[slot]) == LHCALL_RING_FREE)
			break;
		args.number = READ_ONCE(data->hcalls[slot].number);
		args.arg1 = READ_ONCE(data->hcalls[slot].arg1);
		args.arg2 = READ_ONCE(data->hcalls[slot].arg2);
		args.arg3 = READ_ONCE(data->hcalls[slot].arg3);
		args.arg4 = READ_ONCE(data->hcalls[slot].arg4);

		r = do_hypercall(lg, &args);
		if (r == LG_AGAIN)
			return r;
		note_hypercall(lg, &args, true);
		WRITE_ONCE(data->hcall_status[slot], LHCALL_RING_FREE);
		lg->ring_cursor = (slot + 1) % LHCALL_RING_SIZE;
		/* Something for the loop, but the rest of the ring and the direct call
		 * are still owed: "again" starts with the next slot. */
		if (r == LG_OUT)
			return lg->over ? LG_OUT : LG_AGAIN;
	}
	return LG_RESUME;
}
/* LAB 6.6 END */

/* `int $0x1f` was executed in ring 1.  Context: as lg_handle_exit. */
enum lg_result lg_hypercall(struct lguest *lg)
{
	struct lg_trap_frame *regs = lg_regs(lg);
	struct hcall_args args = {
		.number = regs->eax,
		.arg1 = regs->ebx,
		.arg2 = regs->ecx,
		.arg3 = regs->edx,
		.arg4 = regs->esi,
	};
	enum lg_result r;

	if (likely(lg->initialised)) {
		if (READ_ONCE(lg->data->hcall_status[lg->ring_cursor]) != LHCALL_RING_FREE) {
			r = run_ring(lg);
			if (r != LG_RESUME)
				return r;
		}
	} else if (args.number != LHCALL_LGUEST_INIT) {
		lg_kill(lg, LG_HC_BEFORE_INIT, "hypercall %u before INIT", args.number);
		return LG_OUT;
	}
	r = do_hypercall(lg, &args);
	if (r != LG_AGAIN)
		note_hypercall(lg, &args, false);
	return r;
}
/*:*/
