// SPDX-License-Identifier: GPL-2.0-only
/*H:720 /dev/lguest
 *
 * The only door for the Launcher.  Opening it makes an empty Guest; CREATE gives it
 * memory and a first instruction; RUN runs it.  Closing the last descriptor, by exit,
 * by accident or by kill -9, ends it.  There is no other bookkeeping to go wrong.
 */
#include <linux/anon_inodes.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include "guest.h"

atomic_long_t lg_guests;

static unsigned int table_limit = LG_TABLES - 1;
module_param(table_limit, uint, 0644);
MODULE_PARM_DESC(table_limit,
		 "shadow page tables one Guest may have (16 to 2047; with 1 to 15 none can live)");

/* An empty Guest, or NULL if there is no memory. */
static struct lg_guest *new_guest(void)
{
	struct lg_guest *g = kvzalloc(sizeof(*g), GFP_KERNEL_ACCOUNT);

	if (!g)
		return NULL;
	mutex_init(&g->lock);
	mutex_init(&g->eventfd_lock);
	init_waitqueue_head(&g->wait);
	lg_timers_init(g);
	atomic_long_inc(&lg_guests);
	return g;
}

static int lg_open(struct inode *inode, struct file *file)
{
	file->private_data = new_guest();
	return file->private_data ? nonseekable_open(inode, file) : -ENOMEM;
}

static void end_guest(struct lg_guest *g)
{
	unsigned int i;

	lg_timers_stop(g);
	lg_debugfs_remove(g);
	for (i = 0; i < g->eventfds; i++)
		eventfd_ctx_put(g->eventfd[i].ctx);
	lg_memory_free(g);
	lg_arch_free(g);
	if (g->task)
		put_task_struct(g->task);
	kvfree(g);
	atomic_long_dec(&lg_guests);
}

static int lg_release(struct inode *inode, struct file *file)
{
	end_guest(file->private_data);
	return 0;
}

static long lg_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

static const struct file_operations lg_fops = {
	.owner = THIS_MODULE,
	.open = lg_open,
	.release = lg_release,
	.unlocked_ioctl = lg_ioctl,
};

/*
 * As if the device had been opened again, by somebody who has the right to, and gives
 * proof of it: an open descriptor.  A Launcher in a sandbox has no other way to begin
 * anew when its Guest restarts.
 */
