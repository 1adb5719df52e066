/* SPDX-License-Identifier: MIT */
/*G:320 Our own page tables
 *
 * One root for each process.  The upper quarter of every address space, from
 * KERNEL_BASE on, is the kernel, and its tables are shared by all: they are made
 * once, at boot, and never change their directory entries again.  So a new root
 * only copies a few pointers, and a kernel address means the same everywhere.
 */
#include "kernel.h"

extern char kernel_text_start[], kernel_rodata_end[];

u32 kernel_root, current_root;

static pte_t *table_at(pte_t entry)
{
	return phys_to_virt(pte_phys(entry));
}

/* The directory entry of va; NULL if there is no directory (or no memory for one). */
static pte_t *dir_entry(u32 root, u32 va, bool create)
{
	pte_t *slot = (pte_t *)phys_to_virt(root) + top_index(va);

#ifdef CONFIG_PAE
	if (!(*slot & PTE_P)) {
		u32 directory = create ? frame_alloc_zeroed() : 0;

		if (!directory)
			return NULL;
		*slot = directory | TOP_FLAGS;
		/* The processor may keep copies of the four PDPT entries. */
		if (root == current_root)
			pv.top_changed(root, top_index(va));
	}
	return table_at(*slot) + ((va >> DIR_SHIFT) & (PT_ENTRIES - 1));
#else
	(void)create;
	return slot;
#endif
}

pte_t *pte_lookup(u32 root, u32 va)
{
	pte_t *dir = dir_entry(root, va, false);

	return dir && (*dir & PTE_P) ? table_at(*dir) + pt_index(va) : NULL;
}

pte_t *pte_create(u32 root, u32 va)
{
	pte_t *dir = dir_entry(root, va, true);

	if (dir && !(*dir & PTE_P)) {
		u32 table = frame_alloc_zeroed();

		if (!table)
			return NULL;
		*dir = table | DIR_FLAGS;
	}
	return dir ? table_at(*dir) + pt_index(va) : NULL;
}

/* Maps an absent page.  Absent becomes present: nobody has to be told. */
bool page_map(u32 root, u32 va, u32 phys, u32 flags)
{
	pte_t *pte = pte_create(root, va);

	if (!pte)
		return false;
	*pte = phys | flags | PTE_P;
	return true;
}
/*:*/

/*G:330 Building the kernel's half
 *
 * All of RAM appears at KERNEL_BASE: give me a physical address, add a constant,
 * there it is.  Text and read-only data are mapped read-only, for even a kernel has
 * bad days.  Accessed and dirty are set beforehand, since nobody will ever ask which
 * kernel pages were used, and a Host that finds them set has nothing to note down.
 */
static void map_direct(u32 memory)
{
	u32 phys, flags;

	for (phys = 0; phys < memory && phys < DIRECT_MAX; phys += PAGE_SIZE) {
		u32 va = (u32)phys_to_virt(phys);

		flags = PTE_A | PTE_D | PTE_RW;
		if (va >= (u32)kernel_text_start && va < (u32)kernel_rodata_end)
			flags = PTE_A;
		if (!page_map(kernel_root, va, phys, flags))
			panic("no memory for the kernel's page tables");
	}
}

void paging_init(void)
{
	u32 va;

	kernel_root = frame_alloc_zeroed();
	map_direct(boot_info.memory);
	/* Empty tables, so that what comes later never touches a directory. */
	for (va = SCRATCH_BASE; va < DEVICE_BASE + (4u << 20); va += DIR_SPAN)
		if (!pte_create(kernel_root, va))
			panic("no memory for the kernel's page tables");
	root_switch(kernel_root);
	pv.flush_all();
}

/* Pages that are no RAM but device memory below the Guest's limit; for ever. */
void *map_device(u32 phys, u32 pages)
{
	static u32 next = DEVICE_BASE;
	u32 va = next, i;

	if (pages > (DEVICE_BASE + (4u << 20) - next) / PAGE_SIZE)
		return NULL;
	for (i = 0; i < pages; i++, next += PAGE_SIZE)
		page_map(kernel_root, next, phys + i * PAGE_SIZE,
			 PTE_RW | PTE_A | PTE_D);
	return (void *)va;
}

