// SPDX-License-Identifier: MIT
/*
 * Page tables, rule by rule (ABI.md 7): what test_differential.c leaves out because it
 * ends a Guest, or because it is about what is kept and not about what is right.
 */
#include "mmu.h"

#define HANDLER	0x00d00d00u
#define FRAMES	64u

struct guest {
	struct world *w;
	u32 root, stack;
	u32 faults;		/* that the last access took */
};

/* A Guest at its first own page tables, with a stack at 0xf0000000 and a #PF handler. */
static struct guest fresh(bool pae, const struct world_plan *plan)
{
	static const struct world_plan usual = { .kernel_address = 0xc0000000, .frames = FRAMES };
	struct guest g;

	g.w = world_new(plan ? plan : &usual);
	g.w->lg.pae = pae;
	g.root = guest_root(g.w);
	g.stack = world_frame(g.w);
	guest_map(g.w, g.root, 0xf0000000, g.stack << 12 | 0x63);
	world_hypercall(g.w, LHCALL_LOAD_IDT_ENTRY, 14, HANDLER & 0xffff,
			(HANDLER & 0xffff0000) | 0x8e00, 0);
	check(world_hypercall(g.w, LHCALL_NEW_PGTABLE, g.root, 0, 0, 0) == ENTERS, "%s", g.w->lg.text);
	check(g.w->lg.pae == pae, "the format");
	lg_regs(&g.w->lg)->esp = 0xf0000800;
	return g;
}

static bool may(struct guest *g, u32 gva, u32 access)
{
	g->faults = 0;
	lg_regs(&g->w->lg)->esp = 0xf0000800;
	g->w->lg.pages->esp1 = 0xf0001000;
	g->w->lg.pages->ss1 = 0x69;
	return mmu_access(g->w, gva, access, HANDLER, &g->faults);
}

/* How often lg_count() was called with this name. */
static u32 counted(struct guest *g, u32 stat)
{
	return g->w->lg.stats.scalar[stat];
}

static u64 pte_of(struct guest *g, u32 gva)
{
	return guest_entry(g->w, guest_pte_gpa(g->w, g->root, gva, false));
}

static void pte_is(struct guest *g, u32 gva, u64 want, const char *when)
{
	if (pte_of(g, gva) != want)
		fail_msg("%s the Guest's own PTE is %#llx, expected %#llx", when,
			 (unsigned long long)pte_of(g, gva), (unsigned long long)want);
}

/* ---- Linear mode ---- */

static void linear_mode(void **state)
{
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000,
							  .frames = FRAMES });
	struct guest g = { .w = w };
	struct verdict v;
	u32 pfn;

	(void)state;
	world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, 14, HANDLER & 0xffff,
			(HANDLER & 0xffff0000) | 0x8e00, 0);
	for (pfn = 0; pfn < FRAMES; pfn++) {
		u32 faults = 0, kind = pfn % 3 == 0 ? A_WRITE : pfn % 3 == 1 ? A_FETCH : A_READ;

		check(mmu_access(w, pfn << 12 | 0x123, kind, HANDLER, &faults), "frame %#x", pfn);
		v = mmu_shadow(w, pfn << 12, A_WRITE);
		check(v.ok && v.pfn == pfn && faults == 1, "frame %#x is %#x", pfn, v.pfn);
		/* Ring 3 may touch nothing. */
		w->lg.pages->esp1 = 0x8000;
		check(!mmu_access(w, pfn << 12, A_USER, HANDLER, &faults), "ring 3 may");
		lg_regs(&w->lg)->cs = 0x61;
	}
	mmu_check_tables(w);
	w->lg.pages->cr2 = FRAMES << 12;
	lg_regs(&w->lg)->cs = 0x61;
	assert_int_equal(world_trap(w, 14, 0), DEAD);
	expect_dead(w, LG_PT_PTE_FRAME, "bad page table entry");
	(void)g;
	world_free(w);
}

static void linear_reserve(void **state)
{
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000 });
	u32 faults = 0;

	(void)state;
	world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, 14, HANDLER & 0xffff,
			(HANDLER & 0xffff0000) | 0x8e00, 0);
	lg_regs(&w->lg)->esp = 0x8000;
	check(!mmu_access(w, 0xffc00000, A_READ, HANDLER, &faults), "the reserve");
	assert_int_equal(w->lg.data->cr2, 0xffc00000);
	world_free(w);
}

/* ---- Two-level or PAE? ---- */

static void detection(void **state)
{
	static const struct {
		u32 offset;
		u64 entry[4];
		bool pae;
	} tables[] = {
		{ 0, { 0, 0, 0, 0 }, false },			/* an empty directory */
		{ 0, { 0x5001, 0, 0, 0 }, true },
		{ 0, { 0, 0, 0, 0x5001 }, true },		/* PAE, kernel only */
		{ 0, { 0x5001, 0x6001, 0x7001, 0x8001 }, true },
		{ 0x20, { 0x5001, 0, 0, 0 }, true },
		{ 0xfe0, { 0x5001, 0, 0, 0x6001 }, true },
		{ 0, { 0x5067, 0, 0, 0 }, false },
		{ 0, { 0x0000606700005067ull, 0, 0, 0 }, false },
		{ 0, { 0x0000600100005001ull, 0, 0, 0 }, false },
		{ 0, { 0x5003, 0, 0, 0 }, false },
		{ 0, { 0x5001, 0x6067, 0, 0 }, false },
		{ 0, { 0, 0, 0x0000506700000000ull, 0 }, false },
	};
	struct world *w;
	u32 i;

	(void)state;
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		u32 faults = 0;

		w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000 });
		world_write(w, 0x4000 + tables[i].offset, tables[i].entry, 32);
		check(mmu_access(w, 0x3000, A_READ, HANDLER, &faults), "linear mode");
		assert_int_equal(world_hypercall(w, LHCALL_NEW_PGTABLE,
						 0x4000 + tables[i].offset, 0, 0, 0), ENTERS);
		check(!mmu_shadow(w, 0x3000, A_READ).ok && !w->lg.stats.scalar[LG_STAT_tables_live],
		      "linear mode is over, and %llu of its tables are still in use",
		      (unsigned long long)w->lg.stats.scalar[LG_STAT_tables_live]);
		check(w->lg.pae == tables[i].pae, "table %u was taken for %s", i,
		      w->lg.pae ? "PAE" : "two-level");
		/* Decided once: another table later changes nothing. */
		world_write(w, 0x9000, tables[tables[i].pae ? 6 : 1].entry, 32);
		world_hypercall(w, LHCALL_NEW_PGTABLE, 0x9000, 0, 0, 0);
		assert_int_equal(w->lg.pae, tables[i].pae);
		world_free(w);
	}
}

