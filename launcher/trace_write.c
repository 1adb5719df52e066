// SPDX-License-Identifier: MIT
/*L:790 From events to a picture
 *
 * The file is what Chrome calls the JSON Array Format: a list of objects, and the "]" at
 * its end is optional.  So we write one object a line, in the order in which things
 * happen, and a trace that was cut off anywhere opens all the same.
 *
 *	"ph":"M"	a name for a track
 *	"ph":"X"	a slice: from ts, for dur, both in microseconds
 *	"ph":"i"	an instant
 *	"ph":"s","f"	the two ends of an arrow with the same id
 *
 * A slice is written when it ends, because only then is its length known.
 *
 *	Guest user	             |##|
 *	Guest kernel	   |####|          |###|
 *	Switcher	 |#|    |#|#|  |#|#|   |#|
 *	Host		#|        |      |       |##	what came of it
 *	Launcher	                 |#|	only when it was asked
 *
 * The Host has put down when it called the Switcher and when that came back, and how much
 * of what lies between was the Switcher's own; it has weighed it (watch.c).  We draw one
 * half of that in front of the Guest's slice and one behind.  What writing the events takes
 * falls to the Host, on either side.
 *
 * A trap that the Switcher hands from ring 3 to ring 1 by itself leaves no event at all,
 * only a count, and IRET not even that: the slice of a stay says how many there were, and
 * lies on the track of the ring in which the stay began, unless it is known better
 * (--rings).
 *
 * `n` counts the events, so that their order is certain.  `ticks` is exact; under
 * QEMU's -icount (ICOUNT=1) a tick is an instruction.  Registers are written when they
 * have changed since the last time: that is what one looks for, and it makes the file half
 * as long.
 :*/
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace.h"

enum track { HOST = 1, SWITCHER, KERNEL, USER };	/* tid; others are threads */

#define THREADS	32
#define QUEUES	64
#define BUFFER	65536

struct serving {			/* a thread of the Launcher, and what it is at */
	int pid;
	uint64_t since;			/* 0: nothing */
	unsigned queue;
	char device[24];		/* whose it is, by what it served first; "": not known */
};

static struct {
	char buffer[BUFFER];
	size_t used;
	bool failed;

	uint64_t events, lost, now;
	uint64_t count[TRACE_KINDS];

	bool inside;			/* entered, and has not left: */
	uint64_t entry_cs, entry_eip, cr3, direct;
	uint64_t reg[12], reg_cr3;	/* as last written */
	bool reg_known;
	uint64_t left;			/* in the Host since, 0: not at all */
	char why[64];
	uint64_t out;			/* the Launcher is out of RUN since, 0: it is not */
	char out_why[24];

	uint64_t arrow;			/* the last id */
	uint64_t fault_at;		/* a page fault that nobody has explained yet, 0: none */
	enum track fault_track;

	unsigned queues;
	struct { uint32_t gpa; unsigned irq; char name[40]; uint64_t arrow; } queue[QUEUES];
	uint64_t irq_arrow[LGUEST_IRQS];

	unsigned threads;
	struct serving thread[THREADS];
} s;

uint64_t trace_writer_events(void)
{
	return s.events;
}

uint64_t trace_writer_lost(void)
{
	return s.lost;
}

/* ---- Bytes ---- */

bool trace_writer_flush(struct trace_writer *w)
{
	size_t done = 0;

	while (done < s.used && !s.failed) {
		ssize_t n = write(w->fd, s.buffer + done, s.used - done);

		if (n >= 0) {
			done += (size_t)n;
		} else if (errno != EINTR) {
			int error = errno;
			off_t at = lseek(w->fd, 0, SEEK_CUR);
			size_t half = 0;

			/* What has left since the last newline is no line: take it back. */
			while (done && s.buffer[done - 1 - half] != '\n' && half < done - 1)
				half++;
			if (at >= (off_t)half && ftruncate(w->fd, at - (off_t)half) < 0)
				s.failed = true;
			s.failed = true;
			errno = error;
		}
	}
	s.used = 0;
	return !s.failed;
}

static void FORMAT(2, 3) out(struct trace_writer *w, const char *format, ...)
{
	va_list args;
	int n;

	/* No line is longer than 2 KiB. */
	if (s.used > BUFFER - 2048 && !trace_writer_flush(w))
		return;
	va_start(args, format);
	n = vsnprintf(s.buffer + s.used, BUFFER - s.used, format, args);
	va_end(args);
	if (n > 0 && (size_t)n < BUFFER - s.used)
		s.used += (size_t)n;
}

