/* SPDX-License-Identifier: GPL-2.0-only */
int lg_sleep(struct lg_guest *g)
{
	/* TODO 8.6.  wait_event_interruptible(g->wait, ...) returns 0, or not 0 for a signal.
	 * Count it: halts.  Until then, a Guest that rests is a Guest that waits for Ctrl-C. */
	(void)g;
	return -EINTR;
}

void lg_timers_stop(struct lg_guest *g)
{
	/* TODO 8.6.  There are two: g->timer and g->nudge.  hrtimer_cancel() waits for a timer's
	 * function, hrtimer_try_to_cancel() does not. */
	hrtimer_try_to_cancel(&g->timer);
}
