// SPDX-License-Identifier: MIT
#include "mmu.h"

/* ---- The Guest's: SDM vol. 3, 4.3, 4.4, 4.6, 4.7, 4.8; CR0.WP = 1 ---- */

static u64 fetch(struct world *w, u32 gpa)
{
	return guest_entry(w, gpa);
}

struct verdict mmu_guest(struct world *w, u32 root, u32 gva, u32 access)
{
	struct verdict v = { .error = access & (A_WRITE | A_USER) };
	bool pae = w->lg.pae;
	u64 pde, pte;
	u32 table = root & 0xfffff000;

	if (gva >= 0xffc00000)			/* the reserved 4 MiB: never mapped */
		return v;
	if (pae) {
		pde = fetch(w, (root & 0xffffffe0) + (gva >> 30) * 8);
		if (!(pde & 1))
			return v;
		table = pde & 0xfffff000;
	}
	pde = fetch(w, table + (pae ? (gva >> 21 & 0x1ff) * 8 : (gva >> 22) * 4));
	if (!(pde & 1))
		return v;
	v.pte_gpa = (pde & 0xfffff000) + (pae ? (gva >> 12 & 0x1ff) * 8 : (gva >> 12 & 0x3ff) * 4);
	pte = v.pte = fetch(w, v.pte_gpa);
	if (!(pte & 1))
		return v;
	v.error |= 1;
	if (pae && pte >> 63)			/* without NX a Guest never sees this bit */
		v.error |= access & A_FETCH;
	if ((access & A_WRITE) && !(pde & pte & 2))
		return v;
	if ((access & A_USER) && !(pde & pte & 4))
		return v;
	if ((access & A_FETCH) && pae && pte >> 63)
		return v;
	v.ok = true;
	v.pfn = pte >> 12 & 0xfffff;
	v.pte |= 0x20 | (access & A_WRITE ? 0x40 : 0);
	return v;
}

/* ---- The real CPU's: SDM vol. 3, 4.5, from the PDPT on ---- */

static u64 *page_at(u64 entry)
{
	check(entry & WORLD_PHYS, "entry %#llx is not a physical address",
	      (unsigned long long)entry);
	return (u64 *)(entry & 0x000ffffffffff000ull & ~WORLD_PHYS);
}

struct verdict mmu_shadow(struct world *w, u32 gva, u32 access)
{
	struct verdict v = { .error = access };
	u64 pdpte, pde, pte, both;

	pdpte = w->lg.pdpt[gva >> 30];
	if (!(pdpte & 1))
		return v;
	pde = page_at(pdpte)[gva >> 21 & 511];
	if (!(pde & 1))
		return v;
	pte = page_at(pde)[gva >> 12 & 511];
	if (!(pte & 1))
		return v;
	v.error |= 1;
	both = pdpte & pde & pte;
	if ((access & A_WRITE) && !(both & 2))
		return v;
	if ((access & A_USER) && !(both & 4))
		return v;
	if ((access & A_FETCH) && (pdpte | pde | pte) >> 63)
		return v;
	v.ok = true;
	v.pfn = world_pfn_of(w, pte & 0x000ffffffffff000ull);
	check(v.pfn != ~0u, "the shadow maps %#x to %#llx, which is not the Guest's", gva,
	      (unsigned long long)pte);
	check((pte & 0x7ff0000000000ff8ull) == 0x60,
	      "the shadow's entry for %#x is %#llx: of its flags, 0x60 are set always, P, RW, US and "
	      "NX now and then, no other", gva, (unsigned long long)pte);
	return v;
}