/* A PDPT is 32 bytes, and may lie on any border of 32 (SDM vol. 3, 4.4.1: cr3 bits 31..5).  A
 * two-level directory is a page (4.3: bits 31..12).  The bits below mean nothing: whoever adds
 * them reads entries that are none, and at the end of a page what is not the Guest's. */
static void pdpt_anywhere(void **state)
{
	struct guest g = fresh(true, NULL);
	u32 frame = world_frame(g.w), page = world_frame(g.w), at, bits;

	(void)state;
	guest_map(g.w, g.root, 0x08000000, page << 12 | 0x67);
	for (at = 0x20; at < 0x1000; at += 0x20) {
		memcpy(g.w->ram + (frame << 12) + at, g.w->ram + g.root, 32);
		for (bits = 0; bits < 0x20; bits += 0x1f) {
			lg_regs(&g.w->lg)->cs = 0x61;
			world_hypercall(g.w, LHCALL_NEW_PGTABLE, frame << 12 | at | bits, 0, 0, 0);
			check(may(&g, 0x08000000, A_WRITE | A_USER),
			      "PDPT at offset %#x, cr3 %#x", at, frame << 12 | at | bits);
			assert_int_equal(mmu_shadow(g.w, 0x08000000, A_READ).pfn, page);
		}
		memset(g.w->ram + (frame << 12) + at, 0, 32);
	}
	world_free(g.w);

	g = fresh(false, NULL);
	page = world_frame(g.w);
	guest_map(g.w, g.root, 0x08000000, page << 12 | 0x67);
	guest_map(g.w, g.root, 0xff800000, page << 12 | 0x67);
	for (bits = 1; bits < 0x1000; bits = bits << 1 | 1) {
		lg_regs(&g.w->lg)->cs = 0x61;
		world_hypercall(g.w, LHCALL_NEW_PGTABLE, g.root | bits, 0, 0, 0);
		check(may(&g, 0x08000000, A_WRITE | A_USER) &&
		      may(&g, 0xff800000, A_WRITE | A_USER),
		      "a page directory at %#x, cr3 %#x", g.root, g.root | bits);
		assert_int_equal(mmu_shadow(g.w, 0xff800000, A_READ).pfn, page);
	}
	world_free(g.w);
}

/* ---- What kills (ABI.md 7.2) ---- */

static void directory_bits(void **state)
{
	struct guest g;
	u32 bit, gpa, level;
	u64 entry;

	(void)state;
	/* level 0: two-level directory, 1: PMD, 2: PDPT */
	for (level = 0; level < 3; level++) {
		for (bit = 0; bit < 64; bit++) {
			bool dies;

			if (level == 0 && bit >= 32)
				break;
			g = fresh(level != 0, NULL);
			guest_map(g.w, g.root, 0xc0000000, world_frame(g.w) << 12 | 0x63);
			gpa = level == 2 ? g.root + 3 * 8 : guest_pde_gpa(g.w, g.root, 0xc0000000);
			entry = guest_entry(g.w, gpa);
			entry |= 1ull << bit;
			if (bit >= 12)		/* a frame that there is not */
				entry &= ~((1ull << bit) - 1) | 0xfff;
			guest_set_entry(g.w, gpa, entry);
			dies = bit >= 12 ? (entry >> 12) >= FRAMES :
			       level == 2 ? bit != 0 : !(0x67 >> bit & 1);
			g.w->lg.pages->cr2 = 0xc0000123;
			lg_regs(&g.w->lg)->esp = 0xf0000800;
			if (level != 2 && !dies && bit >= 12) {
				world_free(g.w);	/* another table, with whatever in it */
				continue;
			}
			if (!dies) {
				if (bit < 12)
					check(world_trap(g.w, 14, 0) == ENTERS,
					      "level %u bit %u: %s", level, bit, g.w->lg.text);
				world_free(g.w);
				continue;
			}
			check(world_trap(g.w, 14, 0) == DEAD, "level %u bit %u lives", level, bit);
			if (level == 1)
				expect_dead(g.w, bit < 12 ? LG_PT_BAD_PMD : LG_PT_PMD_FRAME,
					    "bad page middle directory entry 0x");
			else
				expect_dead(g.w, bit < 12 ? LG_PT_BAD_PGD : LG_PT_PGD_FRAME,
					    "bad page directory entry 0x");
			world_free(g.w);
		}
	}
}

static void pte_bits(void **state)
{
	struct guest g;
	u32 bit, pae;
	bool dies;
	u64 pte;

	(void)state;
	for (pae = 0; pae < 2; pae++) {
		for (bit = 1; bit < (pae ? 64 : 32); bit++) {
			g = fresh(pae, NULL);
			pte = 0x63 | (u64)world_frame(g.w) << 12 | 1ull << bit;
			guest_map(g.w, g.root, 0xc0005000, pte);
			/* Bits 52 to 62 are nobody's; 63 is NX. */
			dies = bit == 7 || (pte >> 12 & 0xffffffffffull) >= FRAMES;
			g.w->lg.pages->cr2 = 0xc0005000;
			check(world_trap(g.w, 14, 0) == (dies ? DEAD : ENTERS), "bit %u: %s", bit,
			      g.w->lg.text);
			if (dies)
				expect_dead(g.w, bit == 7 ? LG_PT_BAD_PTE : LG_PT_PTE_FRAME,
					    "bad page table entry 0x");
			else
				check(mmu_shadow(g.w, 0xc0005000, A_READ).ok, "bit %u", bit);
			world_free(g.w);
		}
	}
}

