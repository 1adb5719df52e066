// SPDX-License-Identifier: MIT
/*
 * Shadow page tables against a CPU without any (ABI.md section 7).
 *
 * A random Guest maps, unmaps, changes rights, swaps tables, switches address spaces,
 * and always says so with a hypercall that ABI.md 7.4 asks for (or says nothing, where
 * it may).  Before each access mmu_guest() says what must come of it.
 */
#include "mmu.h"

#define ROOTS	10
#define HANDLER	0x00d00d00u
#define STACK	0xf0000000u	/* in a region of its own that never changes */
#define DATA_FRAMES 24u
#define REGIONS	13

/* Each is 4 MiB: one slot of a two-level directory, two entries of a PAE one. */
static const u32 bases[REGIONS] = {
	0x00000000, 0x08000000, 0x3fc00000, 0x40000000, 0x40400000, 0x7fc00000, 0x80000000,
	0xafc00000, 0xb0000000, 0xbfc00000, 0xc0000000, 0xe0000000, 0xff800000,
};
/* Pages in a region: both ends, and where PAE's two tables meet. */
static const u16 pages[] = { 0, 1, 511, 512, 1023 };

struct guest {
	struct world *w;
	u32 root[ROOTS];
	u32 current;
	u32 kernel_address;
	u32 data, stack;		/* the first of DATA_FRAMES; one frame */
	u32 table[ROOTS][REGIONS][2];	/* page tables; [0] for those of the kernel */
	u32 spare[4];
	bool lacks[ROOTS][REGIONS];	/* a kernel slot not copied yet */
	u64 pdpte[ROOTS][4];
	u8 hot_region[5], hot_page[5];	/* where most of it happens, for a while */
};

static struct {
	u32 access, denied, hits, changes, recycled;
} count;

static bool is_kernel(struct guest *g, u32 region)
{
	return bases[region] >= g->kernel_address;
}

static u32 halves(struct guest *g)
{
	return g->w->lg.pae ? 2 : 1;
}

static u32 pde_gpa(struct guest *g, u32 root, u32 region, u32 half)
{
	u32 gva = bases[region] + half * 0x200000, r = g->root[root];

	/* By way of the PMD that the root had at first: the slot may be "not present" now. */
	if (g->w->lg.pae)
		return (u32)(g->pdpte[root][gva >> 30] & ~0xfffull) + (gva >> 21 & 511) * 8;
	return r + (gva >> 22) * 4;
}

static u32 pte_gpa(struct guest *g, u32 root, u32 region, u32 page)
{
	u32 half = g->w->lg.pae ? page >> 9 : 0;
	u32 table = g->table[is_kernel(g, region) ? 0 : root][region][half];

	return table * 4096 + (g->w->lg.pae ? (page & 511) * 8 : page * 4);
}

static u64 any_pte(struct guest *g)
{
	u64 pte;

	if (chance(12)) {
		/* Not present: the other bits are the Guest's, say a place in a swap file. */
		pte = random32() & ~1u;
		return g->w->lg.pae && chance(50) ? pte | (u64)random32() << 32 : pte;
	}
	pte = (g->data + below(DATA_FRAMES)) << 12 | 1;
	pte |= random32() & 0xf7e & ~0x80u;
	if (chance(50))
		pte |= 6;
	if (g->w->lg.pae && chance(12))
		pte |= 1ull << 63;
	return pte;
}

static u64 any_pde(u32 table)
{
	u64 flags = 0x67;

	if (chance(15))
		flags &= ~(2ull << below(2));	/* RW or US */
	if (chance(30))
		flags &= ~0x60ull;
	return table << 12 | flags;
}

static void fill_table(struct guest *g, u32 pfn)
{
	u32 i, at;

	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		at = g->w->lg.pae ? (pages[i] & 511) * 8 : pages[i] * 4;
		guest_set_entry(g->w, pfn * 4096 + at, any_pte(g));
	}
}

static void call(struct guest *g, u32 n, u32 a1, u32 a2, u64 a3)
{
	check(world_hypercall(g->w, n, a1, a2, a3, a3 >> 32) == ENTERS, "hypercall %u: %s", n,
	      g->w->lg.text);
}

/* Tell about slot `region` of root: by SET_PGD, or SET_PMD for what only that covers. */
static void tell_slot(struct guest *g, u32 root, u32 region)
{
	if (g->w->lg.pae)
		call(g, LHCALL_SET_PMD, g->root[root], random32(), 0);
	else
		call(g, LHCALL_SET_PGD, g->root[root], bases[region] >> 22, random32());
}

