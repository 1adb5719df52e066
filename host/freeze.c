// SPDX-License-Identifier: GPL-2.0-only
/*H:796 At the door
 *
 * SAVE and RESTORE, as the Launcher says them: what of a Guest is Linux' to know, its
 * alarm and its FPU, and the way to the pages behind lguest_data.
 */
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "guest.h"

/* The place of MXCSR in an FXSAVE image, SDM vol. 1, table 10-2. */
#define FXSAVE_MXCSR	24

/* How long the alarm has to go, and it will not go off meanwhile.  0: it was not set. */
static u32 stop_alarm(struct lg_guest *g)
{
	if (!hrtimer_cancel(&g->timer))
		return 0;
	return clamp_t(s64, ktime_to_ns(hrtimer_expires_remaining(&g->timer)), 1, U32_MAX);
}

/*
 * LG_IOC_SAVE.  Changes nothing: the Guest could run on.  The alarm is stopped first, else
 * it may go off between our look at it and our look at the interrupts.
 * Context: between two RUNs, the creating thread.
 */
int lg_freeze(struct lg_guest *g, void __user *arg)
{
	struct lg_snapshot *s;
	int err;

	if (g->lg.over)
		return -ENOENT;
	if (g->unfinished || g->lg.want != LG_WANT_NOTHING)
		return -EBUSY;
	s = kvzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	s->timer_ns = stop_alarm(g);
	lg_save(&g->lg, s);
	memcpy(s->fpu, g->arch.fxsave, sizeof(s->fpu));
	if (s->timer_ns)
		lg_os_set_timer(&g->lg, s->timer_ns);
	err = copy_to_user(arg, s, sizeof(*s)) ? -EFAULT : 0;
	kvfree(s);
	return err;
}

static const char *fpu_wrong(const u8 *fpu)
{
	u32 mxcsr;

	/* FXRSTOR faults on a bit that this CPU does not have, and we are in ring 0. */
	memcpy(&mxcsr, fpu + FXSAVE_MXCSR, sizeof(mxcsr));
	return mxcsr & ~lg_arch_mxcsr_bits() ? "MXCSR has bits that this CPU does not" : NULL;
}

/* Returns 0; or -EINTR, and nothing has happened. */
static int thaw(struct lg_guest *g, const struct lg_snapshot *s)
{
	int err;

	if (s->flags & LG_SAVED_INITIALISED) {
		g->lg.data_gpa = s->data_gpa;
		err = lg_map_data(g);
		if (err)
			return err;
		if (g->lg.over)
			return 0;	/* the next RUN says why */
	}
	lg_restore(&g->lg, s);
	memcpy(g->arch.fxsave, s->fpu, sizeof(s->fpu));
	g->thawed = true;
	return 0;
}

/* LG_IOC_RESTORE.  Context: after CREATE, before the first RUN, the creating thread. */
int lg_thaw(struct lg_guest *g, void __user *arg)
{
	struct lg_snapshot *s;
	const char *why;
	int err;

	if (g->thawed || g->lg.data || g->lg.over || g->lg.stats.scalar[LG_STAT_sections])
		return -EBUSY;
	s = vmemdup_user(arg, sizeof(*s));
	if (IS_ERR(s))
		return PTR_ERR(s);
	why = lg_saved_wrong(&g->lg, s);
	if (!why)
		why = fpu_wrong(s->fpu);
	if (why) {
		strscpy_pad(s->why, why, sizeof(s->why));
		err = copy_to_user(arg + offsetof(struct lg_snapshot, why), s->why,
				   sizeof(s->why)) ? -EFAULT : -EINVAL;
	} else {
		err = thaw(g, s);
	}
	kvfree(s);
	return err;
}
/*:*/
