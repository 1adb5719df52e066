// SPDX-License-Identifier: GPL-2.0-only
/*H:600 The shadow: keeping and forgetting
 *
 * A long-mode CPU walks four tables (five, if it must).  The Guest's 4 GiB are four
 * entries of one PDPT, and that page never changes; the Switcher hangs off other
 * entries of the top, where 32-bit code cannot reach.  So a "root" here is four table
 * numbers, and switching address spaces is writing four words.
 *
 *	PML4 -> PDPT (4 entries used) -> 4 page directories -> page tables -> pages
 *	                                 1 GiB each            2 MiB each     4 KiB
 *
 * From kernel_address up, all of the Guest's tables agree.  It said so at INIT.  Then
 * why keep a copy for each?  All roots share one set of directories for the top (in
 * whole GiB), filled once for all.  The original had four roots with a kernel part
 * each, and with eight processes it did nothing but refill them.
 *
 * Tables are numbered, and the number of a table sits in 11 spare bits of the entry
 * that points to it.  That bounds what one Guest can make us spend: 2047 pages, 8 MiB.
 *
 *	62..52         51..12                 6   5       2    1   0
 *	table number | where the table is | . . | 1 | . . US | RW | P
 */
#include "lg.h"

#define NUMBER_SHIFT	52
#define NUMBER_MASK	0x7ffull
#define DIRECTORY_FLAGS	(LG_PTE_PRESENT | LG_PTE_RW | LG_PTE_USER | LG_PTE_ACCESSED)
#define LINEAR_ROOT	0
#define NO_SHARING	4

static u16 entry_number(u64 entry)
{
	return (entry >> NUMBER_SHIFT) & NUMBER_MASK;
}

static u64 table_entry(struct lguest *lg, u16 number, u64 flags)
{
	return lg_os_phys(lg->table[number].entry) | ((u64)number << NUMBER_SHIFT) | flags;
}

/* A free table is all zeros, so only what was used needs cleaning: `low` to `high`. */
static void touch(struct lg_table *table, u32 index)
{
	if (index < table->low)
		table->low = index;
	if (index > table->high)
		table->high = index;
}

static void clean(struct lg_table *table)
{
	if (table->low <= table->high)
		memset(&table->entry[table->low], 0, (table->high - table->low + 1) * sizeof(u64));
	table->low = LG_TABLE_ENTRIES;
	table->high = 0;
}
/*:*/

/*H:610 Tables come, tables go
 *
 * lg_add_table: the loop got us a page (zeroed); it stays with the Guest to the end.
 * take_table: from the free list, 0 when there is none.  Callers make sure before, with
 * have_tables, because half a path is no use.
 */
void lg_add_table(struct lguest *lg, u64 *page)
{
	u16 number = ++lg->tables;
	struct lg_table *table = &lg->table[number];

	table->entry = page;
	table->low = LG_TABLE_ENTRIES;
	table->high = 0;
	table->next = lg->free_table;
	lg->free_table = number;
	lg->free_tables++;
}

static bool have_tables(struct lguest *lg, u32 n)
{
	if (likely(lg->free_tables >= n))
		return true;
	lg->want = LG_WANT_TABLES;
	return false;
}

/*
 * give_table: back to the free list, all zero again.  drop_entries: give back the page
 * tables that entries `from` to `to` (inclusive) of a directory lead to; drop_directory:
 * all of them, and the directory itself, and *slot becomes 0.  A *slot of 0 is fine.
 */
/* LAB 9.13 BEGIN: tables come, tables go */
static u16 take_table(struct lguest *lg)
{
	u16 number = lg->free_table;

	lg->free_table = lg->table[number].next;
	lg->free_tables--;
	lg->stats.scalar[LG_STAT_tables_live]++;
	return number;
}

static void give_table(struct lguest *lg, u16 number)
{
	struct lg_table *table = &lg->table[number];

	clean(table);
	table->next = lg->free_table;
	lg->free_table = number;
	lg->free_tables++;
	lg->stats.scalar[LG_STAT_tables_live]--;
}

static void drop_entries(struct lguest *lg, u16 directory, u32 from, u32 to)
{
	struct lg_table *table = &lg->table[directory];
	u32 i;

	if (from < table->low)
		from = table->low;
	if (to > table->high)
		to = table->high;
	for (i = from; i <= to && i < LG_TABLE_ENTRIES; i++) {
		if (table->entry[i]) {
			give_table(lg, entry_number(table->entry[i]));
			table->entry[i] = 0;
		}
	}
}

