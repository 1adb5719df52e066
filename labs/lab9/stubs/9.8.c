/* SPDX-License-Identifier: GPL-2.0-only */
void forget_root(struct lguest *lg, struct lg_root *root)
{
	/* TODO 9.8.  lg->root_hash[hash(gpa)] is the number of the first in the chain, 0 ends
	 * it.  A root's number is root - lg->root. */
	(void)lg;
	(void)root;
}

struct lg_root *oldest_root(struct lguest *lg)
{
	/* TODO 9.8 */
	(void)lg;
	return NULL;
}

struct lg_root *new_root(struct lguest *lg, u32 gpa)
{
	/* TODO 9.8 */
	lg_kill(lg, LG_PT_NO_MEMORY, "there is no place for the tables at %#x yet (9.8)", gpa);
	return &lg->root[LINEAR_ROOT];
}

void switch_to(struct lguest *lg, struct lg_root *root)
{
	/* TODO 9.8 */
	(void)lg;
	(void)root;
}
