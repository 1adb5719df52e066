// SPDX-License-Identifier: MIT
/*
 * The Guest's clock and its bed (host/clock.c), on the timers and the wait queue of
 * linux/hrtimer.h here.  Oracles: ABI.md section 4, and Linux' own rules about what may
 * be called where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest.h"

#include <cmocka.h>

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, done)
#define check(cond, ...) \
	do { \
		if (!(cond)) \
			fail_msg(__VA_ARGS__); \
	} while (0)

static struct lg_guest *g;
static struct task_struct task;
static u32 blocked;
static bool interrupts_off;	/* as in a section: whoever waits now waits for ever */
static u32 lay_down, slept;
static void (*on_lie_down)(void), (*on_sleep)(void);
static bool signal_came;

/* ---- Linux ---- */

void hrtimer_start(struct hrtimer *timer, ktime_t when, enum hrtimer_mode mode)
{
	check(timer->function, "a timer is started that was never set up");
	timer->queued = true;
	timer->when = when;
	timer->mode = mode;
}

int hrtimer_try_to_cancel(struct hrtimer *timer)
{
	int was = timer->queued;

	if (timer->running)
		return -1;
	timer->queued = false;
	return was;
}

int hrtimer_cancel(struct hrtimer *timer)
{
	check(!interrupts_off, "hrtimer_cancel waits for the timer's function: it may not be called "
	      "with interrupts off");
	timer->running = false;
	return hrtimer_try_to_cancel(timer);
}

void hrtimer_forward_now(struct hrtimer *timer, ktime_t step)
{
	timer->when += step;
}

void ktime_get_real_ts64(struct timespec64 *now)
{
	*now = (struct timespec64){ 1, 2 };
}

void wake_up(wait_queue_head_t *wait)
{
	check(g->lg.irqs || !wait->lies, "woken before the bit is set: it looks, and sleeps on");
	check(wait == &g->wait, "the wrong bed");
	wait->wakes++;
	wait->lies = false;
}

void kick_process(struct task_struct *which)
{
	check(which == &task, "the wrong thread is kicked");
	which->kicks++;
}

void fake_lie_down(wait_queue_head_t *wait)
{
	check(++lay_down < 100, "it lies down again and again");
	wait->lies = true;
	if (on_lie_down)
		on_lie_down();
}

void fake_get_up(wait_queue_head_t *wait)
{
	wait->lies = false;
}

int fake_schedule(wait_queue_head_t *wait, bool interruptible)
{
	if (!wait->lies && !signal_came)
		return 0;		/* woken on the way down */
	check(!(g->lg.irqs & ~blocked), "it sleeps although an interrupt is there: lost wakeup");
	slept++;
	if (on_sleep)
		on_sleep();
	if (signal_came) {
		check(interruptible, "a signal came, and it sleeps on: not even kill -9 helps");
		return -512;		/* -ERESTARTSYS */
	}
	check(!wait->lies, "nobody will ever wake it");
	return 0;
}

/* ---- The rest of the Host ---- */

void lg_irq_raise(struct lguest *lg, unsigned int irq)
{
	lg->irqs |= 1u << irq;
}

bool lg_irq_would_wake(struct lguest *lg)
{
	return lg->irqs & ~blocked;
}

/* ---- Tests ---- */

static int fresh(void **state)
{
	(void)state;
	free(g);
	g = calloc(1, sizeof(*g));
	if (!g)
		return -1;
	memset(&task, 0, sizeof(task));
	g->task = &task;
	lg_timers_init(g);
	interrupts_off = signal_came = false;
	blocked = lay_down = slept = 0;
	on_lie_down = on_sleep = NULL;
	return 0;
}

static int done(void **state)
{
	(void)state;
	free(g);
	g = NULL;
	return 0;
}

/* SET_CLOCKEVENT happens in a section: interrupts are off. */
static void set_clock(u32 ns)
{
	interrupts_off = true;
	lg_os_set_timer(&g->lg, ns);
	interrupts_off = false;
}

static enum hrtimer_restart expire(struct hrtimer *timer)
{
	enum hrtimer_restart r;

	check(timer->queued, "it should tick, but nobody wound it up");
	timer->queued = false;
	r = timer->function(timer);
	if (r == HRTIMER_RESTART)
		timer->queued = true;
	return r;
}

static u64 counted(enum lg_stat which)
{
	return g->lg.stats.scalar[which];
}

static void one_shot(void **state)
{
	(void)state;
	set_clock(1000);
	check(g->timer.queued, "SET_CLOCKEVENT(1000), and no timer runs");
	assert_int_equal(g->lg.irqs, 0);
	check(expire(&g->timer) == HRTIMER_NORESTART, "it will tick again: one shot means one");
	assert_int_equal(g->lg.irqs, 1u << LGUEST_IRQ_TIMER);
	assert_int_equal(counted(LG_STAT_timer_fired), 1);
	check(!g->timer.queued, "it ticks again: one shot means one");
	/* And again, if it is asked again. */
	g->lg.irqs = 0;
	set_clock(7);
	expire(&g->timer);
	assert_int_equal(g->lg.irqs, 1u << LGUEST_IRQ_TIMER);
	assert_int_equal(counted(LG_STAT_timer_fired), 2);
}

