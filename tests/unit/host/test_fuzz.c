// SPDX-License-Identifier: MIT
/*
 * Guests that are out of their minds: random exits with random registers, over random
 * memory.  The Guest may die, with a reason.  Nothing else may happen: no crash (the
 * sanitizers and guard pages look on), no door in the GDT, no frame of somebody else's,
 * no table lost.
 */
#include "mmu.h"

#define FRAMES	96u
#define MEMORY	(FRAMES * 4096u)
#define STACK	0xf0000000u

/* How mad?  Most Guests do one deadly thing in a few hundred, some in ten. */
static u32 madness;

static bool mad(void)
{
	return below(1000) < madness;
}

struct guest {
	struct world *w;
	u32 root[4];
	u32 data_gpa;
	u64 ours[LG_GDT_WORDS];
};

static u32 gpa(struct guest *g)
{
	switch (below(8)) {
	case 0: return g->root[below(4)];
	case 1: return random32();
	case 2: return MEMORY - 1 - below(200);
	case 3: return MEMORY + below(200);
	case 4: return below(FRAMES) * 4096;
	case 5: return below(FRAMES) * 4096 + 4096 - below(30);
	case 6: return (random32() & 0xfffff000) | (random32() & 0x67);
	default: return below(MEMORY);
	}
}

static u32 gva(struct guest *g)
{
	static const u32 places[] = { 0, 0x08000000, 0x40000000, 0x3ffff000, 0xc0000000, 0xbffff000,
				      0x80000000, 0xffbff000, 0xffc00000, 0xfffff000, 0xb0000000 };

	if (g->w->lg.linear && !mad())
		return below(MEMORY);
	switch (below(4)) {
	case 0: return random32();
	case 1: return below(MEMORY);
	case 2: return gpa(g);
	default: return places[below(11)] + (chance(50) ? below(8192) - 4096 : 0);
	}
}

static u32 value(struct guest *g)
{
	switch (below(6)) {
	case 0: return below(40);
	case 1: return 1u << below(32);
	case 2: return ~below(3);
	case 3: return gpa(g);
	case 4: return gva(g);
	default: return random32();
	}
}

static u64 entry(struct guest *g, bool pae)
{
	u64 e = mad() ? random32() & 0xfffff000 : below(FRAMES) << 12;

	e |= mad() ? random32() & 0xfff : 0x67 & ~(chance(20) ? 1u << below(7) : 0);
	if (pae && mad())
		e |= (u64)random32() << 32;
	(void)g;
	return e;
}

/* Tables that make some sense, so that a walk gets somewhere. */
static void scribble_tables(struct guest *g)
{
	struct world *w = g->w;
	u32 i, at;

	for (i = 0; i < 12; i++) {
		at = chance(50) ? guest_pte_gpa(w, g->root[below(4)], gva(g), false) :
				  guest_pde_gpa(w, g->root[below(4)], gva(g));
		if (at && at <= MEMORY - 8 && at >= 0x3000)	/* not into lguest_data */
			guest_set_entry(w, at, entry(g, w->lg.pae));
	}
}

/* A hypercall: any, with arguments that it may survive, as a rule. */
static struct hcall_args call(struct guest *g)
{
	static const u8 numbers[] = {
		LHCALL_FLUSH_ASYNC, LHCALL_NEW_PGTABLE, LHCALL_FLUSH_TLB,
		LHCALL_LOAD_IDT_ENTRY, LHCALL_SET_STACK, LHCALL_TS, LHCALL_SET_CLOCKEVENT,
		LHCALL_HALT, LHCALL_SET_PTE, LHCALL_SET_PTE, LHCALL_SET_PTE, LHCALL_SET_PGD,
		LHCALL_LOAD_TLS, LHCALL_NOTIFY, LHCALL_LOAD_GDT_ENTRY, LHCALL_SEND_INTERRUPTS,
	};
	struct hcall_args a = { numbers[below(16)], value(g), value(g), value(g), value(g) };