static void drop_directory(struct lguest *lg, u16 *slot)
{
	if (!*slot)
		return;
	drop_entries(lg, *slot, 0, LG_TABLE_ENTRIES - 1);
	give_table(lg, *slot);
	*slot = 0;
}
/* LAB 9.13 END */

/* Make the CPU's four entries match the current root. */
static void load_root(struct lguest *lg)
{
	struct lg_root *root = &lg->root[lg->current_root];
	u32 i;
	u16 number;

	for (i = 0; i < 4; i++) {
		number = i >= lg->shared ? lg->kernel_pd[i] : root->pd[i];
		lg->pdpt[i] = number ? table_entry(lg, number, DIRECTORY_FLAGS) : 0;
	}
}

/* Where the number of the directory for gva's GiB is kept: with the root, or with all. */
static u16 *directory_slot(struct lguest *lg, struct lg_root *root, u32 gva)
{
	u32 i = gva >> 30;

	return i >= lg->shared ? &lg->kernel_pd[i] : &root->pd[i];
}
/*:*/

/*H:620 Finding and making an entry
 *
 * lg_shadow_find: where the shadow of `root` keeps the entry for gva, or NULL if it has
 * no table there.
 *
 * lg_shadow_make: the same for the current root, making what is missing.  The
 * Guest's directory flags (RW, US) go into our directory, so the CPU combines them with
 * the entry's own as it would have for the Guest.  NULL: not enough free tables;
 * lg->want says so, and nothing was changed.
 */
/* LAB 9.7 BEGIN: finding and making an entry */
u64 *lg_shadow_find(struct lguest *lg, struct lg_root *root, u32 gva)
{
	u16 directory = *directory_slot(lg, root, gva);
	struct lg_table *table;
	u64 entry;

	if (!directory)
		return NULL;
	entry = lg->table[directory].entry[(gva >> 21) & 511];
	if (!entry)
		return NULL;
	table = &lg->table[entry_number(entry)];
	touch(table, (gva >> 12) & 511);
	return &table->entry[(gva >> 12) & 511];
}

u64 *lg_shadow_make(struct lguest *lg, u32 gva, u64 directory_flags)
{
	u16 *directory = directory_slot(lg, &lg->root[lg->current_root], gva);
	u32 index = (gva >> 21) & 511;
	u64 flags = LG_PTE_PRESENT | LG_PTE_ACCESSED |
		    (directory_flags & (LG_PTE_RW | LG_PTE_USER));
	struct lg_table *table;
	u64 entry;

	if (unlikely(!*directory)) {
		if (!have_tables(lg, 2))
			return NULL;
		*directory = take_table(lg);
		lg->pdpt[gva >> 30] = table_entry(lg, *directory, DIRECTORY_FLAGS);
	}
	table = &lg->table[*directory];
	entry = table->entry[index];
	if (unlikely(!entry)) {
		if (!have_tables(lg, 1))
			return NULL;
		entry = table_entry(lg, take_table(lg), flags);
		table->entry[index] = entry;
		touch(table, index);
	} else if (unlikely((entry ^ flags) & (LG_PTE_RW | LG_PTE_USER))) {
		/* The Guest's directory changed its mind; what it has now, counts. */
		entry = table_entry(lg, entry_number(entry), flags);
		table->entry[index] = entry;
	}
	table = &lg->table[entry_number(entry)];
	touch(table, (gva >> 12) & 511);
	return &table->entry[(gva >> 12) & 511];
}
/* LAB 9.7 END */
/*:*/

/*H:630 Roots
 *
 * Up to 255 address spaces are remembered, found by the guest-physical address of their
 * top-level table.  A remembered shadow is used again as it is: lguest's NEW_PGTABLE
 * does not flush (ABI.md 7.4), the Guest says so when it wants that.
 */
static u32 hash(u32 gpa)
{
	return (gpa >> 12 ^ gpa >> 5) % LG_ROOT_HASH;
}

struct lg_root *lg_find_root(struct lguest *lg, u32 gpa)
{
	u16 n;

	if (likely(gpa == lg->cr3 && !lg->linear))
		return &lg->root[lg->current_root];
	for (n = lg->root_hash[hash(gpa)]; n; n = lg->root[n].next)
		if (lg->root[n].gpa == gpa)
			return &lg->root[n];
	return NULL;
}

static void drop_root_tables(struct lguest *lg, struct lg_root *root)
{
	u32 i;

	for (i = 0; i < 4; i++)
		drop_directory(lg, &root->pd[i]);
}