static void set_pde(struct guest *g, u32 root, u32 region, bool present)
{
	u32 half, owner = is_kernel(g, region) ? 0 : root;

	for (half = 0; half < halves(g); half++)
		guest_set_entry(g->w, pde_gpa(g, root, region, half),
				present ? any_pde(g->table[owner][region][half]) :
				chance(50) ? 0 : (random32() & ~1u));
}

static void copy_kernel_pde(struct guest *g, u32 root, u32 region)
{
	u32 half;

	for (half = 0; half < halves(g); half++)
		guest_set_entry(g->w, pde_gpa(g, root, region, half),
				guest_entry(g->w, pde_gpa(g, 0, region, half)));
}

static void guest_new(struct guest *g, bool pae, u32 kernel_address, u32 table_limit)
{
	u32 r, region, half, i, table;

	memset(g, 0, sizeof(*g));
	g->w = world_new(&(struct world_plan){ .kernel_address = kernel_address, .frames = 420,
					       .table_limit = table_limit });
	g->kernel_address = kernel_address;
	g->w->lg.pae = pae;
	for (r = 0; r < ROOTS; r++) {
		g->root[r] = guest_root(g->w);
		for (i = 0; i < 4 && pae; i++)
			g->pdpte[r][i] = guest_entry(g->w, g->root[r] + 8 * i);
	}
	g->data = g->w->next_frame;
	g->w->next_frame += DATA_FRAMES;
	for (i = 0; i < 4; i++) {
		g->spare[i] = world_frame(g->w);
		fill_table(g, g->spare[i]);
	}
	for (r = 0; r < ROOTS; r++) {
		for (region = 0; region < REGIONS; region++) {
			if (r && is_kernel(g, region)) {
				copy_kernel_pde(g, r, region);
				continue;
			}
			for (half = 0; half < halves(g); half++) {
				g->table[r][region][half] = world_frame(g->w);
				fill_table(g, g->table[r][region][half]);
			}
			set_pde(g, r, region, true);
		}
	}
	/* The stack, in its own region, the same in all roots. */
	table = world_frame(g->w);
	g->stack = world_frame(g->w);
	guest_set_entry(g->w, table * 4096, g->stack << 12 | 0x63);
	for (r = 0; r < ROOTS; r++)
		guest_set_entry(g->w, guest_pde_gpa(g->w, g->root[r], STACK), table << 12 | 0x63);

	call(g, LHCALL_LOAD_IDT_ENTRY, 14, HANDLER & 0xffff, (HANDLER & 0xffff0000) | 0x8e00);
	call(g, LHCALL_NEW_PGTABLE, g->root[0], 0, 0);
	check(g->w->lg.pae == pae, "took it for %s", pae ? "two-level" : "PAE");
	call(g, LHCALL_SET_STACK, 0x69, STACK + 4096, 1);
}

/* ---- What a Guest does ---- */

static void pick(struct guest *g, u32 *region, u32 *page)
{
	u32 i = below(5);

	*region = below(REGIONS);
	*page = pages[below(5)];
	if (chance(5)) {
		g->hot_region[i] = *region;
		g->hot_page[i] = below(5);
	}
	if (chance(80)) {
		*region = g->hot_region[i];
		*page = pages[g->hot_page[i]];
	}
}

static u32 some_root(struct guest *g)
{
	return chance(60) ? g->current : chance(80) ? below(3) : below(ROOTS);
}