	if (g->w->lg.pae && chance(10))
		a.number = LHCALL_SET_PMD;
	if (mad())
		a.number = chance(50) ? below(24) : value(g);
	if (mad())
		return a;
	switch (a.number) {
	case LHCALL_NEW_PGTABLE:
	case LHCALL_SET_PGD:
		a.arg1 = g->root[below(4)];
		a.arg2 = below(g->w->lg.pae ? 4 : 1024);
		break;
	case LHCALL_SET_PTE:
		a.arg1 = g->root[below(4)];
		a.arg2 = gva(g);
		if (a.arg2 >= 0xffc00000)
			a.arg2 -= 0x400000;
		a.arg3 = entry(g, false);
		a.arg4 = chance(50) ? 0x80000000 : 0;
		break;
	case LHCALL_LOAD_IDT_ENTRY:
		a.arg1 = below(256);
		a.arg3 = (a.arg3 & 0xfffff0ff) | 0x8e00 | below(2) << 8;
		break;
	case LHCALL_LOAD_GDT_ENTRY:
		a.arg1 = below(32);
		break;
	case LHCALL_SET_STACK:
		a.arg1 = 0x69;
		a.arg2 = g->w->lg.linear ? 0x8000 : STACK + 8192 - 8 * below(3);
		a.arg3 = below(3);
		break;
	case LHCALL_LOAD_TLS:
		a.arg1 = below(MEMORY - 24);
		break;
	}
	return a;
}

static void scribble(struct guest *g)
{
	u32 i, at = below(MEMORY - 64), n = below(64);

	switch (below(4)) {
	case 0:
		if (!mad())
			at = 0x2a00 + below(0x1500);	/* nothing of importance */
		for (i = 0; i < n; i++)
			g->w->ram[at + i] = random32();
		break;
	case 1:		/* struct lguest_data, a bit of it */
		for (i = 0; i < 4; i++)
			g->w->ram[g->data_gpa + (mad() ? below(sizeof(struct lguest_data)) : below(24))] = random32();
		break;
	case 2:		/* the ring */
		for (i = 0; i < n; i++) {
			u32 slot = chance(50) ? (g->w->lg.ring_cursor + i) %
				   LHCALL_RING_SIZE : below(LHCALL_RING_SIZE);

			g->w->lg.data->hcalls[slot] = call(g);
			g->w->lg.data->hcall_status[slot] = chance(60) ? 0 : random32();
		}
		break;
	default:
		scribble_tables(g);
	}
}

static struct guest fresh(void)
{
	static const u32 kernels[] = { 0xc0000000, 0x80000000, 0xb0000000, 0, 0xffbff000,
				       0x40001000 };
	struct guest g;
	struct world_plan plan = {
		.frames = FRAMES, .kernel_address = kernels[below(6)],
		.table_limit = chance(50) ? 16 + below(8) : 0,
		.data_gpa = chance(50) ? 0x1fcd : 0,
		.noirq_start = 0x5000, .noirq_end = 0x5008 };
	u32 i, j, table;

	madness = chance(70) ? 2 : 60;
	g.w = world_new(&plan);
	g.data_gpa = g.w->lg.data_gpa;
	g.w->lg.pae = chance(50);
	for (i = 0; i < 4; i++) {
		g.root[i] = guest_root(g.w);
		for (j = 0; j < 6; j++)
			guest_map(g.w, g.root[i], gva(&g), entry(&g, g.w->lg.pae));
	}
	table = world_frame(g.w);
	for (i = 0; i < 2; i++)
		guest_set_entry(g.w, table * 4096 + i * (g.w->lg.pae ? 8 : 4),
				world_frame(g.w) << 12 | 0x63);
	for (i = 0; i < 4; i++)
		guest_set_entry(g.w, guest_pde_gpa(g.w, g.root[i], STACK), table << 12 | 0x63);
	for (i = 0; i < 256; i++)
		if (chance(99))
			world_hypercall(g.w, LHCALL_LOAD_IDT_ENTRY, i, 0x5000 + i,
					0x8e00 | below(4) << 13 | below(2) << 8, 0);
	g.w->lg.pae = false;
	g.w->lg.pages->esp1 = 0x8000;
	g.w->lg.pages->ss1 = 0x69;
	if (chance(80)) {
		world_hypercall(g.w, LHCALL_NEW_PGTABLE, g.root[0], 0, 0, 0);
		g.w->lg.pages->esp1 = STACK + 8192;
	}
	for (i = 0; i < LG_GDT_WORDS; i++)
		if (i == 2 || i == 3 || i >= 32)
			g.w->lg.pages->gdt[i] = 0x00af9b0000000000ull + i;
	memcpy(g.ours, g.w->lg.pages->gdt, sizeof(g.ours));
	return g;
}