/* A JSON string of any bytes. */
static void out_string(struct trace_writer *w, const char *text)
{
	size_t plain = 0;

	out(w, "\"");
	for (;; text += plain + 1) {
		unsigned char ch;

		for (plain = 0; (ch = (unsigned char)text[plain]); plain++)
			if (ch < 0x20 || ch > 0x7e || ch == '"' || ch == '\\')
				break;
		out(w, "%.*s", (int)plain, text);
		if (!ch)
			break;
		out(w, "\\u%04x", ch);
	}
	out(w, "\"");
}

/* Microseconds with three digits, by integers: printf() takes its time over a double, and
 * this is done a million times. */
static void out_time(struct trace_writer *w, uint64_t ticks)
{
	uint64_t ns = (uint64_t)((unsigned __int128)ticks * 1000000 / w->tsc_khz);

	out(w, "%" PRIu64 ".%03u", ns / 1000, (unsigned)(ns % 1000));
}

/* ---- Objects.  After each *_begin() come the args, and then finish(). ---- */

static void begin(struct trace_writer *w, char ph, int tid, uint64_t tsc, const char *cat)
{
	out(w, "{\"ph\":\"%c\",\"pid\":%d,\"tid\":%d,\"cat\":\"%s\",\"ts\":", ph, w->main_pid, tid,
	    cat);
	out_time(w, tsc - w->tsc0);
}

static void finish(struct trace_writer *w)
{
	out(w, "},\n");
}

static void slice_begin(struct trace_writer *w, int tid, uint64_t from, uint64_t to,
			const char *cat, const char *name)
{
	begin(w, 'X', tid, from, cat);
	out(w, ",\"dur\":");
	out_time(w, to - from);
	out(w, ",\"name\":");
	out_string(w, name);
	out(w, ",\"args\":{\"n\":%" PRIu64 ",\"ticks\":%" PRIu64, s.events, to - from);
}

static void slice(struct trace_writer *w, int tid, uint64_t from, uint64_t to, const char *cat,
		  const char *name)
{
	slice_begin(w, tid, from, to, cat, name);
	out(w, "}");
	finish(w);
}

static void instant_begin(struct trace_writer *w, int tid, uint64_t tsc, const char *cat,
			  const char *name)
{
	begin(w, 'i', tid, tsc, cat);
	out(w, ",\"s\":\"t\",\"name\":");
	out_string(w, name);
	out(w, ",\"args\":{\"n\":%" PRIu64, s.events);
}

static void args_end(struct trace_writer *w)
{
	out(w, "}");
	finish(w);
}

/* ph: 's' begins an arrow, 't' is a stop on its way, 'f' its point. */
static void arrow(struct trace_writer *w, char ph, int tid, uint64_t tsc, const char *name,
		  uint64_t id)
{
	begin(w, ph, tid, tsc, "arrow");
	out(w, ",\"name\":\"%s\",\"id\":%" PRIu64 "%s", name, id, ph == 'f' ? ",\"bp\":\"e\"" : "");
	finish(w);
}

static void name_track(struct trace_writer *w, int tid, const char *name, int place)
{
	out(w, "{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":",
	    w->main_pid, tid);
	out_string(w, name);
	out(w, "}},\n{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"thread_sort_index\","
	    "\"args\":{\"sort_index\":%d}},\n", w->main_pid, tid, place);
}

/* "c010203c" and, if the kernel's file says so, "vm_fault+0x3c". */
static void out_place(struct trace_writer *w, const char *key, uint64_t cs, uint64_t eip)
{
	char name[80] = "";

	if ((cs & 3) != 3)
		symbols_name(&w->symbols, (uint32_t)eip, name, sizeof(name));
	out(w, ",\"%s\":\"%02" PRIx64 ":%08" PRIx64, key, cs, eip);
	if (name[0]) {
		out(w, "\",\"%s_name\":", key);
		out_string(w, name);
	} else {
		out(w, "\"");
	}
}

/*L:792 Lines for people
 *
 * --trace=- is for watching: the same events, at once, in columns.
 */
