/* SPDX-License-Identifier: GPL-2.0-only */
u64 *lg_shadow_find(struct lguest *lg, struct lg_root *root, u32 gva)
{
	/* TODO 9.7.  directory_slot(), lg->table[], entry_number(), touch(). */
	(void)lg;
	(void)root;
	(void)gva;
	return NULL;
}

u64 *lg_shadow_make(struct lguest *lg, u32 gva, u64 directory_flags)
{
	/* TODO 9.7.  Also have_tables(), take_table(), table_entry(), DIRECTORY_FLAGS. */
	(void)directory_flags;
	lg_kill(lg, LG_PT_NO_MEMORY, "no shadow of %#x can be made yet (9.7)", gva);
	return NULL;
}