/* The last frame is the Guest's, the one behind it is not. */
static void last_frame(void **state)
{
	static const u32 used[] = { 0x67, 0x27, 0x47 };
	struct guest g;
	u32 pae, by_call;

	(void)state;
	for (pae = 0; pae < 2; pae++) {
		for (by_call = 0; by_call < 4; by_call++) {
			g = fresh(pae, NULL);
			guest_map(g.w, g.root, 0x08000000, (FRAMES - 1) << 12 | 0x67);
			check(may(&g, 0x08000000, A_WRITE | A_USER), "the last frame");
			assert_int_equal(mmu_shadow(g.w, 0x08000000, A_READ).pfn, FRAMES - 1);
			guest_map(g.w, g.root, 0x08000000, FRAMES << 12 | 0x67);
			lg_regs(&g.w->lg)->cs = 0x61;
			if (by_call) {
				/* Looked at if there may be a use for it (ABI.md 7.4): A, D or both. */
				assert_int_equal(world_hypercall(g.w, LHCALL_SET_PTE, g.root, 0x08000000,
								 FRAMES << 12 | 0x07, 0), ENTERS);
				check(world_hypercall(g.w, LHCALL_SET_PTE, g.root, 0x08000000,
						      FRAMES << 12 | used[by_call - 1], 0) == DEAD,
				      "SET_PTE took %#x, and the Guest has %#x frames",
				      FRAMES << 12 | used[by_call - 1], FRAMES);
			} else {
				world_hypercall(g.w, LHCALL_SET_PTE, g.root, 0x08000000, 0, 0);
				g.w->lg.pages->cr2 = 0x08000000;
				check(world_trap(g.w, 14, 2) == DEAD,
				      "a PTE names frame %#x, the Guest has %#x, and it lives", FRAMES,
				      FRAMES);
			}
			expect_dead(g.w, LG_PT_PTE_FRAME, "bad page table entry 0x400");
			world_free(g.w);
		}
	}
}

/* What is not present may say what it likes, at any level. */
static void not_present_is_not_read(void **state)
{
	static const u64 junk[] = { 0, 2, 0xfffffffe, 0x8086, 0x60, 0xfe };
	struct guest g;
	u32 pae, i, level, gpa;

	(void)state;
	for (pae = 0; pae < 2; pae++) {
		for (level = 0; level < 2u + pae; level++) {
			for (i = 0; i < 6; i++) {
				g = fresh(pae, NULL);
				guest_map(g.w, g.root, 0x48000000, 0x67);
				gpa = level == 2 ? g.root + 8 :
				      level == 1 ? guest_pde_gpa(g.w, g.root, 0x48000000) :
						   guest_pte_gpa(g.w, g.root, 0x48000000, false);
				guest_set_entry(g.w, gpa, junk[i] | (pae ? junk[i] << 32 : 0));
				check(!may(&g, 0x48000000, A_READ), "level %u %#llx", level,
				      (unsigned long long)junk[i]);
				check(!g.w->lg.over, "level %u %#llx: %s", level,
				      (unsigned long long)junk[i], g.w->lg.text);
				check(!(world_get32(g.w, (g.stack << 12) + 0x800 - 16) & 1),
				      "P in the error code");
				world_free(g.w);
			}
		}
	}
}

/* ---- Accessed and dirty ---- */

static struct {
	u32 gpa;
	u64 entry;
} untouched;

/* LG_AGAIN: all is as it was, for the same exit comes once more, or another one. */
static void still_untouched(struct world *w)
{
	check(guest_entry(w, untouched.gpa) == untouched.entry,
	      "LG_AGAIN, and the Guest's PTE has changed already, from %#llx to %#llx",
	      (unsigned long long)untouched.entry,
	      (unsigned long long)guest_entry(w, untouched.gpa));
}

static void clean_until_written(void **state)
{
	struct guest g;
	u32 pae, reads, writes, users;
	u64 frame;

	(void)state;
	for (pae = 0; pae < 2; pae++) {
		g = fresh(pae, NULL);
		frame = (u64)world_frame(g.w) << 12;
		guest_map(g.w, g.root, 0x08000000, frame | 0x07);
		guest_map(g.w, g.root, 0x08001000, frame | 0x07);
		reads = counted(&g, LG_STAT_fill_read);
		writes = counted(&g, LG_STAT_fill_write);
		users = counted(&g, LG_STAT_fill_user);
		untouched.gpa = guest_pte_gpa(g.w, g.root, 0x08000000, false);
		untouched.entry = frame | 0x07;
		g.w->on_again = still_untouched;
		assert_true(may(&g, 0x08000000, A_READ | A_USER));
		g.w->on_again = NULL;
		check(g.faults == 1, "%u faults for one read", g.faults);
		pte_is(&g, 0x08000000, frame | 0x27, "after a read");
		check(!mmu_shadow(g.w, 0x08000000, A_WRITE).ok,
		      "the page is clean, and writable in the shadow: the first write goes unnoticed");
		assert_true(may(&g, 0x08000000, A_WRITE | A_USER));
		check(g.faults == 1, "%u faults for the first write to a clean page", g.faults);
		pte_is(&g, 0x08000000, frame | 0x67, "after a write");
		check(mmu_shadow(g.w, 0x08000000, A_WRITE).ok, "written to, and still read-only");
		check(counted(&g, LG_STAT_fill_dirty) == 1, "fill_dirty is %u, expected 1",
		      counted(&g, LG_STAT_fill_dirty));
		/* Its neighbour is written to at once. */
		assert_true(may(&g, 0x08001000, A_WRITE | A_USER));
		check(g.faults == 1, "%u faults for one write", g.faults);
		reads = counted(&g, LG_STAT_fill_read) - reads;
		writes = counted(&g, LG_STAT_fill_write) - writes;
		users = counted(&g, LG_STAT_fill_user) - users;
		check(reads == 1 && writes == 1 && users == 3 && counted(&g, LG_STAT_fill_dirty) == 1,
		      "fill_read, fill_write, fill_dirty, fill_user are %u, %u, %u, %u, expected 1, "
		      "1, 1, 3", reads, writes, counted(&g, LG_STAT_fill_dirty), users);
		/* The CPU may fault once more, though nothing is missing: that is no fill. */
		g.w->lg.pages->cr2 = 0x08001000;
		assert_int_equal(world_trap(g.w, 14, 7), ENTERS);
		check(counted(&g, LG_STAT_fill_dirty) == 1, "counted, and nothing was filled in");

		/* Cleaned, and said so: the next write makes it dirty again. */
		guest_map(g.w, g.root, 0x08000000, frame | 0x27);
		lg_regs(&g.w->lg)->cs = 0x61;
		world_hypercall(g.w, LHCALL_SET_PTE, g.root, 0x08000000, frame | 0x27, 0);
		assert_true(mmu_shadow(g.w, 0x08000000, A_READ).ok);	/* put in at once */
		check(!mmu_shadow(g.w, 0x08000000, A_WRITE).ok,
		      "the page is clean, and writable in the shadow: the first write goes unnoticed");
		assert_true(may(&g, 0x08000000, A_WRITE | A_USER));
		pte_is(&g, 0x08000000, frame | 0x67, "after a write");
		world_free(g.w);
	}
}