static void FORMAT(4, 5) live(struct trace_writer *w, uint64_t tsc, const char *track,
			      const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	out_time(w, tsc - w->tsc0);
	out(w, " us  %-8s %s\n", track, text);
}

static const char *place(struct trace_writer *w, char *text, size_t size, uint64_t cs, uint64_t eip)
{
	char name[80] = "";

	if ((cs & 3) != 3)
		symbols_name(&w->symbols, (uint32_t)eip, name, sizeof(name));
	snprintf(text, size, "%02" PRIx64 ":%08" PRIx64 "%s%s%s", cs, eip, name[0] ? " <" : "",
		 name, name[0] ? ">" : "");
	return text;
}

static const char *fault_words(uint64_t error, char *text, size_t size)
{
	snprintf(text, size, "%s, %s, ring %s", error & 1 ? "not allowed" : "not present",
		 error & 16 ? "fetch" : error & 2 ? "write" : "read", error & 4 ? "3" : "1");
	return text;
}
/*:*/

/* ---- The events, one function each ---- */

static void host_until(struct trace_writer *w, uint64_t tsc)
{
	if (s.left && !w->live)
		slice(w, HOST, s.left, tsc, "host", s.why);
	s.left = 0;
}

static void on_enter(struct trace_writer *w, const struct trace_event *ev)
{
	char at[96];

	s.inside = true;
	s.entry_cs = ev->v[ENTER_cs];
	s.entry_eip = ev->v[ENTER_eip];
	s.cr3 = ev->v[ENTER_cr3];
	s.fault_at = 0;
	if (w->live)
		live(w, ev->tsc, (s.entry_cs & 3) == 3 ? "user" : "kernel", "goes on at %s",
		     place(w, at, sizeof(at), s.entry_cs, s.entry_eip));
}

static void out_registers(struct trace_writer *w, const uint64_t *v)
{
	static const struct { const char *name; unsigned field; } reg[] = {
		{ "eax", EXIT_eax }, { "ebx", EXIT_ebx }, { "ecx", EXIT_ecx },
		{ "edx", EXIT_edx }, { "esi", EXIT_esi }, { "edi", EXIT_edi },
		{ "ebp", EXIT_ebp }, { "esp", EXIT_esp }, { "eip", EXIT_eip },
		{ "eflags", EXIT_eflags }, { "cs", EXIT_cs }, { "ss", EXIT_ss },
	};
	bool first = true;

	out(w, ",\"regs\":{");
	for (unsigned i = 0; i < sizeof(reg) / sizeof(reg[0]); i++) {
		if (s.reg_known && s.reg[i] == v[reg[i].field])
			continue;
		out(w, "%s\"%s\":\"%08" PRIx64 "\"", first ? "" : ",", reg[i].name,
		    v[reg[i].field]);
		s.reg[i] = v[reg[i].field];
		first = false;
	}
	if (!s.reg_known || s.reg_cr3 != s.cr3)
		out(w, "%s\"cr3\":\"%08" PRIx64 "\"", first ? "" : ",", s.cr3);
	s.reg_cr3 = s.cr3;
	s.reg_known = true;
	out(w, "}");
}

/* As the Host sees it: H:192. */
static const char *whose(const struct trace_writer *w, uint64_t cs, uint64_t direct)
{
	if (w->options->rings && (cs & 3) == 3)
		return "user";
	if ((cs & 3) != (s.entry_cs & 3) || direct)
		return "kernel and user";
	return (cs & 3) == 3 ? "user" : "kernel";
}

static void stay(struct trace_writer *w, const struct trace_event *ev, enum track track,
		 uint64_t direct)
{
	const uint64_t *v = ev->v;
	uint64_t from = v[EXIT_in] + v[EXIT_switcher] / 2;
	uint64_t to = v[EXIT_out] - (v[EXIT_switcher] - v[EXIT_switcher] / 2);
	char text[48], at[80];

	slice(w, SWITCHER, v[EXIT_in], from, "switcher", "into the Guest");
	slice_begin(w, track, from, to, "stay", whose(w, v[EXIT_cs], direct));
	out(w, ",\"vector\":%" PRIu64 ",\"left\":", v[EXIT_trapno]);
	out_string(w, vector_name((uint32_t)v[EXIT_trapno], text, sizeof(text)));
	out_place(w, "from", s.entry_cs, s.entry_eip);
	if ((v[EXIT_cs] & 3) != 3 && symbols_name(&w->symbols, (uint32_t)v[EXIT_eip], at, sizeof(at))[0])
		out(w, ",\"to\":\"%s\"", at);
	if (v[EXIT_trapno] == 14)
		out(w, ",\"cr2\":\"%08" PRIx64 "\"", v[EXIT_cr2]);
	if (v[EXIT_error])
		out(w, ",\"error\":\"%" PRIx64 "\"", v[EXIT_error]);
	if (direct)
		out(w, ",\"direct\":%" PRIu64, direct);
	out_registers(w, v);
	args_end(w);
	slice(w, SWITCHER, to, v[EXIT_out], "switcher", "back to the Host");
}

