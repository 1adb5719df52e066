/* SPDX-License-Identifier: MIT */
/*G:866 An interrupt for programs
 *
 * To call a function that nobody called: put on the program's own stack everything that
 * is needed to go on later, then go to the function, with a return address of code that
 * says `sigreturn`.  It is what the processor does to us on a trap, once more, by hand.
 *
 *	higher	what was on the stack
 *		FPU registers (512 bytes, only if they were ever used)
 *		8 bytes of code: pop %eax; mov $119, %eax; int $0x80
 *		all registers: struct sigcontext
 *		the signal's number		(the handler's argument)
 *	esp ->	the address of that code	(where the handler returns to)
 *
 * Registers first, in Linux's struct, are in the order of our struct trap_frame.  That
 * is no luck: it is the order in which the processor and `pusha` put them there.
 *
 * A handler with SA_SIGINFO gets two more arguments, and the frame two more structs.
 *
 * Now the other way.  The frame comes back from the program's memory, so it is not the
 * frame any more: it is a wish.  What could be wished for?  Another ring, by cs and ss,
 * so those we don't even read.  Interrupts off, I/O rights, a nested task, virtual-8086
 * mode, in eflags: of them only the bits that ring 3 may change anyhow are taken.  A
 * segment register with a kernel selector: RPL 3 is forced, and then the processor says
 * no.  FPU control bits that do not exist, at which FXRSTOR would fault, in the kernel.
 */
#include "kernel.h"

/* Carry, parity, adjust, zero, sign, single step, direction, overflow, alignment check. */
#define EFLAGS_USER	(0x1u | 0x4u | 0x10u | 0x40u | 0x80u | EFLAGS_TF | 0x400u | 0x800u | \
			 EFLAGS_AC)
#define EFLAGS_FIXED	(EFLAGS_IF | 2u)

struct sigcontext {
	struct trap_frame regs;
	u32 fpstate, old_mask, address;
};
_Static_assert(sizeof(struct sigcontext) == 88, "Linux's struct sigcontext for i386");

struct sigframe {
	u32 return_to, signal;
	struct sigcontext context;
	u8 code[8];
};

struct rt_sigframe {
	u32 return_to, signal, info_at, context_at;
	u32 info[32];			/* siginfo: signal, errno, code, address */
	u32 flags, link, stack[3];	/* from here on ucontext */
	struct sigcontext context;
	u32 mask[2];
	u8 code[8];
};

static const u8 return_code[8] = {0x58, 0xb8, 119, 0, 0, 0, 0xcd, 0x80};
static const u8 rt_return_code[8] = {0xb8, 173, 0, 0, 0, 0xcd, 0x80, 0};

static void fill_context(struct sigcontext *c, const struct trap_frame *frame, u32 fpstate)
{
	*c = (struct sigcontext){*frame, fpstate, current->blocked, current->fault.address};
	c->regs.vector = current->fault.vector;
	c->regs.error = current->fault.error;
	c->regs.esp_ignored = c->regs.esp;
}

/* Below *esp, so that the handler finds its stack as a call leaves it: aligned to 16. */
static bool push(u32 *esp, const void *bytes, u32 size)
{
	*esp = ((*esp - size + 4) & ~15u) - 4;
	return copy_to_user(*esp, bytes, size);
}

static bool push_simple(u32 *esp, const struct trap_frame *frame, u32 signal, u32 fpstate,
			u32 restorer)
{
	struct sigframe f = {.signal = signal};
	u32 at = ((*esp - sizeof(f) + 4) & ~15u) - 4;

	fill_context(&f.context, frame, fpstate);
	memcpy(f.code, return_code, sizeof(f.code));
	f.return_to = restorer ? restorer : at + offsetof(struct sigframe, code);
	return push(esp, &f, sizeof(f));
}

