/* SPDX-License-Identifier: GPL-2.0-only */
/*H:160 Tracepoints
 *
 * perf, trace-cmd and bpftrace know these as lguest:lguest_*.  While nobody listens,
 * each costs one NOP.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM lguest

#if !defined(LG_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define LG_TRACE_H

#include <linux/tracepoint.h>

/*
 * The Guest itself is passed, and what is interesting is picked only when somebody
 * listens: see TP_fast_assign, which is compiled into core.c alone.
 */
TRACE_EVENT(lguest_enter,
	TP_PROTO(struct lguest *lg),
	TP_ARGS(lg),
	TP_STRUCT__entry(__field(u32, cs) __field(u32, eip) __field(u32, esp)
			 __field(u32, eflags) __field(u32, cr3)),
	TP_fast_assign(__entry->cs = lg_regs(lg)->cs; __entry->eip = lg_regs(lg)->eip;
		       __entry->esp = lg_regs(lg)->esp; __entry->eflags = lg_regs(lg)->eflags;
		       __entry->cr3 = lg->linear ? 0 : lg->cr3;),
	TP_printk("cs %#x eip %#x esp %#x eflags %#x cr3 %#x", __entry->cs, __entry->eip,
		  __entry->esp, __entry->eflags, __entry->cr3)
);

/*
 * direct: traps that the Switcher gave to the Guest by itself, since CREATE.  in, out: the
 * TSC right before the Switcher and right after, switcher: its own part of the difference;
 * all 0 unless the Launcher asked for that (LG_CREATE_TIME).
 */
TRACE_EVENT(lguest_exit,
	TP_PROTO(struct lguest *lg),
	TP_ARGS(lg),
	TP_STRUCT__entry(__field(u32, trapno) __field(u32, error) __field(u32, cr2)
			 __field(u32, cs) __field(u32, eip) __field(u32, eflags)
			 __field(u32, ss) __field(u32, esp) __field(u32, ebp)
			 __field(u32, eax) __field(u32, ebx) __field(u32, ecx)
			 __field(u32, edx) __field(u32, esi) __field(u32, edi)
			 __field(u64, direct) __field(u64, in) __field(u64, out)
			 __field(u32, switcher)),
	TP_fast_assign(
		struct lg_trap_frame *regs = lg_regs(lg);

		__entry->trapno = regs->trapno;
		__entry->error = regs->error;
		__entry->cr2 = lg->pages->cr2;
		__entry->cs = regs->cs;
		__entry->eip = regs->eip;
		__entry->eflags = regs->eflags;
		__entry->ss = regs->ss;
		__entry->esp = regs->esp;
		__entry->ebp = regs->ebp;
		__entry->eax = regs->eax;
		__entry->ebx = regs->ebx;
		__entry->ecx = regs->ecx;
		__entry->edx = regs->edx;
		__entry->esi = regs->esi;
		__entry->edi = regs->edi;
		__entry->direct = lg_direct_traps(lg);
		__entry->in = lg->watch.in;
		__entry->out = lg->watch.out;
		__entry->switcher = lg->watch.trip;
	),
	TP_printk("trap %#x error %#x cs %#x eip %#x cr2 %#x esp %#x eflags %#x direct %llu",
		  __entry->trapno, __entry->error, __entry->cs, __entry->eip, __entry->cr2,
		  __entry->esp, __entry->eflags, __entry->direct)
);

/* By value: a pointer would force the arguments into memory even when nobody listens. */
TRACE_EVENT(lguest_hypercall,
	TP_PROTO(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4, bool ring),
	TP_ARGS(number, arg1, arg2, arg3, arg4, ring),
	TP_STRUCT__entry(__field(u32, number) __field(u32, arg1) __field(u32, arg2)
			 __field(u32, arg3) __field(u32, arg4) __field(bool, ring)),
	TP_fast_assign(__entry->number = number; __entry->arg1 = arg1; __entry->arg2 = arg2;
		       __entry->arg3 = arg3; __entry->arg4 = arg4; __entry->ring = ring;),
	TP_printk("%u (%#x, %#x, %#x, %#x)%s", __entry->number, __entry->arg1, __entry->arg2,
		  __entry->arg3, __entry->arg4, __entry->ring ? " from the ring" : "")
);

#define X(name, text) TRACE_DEFINE_ENUM(LG_FAULT_##name);
LG_FAULTS(X)
#undef X
TRACE_DEFINE_ENUM(LG_FAULT_COUNT);

/*
 * outcome: LG_FAULT_*.  directory, pte: what the Guest's tables say.  was, now: the entry
 * of the shadow before and after.
 */
TRACE_EVENT(lguest_page_fault,
	TP_PROTO(struct lguest *lg, u32 gva, u32 error, u32 outcome, u64 directory, u64 pte,
		 u64 was, u64 now),
	TP_ARGS(lg, gva, error, outcome, directory, pte, was, now),
	TP_STRUCT__entry(__field(u64, directory) __field(u64, pte) __field(u64, was)
			 __field(u64, now) __field(u32, gva) __field(u32, error)
			 __field(u32, eip) __field(u32, outcome)),
	TP_fast_assign(__entry->directory = directory; __entry->pte = pte; __entry->was = was;
		       __entry->now = now; __entry->gva = gva; __entry->error = error;
		       __entry->eip = lg_regs(lg)->eip; __entry->outcome = outcome;),
	TP_printk("%s gva %#x error %#x eip %#x directory %#llx pte %#llx shadow %#llx -> %#llx",
		  __print_symbolic(__entry->outcome, LG_FAULTS(LG_FAULT_NAME)
				   { LG_FAULT_COUNT, "?" }),
		  __entry->gva, __entry->error, __entry->eip, __entry->directory, __entry->pte,
		  __entry->was, __entry->now)
);

TRACE_EVENT(lguest_inject,
	TP_PROTO(u32 vector, u32 error, u32 handler),
	TP_ARGS(vector, error, handler),
	TP_STRUCT__entry(__field(u32, vector) __field(u32, error) __field(u32, handler)),
	TP_fast_assign(__entry->vector = vector; __entry->error = error;
		       __entry->handler = handler;),
	TP_printk("vector %u error %#x handler %#x", __entry->vector, __entry->error,
		  __entry->handler)
);

/* In the context of whoever raises it; guest is the thread that runs the Guest. */
TRACE_EVENT(lguest_irq,
	TP_PROTO(struct lguest *lg, u32 irq, bool again),
	TP_ARGS(lg, irq, again),
	TP_STRUCT__entry(__field(u32, guest) __field(u32, irq) __field(u32, again)),
	TP_fast_assign(__entry->guest = task_pid_nr(lg_guest_of(lg)->task); __entry->irq = irq;
		       __entry->again = again;),
	TP_printk("guest %u irq %u%s", __entry->guest, __entry->irq,
		  __entry->again ? " pending already" : "")
);

TRACE_EVENT(lguest_kill,
	TP_PROTO(const char *code, const char *text),
	TP_ARGS(code, text),
	TP_STRUCT__entry(__array(char, code, 12) __array(char, text, 128)),
	TP_fast_assign(strscpy(__entry->code, code, 12); strscpy(__entry->text, text, 128);),
	TP_printk("%s %s", __entry->code, __entry->text)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE lg_trace
#include <trace/define_trace.h>
/*:*/
