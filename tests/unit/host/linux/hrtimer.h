/* SPDX-License-Identifier: MIT */
/*
 * What host/clock.c needs of Linux, as promises that test_clock.c keeps: timers that go
 * off when the test says so, and a queue of sleepers that tells when somebody lies down.
 */
#ifndef LG_FAKE_KERNEL_H
#define LG_FAKE_KERNEL_H

#define __user

#include <errno.h>
#include <time.h>

#include "lg_userspace.h"

typedef int64_t s64;
typedef s64 ktime_t;
typedef struct { long counter; } atomic_long_t;

#define __aligned(n)	__attribute__((aligned(n)))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

enum hrtimer_restart { HRTIMER_NORESTART, HRTIMER_RESTART };
enum hrtimer_mode { HRTIMER_MODE_ABS, HRTIMER_MODE_REL };

struct hrtimer {
	enum hrtimer_restart (*function)(struct hrtimer *timer);
	bool queued, running;	/* running: its function is, on another CPU */
	ktime_t when;
	enum hrtimer_mode mode;
};

static inline ktime_t ns_to_ktime(u64 ns)
{
	return (ktime_t)ns;
}

static inline bool hrtimer_is_queued(struct hrtimer *timer)
{
	return timer->queued;
}

static inline void hrtimer_init(struct hrtimer *timer, int clock, enum hrtimer_mode mode)
{
	(void)clock;
	*timer = (struct hrtimer){ .mode = mode };
}

static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*fn)(struct hrtimer *), int clock,
				 enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
}

void hrtimer_start(struct hrtimer *timer, ktime_t when, enum hrtimer_mode mode);
int hrtimer_try_to_cancel(struct hrtimer *timer);
int hrtimer_cancel(struct hrtimer *timer);
void hrtimer_forward_now(struct hrtimer *timer, ktime_t step);

struct task_struct { u32 kicks; };
struct mm_struct;
struct mutex { int unused; };
typedef struct { u32 wakes; bool lies; } wait_queue_head_t;

void wake_up(wait_queue_head_t *wait);
void kick_process(struct task_struct *task);

/* As Linux has it: onto the queue, look, and only then sleep. */
void fake_lie_down(wait_queue_head_t *wait);
int fake_schedule(wait_queue_head_t *wait, bool interruptible);
void fake_get_up(wait_queue_head_t *wait);

#define fake_wait(wait, condition, interruptible) \
	({ \
		int fake_result = 0; \
		for (;;) { \
			fake_lie_down(&(wait)); \
			if (condition) \
				break; \
			fake_result = fake_schedule(&(wait), interruptible); \
			if (fake_result) \
				break; \
		} \
		fake_get_up(&(wait)); \
		fake_result; \
	})
#define wait_event(wait, condition)		((void)fake_wait(wait, condition, false))
#define wait_event_interruptible(wait, condition) fake_wait(wait, condition, true)

struct timespec64 { s64 tv_sec; long tv_nsec; };
void ktime_get_real_ts64(struct timespec64 *now);

#endif