/* Dirty, and made old: the Guest wants to know when it is used again. */
static void dirty_but_old(void **state)
{
	struct guest g = fresh(false, NULL);
	u64 frame = (u64)world_frame(g.w) << 12;

	(void)state;
	guest_map(g.w, g.root, 0x08000000, frame | 0x07);
	assert_true(may(&g, 0x08000000, A_WRITE | A_USER));
	guest_map(g.w, g.root, 0x08000000, frame | 0x47);
	lg_regs(&g.w->lg)->cs = 0x61;
	world_hypercall(g.w, LHCALL_SET_PTE, g.root, 0x08000000, frame | 0x47, 0);
	assert_true(may(&g, 0x08000000, A_READ | A_USER));
	pte_is(&g, 0x08000000, frame | 0x67, "made old by SET_PTE, and read:");
	world_free(g.w);
}

/* Before the first NEW_PGTABLE there are no tables, and nothing in them can have changed. */
static void set_pte_in_linear_mode(void)
{
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0x8000,
							  .frames = FRAMES });
	u32 faults = 0, at;

	check(mmu_access(w, 0x5000, A_READ, HANDLER, &faults), "linear mode");	/* at hand */
	for (at = 0x7000; at < 0xa000; at += 0x1000) {
		check(mmu_access(w, at, A_WRITE, HANDLER, &faults), "linear mode");
		lg_regs(&w->lg)->cs = 0x61;
		world_hypercall(w, LHCALL_SET_PTE, 0, at, 0x5063, 0);
		check(mmu_access(w, at, A_WRITE, HANDLER, &faults), "linear mode");
		check(mmu_shadow(w, at, A_WRITE).pfn == at >> 12,
		      "SET_PTE in linear mode: %#x is frame %#x", at, mmu_shadow(w, at, A_WRITE).pfn);
	}
	world_free(w);
}

/* SET_PTE with A goes in at once where there is a table; with P clear nothing does. */
static void set_pte_fills(void **state)
{
	struct guest g = fresh(true, NULL);
	u64 frame = (u64)world_frame(g.w) << 12, other = (u64)world_frame(g.w) << 12;

	(void)state;
	set_pte_in_linear_mode();
	guest_map(g.w, g.root, 0x08000000, frame | 0x67);
	guest_map(g.w, g.root, 0x08001000, other | 0x67);
	assert_true(may(&g, 0x08000000, A_WRITE));
	assert_true(may(&g, 0x08001000, A_WRITE));
	guest_map(g.w, g.root, 0x08001000, frame | 0x8000000000000065ull);
	world_hypercall(g.w, LHCALL_SET_PTE, g.root, 0x08001000, frame | 0x65, 0x80000000);
	assert_int_equal(mmu_shadow(g.w, 0x08001000, A_READ | A_USER).pfn, frame >> 12);
	assert_false(mmu_shadow(g.w, 0x08001000, A_WRITE).ok);
	assert_false(mmu_shadow(g.w, 0x08001000, A_FETCH).ok);
	guest_map(g.w, g.root, 0x08001000, frame | 0x66);
	world_hypercall(g.w, LHCALL_SET_PTE, g.root, 0x08001000, frame | 0x66, 0);
	assert_false(mmu_shadow(g.w, 0x08001000, A_READ).ok);
	/* Its neighbour is still there. */
	assert_true(mmu_shadow(g.w, 0x08000000, A_WRITE).ok);
	mmu_check(g.w, g.root);
	world_free(g.w);
}

/* ---- Rights and error codes ---- */

static const char *words(u32 access)
{
	static char text[40];

	snprintf(text, sizeof(text), "ring %u %s", access & A_USER ? 3 : 1,
		 access & A_WRITE ? "writes" : access & A_FETCH ? "executes" : "reads");
	return text;
}

/* An entry that nobody may use is not looked at any closer (ABI.md 7.3): the fault is the
 * Guest's, whatever frame the entry names. */
static void forbidden_is_not_checked(bool pae)
{
	struct guest g = fresh(pae, NULL);

	guest_map(g.w, g.root, 0x08003000, (u64)FRAMES << 12 | 0x61);
	check(!may(&g, 0x08003000, A_WRITE) && !g.w->lg.over,
	      "a write to a read-only page without a frame is the Guest's fault: %s", g.w->lg.text);
	check(!may(&g, 0x08003000, A_USER) && !g.w->lg.over,
	      "ring 3 at a page of ring 1 without a frame is the Guest's fault: %s", g.w->lg.text);
	world_free(g.w);
}