#define ENTRY_GIVEN_UP	0x200	/* an NMI came first: no stay, and the Host tries again */

static void on_exit_event(struct trace_writer *w, const struct trace_event *ev)
{
	const uint64_t *v = ev->v;
	uint64_t direct = v[EXIT_direct] - s.direct;
	enum track track = (s.entry_cs & 3) == 3 ||
			   (w->options->rings && (v[EXIT_cs] & 3) == 3) ? USER : KERNEL;
	char text[48], at[96];

	if (v[EXIT_trapno] == ENTRY_GIVEN_UP)
		s.inside = false;
	s.direct = v[EXIT_direct];
	host_until(w, s.inside ? v[EXIT_in] : v[EXIT_out]);
	snprintf(s.why, sizeof(s.why), "%s",
		 vector_name((uint32_t)v[EXIT_trapno], text, sizeof(text)));
	if (w->live)
		live(w, v[EXIT_out], (v[EXIT_cs] & 3) == 3 ? "user" : "kernel",
		     "out after %" PRIu64 " ticks: %s, at %s%s", s.inside ? v[EXIT_out] - v[EXIT_in] -
		     v[EXIT_switcher] : 0, s.why, place(w, at, sizeof(at), v[EXIT_cs], v[EXIT_eip]),
		     direct ? "; system calls and traps went directly" : "");
	else if (s.inside)
		stay(w, ev, track, direct);
	s.fault_at = s.inside && v[EXIT_trapno] == 14 ?
		     v[EXIT_out] - (v[EXIT_switcher] - v[EXIT_switcher] / 2) : 0;
	s.fault_track = track;
	s.inside = false;
	s.left = v[EXIT_out];
}

static void on_hypercall(struct trace_writer *w, const struct trace_event *ev)
{
	const uint64_t *v = ev->v;
	uint32_t number = (uint32_t)v[HYPERCALL_number];
	const char *name = hypercall_name(number), *argument;
	char text[128] = "";

	if (!v[HYPERCALL_ring])
		snprintf(s.why, sizeof(s.why), "%s", name);
	for (unsigned i = 0; w->live && (argument = hypercall_argument(number, i)); i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s %#" PRIx64,
			 i ? ", " : "", argument, v[HYPERCALL_arg1 + i]);
	if (w->live) {
		live(w, ev->tsc, "Host", "%s(%s)%s", name, text,
		     v[HYPERCALL_ring] ? " from the ring" : "");
	} else {
		instant_begin(w, HOST, ev->tsc, "hypercall", name);
		out(w, ",\"number\":%u,\"ring\":%s", number, v[HYPERCALL_ring] ? "true" : "false");
		for (unsigned i = 0; (argument = hypercall_argument(number, i)); i++)
			out(w, ",\"%s\":\"%" PRIx64 "\"", argument, v[HYPERCALL_arg1 + i]);
		args_end(w);
	}
	if (number != LHCALL_NOTIFY || w->live)
		return;
	for (unsigned i = 0; i < s.queues; i++) {
		if (s.queue[i].gpa != v[HYPERCALL_arg1])
			continue;
		s.queue[i].arrow = ++s.arrow;
		arrow(w, 's', HOST, ev->tsc, "kick", s.arrow);
	}
}

/* The shadow's part of the story is in two numbers: what was there, and what is now. */
static const char *outcome_words(const uint64_t *v)
{
	static const char *const own[] = {
		[1] = "stack made present", [2] = "the Guest's: not present",
		[3] = "the Guest's: not allowed",
	};

	if (v[FAULT_outcome] >= 1 && v[FAULT_outcome] <= 3)
		return own[v[FAULT_outcome]];
	if (v[FAULT_was] == v[FAULT_now])
		return "nothing to fill";
	if (v[FAULT_was] && v[FAULT_error] & 2)
		return "made writable";
	return v[FAULT_error] & 2 ? "filled for a write" : "filled for a read";
}