static int another(void)
{
	struct lg_guest *g = new_guest();
	int fd;

	if (!g)
		return -ENOMEM;
	fd = anon_inode_getfd("lguest", &lg_fops, g, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		end_guest(g);
	return fd;
}

static int create(struct lg_guest *g, void __user *arg)
{
	struct lg_create c;
	int err;

	if (copy_from_user(&c, arg, sizeof(c)))
		return -EFAULT;
	if (c.interface != LG_INTERFACE)
		return -EPROTO;
	if (c.flags & ~(LG_CREATE_TIME | LG_CREATE_RINGS))
		return -EINVAL;
	if (g->task)
		return -EBUSY;

	/* A failure half-way leaves a Guest that can only be closed: g->task is set. */
	g->task = get_task_struct(current);
	g->lg.table_limit = min(READ_ONCE(table_limit), LG_TABLES - 1u);
	err = lg_memory_init(g, c.memory, c.pages);
	if (err)
		return err;
	err = lg_arch_init(g, c.entry);
	if (err)
		return err;
	g->lg.watched = c.flags;
	g->lg.watch.rings = c.flags & LG_CREATE_RINGS;
	g->lg.watch.time = c.flags & (LG_CREATE_TIME | LG_CREATE_RINGS);
	lg_segments_init(&g->lg);
	lg_shadow_init(&g->lg);
	if (g->lg.watch.time)
		lg_watch_weigh(g);
	lg_debugfs_add(g);
	/* Raising an interrupt needs no lock, so it must not see half a Guest. */
	smp_store_release(&g->created, true);
	return 0;
}

static int run(struct lg_guest *g, void __user *arg)
{
	struct lg_run out = { 0 };
	int err;

	if (g->task != current || g->mm != current->mm)
		return -EPERM;
	err = lg_run_guest(g, &out);
	if (err)
		return err;
	return copy_to_user(arg, &out, sizeof(out)) ? -EFAULT : 0;
}

static int raise_irq(struct lg_guest *g, unsigned long irq)
{
	if (irq >= LGUEST_IRQS)
		return -EINVAL;
	if (g->lg.over)
		return -ENOENT;
	lg_count(&g->lg, irq_from_launcher);
	lg_irq_raise(&g->lg, irq);
	lg_kick(g);
	return 0;
}
/*:*/

/*H:730 Wires to other threads
 *
 * A NOTIFY would normally end RUN, so that the Launcher can look at its queue while the
 * Guest waits.  An eventfd wakes another thread of the Launcher instead, and the Guest
 * goes on at once.
 */
static int bind_eventfd(struct lg_guest *g, void __user *arg)
{
	struct eventfd_ctx *ctx;
	struct lg_eventfd e;
	unsigned int i;
	int err = 0;

	if (copy_from_user(&e, arg, sizeof(e)))
		return -EFAULT;
	if (!e.gpa)
		return -EINVAL;
	if (g->lg.over)
		return -ENOENT;

	mutex_lock(&g->eventfd_lock);
	if (e.fd == -1) {
		err = -ENOENT;
		for (i = 0; i < g->eventfds; i++) {
			if (g->eventfd[i].gpa != e.gpa)
				continue;
			eventfd_ctx_put(g->eventfd[i].ctx);
			memmove(&g->eventfd[i], &g->eventfd[i + 1],
				(--g->eventfds - i) * sizeof(g->eventfd[0]));
			err = 0;
			break;
		}
	} else if (g->eventfds == LG_EVENTFDS) {
		err = -ENOSPC;
	} else {
		ctx = eventfd_ctx_fdget(e.fd);
		if (IS_ERR(ctx)) {
			err = PTR_ERR(ctx);
		} else {
			g->eventfd[g->eventfds].gpa = e.gpa;
			g->eventfd[g->eventfds++].ctx = ctx;
		}
	}
	mutex_unlock(&g->eventfd_lock);
	return err;
}

/* Signal the eventfd bound to NOTIFY(gpa), if there is one.  May sleep. */
bool lg_signal_eventfd(struct lg_guest *g, u32 gpa)
{
	bool found = false;
	unsigned int i;

	mutex_lock(&g->eventfd_lock);
	for (i = 0; i < g->eventfds && !found; i++) {
		if (g->eventfd[i].gpa != gpa)
			continue;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
		eventfd_signal(g->eventfd[i].ctx);
#else
		eventfd_signal(g->eventfd[i].ctx, 1);
#endif
		found = true;
	}
	mutex_unlock(&g->eventfd_lock);
	return found;
}
/*:*/

static struct lg_regs regs_of(const struct lg_trap_frame *r)
{
	return (struct lg_regs) {
		.eax = r->eax, .ebx = r->ebx, .ecx = r->ecx, .edx = r->edx, .esi = r->esi,
		.edi = r->edi, .ebp = r->ebp, .esp = r->esp, .eip = r->eip,
		.eflags = r->eflags, .cs = (u16)r->cs, .ds = (u16)r->ds, .es = (u16)r->es,
		.fs = (u16)r->fs, .gs = (u16)r->gs, .ss = (u16)r->ss,
	};
}

static int get_state(struct lg_guest *g, void __user *arg)
{
	struct lg_trap_frame *r = lg_regs(&g->lg);
	struct lguest *lg = &g->lg;
	struct lg_state *s;
	u32 i, first;
	int err;

	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	s->regs = regs_of(r);
	s->recorded = lg->stats.scalar[LG_STAT_switches] != 0;
	s->entry = regs_of(&lg->entry_regs);
	s->vector = r->trapno < 256 ? r->trapno : 256 + (r->trapno & 0xff);
	s->error = r->error;
	s->cr2 = lg->pages->cr2;
	s->cr3 = lg->linear ? 0 : lg->cr3;
	s->esp1 = lg->pages->esp1;
	s->ss1 = lg->pages->ss1;
	s->irq_pending = lg->irqs;
	s->halted = lg->halted;
	s->pae = lg->pae;
	s->told_cr2 = lg->data ? READ_ONCE(lg->data->cr2) : 0;
	s->undelivered = lg->undelivered;
	s->undelivered_at = lg->undelivered_at;
	s->exits = min_t(u32, lg->exits, LG_EXIT_RECORDS);
	first = lg->exits - s->exits;
	for (i = 0; i < s->exits; i++)
		s->exit[i] = lg->exit_record[(first + i) % LG_EXIT_RECORDS];
	err = copy_to_user(arg, s, sizeof(*s)) ? -EFAULT : 0;
	kfree(s);
	return err;
}

/*H:785 What a debugger asks
 *
 * All of it while the Guest stands still, so one lock and one thread.
 */
static int get_shadow(struct lg_guest *g, void __user *arg)
{
	struct lg_shadow *s = memdup_user(arg, sizeof(*s));
	int err;

	if (IS_ERR(s))
		return PTR_ERR(s);
	lg_debug_shadow(&g->lg, s, capable(CAP_SYS_ADMIN));
	err = copy_to_user(arg, s, sizeof(*s)) ? -EFAULT : 0;
	kfree(s);
	return err;
}

static int get_roots(struct lg_guest *g, void __user *arg)
{
	struct lg_roots *roots = kmalloc(sizeof(*roots), GFP_KERNEL);
	int err;

	if (!roots)
		return -ENOMEM;
	lg_debug_roots(&g->lg, roots);
	err = copy_to_user(arg, roots, sizeof(*roots)) ? -EFAULT : 0;
	kfree(roots);
	return err;
}

static int get_frames(struct lg_guest *g, void __user *arg)
{
	struct lg_frames *f = memdup_user(arg, sizeof(*f));
	bool show = capable(CAP_SYS_ADMIN);
	u32 i, pfn;
	int err;

	if (IS_ERR(f))
		return PTR_ERR(f);
	memset(f->frame, 0, sizeof(f->frame));
	for (i = 0; i < ARRAY_SIZE(f->frame); i++) {
		pfn = f->first + i;
		if (pfn >= f->first && pfn < g->lg.pfn_limit && g->lg.frame[pfn])
			f->frame[i] = 1 | (show ? __pa(g->lg.frame[pfn]) : 0);
	}
	err = copy_to_user(arg, f, sizeof(*f)) ? -EFAULT : 0;
	kfree(f);
	return err;
}

static int debug(struct lg_guest *g, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	struct lg_regs regs;

	if (g->task != current)
		return -EPERM;
	switch (cmd) {
	case LG_IOC_DEBUG:
		if (arg & ~(LG_DEBUG_ON | LG_DEBUG_STEP | LG_DEBUG_STOP | LG_DEBUG_REFLECT |
			    LG_DEBUG_IRQS))
			return -EINVAL;
		lg_debug_set(&g->lg, arg);
		return 0;
	case LG_IOC_SET_REGS:
		if (copy_from_user(&regs, user, sizeof(regs)))
			return -EFAULT;
		/* An exit that is half-way done would go on with other registers. */
		if (g->unfinished)
			return -EBUSY;
		return lg_debug_set_regs(&g->lg, &regs) ? 0 : -EINVAL;
	case LG_IOC_SHADOW:
		return get_shadow(g, user);
	case LG_IOC_ROOTS:
		return get_roots(g, user);
	case LG_IOC_SAVE:
		return lg_freeze(g, user);
	case LG_IOC_RESTORE:
		return lg_thaw(g, user);
	}
	return get_frames(g, user);
}
/*:*/

static bool is_debug(unsigned int cmd)
{
	return cmd == LG_IOC_DEBUG || cmd == LG_IOC_SET_REGS || cmd == LG_IOC_SHADOW ||
	       cmd == LG_IOC_ROOTS || cmd == LG_IOC_FRAMES || cmd == LG_IOC_SAVE ||
	       cmd == LG_IOC_RESTORE;
}

static long lg_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct lg_guest *g = file->private_data;
	void __user *user = (void __user *)arg;
	int err;

	if (cmd == LG_IOC_INTERFACE)
		return LG_INTERFACE;
	if (cmd == LG_IOC_ANOTHER)
		return another();

	if (cmd == LG_IOC_CREATE || cmd == LG_IOC_RUN || is_debug(cmd)) {
		if (!mutex_trylock(&g->lock))
			return -EBUSY;
		if (cmd == LG_IOC_CREATE)
			err = create(g, user);
		else if (!g->created)
			err = -EINVAL;
		else
			err = cmd == LG_IOC_RUN ? run(g, user) : debug(g, cmd, arg);
		mutex_unlock(&g->lock);
		return err;
	}

	if (!smp_load_acquire(&g->created))
		return cmd == LG_IOC_IRQ || cmd == LG_IOC_EVENTFD || cmd == LG_IOC_STATS ||
		       cmd == LG_IOC_STATE ? -EINVAL : -ENOTTY;
	switch (cmd) {
	case LG_IOC_IRQ:
		return raise_irq(g, arg);
	case LG_IOC_EVENTFD:
		return bind_eventfd(g, user);
	case LG_IOC_STATS:
		lg_gather_stats(g);
		return copy_to_user(user, &g->lg.stats, sizeof(g->lg.stats)) ? -EFAULT : 0;
	case LG_IOC_STATE:
		return get_state(g, user);
	}
	return -ENOTTY;
}

static struct miscdevice lg_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "lguest",
	.fops = &lg_fops,
	.mode = 0600,
};

int lg_device_init(void)
{
	return misc_register(&lg_misc);
}

void lg_device_exit(void)
{
	misc_deregister(&lg_misc);
}