static void truth_table(void **state)
{
	static const u32 kinds[] = { A_READ, A_WRITE, A_FETCH, A_USER, A_USER | A_WRITE,
				     A_USER | A_FETCH };
	struct guest g;
	u32 pae, pde, pte, i, error, flags;
	struct verdict v;
	bool nx, got;

	(void)state;
	for (pae = 0; pae < 2; pae++) {
		for (i = 0; i < 8 * 8 * 6 * 2; i++) {
			pde = i & 7;
			pte = i >> 3 & 7;
			nx = i >> 6 & 1 && pae;
			flags = kinds[(i >> 7) % 6];
			g = fresh(pae, NULL);
			/* 0xf18: the flags that stay with the Guest (7.2). */
			guest_map(g.w, g.root, 0x08003000, (u64)world_frame(g.w) << 12 | 0xf18 | pte |
				  (nx ? 1ull << 63 : 0));
			guest_set_entry(g.w, guest_pde_gpa(g.w, g.root, 0x08003000),
					(guest_entry(g.w, guest_pde_gpa(g.w, g.root, 0x08003000)) &
					 ~7ull) | pde);
			v = mmu_guest(g.w, g.root, 0x08003000, flags);
			got = may(&g, 0x08003000, flags);
			check(got == v.ok, "%s, directory entry %#x, PTE %#x%s: %s", words(flags), pde,
			      pte, nx ? " with NX" : "", v.ok ? "may, and got a page fault" :
			      "may not, and the shadow lets it");
			if (!got) {
				error = world_get32(g.w, (g.stack << 12) +
						    lg_regs(&g.w->lg)->esp % 4096);
				check(error == v.error, "%s, directory entry %#x, PTE %#x%s: the Guest "
				      "sees error code %#x, expected %#x", words(flags), pde, pte,
				      nx ? " with NX" : "", error, v.error);
			}
			world_free(g.w);
		}
		forbidden_is_not_checked(pae);
	}
}

/* Ring 1 is a supervisor: SMAP and SMEP must not keep it from its users' pages. */
static void smap_and_smep(void **state)
{
	struct guest g = fresh(true, NULL);
	u64 frame = (u64)world_frame(g.w) << 12;
	struct lg_trap_frame *regs = lg_regs(&g.w->lg);

	(void)state;
	guest_map(g.w, g.root, 0x08000000, frame | 0x67);
	guest_map(g.w, g.root, 0xc0000000, frame | 0x63);
	g.w->smap = g.w->smep = true;
	regs->eflags = 0x202;
	assert_true(may(&g, 0xc0000000, A_WRITE));
	assert_int_equal(regs->eflags, 0x202);		/* a kernel page: no need */
	assert_true(may(&g, 0x08000000, A_USER));
	assert_int_equal(regs->eflags, 0x202);
	/* Both levels make a user page. */
	guest_map(g.w, g.root, 0x48000000, frame | 0x67);
	guest_set_entry(g.w, guest_pde_gpa(g.w, g.root, 0x48000000),
			guest_entry(g.w, guest_pde_gpa(g.w, g.root, 0x48000000)) & ~4ull);
	assert_true(may(&g, 0x48000000, A_WRITE));
	check(regs->eflags == 0x202, "US in the PTE alone makes no user page, and AC was set");
	/* The entry is there, and the CPU says no all the same. */
	regs->cs = 0x61;
	g.w->lg.pages->cr2 = 0x08000000;
	assert_int_equal(world_trap(g.w, 14, 1), ENTERS);
	assert_int_equal(regs->eflags, 0x40202);
	assert_false(g.w->lg.smap_off);
	assert_false(g.w->lg.smep_off);
	assert_int_equal(world_trap(g.w, 14, 0x11), ENTERS);
	assert_true(g.w->lg.smep_off);
	assert_false(g.w->lg.smap_off);
	/* A supervisor's access from ring 3, where AC does not help. */
	regs->cs = 0x73;
	assert_int_equal(world_trap(g.w, 14, 1), ENTERS);
	assert_true(g.w->lg.smap_off);
	world_free(g.w);
}

/* What the Guest's tables forbid stays forbidden, SMAP or not. */
static void smap_heals_nothing_else(void **state)
{
	struct guest g = fresh(false, NULL);

	(void)state;
	g.w->smap = g.w->smep = true;
	guest_map(g.w, g.root, 0x08000000, world_frame(g.w) << 12 | 0x65);
	lg_regs(&g.w->lg)->eflags = 0x202;
	assert_false(may(&g, 0x08000000, A_WRITE));
	assert_false(may(&g, 0x08001000, A_READ));
	guest_map(g.w, g.root, 0x08002000, world_frame(g.w) << 12 | 0x63);
	assert_false(may(&g, 0x08002000, A_READ | A_USER));
	assert_false(g.w->lg.smap_off);
	assert_false(g.w->lg.smep_off);
	world_free(g.w);
}

/* ---- What is forgotten, and what is kept ---- */

/* A kernel that begins in the middle of a GiB, and of a block of 2 MiB: up to its first page all
 * is dropped, and what lies in the blocks behind is not. */
static void flush_user_at_the_border(bool pae)
{
	static const struct world_plan plan = { .kernel_address = 0xb0100000, .frames = FRAMES };
	static const u32 pages[] = { 0x80000000, 0xafe00000, 0xb00ff000, 0xb0200000, 0xbffff000 };
	struct guest g = fresh(pae, &plan);
	u32 i;

	for (i = 0; i < 5; i++) {
		guest_map(g.w, g.root, pages[i], world_frame(g.w) << 12 | 0x67);
		assert_true(may(&g, pages[i], A_WRITE));
	}
	lg_regs(&g.w->lg)->cs = 0x61;
	world_hypercall(g.w, LHCALL_FLUSH_TLB, 0, 0, 0, 0);
	for (i = 0; i < 5; i++)
		check(mmu_shadow(g.w, pages[i], A_READ).ok == (pages[i] >= 0xb0200000),
		      "kernel at %#x, FLUSH_TLB(0): %#x was %s", plan.kernel_address, pages[i],
		      pages[i] >= 0xb0200000 ? "dropped" : "kept");
	world_free(g.w);
}