bool mmu_access(struct world *w, u32 gva, u32 access, u32 handler, u32 *faults)
{
	struct lg_trap_frame *regs = lg_regs(&w->lg);
	struct verdict v;
	u32 eip = 0x1000 + below(0x1000), tries;

	regs->cs = access & A_USER ? 0x73 : 0x61;
	regs->ss = access & A_USER ? 0x7b : 0x69;
	for (tries = 0; tries < 4; tries++) {
		v = mmu_shadow(w, gva, access);
		if (v.ok)
			return true;
		++*faults;
		regs->eip = eip;
		w->lg.pages->cr2 = gva;
		if (world_trap(w, 14, v.error) != ENTERS) {
			check(w->lg.over, "a page fault, and the Guest sleeps");
			return false;
		}
		if (regs->eip == handler)
			return false;
		check(regs->eip == eip, "a page fault moved eip to %#x", (u32)regs->eip);
	}
	fail_msg("ring %u %s %#x, and that faults for ever", access & A_USER ? 3 : 1,
		 access & A_WRITE ? "writes to" : access & A_FETCH ? "executes" : "reads", gva);
	return false;
}

/* ---- The whole shadow ---- */

struct census {
	u8 seen[LG_TABLES];
	u32 live;
};

static u32 table_number(struct world *w, struct census *c, u64 entry, u32 from)
{
	u32 n = entry >> 52 & 0x7ff;
	struct lg_table *t = &w->lg.table[n];

	check(entry >> 63 == 0 && (entry & 0x21) == 0x21, "entry %#llx (in table %u)",
	      (unsigned long long)entry, from);
	check(n && n <= w->lg.tables, "entry %#llx names table %u of %u",
	      (unsigned long long)entry, n, w->lg.tables);
	check(page_at(entry) == t->entry, "entry %#llx: table %u is elsewhere",
	      (unsigned long long)entry, n);
	check(!c->seen[n]++, "table %u is in use twice", n);
	c->live++;
	return n;
}

/*
 * The next entry that is not 0, or `to`.  Most are 0, and there are millions of them: this loop
 * has its bounds before its eyes, and goes without the sanitizers.
 */
__attribute__((no_sanitize("address", "undefined")))
static u32 next_entry(const u64 *entry, u32 from, u32 to)
{
	while (from < to && !entry[from])
		from++;
	return from;
}

static void watermarks(struct world *w, u32 n)
{
	struct lg_table *t = &w->lg.table[n];
	bool empty = t->low > t->high;
	u32 low = empty || t->low > 512 ? 512 : t->low;
	u32 above = empty || t->high > 511 ? 512 : t->high + 1;
	u32 i = next_entry(t->entry, 0, low);

	if (i == low)
		i = next_entry(t->entry, above, 512);
	check(i == 512, "table %u: entry %u is outside %u..%u", n, i, t->low, t->high);
}

/* One entry of a shadow table, against the Guest's tables from `root`. */
static void explain(struct world *w, u32 root, u32 gva, u64 pde, u64 pte)
{
	u32 user = pde & pte & 4 ? A_USER : 0;
	u32 write = pde & pte & 2 ? A_WRITE : 0;
	struct verdict v = mmu_guest(w, root, gva, A_READ | user | write);
	u32 pfn = world_pfn_of(w, pte & 0x000ffffffffff000ull);

	check(pte & 1, "the shadow of %#x at %#x is %#llx: not present, not 0", root, gva,
	      (unsigned long long)pte);
	check(v.ok, "the shadow of %#x lets ring %u %s %#x (%#llx, %#llx), the Guest's PTE %#llx "
	      "does not", root, user ? 3 : 1, write ? "write" : "read", gva,
	      (unsigned long long)pde, (unsigned long long)pte, (unsigned long long)v.pte);
	check(v.pfn == pfn, "the shadow of %#x maps %#x to frame %#x, the Guest to %#x", root,
	      gva, pfn, v.pfn);
	v.pte = guest_entry(w, v.pte_gpa);
	check((pte & 2) == 0 || (v.pte & 0x42) == 0x42,
	      "%#x is writable in the shadow, the Guest's PTE is %#llx", gva,
	      (unsigned long long)v.pte);
	check(v.pte & 0x20, "%#x is mapped, and A is clear in the Guest's PTE %#llx", gva,
	      (unsigned long long)v.pte);
	if (w->lg.pae)
		check(!(v.pte >> 63) || pte >> 63, "%#x may be executed in the shadow", gva);
}

