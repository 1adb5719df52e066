/* SPDX-License-Identifier: GPL-2.0-only */
void lg_recycle_tables(struct lguest *lg)
{
	/* TODO 9.14.  oldest_root(), forget_root(), lg_flush_all(). */
	lg_kill(lg, LG_PT_NO_MEMORY, "the limit is reached, and nobody makes room (9.14)");
}