static void registers(struct guest *g)
{
	static const u8 code[] = { 0xcd, 0xcc, 0xce, 0x66, 0xe4, 0xec, 0xef, 0xfa, 0xf4, 0x0f };
	static const u32 selectors[] = { 0x61, 0x69, 0x73, 0x7b, 0, 0x33, 0xd8, 0x91 };
	struct lg_trap_frame *regs = lg_regs(&g->w->lg);
	bool user = chance(30);
	u32 at;

	if (chance(50)) {
		regs->eax = value(g);
		regs->ebx = value(g);
		regs->ecx = value(g);
		regs->edx = value(g);
		regs->esi = value(g);
		regs->edi = value(g);
		regs->ebp = value(g);
		regs->fs = selectors[below(8)];
	}
	/* The CPU saw to it that these two are of ring 1 or 3. */
	regs->cs = user ? 0x73 : mad() ? 0x91 : 0x61;
	regs->ss = user ? 0x7b : 0x69;
	regs->eip = chance(30) ? 0x5000 + below(16) : gva(g);
	regs->esp = mad() ? gva(g) : g->w->lg.linear ? 0x6000 + below(0x2000) :
		    STACK + 32 + below(0x1f00);
	if (!mad())
		regs->esp &= ~3ull;
	if (mad())
		g->w->lg.pages->esp1 = gva(g);
	regs->eflags = (random32() & 0x254dd5) | 0x202;
	g->w->lg.pages->cr2 = gva(g);
	at = (u32)regs->eip;
	if (at < MEMORY - 4) {		/* linear mode: something to look at */
		g->w->ram[at] = code[below(10)];
		g->w->ram[at + 1] = chance(50) ? code[below(10)] : below(256);
	}
}

static void look(struct guest *g, u32 step)
{
	struct lguest *lg = &g->w->lg;
	u64 *reg = (u64 *)lg_regs(lg), d;
	u32 i;

	for (i = 0; i < sizeof(struct lg_trap_frame) / 8; i++)
		check(!(reg[i] >> 32), "step %u: register %u is %#llx", step, i,
		      (unsigned long long)reg[i]);
	check((lg_regs(lg)->cs & 1) && (lg_regs(lg)->eflags & 0x200), "step %u: cs %#x eflags %#x",
	      step, (u32)lg_regs(lg)->cs, (u32)lg_regs(lg)->eflags);
	for (i = 0; i < LG_GDT_WORDS; i++) {
		d = lg->pages->gdt[i];
		if (i == 2 || i == 3 || i == 10 || i == 11 || i == 16 || i >= 31) {
			check(d == g->ours[i], "step %u: GDT entry %u is not the Guest's", step, i);
			continue;
		}
		/* Present: code or data, DPL 1 or 3, not 64-bit. */
		if (d >> 47 & 1)
			check((d >> 44 & 1) && (d >> 45 & 1) && !((d >> 43 & 1) && (d >> 53 & 1)),
			      "step %u: GDT entry %u is %#llx", step, i, (unsigned long long)d);
	}
	for (i = 0; i < 256; i++)
		check(!g->w->gate_dpl[i] || i == 0x80 || i < 32, "step %u: gate %u is open", step,
		      i);
	check(g->w->gate_dpl[0x1f] == 1, "step %u: the hypercall gate", step);
	if (step % 16 == 0)
		mmu_check_tables(g->w);
}

/* Into an envelope and out again, in another world: it should notice nothing. */
static u32 moves;

static void move(struct guest *g)
{
	struct world *to = world_new(&(struct world_plan){ .frames = FRAMES, .raw = true,
				     .table_limit = g->w->lg.table_limit });
	struct lg_snapshot s, again;
	const char *why;

	memset(&s, 0, sizeof(s));
	memset(&again, 0, sizeof(again));
	memcpy(to->ram, g->w->ram, MEMORY);
	memcpy(to->lg.pages->gdt, g->ours, sizeof(g->ours));
	lg_save(&g->w->lg, &s);
	why = lg_saved_wrong(&to->lg, &s);
	check(!why, "a Guest that lived cannot be restored: %s", why);
	world_restore(to, &s);
	lg_save(&to->lg, &again);
	s.tsc = again.tsc = 0;		/* a clock that ticks when looked at */
	check(!memcmp(&s, &again, sizeof(s)), "saved, restored and saved is not saved");
	check(!memcmp(to->gate_dpl, g->w->gate_dpl, sizeof(to->gate_dpl)) &&
	      !memcmp(to->gate_handler, g->w->gate_handler, sizeof(to->gate_handler)),
	      "the real gates are others");
	check(!memcmp(to->lg.pages->gdt, g->w->lg.pages->gdt, sizeof(g->ours)),
	      "the real GDT is another");
	check(!to->lg.stats.scalar[LG_STAT_tables_live], "a shadow was restored");
	mmu_check_tables(g->w);
	world_free(g->w);
	g->w = to;
	moves++;
}

static u32 reasons[LG_REASON_COUNT];