/* Any 32-bit number is a time: 4.29 s is the longest. */
static void any_delta(void **state)
{
	static const u32 deltas[] = { 1, 2, 999, 1000, 1000000, 0x7fffffff, 0x80000000u,
				      0xfffffffeu, 0xffffffffu };
	u32 i;

	(void)state;
	for (i = 0; i < sizeof(deltas) / sizeof(deltas[0]); i++) {
		set_clock(deltas[i]);
		check(g->timer.queued && g->timer.mode == HRTIMER_MODE_REL,
		      "SET_CLOCKEVENT(%u): no timer that counts from now", deltas[i]);
		check(g->timer.when == (s64)deltas[i], "SET_CLOCKEVENT(%u): in %lld ns", deltas[i],
		      (long long)g->timer.when);
	}
}

static void cancelled(void **state)
{
	(void)state;
	set_clock(5000);
	set_clock(900000);
	check(g->timer.queued && g->timer.when == 900000, "a new time replaces the old");
	set_clock(0);
	check(!g->timer.queued, "0 cancels, but the timer runs");
	assert_int_equal(g->lg.irqs, 0);
	/* What is pending stays; and an expiry that is under way is not waited for. */
	set_clock(10);
	expire(&g->timer);
	g->timer.running = true;
	set_clock(0);
	assert_int_equal(g->lg.irqs, 1u << LGUEST_IRQ_TIMER);
}

/* First the bit, then the noise. */
static void raise_then_kick(void **state)
{
	(void)state;
	set_clock(10);
	g->wait.lies = true;
	expire(&g->timer);
	check(g->wait.wakes == 1, "it sleeps, and nobody woke it");
	check(task.kicks == 1, "it may run on another CPU, and nobody threw it out");
}

static void anybody_may_kick(void **state)
{
	(void)state;
	g->lg.irqs = 2;
	g->wait.lies = true;
	lg_kick(g);
	check(g->wait.wakes == 1, "it sleeps, and nobody woke it");
	check(task.kicks == 1, "it may run on another CPU, and nobody threw it out");
}

static void raise_by_turns(void)
{
	if (slept < 3)
		g->lg.irqs |= 1u << slept;	/* 1 and 2 are masked */
	else
		g->lg.irqs |= 1u << 5;
	wake_up(&g->wait);
}

static void sleeps_for_the_right_one(void **state)
{
	(void)state;
	blocked = 6;
	on_sleep = raise_by_turns;
	assert_int_equal(lg_sleep(g), 0);
	check(slept == 3, "woken by %u interrupts; the first two are masked", slept);
	assert_int_equal(counted(LG_STAT_halts), 1);
}

static void raise_at_once(void)
{
	on_lie_down = NULL;
	g->lg.irqs = 1;
	wake_up(&g->wait);
}

/* Raised after the loop looked, before we sleep: the moment that loses wakeups. */
static void looks_again_in_bed(void **state)
{
	(void)state;
	on_lie_down = raise_at_once;
	assert_int_equal(lg_sleep(g), 0);
	check(lay_down, "it never lay down");
	check(!slept, "it slept although the interrupt was there");
}

static void interrupt_comes_as_we_lie(void)
{
	/* Nobody wakes us for this: it was raised by a CPU that found us awake. */
	on_lie_down = NULL;
	g->lg.irqs = 1;
}

static void raised_while_awake(void **state)
{
	(void)state;
	on_lie_down = interrupt_comes_as_we_lie;
	assert_int_equal(lg_sleep(g), 0);
	check(lay_down, "it never lay down");
}

static void send_signal(void)
{
	signal_came = true;
}

static void signals(void **state)
{
	(void)state;
	on_sleep = send_signal;
	check(lg_sleep(g) == -EINTR, "a signal ends the sleep with -EINTR");
	assert_int_equal(counted(LG_STAT_halts), 1);
}

static void funeral(void **state)
{
	struct hrtimer *timers[] = { &g->timer, &g->nudge };
	u32 i;

	(void)state;
	for (i = 0; i < 2; i++) {
		hrtimer_start(timers[i], 1000, HRTIMER_MODE_REL);
		lg_timers_stop(g);
		check(!timers[i]->queued, "%s goes off after the Guest was freed",
		      i ? "the nudge" : "the clock");
		timers[i]->running = true;
		lg_timers_stop(g);
		check(!timers[i]->running, "%s is still at work, and its Guest is freed",
		      i ? "the nudge" : "the clock");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_shot), TEST(any_delta), TEST(cancelled), TEST(raise_then_kick),
		TEST(anybody_may_kick), TEST(sleeps_for_the_right_one), TEST(looks_again_in_bed),
		TEST(raised_while_awake), TEST(signals), TEST(funeral),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
