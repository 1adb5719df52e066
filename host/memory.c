// SPDX-License-Identifier: GPL-2.0-only
/*H:700 Borrowed memory
 *
 * A Guest has no memory.  It runs in pages that belong to the Launcher, an ordinary
 * process, and that Linux may swap, move or share.  Before the shadow may point at one,
 * it must be pinned.  We pin a frame when the Guest first needs it, and keep it until
 * the Guest ends.
 *
 * The original let go of a page whenever the last shadow entry for it went away.  That
 * saves memory while a Guest sleeps, and costs a pin and an unpin for each page of each
 * process that comes and goes.  Here the pins are charged to the Launcher in advance,
 * like mlock(), for all the memory it gave: a Guest can use no more than that.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "guest.h"

atomic_long_t lg_pinned_pages, lg_table_pages;

/*
 * Take note of the Launcher's memory.  Returns 0, -EINVAL for a bad address, -ENOMEM if
 * RLIMIT_MEMLOCK does not allow that much.  May sleep.
 */
int lg_memory_init(struct lg_guest *g, u64 memory, u32 pages)
{
	u64 bytes = (u64)pages << PAGE_SHIFT;
	int err;

	if (!pages || pages > (LG_RESERVED >> PAGE_SHIFT) || offset_in_page(memory) ||
	    memory + bytes < memory || !access_ok((void __user *)memory, bytes))
		return -EINVAL;
	err = account_locked_vm(current->mm, pages, true);
	if (err)
		return err;
	g->charged = pages;
	g->mm = current->mm;
	mmgrab(g->mm);
	g->memory = memory;
	g->lg.frame = vzalloc(array_size(pages, sizeof(void *)));
	if (!g->lg.frame)
		return -ENOMEM;		/* lg_memory_free puts the rest back */
	g->lg.pfn_limit = pages;
	return 0;
}

static void note_frame(struct lg_guest *g, u32 pfn, struct page *page)
{
	g->lg.frame[pfn] = page_address(page);
	g->lg.stats.scalar[LG_STAT_pinned_pages]++;
	atomic_long_inc(&lg_pinned_pages);
}

/*
 * Pin frame `pfn` (below pfn_limit) and note its address.  Guests touch memory in rows,
 * and most of the cost is the way here, so its neighbours come along: as many of the
 * aligned sixteen as are not pinned yet, up to the first that is.
 *
 * Context: the Launcher's own thread; sleeps.  Returns 0 or -EINTR; what cannot be had
 * kills the Guest.
 */
#define FRAMES_AT_A_TIME 16

int lg_fetch_frame(struct lg_guest *g, u32 pfn)
{
	struct page *page[FRAMES_AT_A_TIME];
	u32 end = min(round_up(pfn + 1, FRAMES_AT_A_TIME), g->lg.pfn_limit);
	u32 want = 1;
	int n, i;

	if (g->lg.frame[pfn])
		return 0;
	while (pfn + want < end && !g->lg.frame[pfn + want])
		want++;
	n = pin_user_pages_fast(g->memory + ((u64)pfn << PAGE_SHIFT), want,
				FOLL_WRITE | FOLL_LONGTERM, page);
	if (n <= 0) {
		if (n == -EINTR || n == -ERESTARTSYS || fatal_signal_pending(current))
			return -EINTR;
		lg_kill(&g->lg, LG_MEM_NO_FRAME,
			"failed to get page %u: the Launcher has no memory at %#llx (error %d)", pfn,
			g->memory + ((u64)pfn << PAGE_SHIFT), n);
		return 0;
	}
	for (i = 0; i < n; i++)
		note_frame(g, pfn + i, page[i]);
	return 0;
}

/* Make struct lguest_data addressable for us: one page, or two side by side. */
int lg_map_data(struct lg_guest *g)
{
	u32 gpa = g->lg.data_gpa;
	u32 first = gpa >> PAGE_SHIFT;
	u32 last = (gpa + sizeof(struct lguest_data) - 1) >> PAGE_SHIFT;
	struct page *pages[2];
	int err;

	err = lg_fetch_frame(g, first);
	if (!err)
		err = lg_fetch_frame(g, last);
	if (err || g->lg.over)
		return err;
	if (first == last) {
		g->lg.data = g->lg.frame[first] + offset_in_page(gpa);
		return 0;
	}
	pages[0] = virt_to_page(g->lg.frame[first]);
	pages[1] = virt_to_page(g->lg.frame[last]);
	g->data_mapping = vmap(pages, 2, VM_MAP, PAGE_KERNEL);
	if (!g->data_mapping) {
		lg_kill(&g->lg, LG_PT_NO_MEMORY, "no memory to map lguest_data");
		return 0;
	}
	g->lg.data = g->data_mapping + offset_in_page(gpa);
	return 0;
}
/*:*/

/*H:710 Memory that the Guest makes us spend
 *
 * Shadow tables are real memory of the Host, and it is the Guest that decides how many
 * it wants.  So there is a limit; at the limit the oldest shadow pays for the newest.
 */
#define TABLES_AT_A_TIME 8

int lg_fetch_tables(struct lg_guest *g)
{
	struct lguest *lg = &g->lg;
	unsigned int i;
	u64 *page;

	for (i = 0; i < TABLES_AT_A_TIME && lg->tables < lg->table_limit; i++) {
		page = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!page)
			break;
		lg_add_table(lg, page);
		atomic_long_inc(&lg_table_pages);
	}
	if (fatal_signal_pending(current))
		return -EINTR;
	while (lg->free_tables < 2) {
		if (lg->tables < LG_TABLES_LEAST) {
			lg_kill(lg, LG_PT_NO_MEMORY, "out of memory for shadow page tables");
			return 0;
		}
		lg_recycle_tables(lg);
	}
	return 0;
}

/* Give everything back.  May sleep; nobody else uses the Guest any more. */
void lg_memory_free(struct lg_guest *g)
{
	struct page *page;
	u32 i;

	vunmap(g->data_mapping);
	for (i = 1; i <= g->lg.tables; i++) {
		free_page((unsigned long)g->lg.table[i].entry);
		atomic_long_dec(&lg_table_pages);
	}
	for (i = 0; g->lg.frame && i < g->lg.pfn_limit; i++) {
		if (!g->lg.frame[i])
			continue;
		page = virt_to_page(g->lg.frame[i]);
		unpin_user_pages_dirty_lock(&page, 1, true);
		atomic_long_dec(&lg_pinned_pages);
		if (i % 1024 == 0)
			cond_resched();
	}
	vfree(g->lg.frame);
	if (g->mm) {
		account_locked_vm(g->mm, g->charged, false);
		mmdrop(g->mm);
	}
}
/*:*/

/*M:140 Yours to build: give some back
 *
 * Frames stay pinned to the end.  A Guest that knows it does not need some could say so
 * (virtio calls that a balloon), and a Host that is short of memory could unpin frames
 * that no shadow entry maps.  You would have to know which those are: lg_table knows its
 * entries, but not the other way round.
 *:*/