static void directory(struct world *w, struct census *c, u32 root, u32 n, u32 gib)
{
	struct lg_table *d = &w->lg.table[n], *t;
	u32 i, j, number;

	watermarks(w, n);
	for (i = next_entry(d->entry, 0, 512); i < 512; i = next_entry(d->entry, i + 1, 512)) {
		number = table_number(w, c, d->entry[i], n);
		watermarks(w, number);
		t = &w->lg.table[number];
		for (j = next_entry(t->entry, 0, 512); j < 512; j = next_entry(t->entry, j + 1, 512)) {
			check(world_pfn_of(w, t->entry[j] & 0x000ffffffffff000ull) != ~0u,
			      "table %u maps %#llx, which is not the Guest's", number,
			      (unsigned long long)t->entry[j]);
			check((gib << 30 | i << 21 | j << 12) < 0xffc00000,
			      "the reserve is mapped");
			if (root)
				explain(w, root, gib << 30 | i << 21 | j << 12, d->entry[i],
					t->entry[j]);
		}
	}
}

static void census(struct world *w, u32 master, bool explained)
{
	struct lguest *lg = &w->lg;
	struct census c = { .live = 0 };
	u32 r, i, n, free = 0;
	u64 want;

	for (r = 0; r < LG_ROOTS; r++) {
		for (i = 0; i < 4; i++) {
			n = lg->root[r].pd[i];
			if (!n)
				continue;
			check(lg->root[r].used && i < lg->shared, 
			      "root %u has a table for GiB %u", r, i);
			check(n <= lg->tables && !c.seen[n]++, "table %u is in use twice", n);
			c.live++;
			directory(w, &c, explained && r ? lg->root[r].gpa : 0, n, i);
		}
	}
	for (i = 0; i < 4; i++) {
		n = lg->kernel_pd[i];
		if (n) {
			check(i >= lg->shared, "GiB %u is not shared", i);
			check(n <= lg->tables && !c.seen[n]++, "table %u is in use twice", n);
			c.live++;
			directory(w, &c, explained ? master : 0, n, i);
		}
		if (i < lg->shared)
			n = lg->root[lg->current_root].pd[i];
		want = n ? ((u64)lg->table[n].entry | WORLD_PHYS | (u64)n << 52 | 0x27) : 0;
		check((lg->pdpt[i] & ~0x40ull) == want,
		      "PDPT entry %u is %#llx instead of %#llx", i,
		      (unsigned long long)lg->pdpt[i], (unsigned long long)want);
	}
	i = next_entry(lg->pdpt, 4, 512);
	check(i == 512, "PDPT entry %u is %#llx", i, (unsigned long long)lg->pdpt[i]);
	for (n = lg->free_table; n; n = lg->table[n].next) {
		check(n <= lg->tables && !c.seen[n]++,
		      "table %u is free and in use, or free twice", n);
		check(lg->table[n].low > lg->table[n].high, "free table %u is not empty", n);
		i = next_entry(lg->table[n].entry, 0, 512);
		check(i == 512, "free table %u: entry %u is %#llx", n, i,
		      (unsigned long long)lg->table[n].entry[i]);
		free++;
	}
	check(free == lg->free_tables, "%u tables are free, %u are counted", free,
	      lg->free_tables);
	check(free + c.live == lg->tables, "%u live + %u free tables, %u were allocated", c.live,
	      free, lg->tables);
	check(lg->tables <= lg->table_limit, "%u tables, the limit is %u", lg->tables,
	      lg->table_limit);
	check(lg->stats.scalar[LG_STAT_tables_live] == c.live, "%u live tables, %llu counted",
	      c.live, (unsigned long long)lg->stats.scalar[LG_STAT_tables_live]);
}

void mmu_check(struct world *w, u32 master)
{
	census(w, master, true);
}

void mmu_check_tables(struct world *w)
{
	census(w, 0, false);
}
