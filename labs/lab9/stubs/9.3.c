/* SPDX-License-Identifier: GPL-2.0-only */
bool access_allowed(const struct walk *w, u32 error)
{
	/* TODO 9.3.  LG_PF_WRITE, LG_PF_USER, LG_PF_FETCH in `error`; w->directory, w->pte. */
	(void)w;
	(void)error;
	return false;
}

void set_accessed_dirty(struct lguest *lg, struct walk *w, bool write)
{
	/* TODO 9.3.  w->pte_slot is the Guest's entry; NULL in linear mode. */
	(void)lg;
	(void)w;
	(void)write;
}
