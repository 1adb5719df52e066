/* SPDX-License-Identifier: GPL-2.0-only */
void drop_shared(struct lguest *lg)
{
	/* TODO 9.10.  The directories that all roots share: lg->kernel_pd[]. */
	(void)lg;
}

/* LHCALL_FLUSH_TLB(0): the user part of the current table. */
void lg_flush_user(struct lguest *lg)
{
	/* TODO 9.10.  Counter: flush_user. */
	lg_kill(lg, LG_PT_NO_MEMORY, "FLUSH_TLB(0): not yet (9.10)");
}

/* LHCALL_FLUSH_TLB(1), SET_PMD, INIT: everything, everywhere. */
void lg_flush_all(struct lguest *lg)
{
	/* TODO 9.10.  Counter: flush_all. */
	lg_kill(lg, LG_PT_NO_MEMORY, "FLUSH_TLB(1): not yet (9.10)");
}

/*
 * LHCALL_SET_PGD: slot `index` of the table at root_gpa is stale.  4 MiB of a two-level
 * Guest are two entries of ours; 1 GiB of a PAE Guest is a whole directory.
 */
void lg_set_pgd(struct lguest *lg, u32 root_gpa, u32 index)
{
	/* TODO 9.10.  Counters: set_pgd_absent, set_pgd_present.
	 *   LG_PT_PGD_INDEX	"Attempt to set pgd %u/%u": index, how many there are */
	lg_kill(lg, LG_PT_NO_MEMORY, "SET_PGD of %#x, slot %u: not yet (9.10)", root_gpa, index);
}
