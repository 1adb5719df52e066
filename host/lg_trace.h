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

TRACE_EVENT(lguest_enter,
	TP_PROTO(u32 cs, u32 eip),
	TP_ARGS(cs, eip),
	TP_STRUCT__entry(__field(u32, cs) __field(u32, eip)),
	TP_fast_assign(__entry->cs = cs; __entry->eip = eip;),
	TP_printk("cs %#x eip %#x", __entry->cs, __entry->eip)
);

TRACE_EVENT(lguest_exit,
	TP_PROTO(u32 trapno, u32 error, u32 cs, u32 eip),
	TP_ARGS(trapno, error, cs, eip),
	TP_STRUCT__entry(__field(u32, trapno) __field(u32, error) __field(u32, cs)
			 __field(u32, eip)),
	TP_fast_assign(__entry->trapno = trapno; __entry->error = error; __entry->cs = cs;
		       __entry->eip = eip;),
	TP_printk("trap %#x error %#x cs %#x eip %#x", __entry->trapno, __entry->error,
		  __entry->cs, __entry->eip)
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

TRACE_EVENT(lguest_page_fault,
	TP_PROTO(u32 gva, u32 error, u32 eip, const char *what),
	TP_ARGS(gva, error, eip, what),
	TP_STRUCT__entry(__field(u32, gva) __field(u32, error) __field(u32, eip)
			 __field(const char *, what)),
	TP_fast_assign(__entry->gva = gva; __entry->error = error; __entry->eip = eip;
		       __entry->what = what;),
	TP_printk("%s gva %#x error %#x eip %#x", __entry->what, __entry->gva, __entry->error,
		  __entry->eip)
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
