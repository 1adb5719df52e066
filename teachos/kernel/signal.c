/* SPDX-License-Identifier: MIT */
/*G:860 A tap on the shoulder
 *
 * A signal is the smallest message there is: a number from 1 to 31, and it has come or
 * it has not.  It waits in a bit of `pending`.  If it is not held back in `blocked` it is
 * due, and `due` is the one word that the way out to ring 3 looks at.
 *
 * What happens then is the receiver's choice: the default (mostly death), nothing, or a
 * function of its own (sigframe.c).  Two cannot be chosen away, SIGKILL and SIGSTOP, so
 * that somebody can always end what went wrong.
 *
 * Who sleeps in the kernel is woken, and its system call ends with EINTR.  Who is merely
 * stopped, by Ctrl-Z for instance, never hears of it: a stop is a longer sleep.
 */
#include "kernel.h"

#define SIG_BLOCK	0u
#define SIG_UNBLOCK	1u
#define SIG_SETMASK	2u
#define BIT(signal)	(1u << ((signal) - 1))
#define UNSTOPPABLE	(BIT(SIGKILL) | BIT(SIGSTOP))
#define STOPS		(BIT(SIGSTOP) | BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU))
#define HARMLESS	(BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGURG) | BIT(SIGWINCH))

static void find_due(struct process *p)
{
	p->due = p->pending & ~p->blocked;
}

/* Would it do nothing at all? */
static bool pointless(const struct process *p, u32 signal)
{
	u32 handler = p->action[signal].handler;

	return !(p->blocked & BIT(signal)) &&
	       (handler == SIG_IGN || (handler == SIG_DFL && (BIT(signal) & HARMLESS)));
}

static void go_on(struct process *p)
{
	if (p->state == STOPPED)
		make_ready(p);
	p->stopped_by = 0;
}

void signal_send(struct process *p, u32 signal)
{
	bool irqs = irq_save();

	if (p->state != ZOMBIE && p != &kernel_process) {
		if (signal == SIGCONT || signal == SIGKILL) {
			p->pending &= ~STOPS;
			go_on(p);
		}
		if (BIT(signal) & STOPS)
			p->pending &= ~BIT(SIGCONT);
		if (!pointless(p, signal))
			p->pending |= BIT(signal);
		find_due(p);
		if (p->due && p->state == SLEEPING)
			make_ready(p);
		need_resched |= p->due != 0;
	}
	irq_restore(irqs);
}

bool signal_fault(u32 signal, u32 vector, u32 error, u32 address)
{
	if ((current->blocked & BIT(signal)) || current->action[signal].handler <= SIG_IGN)
		return false;
	current->fault = (struct fault){vector, error, address};
	signal_send(current, signal);
	return true;
}

/* Process 1 of a running system gets only what it has asked for: without it, all ends. */
static void request(struct process *p, u32 signal)
{
	if (signal && !(p->immortal && p->action[signal].handler == SIG_DFL))
		signal_send(p, signal);
}

int process_kill(int pid, u32 signal)
{
	struct process *p = process_find(pid);

	if (!p || p == &kernel_process)
		return -ESRCH;
	request(p, signal);
	return 0;
}

int group_kill(int group, u32 signal)
{
	struct process *p;
	bool any = false;

	for (p = process_list; p; p = p->next) {
		if (p->group != group || p == &kernel_process)
			continue;
		request(p, signal);
		any = true;
	}
	return any ? 0 : -ESRCH;
}

static int kill_all_others(u32 signal)
{
	struct process *p;

	for (p = process_list; p; p = p->next)
		if (p != current && p != &kernel_process && !p->immortal)
			request(p, signal);
	return 0;
}
/*:*/

/*G:862 When a signal is due */
static void stop(u32 signal)
{
	current->pending &= ~BIT(signal);
	find_due(current);
	current->stopped_by = signal;
	current->stop_reported = false;
	current->state = STOPPED;
	if (!(current->parent->action[SIGCHLD].flags & SA_NOCLDSTOP))
		signal_send(current->parent, SIGCHLD);
	wake(current->parent);
	schedule();
}

/* Irqs off. */
void signal_stops(void)
{
	u32 stops, signal;

	while ((stops = current->due & STOPS) != 0 && !(current->due & BIT(SIGKILL))) {
		signal = __builtin_ctz(stops) + 1;
		if (current->action[signal].handler != SIG_DFL)
			return;		/* then it is a signal like any other */
		stop(signal);
	}
}

static void act(struct trap_frame *frame, u32 signal)
{
	struct signal_action action = current->action[signal];

	current->pending &= ~BIT(signal);
	find_due(current);
	if (action.handler == SIG_IGN || (action.handler == SIG_DFL && (BIT(signal) & HARMLESS)))
		return;
	pv.irq_enable();
	if (action.handler == SIG_DFL)
		process_exit(STATUS_KILLED(signal));
	if (!sigframe_push(frame, signal, &action)) {
		if (!quiet_faults)
			print("%s[%d]: no room for signal %u on its stack at 0x%08x: killed\n",
			      current->name, current->pid, signal, frame->esp);
		process_exit(STATUS_KILLED(SIGSEGV));
	}
	if (action.flags & SA_RESETHAND)
		current->action[signal].handler = SIG_DFL;
	signal_mask(current->blocked | action.mask |
		    (action.flags & SA_NODEFER ? 0 : BIT(signal)));
}

