/* SPDX-License-Identifier: GPL-2.0-only */
/*H:110 A Guest, as the kernel sees it
 *
 * struct lguest is the machine that the Guest believes in.  Around it, this is what
 * Linux needs to run it: whose memory, whose thread, which timers.
 */
#ifndef LG_GUEST_H
#define LG_GUEST_H

#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include "lg.h"

#define LG_EVENTFDS	64
#define LG_ARCH_PAGES	16	/* page tables above the shadow: 5 levels, 3 places */

struct eventfd_ctx;
struct dentry;

/* The CPU as we found it when the section began, and the Guest's own FPU. */
struct lg_arch {
	u64 *table[LG_ARCH_PAGES];	/* [0] is the top */
	unsigned int tables;
	unsigned long host_cr4, guest_cr4;
	unsigned long host_dr7;
	u64 host_efer, host_sysenter_cs;
	u16 host_ldt;
	bool clear_buffers;		/* VERW before each entry (MDS) */
	u8 fxsave[512] __aligned(16);	/* SDM vol. 1, 10.5.1: 32-bit layout */
};

struct lg_guest {
	struct lguest lg;
	struct lg_arch arch;

	struct task_struct *task;	/* the one thread that may RUN */
	struct mm_struct *mm;		/* whose memory it is */
	unsigned long charged;		/* pages charged to mm, as if locked */
	u64 memory;			/* address there of guest-physical 0 */
	struct mutex lock;		/* CREATE, RUN */
	bool created;
	bool unfinished;		/* the last exit was not handled to the end */
	bool buried;			/* the end was told */
	bool thawed;			/* RESTORE has made it */
	wait_queue_head_t wait;		/* in HALT */
	struct hrtimer timer, nudge;
	void *data_mapping;		/* vmap of lguest_data, if it straddles two pages */

	struct mutex eventfd_lock;
	struct {
		u32 gpa;
		struct eventfd_ctx *ctx;
	} eventfd[LG_EVENTFDS];
	unsigned int eventfds;

	struct dentry *debugfs;
};

static inline struct lg_guest *lg_guest_of(struct lguest *lg)
{
	return container_of(lg, struct lg_guest, lg);
}

extern atomic_long_t lg_pinned_pages, lg_table_pages, lg_guests;

/* core.c */
int lg_run_guest(struct lg_guest *g, struct lg_run *out);
u64 lg_direct_traps(struct lguest *lg);

/* watch.c */
void lg_watch_weigh(struct lg_guest *g);
bool lg_watched_stay(struct lg_guest *g, unsigned int *interrupt);

/* clock.c */
void lg_kick(struct lg_guest *g);
void lg_timers_init(struct lg_guest *g);
int lg_sleep(struct lg_guest *g);
void lg_timers_stop(struct lg_guest *g);

/* memory.c */
int lg_memory_init(struct lg_guest *g, u64 memory, u32 pages);
void lg_memory_free(struct lg_guest *g);
int lg_fetch_frame(struct lg_guest *g, u32 pfn);
int lg_map_data(struct lg_guest *g);
int lg_fetch_tables(struct lg_guest *g);

/* device.c */
int lg_device_init(void);
void lg_device_exit(void);
bool lg_signal_eventfd(struct lg_guest *g, u32 gpa);

/* freeze.c */
int lg_freeze(struct lg_guest *g, void __user *arg);
int lg_thaw(struct lg_guest *g, void __user *arg);

/* stats.c */
void lg_debugfs_init(void);
void lg_debugfs_exit(void);
void lg_debugfs_add(struct lg_guest *g);
void lg_debugfs_remove(struct lg_guest *g);
void lg_gather_stats(struct lg_guest *g);

/* x86_64/arch.c */
int lg_arch_check_host(void);
int lg_arch_init(struct lg_guest *g, u32 entry);
void lg_arch_free(struct lg_guest *g);
u32 lg_arch_mxcsr_bits(void);
void lg_arch_section_begin(struct lg_guest *g);
void lg_arch_section_end(struct lg_guest *g, unsigned int interrupt);
bool lg_arch_enter(struct lg_guest *g, unsigned int *interrupt);

#endif
/*:*/
