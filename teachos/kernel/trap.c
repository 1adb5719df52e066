/* SPDX-License-Identifier: MIT */
/*G:210 What happened?
 *
 * A trap is a question: whose fault is it, and can it be mended?  A page fault is
 * often no fault at all, merely a page that nobody needed until now.  #NM only says
 * that somebody wants the FPU.  Everything else a process has done to itself, and
 * it dies of it with one clear line, while the others go on.  When the kernel itself
 * trips there is nobody left to blame: panic.
 */
#include "kernel.h"

static const struct {
	const char *name;
	u32 signal;
} exceptions[32] = {
	[0] = {"divide error", SIGFPE},
	[1] = {"debug trap", SIGTRAP},
	[2] = {"NMI", SIGKILL},
	[3] = {"breakpoint", SIGTRAP},
	[4] = {"overflow", SIGSEGV},
	[5] = {"bound range exceeded", SIGSEGV},
	[6] = {"invalid instruction", SIGILL},
	[7] = {"no FPU", SIGFPE},
	[8] = {"double fault", SIGKILL},
	[9] = {"coprocessor segment overrun", SIGFPE},
	[10] = {"invalid TSS", SIGSEGV},
	[11] = {"segment not present", SIGSEGV},
	[12] = {"stack segment fault", SIGSEGV},
	[13] = {"general protection fault", SIGSEGV},
	[14] = {"page fault", SIGSEGV},
	[16] = {"x87 floating-point error", SIGFPE},
	[17] = {"misaligned access", SIGBUS},
	[18] = {"machine check", SIGKILL},
	[19] = {"SIMD floating-point error", SIGFPE},
};

#define PF_PRESENT	1u	/* else: nothing was mapped there */
#define PF_WRITE	2u	/* else: a read */
#define PF_USER		4u	/* else: the kernel's access */

struct trap_probe trap_probe;
struct user_fault last_user_fault;
bool quiet_faults;
/* Not static: trap_set_gate() notes it, trap_handler() wants to know. */
bool is_trap_gate[256];

extern void (*const trap_stubs[64])(void);

void (*trap_stub(unsigned int vector))(void)
{
	return vector == 0x80 ? (void (*)(void))syscall_stub : trap_stubs[vector];
}

/*
 * The gate of SDM volume 3, 6.11:
 *
 *	high word:  offset 31..16 | P | DPL | 0 | type | 0 0 0 0 0 0 0 0
 *	low word:   selector      | offset 15..0
 *
 * An interrupt gate turns interrupts off on the way in, a trap gate doesn't.
 */
/* LAB 2.3 BEGIN: gates */
void trap_set_gate(unsigned int vector, void (*handler)(void), enum gate_type type,
		   unsigned int dpl)
{
	u32 offset = (u32)handler, cs;

	asm("mov %%cs, %0" : "=r"(cs));
	is_trap_gate[vector] = type == GATE_TRAP;
	pv.set_gate(vector, (cs << 16) | (offset & 0xffff),
		    (offset & 0xffff0000) | 0x8000 | dpl << 13 | type << 8);
}

/* The gate as it should be: processes may say int3, into and int $0x80. */
void trap_reset_gate(unsigned int vector)
{
	bool syscall = vector == 0x80, for_users = syscall || vector == 3 || vector == 4;

	trap_set_gate(vector, trap_stub(vector), syscall ? GATE_TRAP : GATE_INTERRUPT,
		      for_users ? 3 : 0);
}

void trap_init(void)
{
	unsigned int v;

	for (v = 0; v < IRQ_VECTOR + IRQ_COUNT; v++)
		if (v != 2 && v != 15 && (v < 20 || v >= IRQ_VECTOR))
			trap_reset_gate(v);
	trap_reset_gate(0x80);
	/* Flat 4 GiB segments of ring 3: code 0xfb, data 0xf3. */
	pv.set_segment(USER_CS >> 3, 0x0000ffff, 0x00cffb00);
	pv.set_segment(USER_DS >> 3, 0x0000ffff, 0x00cff300);
}
/* LAB 2.3 END */