static void access_page(struct guest *g)
{
	static const u32 kinds[] = { A_READ, A_READ, A_WRITE, A_WRITE, A_FETCH };
	struct world *w = g->w;
	u32 region, page, kind, gva, faults = 0;
	u32 root = g->root[g->current], error;
	struct verdict v, s, m;
	bool done;

	pick(g, &region, &page);
	gva = bases[region] + page * 4096 + below(4096);
	if (chance(1)) {
		gva = 0xffc00000 + (random32() & 0x3fffff);
		region = REGIONS;
	} else if (chance(1)) {
		gva = random32() % 0xffc00000;
		if ((gva & 0xffc00000) == STACK)
			return;
		region = REGIONS;
	}
	kind = kinds[below(5)] | (chance(50) ? A_USER : 0);
	v = mmu_guest(w, root, gva, kind);
	if (region < REGIONS && g->lacks[g->current][region]) {
		/* The Guest's table lacks the slot; the shadow, shared, may have it. */
		s = mmu_shadow(w, gva, kind);
		m = mmu_guest(w, g->root[0], gva, kind);
		if (s.ok)
			v = m;
	}
	lg_regs(&w->lg)->esp = STACK + 2048;
	done = mmu_access(w, gva, kind, HANDLER, &faults);
	check(!w->lg.over, "access %u to %#x: %s", kind, gva, w->lg.text);
	count.access++;
	check(done == v.ok, "access %u to %#x is %s, and should not be (PTE %#llx)", kind, gva,
	      done ? "allowed" : "denied", (unsigned long long)v.pte);
	if (done) {
		count.hits += !faults;
		s = mmu_shadow(w, gva, kind);
		check(s.pfn == v.pfn, "%#x is frame %#x instead of %#x", gva, s.pfn, v.pfn);
		check(guest_entry(w, v.pte_gpa) == v.pte,
		      "access %u to %#x: the Guest's PTE is %#llx instead of %#llx", kind, gva,
		      (unsigned long long)guest_entry(w, v.pte_gpa), (unsigned long long)v.pte);
		check(faults <= 2, "%u faults for one access", faults);
		return;
	}
	count.denied++;
	check(faults == 1, "%u faults before the Guest's own", faults);
	check(w->lg.data->cr2 == gva, "cr2 is %#x instead of %#x", w->lg.data->cr2, gva);
	error = world_get32(w, g->stack * 4096 + lg_regs(&w->lg)->esp - STACK);
	check(error == v.error, "access %u to %#x: error code %#x instead of %#x", kind, gva, error,
	      v.error);
	if (v.pte_gpa)
		check(guest_entry(w, v.pte_gpa) == v.pte, "a denied access changed the PTE");
}

/* Change PTEs, then say so, in one of the ways that are enough. */
static void change_ptes(struct guest *g)
{
	u32 root = some_root(g);
	u32 how = chance(85) ? below(4) : below(7), n = how >= 3 && how < 6 ? 1 + below(6) : 1;
	u32 i, region, page, at, slot, gva;
	struct lguest_data *data = g->w->lg.data;
	u64 old, new;

	for (i = 0; i < n; i++) {
		pick(g, &region, &page);
		if (how == 4 && is_kernel(g, region))
			continue;	/* FLUSH_TLB(0) is for the user part */
		if (how == 4)
			root = g->current;
		at = pte_gpa(g, root, region, page);
		old = guest_entry(g->w, at);
		new = any_pte(g);
		gva = bases[region] + page * 4096 + (chance(20) ? below(4096) : 0);
		if (how == 2) {
			if (!(old & 1)) {
				/* It was not there: no call is needed. */
				guest_set_entry(g->w, at, new);
			} else {
				/* More rights for the same frame: none either. */
				new = (old | (random32() & 0x66)) & ~(chance(50) ? 1ull << 63 : 0);
				guest_set_entry(g->w, at, new);
			}
			count.changes++;
			continue;
		}
		if (how == 6 && (old & 1))	/* old, or clean, or less: what reclaim does */
			new = old & ~(u64)(random32() & 0x66);
		guest_set_entry(g->w, at, new);
		count.changes++;
		if (how == 0 || how == 6) {
			call(g, LHCALL_SET_PTE, is_kernel(g, region) ? random32() : g->root[root],
			     gva, new);
		} else if (how == 1) {
			call(g, LHCALL_SET_PTE, is_kernel(g, region) ? 0 : g->root[root], gva, 0);
		} else if (how == 3) {
			slot = g->w->lg.ring_cursor + i;
			data->hcalls[slot % LHCALL_RING_SIZE] = (struct hcall_args){
				LHCALL_SET_PTE, g->root[root], gva, new, new >> 32 };
			data->hcall_status[slot % LHCALL_RING_SIZE] = 0;
		}
	}
	if (how == 3)
		call(g, LHCALL_FLUSH_ASYNC, 0, 0, 0);
	else if (how == 4)
		call(g, LHCALL_FLUSH_TLB, 0, 0, 0);
	else if (how == 5)
		call(g, LHCALL_FLUSH_TLB, 1 + below(5), 0, 0);
}

