// SPDX-License-Identifier: GPL-2.0-only
/*H:170 The loop
 *
 * A Guest is a loop in a system call.  The Launcher's thread says RUN and is gone; it
 * spends its time here, or in the Guest, and comes back when there is something only a
 * process can do.  Linux schedules it like any thread, kills it like any thread, and
 * charges its time to whoever started it.
 *
 * Getting the CPU ready for a Guest is expensive (FPU, control registers, a few MSRs),
 * and most exits are over in no time.  So we make it ready once, and then go in and out
 * as often as we can: that is a section.  Interrupts stay off throughout.  That is less
 * rude than it sounds: a real interrupt ends the Guest's stay at once, and then the
 * section, too.
 */
#include <linux/module.h>
#include <linux/sched/signal.h>
#include "guest.h"

/* Traps that the Switcher delivered without us, since CREATE. */
u64 lg_direct_traps(struct lguest *lg)
{
	u64 sum = lg->pages->direct_count_syscall;
	unsigned int i;

	for (i = 0; i < 32; i++)
		sum += lg->pages->direct_count[i];
	return sum;
}

#define CREATE_TRACE_POINTS
#include "lg_trace.h"

static void run_section(struct lg_guest *g)
{
	struct lguest *lg = &g->lg;
	unsigned int interrupt = 0;
	enum lg_result r;
	bool ours;

	lg_count(lg, sections);
	lg_arch_section_begin(g);
	do {
		if (!g->unfinished) {
			r = lg_before_entry(lg);
			if (r != LG_RESUME)
				break;
			trace_lguest_enter(lg);
			lg_count(lg, switches);
			lg_note_entry(lg);
			ours = unlikely(lg->watched) ? lg_watched_stay(g, &interrupt) :
						       lg_arch_enter(g, &interrupt);
			trace_lguest_exit(lg);
			if (!ours)
				break;		/* Linux': an interrupt, an NMI */
			lg_note_exit(lg);
		} else {
			lg_count(lg, restarts);
		}
		r = lg_handle_exit(lg);
		g->unfinished = r == LG_AGAIN;
	} while (r == LG_RESUME);
	lg_arch_section_end(g, interrupt);
}
/*:*/

/*H:180 Between two sections
 *
 * Here we may sleep, be interrupted, be moved to another CPU.  See what is wanted.
 * Returns 1 if the Launcher is to be told something (in *out), 0 to go on.
 */
static int satisfy(struct lg_guest *g, struct lg_run *out)
{
	struct lguest *lg = &g->lg;
	enum lg_want want = lg->want;
	int err = 0;

	lg->want = LG_WANT_NOTHING;
	switch (want) {
	case LG_WANT_NOTHING:
		break;
	case LG_WANT_FRAME:
		err = lg_fetch_frame(g, lg->want_pfn);
		break;
	case LG_WANT_TABLES:
		err = lg_fetch_tables(g);
		break;
	case LG_WANT_DATA:
		err = lg_map_data(g);
		break;
	case LG_WANT_NOTIFY:
		if (lg_signal_eventfd(g, lg->notify)) {
			lg_count(lg, notify_eventfd);
			return 0;
		}
		lg_count(lg, notify_launcher);
		out->what = LG_RUN_NOTIFY;
		out->value = lg->notify;
		return 1;
	case LG_WANT_DEBUG:
		out->what = LG_RUN_DEBUG;
		out->value = lg->debug_trap;
		return 1;
	}
	if (err == -EINTR || err == -ERESTARTSYS) {
		lg->want = want;	/* a signal: the Launcher will RUN again */
		return -EINTR;
	}
	return 0;			/* what failed for good has killed the Guest */
}

static const char *const reason_codes[] = {
#define X(name, code, meaning) [LG_##name] = code,
	LG_REASONS(X)
#undef X
};

static int tell_the_end(struct lg_guest *g, struct lg_run *out)
{
	struct lguest *lg = &g->lg;

	if (g->buried)
		return -ENOENT;
	g->buried = true;
	out->what = lg->over;
	if (lg->over == LG_RUN_KILLED) {
		strscpy(out->code, reason_codes[lg->reason], sizeof(out->code));
		strscpy(out->by, lg->killed_by, sizeof(out->by));
	}
	strscpy(out->text, lg->text, sizeof(out->text));
	return 0;
}

/*
 * LG_IOC_RUN: run until there is something to tell.  Fills *out (zeroed by the caller)
 * and returns 0, or -EINTR for a signal, -ENOENT for a Guest that is dead and buried.
 * Context: the creating thread, g->lock held.
 */
int lg_run_guest(struct lg_guest *g, struct lg_run *out)
{
	struct lguest *lg = &g->lg;
	int err;

	lg->watch.since = 0;		/* what the Launcher did is not the Host's */
	for (;;) {
		err = satisfy(g, out);
		if (err)
			return err < 0 ? err : 0;
		if (lg->over)
			return tell_the_end(g, out);
		if (signal_pending(current))
			return -EINTR;
		if (lg->halted && !g->unfinished && !lg->debug_stop && !lg_irq_would_wake(lg)) {
			err = lg_sleep(g);
			lg->watch.since = 0;
			if (err)
				return err;
		}
		cond_resched();
		run_section(g);
	}
}
/*:*/

void lg_kill_by(struct lguest *lg, const char *by, enum lg_reason reason, const char *format, ...)
{
	va_list args;

	if (lg->over)
		return;
	va_start(args, format);
	vscnprintf(lg->text, sizeof(lg->text), format, args);
	va_end(args);
	lg->killed_by = by;
	lg->reason = reason;
	lg->over = LG_RUN_KILLED;
	trace_lguest_kill(reason_codes[reason], lg->text);
}

static int __init lg_module_init(void)
{
	int err = lg_arch_check_host();

	if (err)
		return err;
	lg_debugfs_init();
	err = lg_device_init();
	if (err) {
		lg_debugfs_exit();
		return err;
	}
	pr_info("lguest: ready, interface %d\n", LG_INTERFACE);
	return 0;
}

static void __exit lg_module_exit(void)
{
	lg_device_exit();
	lg_debugfs_exit();
}

module_init(lg_module_init);
module_exit(lg_module_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("lguest for the classroom: Guests in ring 1, no VT-x needed");

/*M:100 You made it
 *
 * You know now what a hypervisor is: a page of registers, a table that is a lie, five
 * words pushed on a stack, and a great deal of politeness.  The rest is yours.
 *
 * What follows are things that this one could do and does not.  They are roughly in the
 * order of the evenings that they take.  Before you begin with one, decide how you will
 * know that it works: which counter, which inmate, which figure of `make bench`.
 *:*/
