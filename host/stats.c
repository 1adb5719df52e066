// SPDX-License-Identifier: GPL-2.0-only
/*H:740 Counting
 *
 * Everything the Host does is counted, and a test that says "this path was taken" reads
 * it here, not off what the Guest claims.
 *
 *	/sys/kernel/debug/lguest/guests		open descriptors of /dev/lguest
 *	/sys/kernel/debug/lguest/pinned_pages	pages of all Launchers, pinned
 *	/sys/kernel/debug/lguest/tables		shadow table pages of all Guests
 *	/sys/kernel/debug/lguest/PID/stats	one Guest, one counter a line
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include "guest.h"

static struct dentry *root;

static const struct {
	const char *name, *text;
} scalars[] = {
#define X(name, text) { #name, text },
	LG_STATS(X)
#undef X
};

static const char *const worlds[] = {
#define X(name, text) #name,
	LG_WORLDS(X)
#undef X
};

/* The Switcher keeps some counters where it can reach them: collect those. */
void lg_gather_stats(struct lg_guest *g)
{
	struct lg_stats *stats = &g->lg.stats;
	struct lg_pages *pages = g->lg.pages;
	unsigned int i;

	for (i = 0; i < 32; i++)
		stats->direct[i] = pages->direct_count[i];
	stats->direct[LG_VECTOR_SYSCALL] = pages->direct_count_syscall;
	stats->scalar[LG_STAT_fixups] = pages->fixups;
	stats->scalar[LG_STAT_nmi_switcher] = pages->nmi_switcher;
	stats->scalar[LG_STAT_entry_aborts] = pages->entry_aborts;
}

static void show_array(struct seq_file *m, const char *name, const u64 *value, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (value[i])
			seq_printf(m, "%s[%u] %llu\n", name, i, value[i]);
}

static int stats_show(struct seq_file *m, void *unused)
{
	struct lg_guest *g = m->private;
	unsigned int i;

	lg_gather_stats(g);
	for (i = 0; i < ARRAY_SIZE(scalars); i++)
		seq_printf(m, "%s %llu\n", scalars[i].name, g->lg.stats.scalar[i]);
	for (i = 0; i < LG_WORLD_COUNT && g->lg.watch.time; i++)
		seq_printf(m, "ticks_%s %llu\n", worlds[i], g->lg.stats.ticks[i]);
	show_array(m, "hypercall_direct", g->lg.stats.hypercall_direct, LG_HYPERCALLS);
	show_array(m, "hypercall_ring", g->lg.stats.hypercall_ring, LG_HYPERCALLS);
	show_array(m, "exit_vector", g->lg.stats.exit_vector, 256);
	show_array(m, "reflected", g->lg.stats.reflected, 256);
	show_array(m, "direct", g->lg.stats.direct, 256);
	show_array(m, "fatal", g->lg.stats.fatal, 256);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int counter_get(void *data, u64 *value)
{
	*value = atomic_long_read((atomic_long_t *)data);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(counter_fops, counter_get, NULL, "%llu\n");

void lg_debugfs_add(struct lg_guest *g)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", task_pid_nr(g->task));
	g->debugfs = debugfs_create_dir(name, root);
	debugfs_create_file("stats", 0400, g->debugfs, g, &stats_fops);
}

/* Waits for readers; afterwards nobody looks at the Guest through debugfs. */
void lg_debugfs_remove(struct lg_guest *g)
{
	debugfs_remove(g->debugfs);
}

void lg_debugfs_init(void)
{
	root = debugfs_create_dir("lguest", NULL);
	debugfs_create_file_unsafe("guests", 0400, root, &lg_guests, &counter_fops);
	debugfs_create_file_unsafe("pinned_pages", 0400, root, &lg_pinned_pages, &counter_fops);
	debugfs_create_file_unsafe("tables", 0400, root, &lg_table_pages, &counter_fops);
}

void lg_debugfs_exit(void)
{
	debugfs_remove(root);
}
/*:*/