static void on_fault(struct trace_writer *w, const struct trace_event *ev)
{
	const uint64_t *v = ev->v;
	char text[64], at[96];

	if (w->live) {
		live(w, ev->tsc, "Host", "page fault at %08" PRIx64 " (%s): %s; eip %s, page table "
		     "entry %" PRIx64 ", shadow %" PRIx64 " -> %" PRIx64, v[FAULT_gva],
		     fault_words(v[FAULT_error], text, sizeof(text)), outcome_words(v),
		     place(w, at, sizeof(at), v[FAULT_error] & 4 ? 3 : 1, v[FAULT_eip]),
		     v[FAULT_pte], v[FAULT_was], v[FAULT_now]);
		return;
	}
	instant_begin(w, HOST, ev->tsc, "fault", outcome_words(v));
	out(w, ",\"gva\":\"%08" PRIx64 "\",\"error\":\"%" PRIx64 "\",\"access\":\"%s\"",
	    v[FAULT_gva], v[FAULT_error], fault_words(v[FAULT_error], text, sizeof(text)));
	out_place(w, "eip", v[FAULT_error] & 4 ? 3 : 0x61, v[FAULT_eip]);
	out(w, ",\"cr3\":\"%08" PRIx64 "\",\"directory\":\"%" PRIx64 "\",\"pte\":\"%" PRIx64
	    "\",\"shadow_was\":\"%" PRIx64 "\",\"shadow\":\"%" PRIx64 "\"", s.cr3,
	    v[FAULT_directory], v[FAULT_pte], v[FAULT_was], v[FAULT_now]);
	args_end(w);
	if (!s.fault_at || v[FAULT_outcome] == 1)
		return;
	/* One tick earlier: at the very end of the slice it would be in none. */
	arrow(w, 's', s.fault_track, s.fault_at - 1, "fault", ++s.arrow);
	arrow(w, 'f', HOST, ev->tsc, "fault", s.arrow);
	s.fault_at = 0;
}

static void on_inject(struct trace_writer *w, const struct trace_event *ev)
{
	uint64_t vector = ev->v[INJECT_vector], irq = vector - 32;
	char name[64], text[48], at[96];

	if (vector >= 32 && irq < LGUEST_IRQS)
		snprintf(name, sizeof(name), "interrupt %" PRIu64, irq);
	else
		snprintf(name, sizeof(name), "%s",
			 vector_name((uint32_t)vector, text, sizeof(text)));
	if (w->live) {
		live(w, ev->tsc, "Host", "gives the Guest: %s, error %" PRIx64 ", handler %s", name,
		     ev->v[INJECT_error], place(w, at, sizeof(at), 0x61, ev->v[INJECT_handler]));
		return;
	}
	instant_begin(w, HOST, ev->tsc, "inject", name);
	out(w, ",\"vector\":%" PRIu64 ",\"error\":\"%" PRIx64 "\"", vector, ev->v[INJECT_error]);
	out_place(w, "handler", 0x61, ev->v[INJECT_handler]);
	args_end(w);
	if (vector >= 32 && irq < LGUEST_IRQS && s.irq_arrow[irq]) {
		arrow(w, 'f', HOST, ev->tsc, "kick", s.irq_arrow[irq]);
		s.irq_arrow[irq] = 0;
	}
}

/* ---- The Launcher's threads ---- */

static struct serving *thread_of(struct trace_writer *w, int pid)
{
	char name[32];

	for (unsigned i = 0; i < s.threads; i++)
		if (s.thread[i].pid == pid)
			return &s.thread[i];
	if (s.threads == THREADS)
		return NULL;
	snprintf(name, sizeof(name), "Launcher, thread %u", s.threads);
	if (!w->live)
		name_track(w, pid, pid == w->main_pid ? "Launcher" : name, 10 + (int)s.threads);
	s.thread[s.threads].pid = pid;
	return &s.thread[s.threads++];
}