static bool push_rt(u32 *esp, const struct trap_frame *frame, u32 signal, u32 fpstate,
		    u32 restorer)
{
	struct rt_sigframe f = {.signal = signal};
	u32 at = ((*esp - sizeof(f) + 4) & ~15u) - 4;

	fill_context(&f.context, frame, fpstate);
	memcpy(f.code, rt_return_code, sizeof(f.code));
	f.return_to = restorer ? restorer : at + offsetof(struct rt_sigframe, code);
	f.info_at = at + offsetof(struct rt_sigframe, info);
	f.context_at = at + offsetof(struct rt_sigframe, flags);
	f.info[0] = signal;
	f.info[3] = current->fault.address;
	f.mask[0] = current->blocked;
	return push(esp, &f, sizeof(f));
}

/*:*/

/*G:867 There, and back again */
/* false: the stack has no room, or is none. */
bool sigframe_push(struct trap_frame *frame, u32 signal, const struct signal_action *action)
{
	u32 restorer = action->flags & SA_RESTORER ? action->restorer : 0;
	u32 esp = frame->esp, fpstate = 0;
	bool rt = action->flags & SA_SIGINFO;
	const void *fpu = fpu_save();

	if (fpu) {
		if (!push(&esp, fpu, FPU_SIZE))
			return false;
		fpstate = esp;
	}
	if (!(rt ? push_rt : push_simple)(&esp, frame, signal, fpstate, restorer))
		return false;
	fpu_forget(current);		/* the handler begins with clean ones */
	current->fault = (struct fault){0, 0, 0};
	frame->eip = action->handler;
	frame->esp = esp;
	frame->eax = signal;		/* for those who take arguments in registers */
	frame->edx = esp + offsetof(struct rt_sigframe, info);
	frame->ecx = esp + offsetof(struct rt_sigframe, flags);
	frame->ds = frame->es = frame->ss = USER_DS;
	frame->cs = USER_CS;
	frame->eflags = (frame->eflags & EFLAGS_USER & ~(EFLAGS_TF | 0x400u)) | EFLAGS_FIXED;
	return true;
}

/* The null selector stays null. */
static u32 of_ring_3(u32 selector)
{
	return selector & 0xfffc ? (selector & 0xffff) | 3 : 0;
}

static bool restore(struct trap_frame *frame, const struct sigcontext *c)
{
	struct trap_frame regs = c->regs;
	u8 fpu[FPU_SIZE];

	if (c->fpstate) {
		if (!copy_from_user(fpu, c->fpstate, sizeof(fpu)))
			return false;
		fpu_load(fpu);
	} else {
		fpu_forget(current);
	}
	regs.gs = of_ring_3(regs.gs);
	regs.fs = of_ring_3(regs.fs);
	regs.es = of_ring_3(regs.es);
	regs.ds = of_ring_3(regs.ds);
	regs.cs = USER_CS;
	regs.ss = USER_DS;
	regs.eflags = (regs.eflags & EFLAGS_USER) | EFLAGS_FIXED;
	*frame = regs;
	return true;
}

static void bad_frame(const struct trap_frame *frame)
{
	if (!quiet_faults)
		print("%s[%d]: sigreturn without a frame at 0x%08x: killed\n", current->name,
		      current->pid, frame->esp);
	process_exit(STATUS_KILLED(SIGSEGV));
}

/* The handler's `ret` took the return address, and the code's `pop` the number: the frame
 * begins where esp was two words ago.  (The other kind of code has no `pop`.) */
int sys_sigreturn(struct trap_frame *frame)
{
	struct sigcontext c;
	u32 at = frame->esp - 8 + offsetof(struct sigframe, context);

	if (!copy_from_user(&c, at, sizeof(c)) || !restore(frame, &c))
		bad_frame(frame);
	signal_mask(c.old_mask);
	return frame->eax;
}

int sys_rt_sigreturn(struct trap_frame *frame)
{
	struct rt_sigframe f;

	if (!copy_from_user(&f, frame->esp - 4, sizeof(f)) || !restore(frame, &f.context))
		bad_frame(frame);
	signal_mask(f.mask[0]);
	return frame->eax;
}
/*:*/