/*
 * forget_root: off the hash chain, its tables given back, its place free.  oldest_root: the
 * one that was current longest ago, and is not now; NULL if there is no other.  new_root: a
 * free place, or that of the oldest; on the hash chain.  switch_to: make it the current one,
 * for us (cr3, current_root, its stamp) and for the CPU (load_root).
 */
/* LAB 9.8 BEGIN: a place for each address space */
static void forget_root(struct lguest *lg, struct lg_root *root)
{
	u16 number = root - lg->root, *link = &lg->root_hash[hash(root->gpa)];

	while (*link != number)
		link = &lg->root[*link].next;
	*link = root->next;
	drop_root_tables(lg, root);
	root->used = false;
}

static struct lg_root *oldest_root(struct lguest *lg)
{
	struct lg_root *oldest = NULL;
	u32 i;

	for (i = 1; i < LG_ROOTS; i++)
		if (lg->root[i].used && i != lg->current_root &&
		    (!oldest || lg->root[i].stamp < oldest->stamp))
			oldest = &lg->root[i];
	return oldest;
}

static struct lg_root *new_root(struct lguest *lg, u32 gpa)
{
	struct lg_root *root;
	u32 i;

	for (i = 1; i < LG_ROOTS; i++)
		if (!lg->root[i].used)
			break;
	if (i == LG_ROOTS) {
		lg_count(lg, root_evictions);
		root = oldest_root(lg);
		forget_root(lg, root);
	} else {
		root = &lg->root[i];
	}
	root->used = true;
	root->gpa = gpa;
	root->next = lg->root_hash[hash(gpa)];
	lg->root_hash[hash(gpa)] = root - lg->root;
	return root;
}

static void switch_to(struct lguest *lg, struct lg_root *root)
{
	lg->cr3 = root->gpa;
	lg->current_root = root - lg->root;
	root->stamp = ++lg->clock;
	load_root(lg);
}
/* LAB 9.8 END */

/*
 * Two-level or PAE?  Nothing in the interface says so.  A PDPT is four 8-byte entries,
 * each absent or "present" and nothing else; the first entries of a page directory
 * look different, or are empty, and a PDPT cannot be empty (ABI.md 7.1).
 */
static enum lg_result detect_pae(struct lguest *lg, u32 gpa)
{
	bool any = false;
	u64 entry[4];
	enum lg_result r;
	u32 i;

	lg->pae = false;
	if (!lg_range_ok(lg, gpa & ~31u, sizeof(entry)))
		return LG_RESUME;	/* the first walk will say what is wrong */
	r = lg_read(lg, gpa & ~31u, entry, sizeof(entry));
	if (r != LG_RESUME)
		return r;
	for (i = 0; i < 4; i++) {
		if (!entry[i])
			continue;
		if ((entry[i] & 0xfff) != LG_PTE_PRESENT || entry[i] >> 32)
			return LG_RESUME;
		any = true;
	}
	lg->pae = any || LG_PAGE_OFFSET(gpa);
	return LG_RESUME;
}

/* Is any of the ring-1 stack in tables that belong to one root?  Then a change of root, or
 * a flush of one, may take it away.  (lg_pin_stack is quick when it did not.) */
static bool stack_is_private(struct lguest *lg)
{
	return lg->shared == NO_SHARING ||
	       lg->pages->esp1 - lg->stack_pages * LG_PAGE_SIZE < lg->shared << 30;
}

/* LHCALL_NEW_PGTABLE: the Guest's `mov cr3`. */
/* LAB 9.9 BEGIN: the Guest's mov cr3 */
enum lg_result lg_new_pgtable(struct lguest *lg, u32 gpa)
{
	struct lg_root *root;
	enum lg_result r;

	if (unlikely(lg->linear)) {
		r = detect_pae(lg, gpa);
		if (r != LG_RESUME)
			return r;
		lg_flush_all(lg);
		lg->linear = false;
		lg->current_root = LINEAR_ROOT;
	}
	root = lg_find_root(lg, gpa);
	if (root) {
		lg_count(lg, root_hits);
	} else {
		lg_count(lg, root_misses);
		root = new_root(lg, gpa);
	}
	switch_to(lg, root);
	if (stack_is_private(lg))
		lg->stack_unpinned = true;
	return LG_RESUME;
}
/* LAB 9.9 END */
/*:*/

/*H:640 Forgetting
 *
 * Forgetting too much costs time; forgetting too little shows a process its neighbour's
 * memory.  When in doubt, drop it.
 */