void signal_deliver(struct trap_frame *frame)
{
	if (current->due & BIT(SIGKILL))
		act(frame, SIGKILL);
	signal_stops();
	if (current->due)
		act(frame, __builtin_ctz(current->due) + 1);
}

void signal_mask(u32 blocked)
{
	bool irqs = irq_save();

	current->blocked = blocked & ~UNSTOPPABLE;
	find_due(current);
	irq_restore(irqs);
}

bool signal_refused(u32 signal)
{
	return (current->blocked & BIT(signal)) || current->immortal ||
	       current->action[signal].handler == SIG_IGN;
}

/* A new program knows nothing of the old one's functions.  What was ignored stays so. */
void signal_exec(void)
{
	u32 i;

	for (i = 1; i < SIGNALS; i++) {
		u32 ignore = current->action[i].handler == SIG_IGN;

		current->action[i] = (struct signal_action){.handler = ignore};
	}
}
/*:*/

/*G:864 The calls
 *
 * Each exists twice, because Linux once had no more than 31 signals and then wanted 64.
 * The older ones have room for 32 bits of a mask, the newer ("rt") for 64, of which we
 * keep the lower half, for there are no signals in the upper.
 */
static int set_action(u32 signal, const struct signal_action *new, struct signal_action *old)
{
	if (!signal || signal >= SIGNALS || (new && (BIT(signal) & UNSTOPPABLE)))
		return -EINVAL;
	*old = current->action[signal];
	if (!new)
		return 0;
	current->action[signal] = *new;
	if (pointless(current, signal)) {	/* what waits is forgotten */
		bool irqs = irq_save();

		current->pending &= ~BIT(signal);
		find_due(current);
		irq_restore(irqs);
	}
	return 0;
}

int sys_sigaction(struct trap_frame *f)
{
	struct signal_action new, old;
	u32 words[4] = {0};	/* handler, mask, flags, restorer */
	int error;

	if (f->ecx && !copy_from_user(words, f->ecx, sizeof(words)))
		return -EFAULT;
	new = (struct signal_action){words[0], words[2], words[3], words[1]};
	error = set_action(f->ebx, f->ecx ? &new : NULL, &old);
	if (error || !f->edx)
		return error;
	words[0] = old.handler;
	words[1] = old.mask;
	words[2] = old.flags;
	words[3] = old.restorer;
	return copy_to_user(f->edx, words, sizeof(words)) ? 0 : -EFAULT;
}

int sys_rt_sigaction(struct trap_frame *f)
{
	struct signal_action new, old;	/* as it lies in memory, but for the upper mask */
	u32 zero = 0;
	int error;

	if (f->esi != 8)
		return -EINVAL;
	if (f->ecx && !copy_from_user(&new, f->ecx, sizeof(new)))
		return -EFAULT;
	error = set_action(f->ebx, f->ecx ? &new : NULL, &old);
	if (error || !f->edx)
		return error;
	return copy_to_user(f->edx, &old, sizeof(old)) &&
	       copy_to_user(f->edx + sizeof(old), &zero, 4) ? 0 : -EFAULT;
}

static int change_mask(struct trap_frame *f)
{
	u32 set, old = current->blocked;

	if (f->ecx) {
		if (!copy_from_user(&set, f->ecx, 4))
			return -EFAULT;
		switch (f->ebx) {
		case SIG_BLOCK:
			signal_mask(old | set);
			break;
		case SIG_UNBLOCK:
			signal_mask(old & ~set);
			break;
		case SIG_SETMASK:
			signal_mask(set);
			break;
		default:
			return -EINVAL;
		}
	}
	return !f->edx || copy_to_user(f->edx, &old, 4) ? 0 : -EFAULT;
}

int sys_sigprocmask(struct trap_frame *f)
{
	return change_mask(f);
}

int sys_rt_sigprocmask(struct trap_frame *f)
{
	u32 zero = 0;
	int error = f->esi == 8 ? change_mask(f) : -EINVAL;

	if (!error && f->edx && !copy_to_user(f->edx + 4, &zero, 4))
		return -EFAULT;
	return error;
}

int sys_kill(struct trap_frame *f)
{
	int pid = f->ebx;
	u32 signal = f->ecx;

	if (signal >= SIGNALS)
		return -EINVAL;
	if (pid > 0)
		return process_kill(pid, signal);
	if (pid == -1)
		return kill_all_others(signal);
	return group_kill(pid ? -pid : current->group, signal);
}

int sys_pause(struct trap_frame *f)
{
	bool irqs = irq_save();

	(void)f;
	while (sleep_on(&current->due, 0))
		;
	irq_restore(irqs);
	return -EINTR;
}

/* Seconds that were left of the last alarm, rounded up, as Linux does. */
int sys_alarm(struct trap_frame *f)
{
	bool irqs = irq_save();
	u64 now = pv.now();
	u32 left = 0;

	if (current->alarm_at > now)
		left = div64(current->alarm_at - now + NS_PER_S - 1, NS_PER_S, NULL);
	current->alarm_at = f->ebx ? now + (u64)f->ebx * NS_PER_S : 0;
	if (f->ebx)
		clock_request(current->alarm_at);
	irq_restore(irqs);
	return left;
}
/*:*/