static void mad_guests(void **state)
{
	static const u8 traps[] = { 0, 1, 3, 6, 7, 11, 17, 0x80 };
	const char *given = getenv("STEPS");
	u32 step, steps = given ? atoi(given) : 40000, kinds = 0, i;
	u32 lived = 0, longest = 0, deaths = 0, error;
	struct lg_trap_frame *regs;
	struct guest g = fresh();
	struct hcall_args a;
	enum state s;

	(void)state;
	for (step = 0; step < steps; step++) {
		g.w->tolds = 0;
		if (chance(40))
			scribble(&g);
		if (chance(15))
			lg_irq_raise(&g.w->lg, below(32));
		g.w->smap = chance(50);
		g.w->smep = chance(50);
		regs = lg_regs(&g.w->lg);
		registers(&g);
		switch (below(10)) {
		case 0: case 1: case 2: case 3:
			regs->cs = 0x61;
			regs->ss = 0x69;
			a = call(&g);
			s = world_hypercall(g.w, a.number, a.arg1, a.arg2, a.arg3, a.arg4);
			break;
		case 4: case 5: case 6:
			s = world_trap(g.w, 14, (random32() & 0x13) | (regs->cs == 0x73 ? 4 : 0));
			break;
		case 7:
			error = random32() & 0xfff8;
			if (g.w->lg.linear || mad())
				error = chance(50) ? 0 : below(256) * 8 + 2;
			s = world_trap(g.w, 13, error);
			break;
		case 8:
			s = world_trap(g.w, mad() ? below(256) : traps[below(8)],
				       random32() & 0xffff);
			break;
		default:
			s = world_enter(g.w);
		}
		lived++;
		if (lived > longest)
			longest = lived;
		if (s != DEAD && lived < 4000) {
			look(&g, step);
			if (chance(2))
				move(&g);
			continue;
		}
		if (g.w->lg.over == LG_RUN_KILLED) {
			check(g.w->lg.text[0], "dead, and nothing was said");
			reasons[g.w->lg.reason]++;
			deaths++;
		}
		mmu_check_tables(g.w);
		world_free(g.w);
		g = fresh();
		lived = 0;
	}
	world_free(g.w);
	for (i = 1; i < LG_REASON_COUNT; i++)
		kinds += reasons[i] > 0;
	printf("# fuzz: %u Guests died in %u ways, the longest life had %u exits; %u moves\n", deaths,
	       kinds, longest, moves);
	if (getenv("WHY"))
		for (i = 1; i < LG_REASON_COUNT; i++)
			printf("# reason %u: %u\n", i, reasons[i]);
	check(kinds >= 15 && longest >= 40, "%u ways to die, at most %u exits: this tests little",
	      kinds, longest);
	check(!reasons[LG_PT_NO_MEMORY] && !reasons[LG_MEM_NO_FRAME],
	      "a reason that is not the Guest's");
}

/* SET_PTE and SET_PGD storms only, which seldom kill: deep into the shadow. */
static void table_storms(void **state)
{
	u32 round, step;
	struct guest g;
	enum state s;

	(void)state;
	for (round = 0; round < 40; round++) {
		g = fresh();
		world_hypercall(g.w, LHCALL_LOAD_IDT_ENTRY, 14, 0x5000, 0x8e00, 0);
		for (step = 0; step < 600 && !g.w->lg.over; step++) {
			u32 root = g.root[below(4)], at = gva(&g);
			u32 pte = entry(&g, false) & ~0x80ull;

			lg_regs(&g.w->lg)->cs = 0x61;
			lg_regs(&g.w->lg)->ss = 0x69;
			lg_regs(&g.w->lg)->esp = 0x6000;
			if (at >= 0xffc00000)
				continue;
			if (pte >> 12 >= FRAMES)
				pte = 0;
			switch (below(8)) {
			case 0: s = world_hypercall(g.w, LHCALL_NEW_PGTABLE, root, 0, 0, 0); break;
			case 1: s = world_hypercall(g.w, LHCALL_SET_PGD, root, below(4), 0, 0); break;
			case 2: s = world_hypercall(g.w, LHCALL_FLUSH_TLB, below(2), 0, 0, 0); break;
			case 3: case 4:
				s = world_hypercall(g.w, LHCALL_SET_PTE, root, at, pte, 0);
				break;
			default:
				g.w->lg.pages->cr2 = at;
				s = world_trap(g.w, 14, random32() & 0x12);
			}
			if (s != DEAD)
				look(&g, step);
		}
		mmu_check_tables(g.w);
		world_free(g.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(mad_guests), TEST(table_storms) };

	random_start("fuzz");
	return cmocka_run_group_tests_name("fuzz", tests, NULL, NULL);
}
