// SPDX-License-Identifier: GPL-2.0-only
/*H:280 Time
 *
 * The Guest's one clock is a high-resolution timer of Linux.  It goes off in interrupt
 * context, on whatever CPU, sets the bit of interrupt 0, and makes sure that somebody
 * looks: if the Guest sleeps, wake it; if it runs on another CPU, an interrupt sent
 * there throws it out.  If it runs on this CPU, the timer's own interrupt has.
 */
#include <linux/hrtimer.h>
#include <linux/timekeeping.h>
#include <linux/version.h>
#include "guest.h"

/*
 * lg_kick: the Guest is to look for interrupts, wherever it is.  Any context, any CPU.
 * timer_expired: the Guest's clock went off.  Context: a timer interrupt.
 * lg_os_set_timer: see os.h.  Too late to cancel is fine: ABI.md section 4.
 */
/* LAB 8.5 BEGIN: one shot */
void lg_kick(struct lg_guest *g)
{
	wake_up(&g->wait);
	kick_process(g->task);
}

static enum hrtimer_restart timer_expired(struct hrtimer *timer)
{
	struct lg_guest *g = container_of(timer, struct lg_guest, timer);

	lg_count(&g->lg, timer_fired);
	lg_irq_raise(&g->lg, LGUEST_IRQ_TIMER);
	lg_kick(g);
	return HRTIMER_NORESTART;
}

void lg_os_set_timer(struct lguest *lg, u32 ns)
{
	struct lg_guest *g = lg_guest_of(lg);

	if (ns)
		hrtimer_start(&g->timer, ns_to_ktime(ns), HRTIMER_MODE_REL);
	else
		hrtimer_try_to_cancel(&g->timer);
}
/* LAB 8.5 END */

/*
 * An interrupt waits for the Guest to be ready, and the Guest need not tell us when it
 * is.  The nudge does nothing, on purpose: it is the interrupt of this timer that throws
 * the Guest out, and lg_before_entry looks again.
 */
#define NUDGE_NS	250000

static enum hrtimer_restart nudged(struct hrtimer *timer)
{
	lg_count(&container_of(timer, struct lg_guest, nudge)->lg, nudges);
	lg_kick(container_of(timer, struct lg_guest, nudge));
	return HRTIMER_NORESTART;
}

void lg_os_nudge(struct lguest *lg)
{
	struct hrtimer *nudge = &lg_guest_of(lg)->nudge;

	if (!hrtimer_is_queued(nudge))
		hrtimer_start(nudge, ns_to_ktime(NUDGE_NS), HRTIMER_MODE_REL);
}

static void timer_setup_one(struct hrtimer *timer, enum hrtimer_restart (*fn)(struct hrtimer *))
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, fn, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer->function = fn;
#endif
}

void lg_timers_init(struct lg_guest *g)
{
	timer_setup_one(&g->timer, timer_expired);
	timer_setup_one(&g->nudge, nudged);
}

/*
 * lg_sleep: a HALT.  Sleeps until there is an interrupt that ends it, and returns 0; or
 * -EINTR for a signal.  Context: the Guest's thread.  The last look must come after we
 * are on the queue of those to be woken, or a kick between the two is lost.
 * lg_timers_stop: after this neither timer touches the Guest again.  May sleep.
 */
/* LAB 8.6 BEGIN: to bed, and for good */
int lg_sleep(struct lg_guest *g)
{
	lg_count(&g->lg, halts);
	if (wait_event_interruptible(g->wait, lg_irq_would_wake(&g->lg)))
		return -EINTR;
	return 0;
}

void lg_timers_stop(struct lg_guest *g)
{
	hrtimer_cancel(&g->timer);
	hrtimer_cancel(&g->nudge);
}
/* LAB 8.6 END */

void lg_os_wall_clock(u32 *sec, u32 *nsec)
{
	struct timespec64 now;

	ktime_get_real_ts64(&now);
	*sec = now.tv_sec;
	*nsec = now.tv_nsec;
}
/*:*/