void root_switch(u32 root)
{
	if (root == current_root)
		return;
	current_root = root;
	pv.load_root(root);
}

u32 root_create(void)
{
	u32 root = frame_alloc_zeroed(), first = top_index(KERNEL_BASE);

	if (root)
		memcpy((pte_t *)phys_to_virt(root) + first,
		       (pte_t *)phys_to_virt(kernel_root) + first,
		       (TOP_ENTRIES - first) * sizeof(pte_t));
	return root;
}
/*:*/

/*G:340 Taking an address space apart
 *
 * The Host may have a shadow of this root, and will find it again by the root's
 * address, for a root is recycled like any frame.  So each slot that goes away is
 * told: clear the entry, then SET_PGD.  A batch sends them all with one trip.
 */
struct walk {
	u32 root, to;		/* to: only for a fork */
	bool (*table)(struct walk *w, pte_t *table, u32 va);
};

/* Calls w->table for each table of the user half; stops when one says false. */
static bool walk_tables(struct walk *w, pte_t *directory, u32 count, u32 va)
{
	for (; count--; directory++, va += DIR_SPAN)
		if ((*directory & PTE_P) && !w->table(w, table_at(*directory), va))
			return false;
	return true;
}

static bool walk_user(struct walk *w)
{
	pte_t *top = phys_to_virt(w->root);
#ifdef CONFIG_PAE
	u32 i;

	for (i = 0; i < top_index(USER_TOP); i++)
		if ((top[i] & PTE_P) &&
		    !walk_tables(w, table_at(top[i]), PT_ENTRIES, i << TOP_SHIFT))
			return false;
	return true;
#else
	return walk_tables(w, top, top_index(USER_TOP), 0);
#endif
}

static bool table_free(struct walk *w, pte_t *table, u32 va)
{
	u32 i;

	(void)w;
	(void)va;
	for (i = 0; i < PT_ENTRIES; i++)
		if (table[i] & PTE_P)
			frame_put(pte_phys(table[i]));
	frame_put(virt_to_phys(table));
	return true;
}

void root_clear_user(u32 root)
{
	struct walk w = {.root = root, .table = table_free};
	pte_t *top = phys_to_virt(root);
	u32 i;

	walk_user(&w);
	pv.batch_begin();
	for (i = 0; i < top_index(USER_TOP); i++) {
		if (!(top[i] & PTE_P))
			continue;
#ifdef CONFIG_PAE
		frame_put(pte_phys(top[i]));	/* the directory itself */
#endif
		top[i] = 0;
		pv.top_changed(root, i);
	}
	pv.batch_end();
}

void root_destroy(u32 root)
{
	ASSERT(root != kernel_root && root != current_root);
	root_clear_user(root);
	frame_put(root);
}
/*:*/

/*G:350 Copy on write
 *
 * fork() promises a copy of everything, and usually the child throws it away a
 * moment later.  So nothing is copied: both sides get the same frames, read-only,
 * with a note in a bit that the processor leaves to us.  Whoever writes first gets
 * a fault, and a copy (vm.c).  The parent's own entries lose their RW here, which
 * takes a right away: that must be told, once for all.
 */
static bool table_share(struct walk *w, pte_t *table, u32 va)
{
	pte_t *to = NULL;
	u32 i;

	for (i = 0; i < PT_ENTRIES; i++) {
		if (!(table[i] & PTE_P))
			continue;
		if (!to && !(to = pte_create(w->to, va)))
			return false;
		if (table[i] & PTE_RW)
			table[i] = (table[i] & ~(pte_t)PTE_RW) | PTE_COW;
		frame_get(pte_phys(table[i]));
		to[i] = table[i];
	}
	return true;
}

bool root_fork(u32 from, u32 to)
{
	struct walk w = {.root = from, .to = to, .table = table_share};
	bool done = walk_user(&w);

	ASSERT(from == current_root);
	pv.flush_user();
	return done;
}
/*:*/