static void on_irq(struct trace_writer *w, const struct trace_event *ev)
{
	struct serving *t = NULL;
	uint64_t irq = ev->v[IRQ_irq];
	char name[32];

	for (unsigned i = 0; i < s.threads; i++)
		if (s.thread[i].pid == ev->pid && s.thread[i].since)
			t = &s.thread[i];
	snprintf(name, sizeof(name), "raises interrupt %" PRIu64, irq);
	if (w->live) {
		live(w, ev->tsc, t ? "Launcher" : "Host", "%s%s", name,
		     ev->v[IRQ_again] ? ", which waits already" : "");
		return;
	}
	instant_begin(w, t ? t->pid : HOST, ev->tsc, "irq", name);
	out(w, ",\"irq\":%" PRIu64 ",\"again\":%s", irq, ev->v[IRQ_again] ? "true" : "false");
	args_end(w);
	if (t && irq < LGUEST_IRQS && s.queue[t->queue].arrow) {
		arrow(w, 't', t->pid, ev->tsc, "kick", s.queue[t->queue].arrow);
		s.irq_arrow[irq] = s.queue[t->queue].arrow;
		s.queue[t->queue].arrow = 0;
	}
}

static void on_kill(struct trace_writer *w, const struct trace_event *ev)
{
	if (w->live) {
		live(w, ev->tsc, "Host", "kills the Guest: %s: %s", ev->text[0], ev->text[1]);
		return;
	}
	instant_begin(w, HOST, ev->tsc, "kill", ev->text[0]);
	out(w, ",\"text\":");
	out_string(w, ev->text[1]);
	args_end(w);
}

/* A thread of one device has its name; one that serves several is the porter. */
static void name_thread(struct trace_writer *w, struct serving *t, const char *queue)
{
	char device[24], name[48];

	snprintf(device, sizeof(device), "%.*s", (int)strcspn(queue, ","), queue);
	if (w->live || t->pid == w->main_pid || !strcmp(t->device, device) ||
	    !strcmp(t->device, "porter"))
		return;
	snprintf(t->device, sizeof(t->device), "%s", t->device[0] ? "porter" : device);
	snprintf(name, sizeof(name), "Launcher, %s", t->device);
	name_track(w, t->pid, name, 10 + (int)(t - s.thread));
}

static void serves(struct trace_writer *w, const struct trace_event *ev, unsigned gpa)
{
	struct serving *t = thread_of(w, ev->pid);

	for (unsigned i = 0; t && i < s.queues; i++) {
		if (s.queue[i].gpa != gpa)
			continue;
		t->since = ev->tsc;
		t->queue = i;
		name_thread(w, t, s.queue[i].name);
		if (w->live)
			live(w, ev->tsc, "Launcher", "serves %s", s.queue[i].name);
	}
}

static void served(struct trace_writer *w, const struct trace_event *ev)
{
	struct serving *t = thread_of(w, ev->pid);

	if (!t || !t->since)
		return;
	if (!w->live)
		slice(w, t->pid, t->since, ev->tsc, "device", s.queue[t->queue].name);
	t->since = 0;
}

/* Out of RUN, until it says that it goes in again. */
static void came_out(const struct trace_event *ev, unsigned what)
{
	static const char *const why[] = { "a signal", "NOTIFY", "power off", "restart", "killed" };

	s.out = ev->tsc;
	snprintf(s.out_why, sizeof(s.out_why), "%s", what < 5 ? why[what] : "?");
}

static void goes_in(struct trace_writer *w, const struct trace_event *ev)
{
	if (s.out && !w->live)
		slice(w, w->main_pid, s.out, ev->tsc, "launcher", s.out_why);
	s.out = 0;
}

/*L:794 Our own remarks
 *
 *	H			here I am
 *	S			a Guest begins: its counts start at zero
 *	Q address irq name	there is a queue
 *	B address		this thread begins to serve it
 *	E			... and is done
 *	I, O what		into RUN, and out of it
 */