/* ... or let it see to that itself, if it has a handler (signal.c). */
static void kill_for_fault(const struct trap_frame *frame, u32 address)
{
	const char *name = exceptions[frame->vector].name;
	u32 signal = exceptions[frame->vector].signal;

	last_user_fault = (struct user_fault){
		current->pid, frame->vector, frame->error, address, frame->eip
	};
	if (frame->vector == 14 && vm_had_right(current, address, frame->error & PF_WRITE)) {
		if (!quiet_faults)
			print("%s[%d]: out of memory: killed\n", current->name, current->pid);
		process_exit(STATUS_KILLED(SIGKILL));
	}
	if (from_user(frame) && signal_fault(signal, frame->vector, frame->error, address))
		return;
	if (quiet_faults)
		;
	else if (frame->vector == 14)
		print("%s[%d]: page fault: no right to %s 0x%08x at eip 0x%08x: killed\n",
		      current->name, current->pid,
		      frame->error & PF_WRITE ? "write" : "read", address, frame->eip);
	else
		print("%s[%d]: %s (vector %u, error 0x%x) at eip 0x%08x: killed\n",
		      current->name, current->pid, name ? name : "unknown trap",
		      frame->vector, frame->error, frame->eip);
	process_exit(STATUS_KILLED(signal ? signal : SIGKILL));
}

static void probe_hit(struct trap_frame *frame, u32 address)
{
	trap_probe.hits++;
	trap_probe.vector = frame->vector;
	trap_probe.error = frame->error;
	trap_probe.eip = frame->eip;
	trap_probe.eflags = frame->eflags;
	trap_probe.cs = frame->cs;
	trap_probe.address = address;
	trap_probe.irqs_on = pv.irq_enabled();
	if (trap_probe.single_steps && frame->vector == 1) {
		frame->eflags &= ~EFLAGS_TF;
		return;
	}
	trap_probe.armed = false;
	frame->eip = trap_probe.resume;
}

static void kernel_trap(struct trap_frame *frame, u32 address)
{
	u32 eip = frame->eip;

	if (trap_probe.armed) {
		probe_hit(frame, address);
		return;
	}
	/* The way out loads the process's segment registers, ss and cs at the very end;
	 * if the descriptor went away meanwhile, that is the process's fault.  The frame
	 * below ours dies with it. */
	if (((eip >= (u32)trap_pop_segments && eip < (u32)trap_pop_segments_end) ||
	     eip == (u32)pv.iret) && current->root) {
		pv.irq_enable();
		kill_for_fault(frame, address);
	}
	panic_trap(frame, exceptions[frame->vector].name);
}

/*:*/
/*G:220 The order in which a trap is looked at
 *
 * A trap gate leaves the interrupt flag alone, and a Host that lets the processor
 * deliver such a trap by itself can't put our flag into the frame: the processor
 * pushes its own, which is always on.  So for trap gates from ring 1 the frame is
 * put right here; on a bare machine this changes nothing.
 *
 * The fault address is read before interrupts may come: the next page fault
 * overwrites it.
 */
/* LAB 2.4 BEGIN: whose fault is it? */
void trap_handler(struct trap_frame *frame)
{
	u32 vector = frame->vector, address = 0;

	if (vector >= IRQ_VECTOR) {
		pv.interrupt(vector - IRQ_VECTOR);
		if (from_user(frame))
			return_to_user();
		return;
	}
	if (is_trap_gate[vector] && !from_user(frame))
		frame->eflags = (frame->eflags & ~EFLAGS_IF) |
				(pv.irq_enabled() ? EFLAGS_IF : 0);
	if (vector == 14)
		address = pv.fault_address();
	if (vector == 7 && !trap_probe.armed) {
		fpu_trap();
	} else if (!from_user(frame)) {
		kernel_trap(frame, address);
	} else {
		pv.irq_enable();
		if (vector != 14 || !vm_fault(current, address, frame->error & PF_WRITE))
			kill_for_fault(frame, address);
	}
	if (from_user(frame))
		return_to_user();
}

/* The last thing before ring 3.  Interrupts stay off from the moment we have seen
 * that nothing is left to do; the return path turns them on. */
void return_to_user(void)
{
	for (;;) {
		pv.irq_disable();
		if (current->due)
			signal_deliver(user_frame(current));
		else if (need_resched)
			schedule();
		else
			return;
	}
}
/* LAB 2.4 END */
/*:*/