/* LAB 9.10 BEGIN: forgetting */
static void drop_shared(struct lguest *lg)
{
	u32 i;

	for (i = lg->shared; i < 4; i++)
		drop_directory(lg, &lg->kernel_pd[i]);
}

/* LHCALL_FLUSH_TLB(0): the user part of the current table. */
void lg_flush_user(struct lguest *lg)
{
	struct lg_root *root = &lg->root[lg->current_root];
	u32 last = (lg->kernel_address - 1) >> 21, i;

	lg_count(lg, flush_user);
	for (i = 0; i < lg->shared; i++) {
		if (!root->pd[i])
			continue;
		if ((i + 1) * 512 - 1 <= last || !lg->kernel_address)
			drop_directory(lg, &root->pd[i]);
		else if (i * 512 <= last)
			drop_entries(lg, root->pd[i], 0, last - i * 512);
	}
	if (stack_is_private(lg))
		lg->stack_unpinned = true;
	load_root(lg);
}

/* LHCALL_FLUSH_TLB(1), SET_PMD, INIT: everything, everywhere. */
void lg_flush_all(struct lguest *lg)
{
	u32 i;

	lg_count(lg, flush_all);
	for (i = 0; i < LG_ROOTS; i++)
		drop_root_tables(lg, &lg->root[i]);
	drop_shared(lg);
	lg->stack_unpinned = true;
	load_root(lg);
}

/*
 * LHCALL_SET_PGD: slot `index` of the table at root_gpa is stale.  4 MiB of a two-level
 * Guest are two entries of ours; 1 GiB of a PAE Guest is a whole directory.
 */
void lg_set_pgd(struct lguest *lg, u32 root_gpa, u32 index)
{
	u32 entries = lg->pae ? 4 : 1024;
	struct lg_root *root;
	u16 *slot;
	u32 gva;

	if (index >= entries) {
		lg_kill(lg, LG_PT_PGD_INDEX, "Attempt to set pgd %u/%u", index, entries);
		return;
	}
	root = lg_find_root(lg, root_gpa);
	if (!root) {
		lg_count(lg, set_pgd_absent);
		return;
	}
	lg_count(lg, set_pgd_present);
	gva = lg->pae ? index << 30 : index << 22;
	slot = directory_slot(lg, root, gva);
	if (lg->pae)
		drop_directory(lg, slot);
	else if (*slot)
		drop_entries(lg, *slot, (gva >> 21) & 511, ((gva >> 21) & 511) + 1);
	lg->stack_unpinned = true;
	load_root(lg);
}
/* LAB 9.10 END */

/* The table limit is reached: the oldest address space makes room, or else all. */
/* LAB 9.14 BEGIN: the limit is reached */
void lg_recycle_tables(struct lguest *lg)
{
	struct lg_root *oldest = oldest_root(lg);

	lg_count(lg, tables_recycled);
	if (oldest) {
		lg_count(lg, root_evictions);
		forget_root(lg, oldest);
	} else {
		lg_flush_all(lg);
	}
}
/* LAB 9.14 END */
/*:*/

/* A Guest that has not said anything yet: linear mode, nothing shared. */
void lg_shadow_init(struct lguest *lg)
{
	lg->linear = true;
	lg->shared = NO_SHARING;
	lg->current_root = LINEAR_ROOT;
	lg->root[LINEAR_ROOT].used = true;
	if (!lg->table_limit || lg->table_limit >= LG_TABLES)
		lg->table_limit = LG_TABLES - 1;
	load_root(lg);
}

/*
 * INIT names kernel_address.  Sharing goes by whole GiB: a kernel at 3 GiB (the usual)
 * shares all of it; the odd part below the next GiB stays with each root.
 */
void lg_shadow_kernel_address(struct lguest *lg, u32 kernel_address)
{
	lg_flush_all(lg);
	lg->kernel_address = kernel_address;
	lg->shared = kernel_address ? (kernel_address >> 30) + !!(kernel_address << 2) : NO_SHARING;
	load_root(lg);
}

/*M:130 Yours to build: trust, but verify
 *
 * A Guest promises that from kernel_address up all its tables agree, and shadow.c takes
 * its word.  A Guest that lies sees its own mappings mixed up, and harms nobody else.
 * Could we notice?  A new root is the moment to compare.  What would you do about it?
 *:*/

/*M:135 Keep the TLB
 *
 * Every entry flushes the Guest's TLB, since all Guests share one PCID.  With a PCID for
 * each, most flushes could go.  Then each place in this file that makes an entry stricter
 * owes the CPU an INVPCID, and the Guest may have moved to another CPU meanwhile.
 *:*/