static void on_mark(struct trace_writer *w, const struct trace_event *ev)
{
	const char *text = ev->text[0];
	unsigned gpa, irq, number;
	char name[24];

	if (strncmp(text, "lguest ", 7))
		return;
	text += 7;
	if (*text == 'S') {
		host_until(w, ev->tsc);
		s.direct = s.queues = 0;
		s.inside = false;
		memset(s.irq_arrow, 0, sizeof(s.irq_arrow));
	} else if (sscanf(text, "Q 0x%x %u %23s %u", &gpa, &irq, name, &number) == 4) {
		if (s.queues < QUEUES) {
			snprintf(s.queue[s.queues].name, sizeof(s.queue[0].name), "%s, queue %u",
				 name, number);
			s.queue[s.queues].gpa = gpa;
			s.queue[s.queues].arrow = 0;
			s.queue[s.queues++].irq = irq;
		}
	} else if (sscanf(text, "B 0x%x", &gpa) == 1) {
		serves(w, ev, gpa);
	} else if (*text == 'E') {
		served(w, ev);
	} else if (sscanf(text, "O %u", &number) == 1) {
		came_out(ev, number);
	} else if (*text == 'I') {
		goes_in(w, ev);
	}
}
/*:*/

bool trace_writer_begin(struct trace_writer *w)
{
	static const char *const track[] = {
		[HOST] = "Host", [SWITCHER] = "Switcher", [KERNEL] = "Guest kernel",
		[USER] = "Guest user",
	};

	if (w->live) {
		out(w, "%16s  %-8s %s\n", "time", "where", "what");
		return trace_writer_flush(w);
	}
	out(w, "[\n{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_name\",\"args\":{\"name\":",
	    w->main_pid);
	out_string(w, w->options->kernel ? w->options->kernel : w->options->restore);
	out(w, "}},\n");
	for (int i = HOST; i <= USER; i++)
		name_track(w, i, track[i], i);
	thread_of(w, w->main_pid);
	out(w, "{\"ph\":\"M\",\"pid\":%d,\"name\":\"lguest\",\"args\":{\"version\":1,"
	    "\"tsc_khz\":%" PRIu64 ",\"tsc\":%" PRIu64 ",\"memory\":%u,\"kernel\":", w->main_pid,
	    w->tsc_khz, w->tsc0, w->options->memory);
	out_string(w, w->options->kernel ? w->options->kernel : w->options->restore);
	out(w, ",\"arguments\":");
	out_string(w, w->options->command_line);
	out(w, ",\"filter\":");
	out_string(w, w->options->trace_words ? w->options->trace_words : "");
	out(w, "}},\n");
	return trace_writer_flush(w);
}

bool trace_writer_event(struct trace_writer *w, const struct trace_event *ev)
{
	bool mine = ev->kind == TRACE_IRQ ? (int)ev->v[IRQ_guest] == w->main_pid :
		    ev->kind == TRACE_MARK || ev->pid == w->main_pid;

	if (ev->lost) {
		s.lost += ev->lost;
		s.inside = s.reg_known = false;
		s.left = s.fault_at = 0;
		if (w->live) {
			live(w, ev->tsc, "", "(%" PRIu64 " events lost)", ev->lost);
		} else {
			instant_begin(w, HOST, ev->tsc, "lost", "events lost");
			out(w, ",\"lost\":%" PRIu64, ev->lost);
			args_end(w);
		}
	}
	if (!mine)
		return !s.failed;
	s.events++;
	s.now = ev->tsc;
	s.count[ev->kind]++;
	switch (ev->kind) {
	case TRACE_ENTER:
		on_enter(w, ev);
		break;
	case TRACE_EXIT:
		on_exit_event(w, ev);
		break;
	case TRACE_HYPERCALL:
		on_hypercall(w, ev);
		break;
	case TRACE_FAULT:
		on_fault(w, ev);
		break;
	case TRACE_INJECT:
		on_inject(w, ev);
		break;
	case TRACE_IRQ:
		on_irq(w, ev);
		break;
	case TRACE_KILL:
		on_kill(w, ev);
		break;
	default:
		on_mark(w, ev);
	}
	return !s.failed;
}

bool trace_writer_end(struct trace_writer *w)
{
	static const char *const name[] = {
#define E(kind, system, event, fields) event,
		TRACE_EVENTS(E)
#undef E
	};

	host_until(w, s.now);
	if (w->live)
		return trace_writer_flush(w);
	out(w, "{\"ph\":\"M\",\"pid\":%d,\"name\":\"lguest_end\",\"args\":{\"lost\":%" PRIu64,
	    w->main_pid, s.lost);
	for (unsigned i = 0; i < TRACE_KINDS; i++)
		out(w, ",\"%s\":%" PRIu64, name[i], s.count[i]);
	out(w, "}}\n]\n");
	return trace_writer_flush(w);
}
