/* SPDX-License-Identifier: GPL-2.0-only */
enum lg_result lg_new_pgtable(struct lguest *lg, u32 gpa)
{
	/* TODO 9.9.  detect_pae() may say LG_AGAIN; lg_find_root(), new_root(), switch_to(),
	 * stack_is_private().  Coming from linear mode, nothing of LINEAR_ROOT is kept. */
	lg_kill(lg, LG_MEM_READ, "NEW_PGTABLE of %#x: not yet (9.9)", gpa);
	return LG_OUT;
}
