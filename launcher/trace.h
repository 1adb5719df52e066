/* SPDX-License-Identifier: MIT */
/*L:786 What is in an event
 *
 * Between trace_read.c, which knows how Linux keeps its events, and trace_write.c,
 * which knows how we show them.  The names of the fields are those of the tracepoints
 * in host/lg_trace.h: they are looked up in what tracefs says of each event, so that a
 * field may move without breaking anything.
 :*/
#ifndef LAUNCHER_TRACE_H
#define LAUNCHER_TRACE_H

#include "launcher.h"

/* kind, system, event, fields; a text is a field that we take as bytes, up to a NUL. */
#define TRACE_EVENTS(E) \
	E(ENTER, "lguest", "lguest_enter", ENTER_FIELDS) \
	E(EXIT, "lguest", "lguest_exit", EXIT_FIELDS) \
	E(HYPERCALL, "lguest", "lguest_hypercall", HYPERCALL_FIELDS) \
	E(FAULT, "lguest", "lguest_page_fault", FAULT_FIELDS) \
	E(INJECT, "lguest", "lguest_inject", INJECT_FIELDS) \
	E(IRQ, "lguest", "lguest_irq", IRQ_FIELDS) \
	E(KILL, "lguest", "lguest_kill", KILL_FIELDS) \
	E(MARK, "ftrace", "print", MARK_FIELDS)

#define ENTER_FIELDS(F)	F(ENTER, cs) F(ENTER, eip) F(ENTER, esp) F(ENTER, eflags) F(ENTER, cr3)
#define EXIT_FIELDS(F) \
	F(EXIT, eax) F(EXIT, ebx) F(EXIT, ecx) F(EXIT, edx) F(EXIT, esi) F(EXIT, edi) \
	F(EXIT, ebp) F(EXIT, esp) F(EXIT, eip) F(EXIT, eflags) F(EXIT, cs) F(EXIT, ss) \
	F(EXIT, trapno) F(EXIT, error) F(EXIT, cr2) F(EXIT, direct) F(EXIT, in) F(EXIT, out) \
	F(EXIT, switcher)
#define HYPERCALL_FIELDS(F) \
	F(HYPERCALL, number) F(HYPERCALL, arg1) F(HYPERCALL, arg2) F(HYPERCALL, arg3) \
	F(HYPERCALL, arg4) F(HYPERCALL, ring)
#define FAULT_FIELDS(F) \
	F(FAULT, gva) F(FAULT, error) F(FAULT, eip) F(FAULT, outcome) F(FAULT, directory) \
	F(FAULT, pte) F(FAULT, was) F(FAULT, now)
#define INJECT_FIELDS(F) F(INJECT, vector) F(INJECT, error) F(INJECT, handler)
#define IRQ_FIELDS(F)	F(IRQ, guest) F(IRQ, irq) F(IRQ, again)
#define KILL_FIELDS(F)	F(KILL, code) F(KILL, text)
#define MARK_FIELDS(F)	F(MARK, buf)

#define E(kind, system, event, fields) TRACE_##kind,
enum trace_kind { TRACE_EVENTS(E) TRACE_KINDS };
#undef E
#define F(kind, field) kind##_##field,
#define E(kind, system, event, fields) enum { fields(F) kind##_COUNT };
TRACE_EVENTS(E)
#undef E
#undef F
#define TRACE_FIELDS_MAX EXIT_COUNT
#define TRACE_TEXT	208

struct trace_event {
	uint64_t tsc;
	int pid;			/* the thread it happened in, as the kernel counts */
	enum trace_kind kind;
	uint64_t lost;			/* events lost just before this one */
	uint64_t v[TRACE_FIELDS_MAX];	/* v[EXIT_eip] */
	char text[2][TRACE_TEXT];	/* of KILL: code, text; of MARK: buf */
};

/* ---- trace_read.c -------------------------------------------------------- */

struct trace_reader;

/* Makes an instance of tracefs with the events of filter switched on; *mark becomes a
 * descriptor to write remarks to.  NULL: *c filled, nothing left behind. */
struct trace_reader *trace_reader_open(unsigned filter, int *mark, struct complaint *c);
/* The next event older than `before`.  False: there is none yet. */
bool trace_reader_next(struct trace_reader *r, uint64_t before, struct trace_event *ev);
/* Nothing more is recorded. */
void trace_reader_pause(const struct trace_reader *r);
/* The instance is gone. */
void trace_reader_close(struct trace_reader *r);
/* In a process that is not to read: just lets go. */
void trace_reader_forget(struct trace_reader *r);

/* ---- trace_write.c ------------------------------------------------------- */

struct trace_writer {
	int fd;
	bool live;			/* lines for people, and not JSON */
	const char *name;		/* for messages */
	const struct options *options;
	struct symbols symbols;
	uint64_t tsc0;			/* the beginning of time, */
	double started;			/* by CLOCK_MONOTONIC_RAW */
	uint64_t tsc_khz;
	int main_pid;			/* as the kernel counts */
};

/* Once, with the first mark.  False: the file could not be written, errno says why. */
bool trace_writer_begin(struct trace_writer *w);
/* False: could not be written (errno); the file ends with the last whole line. */
bool trace_writer_event(struct trace_writer *w, const struct trace_event *ev);
bool trace_writer_flush(struct trace_writer *w);
bool trace_writer_end(struct trace_writer *w);
/* Written, and lost, so far. */
uint64_t trace_writer_events(void);
uint64_t trace_writer_lost(void);

#endif