/* A slot of a directory: other rights, another table, or gone. */
static void change_slot(struct guest *g)
{
	u32 region = below(REGIONS), root = some_root(g), r, s, t;
	bool present = chance(90);

	count.changes++;
	if (chance(25)) {
		/* More rights, for all behind it: no call is needed. */
		for (r = 0; r < ROOTS; r++) {
			if (is_kernel(g, region) ? g->lacks[r][region] : r != root)
				continue;
			for (s = 0; s < halves(g); s++) {
				u64 pde = guest_entry(g->w, pde_gpa(g, r, region, s));

				if (pde & 1)
					guest_set_entry(g->w, pde_gpa(g, r, region, s), pde | 6);
			}
		}
		return;
	}
	if (chance(40)) {
		s = below(4);
		r = is_kernel(g, region) ? 0 : root;
		t = g->table[r][region][0];
		g->table[r][region][0] = g->spare[s];
		g->spare[s] = t;
		fill_table(g, chance(50) ? g->table[r][region][0] : t);
	}
	if (!is_kernel(g, region)) {
		set_pde(g, root, region, present);
		tell_slot(g, root, region);
		return;
	}
	set_pde(g, 0, region, true);		/* the master's is always there */
	for (r = 1; r < ROOTS; r++)
		if (!g->lacks[r][region])
			copy_kernel_pde(g, r, region);
	if (chance(50)) {
		call(g, LHCALL_FLUSH_TLB, 1, 0, 0);
		return;
	}
	for (r = 0; r < ROOTS; r++)
		tell_slot(g, r, region);
}

/* A kernel slot that one address space has not got yet, or gets now. */
static void lack_slot(struct guest *g)
{
	u32 region = below(REGIONS), root = 1 + below(ROOTS - 1), half;

	if (!is_kernel(g, region))
		return;
	g->lacks[root][region] = !g->lacks[root][region];
	if (!g->lacks[root][region]) {
		copy_kernel_pde(g, root, region);	/* it was absent: no call */
		return;
	}
	for (half = 0; half < halves(g); half++)
		guest_set_entry(g->w, pde_gpa(g, root, region, half), 0);
	tell_slot(g, root, region);
}

/* PAE: a whole GiB of user space goes, or comes back. */
static void change_pdpte(struct guest *g)
{
	u32 root = some_root(g), i = below(4), at;
	u64 entry;

	if (!g->w->lg.pae || ((u64)(i + 1) << 30) > g->kernel_address)
		return;
	at = g->root[root] + 8 * i;
	entry = guest_entry(g->w, at);
	guest_set_entry(g->w, at, entry & 1 ? entry & ~1ull : g->pdpte[root][i]);
	call(g, LHCALL_SET_PGD, g->root[root], i, random32());
}

static void switch_root(struct guest *g)
{
	g->current = chance(80) ? below(3) : below(ROOTS);
	call(g, LHCALL_NEW_PGTABLE, g->root[g->current], random32(), random32());
}

static void play(u32 i, u32 kernel_address, u32 steps)
{
	struct guest g;
	u32 step, dice, limit = i % 3 ? 0 : 16 + below(16);

	guest_new(&g, i & 1, kernel_address, limit);
	for (step = 0; step < steps; step++) {
		dice = below(100);
		if (dice < 78)
			access_page(&g);
		else if (dice < 95)
			change_ptes(&g);
		else if (dice < 96 && chance(70))
			change_slot(&g);
		else if (dice < 96)
			chance(50) ? lack_slot(&g) : change_pdpte(&g);
		else
			switch_root(&g);
		if (step % 100 == 0)
			mmu_check(g.w, g.root[0]);
	}
	mmu_check(g.w, g.root[0]);
	count.recycled += g.w->lg.stats.scalar[LG_STAT_tables_recycled];
	world_free(g.w);
}

static void games(const char *name, u32 kernel_address)
{
	const char *given = getenv("STEPS");
	u32 steps = given ? atoi(given) : 15000, i;

	random_start(name);
	memset(&count, 0, sizeof(count));
	for (i = 0; i < 10; i++)
		play(i, kernel_address, steps);
	printf("# %s: %u accesses, %u denied, %u hits, %u changes, limit reached %u times\n",
	       name, count.access, count.denied, count.hits, count.changes, count.recycled);
	check(count.denied * 20 > count.access && count.denied * 3 < count.access * 2 &&
	      count.hits * 5 > count.access && count.recycled,
	      "the mix is stale: this tests little");
}

static void kernel_at_3_gib(void **state)
{
	(void)state;
	games("kernel_at_3_gib", 0xc0000000);
}

static void kernel_at_2_gib(void **state)
{
	(void)state;
	games("kernel_at_2_gib", 0x80000000);
}

static void kernel_at_2_75_gib(void **state)
{
	(void)state;
	games("kernel_at_2_75_gib", 0xb0000000);
}

static void kernel_above_1_gib(void **state)
{
	(void)state;
	games("kernel_above_1_gib", 0x40400000);
}

static void all_is_kernel(void **state)
{
	(void)state;
	games("all_is_kernel", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kernel_at_3_gib), TEST(kernel_at_2_gib), TEST(kernel_at_2_75_gib),
		TEST(kernel_above_1_gib), TEST(all_is_kernel),
	};

	return cmocka_run_group_tests_name("differential", tests, NULL, NULL);
}
