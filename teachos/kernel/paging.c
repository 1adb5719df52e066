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

#define STRIP (PAGE_SIZE / 32)

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

/* Notes that an entry is about to be used: see "Strips" below. */
static pte_t *used(pte_t *entry)
{
	*frame_note(virt_to_phys(entry) & ~PAGE_MASK) |= 1u << (((u32)entry & PAGE_MASK) / STRIP);
	return entry;
}

pte_t *pte_create(u32 root, u32 va)
{
	pte_t *dir = dir_entry(root, va, true);

	if (dir && !(*dir & PTE_P)) {
		u32 table = frame_alloc_zeroed();

		if (!table)
			return NULL;
		*used(dir) = table | DIR_FLAGS;
	}
	return dir ? used(table_at(*dir) + pt_index(va)) : NULL;
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
/*:*/

/*G:340 Strips
 *
 * A table has a thousand entries, and of a small process's three are in use.  fork has to
 * look at all of them, and exit again: that was most of what both cost.  So each table has
 * a table of contents, in the word that frame.c keeps for whoever owns a frame: bit n
 * says that something may be in the n-th of its 32 strips of 128 bytes.  Whoever makes an
 * entry sets the bit.  Nobody clears one before the whole table goes.
 */
struct walk {
	u32 root, to;		/* to: only for a fork */
	u32 changed;		/* entries of which somebody has to be told */
	bool (*page)(struct walk *w, pte_t *entry, u32 va);
	void (*table)(struct walk *w, pte_t *entry);	/* after its pages; may be NULL */
};

/* Calls w->page for each page below the table, in order; stops when one says false. */
static bool walk_table(struct walk *w, pte_t *table, u32 va)
{
	u32 strips = *frame_note(virt_to_phys(table)), i, end;

	for (; strips; strips &= strips - 1) {
		i = __builtin_ctz(strips) * (STRIP / sizeof(pte_t));
		for (end = i + STRIP / sizeof(pte_t); i < end; i++)
			if ((table[i] & PTE_P) && !w->page(w, &table[i], va + i * PAGE_SIZE))
				return false;
	}
	return true;
}

/* The same for all tables of a directory; strips: which part of it. */
static bool walk_directory(struct walk *w, pte_t *directory, u32 strips, u32 va)
{
	u32 i, end;

	strips &= *frame_note(virt_to_phys(directory) & ~PAGE_MASK);
	for (; strips; strips &= strips - 1) {
		i = __builtin_ctz(strips) * (STRIP / sizeof(pte_t));
		for (end = i + STRIP / sizeof(pte_t); i < end; i++) {
			if (!(directory[i] & PTE_P))
				continue;
			if (!walk_table(w, table_at(directory[i]), va + i * DIR_SPAN))
				return false;
			if (w->table)
				w->table(w, &directory[i]);
		}
	}
	return true;
}

static bool walk_user(struct walk *w)
{
	pte_t *top = phys_to_virt(w->root);
#ifdef CONFIG_PAE
	u32 i;

	for (i = 0; i < top_index(USER_TOP); i++) {
		if (!(top[i] & PTE_P))
			continue;
		if (!walk_directory(w, table_at(top[i]), ~0u, i << TOP_SHIFT))
			return false;
		if (w->table)
			w->table(w, &top[i]);
	}
	return true;
#else
	return walk_directory(w, top, (1u << (top_index(USER_TOP) * sizeof(pte_t) / STRIP)) - 1, 0);
#endif
}
/*:*/

/*G:345 An address space comes and goes
 *
 * The Host may have a shadow of this root, and will find it again by the root's
 * address, for a root is recycled like any frame.  So each slot that goes away is
 * told: clear the entry, then SET_PGD.  A batch sends them all with one trip.
 *
 * Each entry is cleared on the way, so the tables come back as clean as they were made.
 */
/* LAB 2.6 BEGIN: an address space comes and goes */
/* Roots that were given back, with the kernel part still in them; the first entry of the
 * user part leads to the next. */
#define SPARE_ROOTS 8u
static u32 spare_roots, spare_root_count;

u32 root_create(void)
{
	u32 root = spare_roots, first = top_index(KERNEL_BASE);
	pte_t *top;

	if (root) {
		top = phys_to_virt(root);
		spare_roots = *top;
		spare_root_count--;
		*top = 0;
		return root;
	}
	root = frame_alloc_zeroed();
	top = phys_to_virt(root);
	if (root)
		memcpy(top + first, (pte_t *)phys_to_virt(kernel_root) + first,
		       (TOP_ENTRIES - first) * sizeof(pte_t));
	return root;
}

static bool page_free(struct walk *w, pte_t *entry, u32 va)
{
	(void)w;
	(void)va;
	frame_put(pte_phys(*entry));
	*entry = 0;
	return true;
}

static void table_free(struct walk *w, pte_t *entry)
{
	u32 table = pte_phys(*entry);

	*entry = 0;
	if (virt_to_phys(entry) - w->root < PAGE_SIZE)
		pv.top_changed(w->root, entry - (pte_t *)phys_to_virt(w->root));
	frame_put_zeroed(table);
}

void root_clear_user(u32 root)
{
	struct walk w = {.root = root, .page = page_free, .table = table_free};

	walk_user(&w);
}

void root_destroy(u32 root)
{
	ASSERT(root != kernel_root && root != current_root);
	root_clear_user(root);
	if (spare_root_count == SPARE_ROOTS) {
		frame_put(root);
		return;
	}
	*frame_note(root) = 0;
	*(pte_t *)phys_to_virt(root) = spare_roots;
	spare_roots = root;
	spare_root_count++;
}
/* LAB 2.6 END */
/*:*/

/*G:350 Copy on write
 *
 * fork() promises a copy of everything, and usually the child throws it away a
 * moment later.  So nothing is copied: both sides get the same frames, read-only,
 * with a note in a bit that the processor leaves to us.  Whoever writes first gets
 * a fault, and a copy (vm.c).
 *
 * The parent's own entries lose their RW here, which takes a right away: that must be
 * told.  For a few entries one by one, as then all others stay at hand; for many, by
 * saying "forget everything of mine".
 */
/* LAB 2.7 BEGIN: copy on write */
#define FEW 24u

static bool page_share(struct walk *w, pte_t *entry, u32 va)
{
	pte_t *to = pte_create(w->to, va);

	if (!to)
		return false;
	if (*entry & PTE_RW) {
		*entry = (*entry & ~(pte_t)PTE_RW) | PTE_COW;
		if (++w->changed <= FEW)
			pv.pte_changed(w->root, va, *entry);
	}
	frame_get(pte_phys(*entry));
	*to = *entry;
	return true;
}

bool root_fork(u32 from, u32 to)
{
	struct walk w = {.root = from, .to = to, .page = page_share};
	bool done;

	ASSERT(from == current_root);
	pv.batch_begin();
	done = walk_user(&w);
	if (w.changed > FEW)
		pv.flush_user();
	pv.batch_end();
	return done;
}
/* LAB 2.7 END */
/*:*/
