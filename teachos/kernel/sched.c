/* SPDX-License-Identifier: MIT */
/*G:420 Who is next?
 *
 * One queue, first come, first served.  A process leaves the processor because it
 * waits for something, because it is done, or because its ten milliseconds are over
 * and somebody else is in the queue.  If nobody is, no timer runs.
 *
 * All of this runs with interrupts off: handlers call wake().
 */
#include "kernel.h"

struct process *current;
bool need_resched;

struct process *ready_first, *ready_last;	/* of those that wait for their turn */

static void enqueue(struct process *p)
{
	p->state = READY;
	p->next_ready = NULL;
	if (ready_first)
		ready_last->next_ready = p;
	else
		ready_first = p;
	ready_last = p;
}

static struct process *dequeue(void)
{
	struct process *p = ready_first;

	if (p)
		ready_first = p->next_ready;
	return p;
}

void make_ready(struct process *p)
{
	bool irqs = irq_save();

	enqueue(p);
	need_resched = true;
	irq_restore(irqs);
}

/* Has that moment come?  If not, and it is no 0, it may be the next that will. */
static bool is_over(u64 moment, u64 now, u64 *earliest)
{
	if (moment > now && (!*earliest || moment < *earliest))
		*earliest = moment;
	return moment && moment <= now;
}

/* The moment when the next sleeper wants to be woken; 0: nobody sleeps. */
static u64 wake_sleepers(void)
{
	u64 now = pv.now(), earliest = 0;
	struct process *p;

	for (p = process_list; p; p = p->next) {
		if (is_over(p->alarm_at, now, &earliest)) {
			p->alarm_at = 0;
			signal_send(p, SIGALRM);
		}
		if (p->state == SLEEPING && is_over(p->wake_at, now, &earliest))
			make_ready(p);
	}
	return earliest;
}

/* Most processes have no TLS, and those change nothing. */
void tls_load(const u64 tls[3])
{
	static u64 loaded[3];

	if (loaded[0] == tls[0] && loaded[1] == tls[1] && loaded[2] == tls[2])
		return;
	memcpy(loaded, tls, sizeof(loaded));
	pv.set_tls(tls);
}

/* LAB 2.9 BEGIN: who is next? */
static bool slice_armed;

void sched_tick(void)
{
	u64 earliest;

	slice_armed = false;
	earliest = wake_sleepers();
	if (earliest)
		clock_request(earliest);
	if (ready_first)
		need_resched = true;
}

/* Everything that belongs to a process and not to its stack, in one batch. */
static void change_process(struct process *next)
{
	struct process *prev = current;

	current = next;
	next->switches++;
	if (next->magic != PROCESS_MAGIC || *(u32 *)next->kstack != PROCESS_MAGIC)
		panic("process %d ran over the end of its kernel stack", next->pid);
	pv.batch_begin();
	if (next != &kernel_process) {	/* which never sees ring 3 */
		root_switch(next->root);
		pv.set_kernel_stack((u32)next->kstack + KSTACK_SIZE);
		tls_load(next->tls);
		fpu_switch_to(next);
	}
	pv.batch_end();
	switch_stacks(&prev->esp, next->esp);
}

void schedule(void)
{
	struct process *next;

	need_resched = false;
	if (current->state == RUNNING)
		enqueue(current);
	while (!(next = dequeue())) {
		pv.halt();
		pv.irq_disable();
	}
	next->state = RUNNING;
	if (ready_first && !slice_armed) {
		slice_armed = true;
		clock_request(pv.now() + SLICE_NS);
	}
	if (next != current)
		change_process(next);
}
/* LAB 2.9 END */
/*:*/

void yield(void)
{
	bool irqs = irq_save();

	schedule();
	irq_restore(irqs);
}

bool sleep_on(const void *channel, u64 deadline)
{
	if (!current->due) {
		current->state = SLEEPING;
		current->waiting_for = channel;
		current->wake_at = deadline;
		if (deadline)
			clock_request(deadline);
		schedule();
		current->waiting_for = NULL;
		current->wake_at = 0;
	}
	signal_stops();
	return !current->due;
}

void sleep_deaf(const void *channel)
{
	current->state = SLEEPING;
	current->waiting_for = channel;
	schedule();
	current->waiting_for = NULL;
}

void wake(const void *channel)
{
	struct process *p;

	for (p = process_list; p; p = p->next)
		if (p->state == SLEEPING && p->waiting_for == channel)
			make_ready(p);
}