static void drop_only_what_was_named(void **state)
{
	static const u32 pages[] = { 0x07dff000, 0x08000000, 0x083ff000, 0x08200000, 0x08400000,
				     0x40000000, 0x3ffff000, 0xc0000000 };
	struct guest g;
	u32 pae, i, round;
	bool want;

	(void)state;
	for (pae = 0; pae < 2; pae++) {
		flush_user_at_the_border(pae);
		for (round = 0; round < 3; round++) {
			g = fresh(pae, NULL);
			for (i = 0; i < 8; i++) {
				guest_map(g.w, g.root, pages[i], world_frame(g.w) << 12 | 0x67);
				assert_true(may(&g, pages[i], A_WRITE));
			}
			lg_regs(&g.w->lg)->cs = 0x61;
			if (round == 0)
				world_hypercall(g.w, LHCALL_SET_PGD, g.root, pae ? 0 : 0x08000000 >> 22, 0, 0);
			else if (round == 1)
				world_hypercall(g.w, LHCALL_FLUSH_TLB, 0, 0, 0, 0);
			else
				world_hypercall(g.w, LHCALL_SET_PGD, g.root ^ 0x1000, pae ? 0 : 0x20, 0, 0);
			for (i = 0; i < 8; i++) {
				if (round == 0)
					want = pae ? pages[i] >= 0x40000000 :
					       pages[i] >> 22 != 0x08000000 >> 22;
				else
					want = round == 2 || pages[i] >= 0xc0000000;
				check(mmu_shadow(g.w, pages[i], A_READ).ok == want, "%s, %s: %#x was %s",
				      pae ? "PAE" : "two-level", round == 0 ? "SET_PGD" : round == 1 ?
				      "FLUSH_TLB(0)" : "SET_PGD of a table that nobody uses", pages[i],
				      want ? "dropped" : "kept");
			}
			check(counted(&g, LG_STAT_set_pgd_present) == (round == 0) &&
			      counted(&g, LG_STAT_set_pgd_absent) == (round == 2) &&
			      counted(&g, LG_STAT_flush_user) == (round == 1),
			      "set_pgd_present, set_pgd_absent, flush_user are %u, %u, %u",
			      counted(&g, LG_STAT_set_pgd_present), counted(&g, LG_STAT_set_pgd_absent),
			      counted(&g, LG_STAT_flush_user));
			mmu_check(g.w, g.root);
			world_free(g.w);
		}
	}
}

/* The kernel's part is filled in once, for all address spaces. */
static void kernel_is_shared(void **state)
{
	struct guest g = fresh(false, NULL);
	u32 root[8], i, fills;

	(void)state;
	guest_map(g.w, g.root, 0xc0000000, world_frame(g.w) << 12 | 0x63);
	assert_true(may(&g, 0xc0000000, A_WRITE));
	fills = g.w->lg.stats.scalar[LG_STAT_fill_write];
	for (i = 0; i < 8; i++) {
		root[i] = guest_root(g.w);
		memcpy(g.w->ram + root[i] + 0xc00, g.w->ram + g.root + 0xc00, 0x400);
		world_hypercall(g.w, LHCALL_NEW_PGTABLE, root[i], 0, 0, 0);
		assert_true(mmu_shadow(g.w, 0xc0000000, A_WRITE).ok);
		assert_true(may(&g, 0xc0000000, A_WRITE));
	}
	assert_int_equal(g.w->lg.stats.scalar[LG_STAT_fill_write], fills);
	mmu_check(g.w, g.root);
	world_free(g.w);
}

/* An address space that was left is found again as it was; its neighbour's is not it. */
static void roots_are_remembered(void **state)
{
	struct guest g = fresh(false, NULL);
	u32 other = guest_root(g.w), a = world_frame(g.w), b = world_frame(g.w);

	(void)state;
	memcpy(g.w->ram + other + 0xc00, g.w->ram + g.root + 0xc00, 0x400);
	guest_map(g.w, g.root, 0x08000000, a << 12 | 0x67);
	guest_map(g.w, other, 0x08000000, b << 12 | 0x67);
	assert_true(may(&g, 0x08000000, A_WRITE));
	world_hypercall(g.w, LHCALL_NEW_PGTABLE, other, 0, 0, 0);
	assert_false(mmu_shadow(g.w, 0x08000000, A_READ).ok);
	assert_true(may(&g, 0x08000000, A_WRITE));
	assert_int_equal(mmu_shadow(g.w, 0x08000000, A_READ).pfn, b);
	world_hypercall(g.w, LHCALL_NEW_PGTABLE, g.root, 0, 0, 0);
	assert_int_equal(mmu_shadow(g.w, 0x08000000, A_READ).pfn, a);
	/* The one that is current already is a known one, too. */
	world_hypercall(g.w, LHCALL_NEW_PGTABLE, g.root, 0, 0, 0);
	check(counted(&g, LG_STAT_root_hits) == 2 && counted(&g, LG_STAT_root_misses) == 2,
	      "root_hits and root_misses are %u and %u, expected 2 and 2",
	      counted(&g, LG_STAT_root_hits), counted(&g, LG_STAT_root_misses));
	world_free(g.w);
}

/* 300 address spaces, 255 places: the oldest goes, and comes back as a stranger. */
static void more_roots_than_places(void **state)
{
	static const struct world_plan plan = { .kernel_address = 0xc0000000, .frames = 1400 };
	struct guest g = fresh(false, &plan);
	u32 root[300], frame[300], i, j, round;

	(void)state;
	random_start("more_roots_than_places");
	for (i = 0; i < 300; i++) {
		root[i] = guest_root(g.w);
		memcpy(g.w->ram + root[i] + 0xc00, g.w->ram + g.root + 0xc00, 0x400);
		frame[i] = world_frame(g.w);
		guest_map(g.w, root[i], 0x08000000, frame[i] << 12 | 0x67);
		world_hypercall(g.w, LHCALL_NEW_PGTABLE, root[i], 0, 0, 0);
		assert_true(may(&g, 0x08000000, A_WRITE | A_USER));
		lg_regs(&g.w->lg)->cs = 0x61;
	}
	/* The last 255 are there, those before are not. */
	assert_null(lg_find_root(&g.w->lg, g.root));
	for (i = 0; i < 300; i++)
		check(!!lg_find_root(&g.w->lg, root[i]) == (i >= 45), "root %u", i);
	assert_int_equal(g.w->lg.stats.scalar[LG_STAT_root_evictions], 46);
	mmu_check(g.w, g.root);
	for (round = 0; round < 3000; round++) {
		i = chance(50) ? below(300) : below(20);
		j = below(300);
		/* Another address space gets a new page while it is not looked at. */
		guest_map(g.w, root[j], 0x08000000, frame[i] << 12 | 0x67);
		lg_regs(&g.w->lg)->cs = 0x61;
		world_hypercall(g.w, LHCALL_SET_PTE, root[j], 0x08000000, frame[i] << 12 | 0x67, 0);
		frame[j] = frame[i];
		world_hypercall(g.w, LHCALL_NEW_PGTABLE, root[i], 0, 0, 0);
		check(may(&g, 0x08000000, A_READ | A_USER), "root %u", i);
		check(mmu_shadow(g.w, 0x08000000, A_READ).pfn == frame[i],
		      "root %u: frame %#x, not %#x", i, mmu_shadow(g.w, 0x08000000, A_READ).pfn,
		      frame[i]);
	}
	mmu_check(g.w, g.root);
	world_free(g.w);
}

