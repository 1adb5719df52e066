/* SPDX-License-Identifier: GPL-2.0-only */
void lg_kick(struct lg_guest *g)
{
	/* TODO 8.5.  g->wait is its bed, g->task its thread: wake_up(), kick_process(). */
	(void)g;
}

enum hrtimer_restart timer_expired(struct hrtimer *timer)
{
	/* TODO 8.5.  `timer` lies in a struct lg_guest: container_of().  Count timer_fired. */
	(void)timer;
	return HRTIMER_NORESTART;
}

void lg_os_set_timer(struct lguest *lg, u32 ns)
{
	/* TODO 8.5.  hrtimer_start(&g->timer, ns_to_ktime(ns), HRTIMER_MODE_REL), where g is
	 * lg_guest_of(lg). */
	(void)lg;
	(void)ns;
}
