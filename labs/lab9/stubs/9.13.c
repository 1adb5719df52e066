/* SPDX-License-Identifier: GPL-2.0-only */
u16 take_table(struct lguest *lg)
{
	/* TODO 9.13.  lg->free_table begins the list, lg->table[number].next goes on.  The
	 * live ones are counted in lg->stats.scalar[LG_STAT_tables_live]. */
	lg_kill(lg, LG_PT_NO_MEMORY, "no table can be taken yet (9.13)");
	return lg->free_table;
}

void give_table(struct lguest *lg, u16 number)
{
	/* TODO 9.13.  clean() */
	(void)lg;
	(void)number;
}

void drop_entries(struct lguest *lg, u16 directory, u32 from, u32 to)
{
	/* TODO 9.13.  entry_number() says which table an entry leads to. */
	(void)lg;
	(void)directory;
	(void)from;
	(void)to;
}

void drop_directory(struct lguest *lg, u16 *slot)
{
	/* TODO 9.13 */
	(void)lg;
	(void)slot;
}