/* However few tables there are, one instruction can have all the pages it names: its
 * code, its source, its destination and its stack may each lie across a border of 1 GiB. */
static void smallest_limit(void **state)
{
	static const u32 gva[] = { 0x3ffff000, 0x40000000, 0x7ffff000, 0x80000000, 0xbffff000,
				   0xc0000000, 0xfffff000 - 0x400000, 0xf0000000 };
	static const struct world_plan plan = { .kernel_address = 0xc0000000, .frames = 100,
						.table_limit = 16 };
	struct guest g;
	u32 pae, i, turns;
	bool all;

	(void)state;
	for (pae = 0; pae < 2; pae++) {
		g = fresh(pae, &plan);
		for (i = 0; i < 7; i++)
			guest_map(g.w, g.root, gva[i], world_frame(g.w) << 12 | 0x63);
		/* Another address space that holds what it can. */
		for (turns = 0; turns < 30; turns++) {
			all = true;
			for (i = 0; i < 8; i++) {
				if (!mmu_shadow(g.w, gva[i], A_WRITE).ok) {
					all = false;
					check(may(&g, gva[i], A_WRITE), "%s", g.w->lg.text);
					break;
				}
			}
			if (all)
				break;
		}
		check(all, "8 pages, 16 tables, and never all at once");
		mmu_check(g.w, g.root);
		world_free(g.w);
	}
}

/* One address space that wants more tables than there are: it gets them in turn. */
static void alone_at_the_limit(void **state)
{
	static const struct world_plan plan = { .kernel_address = 0xc0000000, .frames = 100,
						.table_limit = 16 };
	struct guest g;
	u32 pae, i, gva, page;

	(void)state;
	for (pae = 0; pae < 2; pae++) {
		g = fresh(pae, &plan);
		page = world_frame(g.w);
		/* A directory and 14 tables; the next is in another GiB, and needs two. */
		for (i = 0; i < 40; i++) {
			gva = i < 14 ? i << 21 : (i % 4) << 30 | i << 21;
			guest_map(g.w, g.root, gva, page << 12 | 0x67);
			check(may(&g, gva, A_WRITE), "page %u: %s", i, g.w->lg.text);
			assert_int_equal(mmu_shadow(g.w, gva, A_READ).pfn, page);
			mmu_check(g.w, g.root);
		}
		assert_true(g.w->lg.stats.scalar[LG_STAT_tables_recycled] >= 2);
		world_free(g.w);
	}
}

/* No table to spare: the oldest address space makes room, and only that one. */
static void limit_takes_the_oldest(void **state)
{
	static const struct world_plan plan = { .kernel_address = 0xc0000000, .frames = 100,
						.table_limit = 16 };
	struct guest g = fresh(false, &plan);
	u32 root[9], page[9], i, flushes = g.w->lg.stats.scalar[LG_STAT_flush_all];

	(void)state;
	/* Two tables each: the ninth finds nothing left. */
	for (i = 0; i < 9; i++) {
		root[i] = i ? guest_root(g.w) : g.root;
		memcpy(g.w->ram + root[i] + 0xc00, g.w->ram + g.root + 0xc00, 0x400);
		page[i] = world_frame(g.w);
		guest_map(g.w, root[i], 0x08000000, page[i] << 12 | 0x67);
		lg_regs(&g.w->lg)->cs = 0x61;
		world_hypercall(g.w, LHCALL_NEW_PGTABLE, root[i], 0, 0, 0);
		assert_true(may(&g, 0x08000000, A_WRITE | A_USER));
	}
	assert_int_equal(g.w->lg.stats.scalar[LG_STAT_tables_recycled], 1);
	check(g.w->lg.stats.scalar[LG_STAT_flush_all] == flushes, "all was dropped, not the oldest");
	check(!lg_find_root(&g.w->lg, root[0]), "the oldest is still there");
	lg_regs(&g.w->lg)->cs = 0x61;
	for (i = 1; i < 9; i++) {
		world_hypercall(g.w, LHCALL_NEW_PGTABLE, root[i], 0, 0, 0);
		check(mmu_shadow(g.w, 0x08000000, A_WRITE).ok, "root %u was dropped as well", i);
		assert_int_equal(mmu_shadow(g.w, 0x08000000, A_READ).pfn, page[i]);
	}
	mmu_check(g.w, g.root);
	world_free(g.w);
}

/* ---- The stack of ring 1 (ABI.md 6) ---- */

static bool pinned(struct guest *g, u32 gva)
{
	return mmu_shadow(g->w, gva, A_WRITE).ok;
}

static void stack_with_kernel_at(const u32 *kernels, u32 n)
{
	struct world_plan plan = { .frames = FRAMES };
	struct guest g;
	u32 pae, k, other;

	for (pae = 0; pae < 2; pae++) {
		for (k = 0; k < n; k++) {
			plan.kernel_address = kernels[k];
			g = fresh(pae, &plan);
			guest_map(g.w, g.root, 0xb0003000, world_frame(g.w) << 12 | 0x03);
			guest_map(g.w, g.root, 0xb0004000, world_frame(g.w) << 12 | 0x03);
			assert_int_equal(world_hypercall(g.w, LHCALL_SET_STACK, 0x69, 0xb0004ff8, 2, 0), ENTERS);
			check(pinned(&g, 0xb0004000) && pinned(&g, 0xb0003000), "at SET_STACK");
			assert_int_equal(pte_of(&g, 0xb0003000) & 0x60, 0x60);
			world_hypercall(g.w, LHCALL_FLUSH_TLB, 1, 0, 0, 0);
			check(pinned(&g, 0xb0004000) && pinned(&g, 0xb0003000), "FLUSH_TLB(1)");
			world_hypercall(g.w, LHCALL_FLUSH_TLB, 0, 0, 0, 0);
			check(pinned(&g, 0xb0004000) && pinned(&g, 0xb0003000),
			      "FLUSH_TLB(0), kernel at %#x", kernels[k]);
			world_hypercall(g.w, LHCALL_SET_PGD, g.root, pae ? 2 : 0xb0000000 >> 22, 0, 0);
			check(pinned(&g, 0xb0004000) && pinned(&g, 0xb0003000), "SET_PGD");
			if (pae) {
				world_hypercall(g.w, LHCALL_SET_PMD, g.root, 0, 0, 0);
				check(pinned(&g, 0xb0004000) && pinned(&g, 0xb0003000), "SET_PMD");
			}
			/* A blank shadow. */
			other = guest_root(g.w);
			guest_set_entry(g.w, guest_pde_gpa(g.w, other, 0xb0003000),
					guest_entry(g.w, guest_pde_gpa(g.w, g.root, 0xb0003000)));
			world_hypercall(g.w, LHCALL_NEW_PGTABLE, other, 0, 0, 0);
			check(pinned(&g, 0xb0004000) && pinned(&g, 0xb0003000),
			      "NEW_PGTABLE, kernel at %#x", kernels[k]);
			/* Just one page, at the exact top. */
			world_hypercall(g.w, LHCALL_SET_STACK, 0x69, 0xb0004000, 1, 0);
			world_hypercall(g.w, LHCALL_FLUSH_TLB, 1, 0, 0, 0);
			check(pinned(&g, 0xb0003000) && !pinned(&g, 0xb0004000), "one page");
			world_free(g.w);
		}
	}
}

static void stack_is_pinned(void **state)
{
	(void)state;
	stack_with_kernel_at((u32[]){ 0xc0000000, 0x80000000, 0xb0000000 }, 3);
}

/* kernel_address 0: there is no user part, and FLUSH_TLB(0) may drop what it likes. */
static void stack_without_user_part(void **state)
{
	(void)state;
	stack_with_kernel_at((u32[]){ 0 }, 1);
}

/* The lower page in the part that is flushed, the upper one not. */
static void stack_across_the_border(void **state)
{
	struct world_plan plan = { .frames = FRAMES, .kernel_address = 0xc0000000 };
	struct guest g = fresh(false, &plan);
	u32 other;

	(void)state;
	guest_map(g.w, g.root, 0xbffff000, world_frame(g.w) << 12 | 0x63);
	guest_map(g.w, g.root, 0xc0000000, world_frame(g.w) << 12 | 0x63);
	assert_int_equal(world_hypercall(g.w, LHCALL_SET_STACK, 0x69, 0xc0001000, 2, 0), ENTERS);
	check(pinned(&g, 0xbffff000) && pinned(&g, 0xc0000000), "at SET_STACK");
	world_hypercall(g.w, LHCALL_FLUSH_TLB, 0, 0, 0, 0);
	check(pinned(&g, 0xbffff000), "FLUSH_TLB(0) took the lower page of the stack");
	other = guest_root(g.w);
	guest_set_entry(g.w, guest_pde_gpa(g.w, other, 0xbffff000),
			guest_entry(g.w, guest_pde_gpa(g.w, g.root, 0xbffff000)));
	guest_set_entry(g.w, guest_pde_gpa(g.w, other, 0xc0000000),
			guest_entry(g.w, guest_pde_gpa(g.w, g.root, 0xc0000000)));
	world_hypercall(g.w, LHCALL_NEW_PGTABLE, other, 0, 0, 0);
	check(pinned(&g, 0xbffff000), "NEW_PGTABLE left the lower page of the stack behind");
	world_free(g.w);
}

/* In the shadow, but read-only, since it is clean: that is no stack yet. */
static void stack_was_only_read(void **state)
{
	struct guest g;
	u32 pae;

	(void)state;
	for (pae = 0; pae < 2; pae++) {
		g = fresh(pae, NULL);
		guest_map(g.w, g.root, 0xc0003000, world_frame(g.w) << 12 | 0x03);
		assert_true(may(&g, 0xc0003000, A_READ));
		assert_false(pinned(&g, 0xc0003000));
		assert_int_equal(world_hypercall(g.w, LHCALL_SET_STACK, 0x69, 0xc0004000, 1, 0), ENTERS);
		check(pinned(&g, 0xc0003000), "the stack is there, and read-only");
		assert_int_equal(pte_of(&g, 0xc0003000) & 0x60, 0x60);
		world_free(g.w);
	}
}

static void stack_page_refused(void **state)
{
	static const struct { u64 low, high; const char *words; } bad[] = {
		{ 0x62, 0x63, "bad stack page 0xc0003" },
		{ 0x61, 0x63, "bad stack page 0xc0003" },
		{ 0x63, 0x62, "bad stack page 0xc0004" },
		{ 0x63, 0x61, "bad stack page 0xc0004" },
	};
	struct guest g;
	u32 i;

	(void)state;
	for (i = 0; i < 8; i++) {
		g = fresh(i & 1, NULL);
		guest_map(g.w, g.root, 0xc0003000, world_frame(g.w) << 12 | bad[i / 2].low);
		guest_map(g.w, g.root, 0xc0004000, world_frame(g.w) << 12 | bad[i / 2].high);
		assert_int_equal(world_hypercall(g.w, LHCALL_SET_STACK, 0x69, 0xc0005000, 2, 0), DEAD);
		expect_dead(g.w, LG_TRAP_STACK_PAGE, bad[i / 2].words);
		world_free(g.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(linear_mode), TEST(linear_reserve), TEST(detection), TEST(directory_bits),
		TEST(pte_bits), TEST(last_frame), TEST(not_present_is_not_read),
		TEST(clean_until_written), TEST(dirty_but_old), TEST(set_pte_fills),
		TEST(truth_table), TEST(smap_and_smep),
		TEST(smap_heals_nothing_else), TEST(drop_only_what_was_named),
		TEST(kernel_is_shared), TEST(roots_are_remembered),
		TEST(more_roots_than_places), TEST(smallest_limit), TEST(stack_is_pinned),
		TEST(stack_without_user_part),
		TEST(stack_across_the_border), TEST(stack_was_only_read),
		TEST(stack_page_refused), TEST(limit_takes_the_oldest), TEST(alone_at_the_limit),
		TEST(pdpt_anywhere),
	};

	return cmocka_run_group_tests_name("page_tables", tests, NULL, NULL);
}
