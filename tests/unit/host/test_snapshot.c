// SPDX-License-Identifier: MIT
/*
 * A Guest that is put away and taken out again (include/lguest_user.h: SAVE, RESTORE): it
 * is the same, and whoever makes an envelope of his own gets nothing but a Guest.
 */
#include "mmu.h"

#define FRAMES	96u
#define KERNEL	0xc0000000u
#define HANDLER	0x00300000u
#define STACK	0xf0000000u
#define CODE	0x6000u

static struct world *empty(void)
{
	return world_new(&(struct world_plan){ .frames = FRAMES, .raw = true });
}

static void call(struct world *w, u32 number, u32 a1, u32 a2, u32 a3)
{
	check(world_hypercall(w, number, a1, a2, a3, 0) != DEAD, "%s", w->lg.text);
}

/* A Guest that has said everything that a Guest can say. */
static struct world *talker(bool pae)
{
	struct world *w = world_new(&(struct world_plan){ .frames = FRAMES, .kernel_address = KERNEL,
				    .data_gpa = 0x1fcd, .noirq_start = 0x5000, .noirq_end = 0x5008 });
	struct lg_trap_frame *regs = lg_regs(&w->lg);
	u32 i, root;

	w->lg.pae = pae;
	root = guest_root(w);
	guest_map(w, root, STACK, (u64)world_frame(w) << 12 | 0x63);
	guest_map(w, root, STACK + 4096, (u64)world_frame(w) << 12 | 0x63);
	guest_map(w, root, CODE, (u64)world_frame(w) << 12 | 0x27);
	w->lg.pae = false;
	regs->esp = STACK + 4096;
	for (i = 0; i < 256; i++)
		if (i % 5)
			call(w, LHCALL_LOAD_IDT_ENTRY, i, 0x610000 | i << 4, HANDLER | 0x8e00 |
			     (i & 3) << 13 | (i & 4 ? 0x100 : 0));
	call(w, LHCALL_LOAD_GDT_ENTRY, 14, 0xffff, 0x00cffb00);
	call(w, LHCALL_LOAD_GDT_ENTRY, 20, 0xffff, 0x00008c00);		/* a call gate: no */
	call(w, LHCALL_NEW_PGTABLE, root, 0, 0);
	check(w->lg.pae == pae, "the test's tables are of the other kind");
	call(w, LHCALL_SET_STACK, LGUEST_KERNEL_DS, STACK + 8192, 2);
	call(w, LHCALL_TS, 1, 0, 0);
	call(w, LHCALL_SET_CLOCKEVENT, 123456, 0, 0);
	w->lg.ring_cursor = 17;
	lg_irq_raise(&w->lg, 9);
	lg_irq_raise(&w->lg, 31);
	call(w, LHCALL_HALT, 0, 0, 0);
	*regs = (struct lg_trap_frame){ .eax = 1, .ebx = ~0u, .ecx = 3, .edx = 4, .esi = 5, .edi = 6,
		.ebp = 7, .ds = 0x69, .es = 0x7b, .fs = 0x33, .gs = 0, .eip = CODE, .cs = 0x61,
		.eflags = 0x254fd7, .esp = STACK + 4096, .ss = 0x69 };
	return w;
}

static struct lg_snapshot saved(struct world *w)
{
	struct lg_snapshot s;

	memset(&s, 0, sizeof(s));
	lg_save(&w->lg, &s);
	s.timer_ns = w->timer;
	return s;
}

/* An alarm that was set before the clock goes off too early. */
static void clock_first(struct world *w, u32 ns)
{
	check(!ns || w->lg.moved.tsc_here, "the alarm was set before the clock");
}

static struct world *restored(struct world *from, struct lg_snapshot *s)
{
	struct world *w = empty();
	const char *why = lg_saved_wrong(&w->lg, s);

	check(!why, "refused: %s", why);
	memcpy(w->ram, from->ram, FRAMES * 4096);
	w->on_timer = clock_first;
	world_restore(w, s);
	w->on_timer = NULL;
	return w;
}

/* All that was said is there, at both kinds of tables, and the shadow fills itself. */
static void the_same(void **state)
{
	struct world *w, *to;
	struct lg_snapshot s, again;
	u32 pae, faults;

	(void)state;
	for (pae = 0; pae < 2; pae++) {
		faults = 0;
		w = talker(pae);
		s = saved(w);
		to = restored(w, &s);
		again = saved(to);
		check(again.tsc >= s.tsc && again.tsc < s.tsc + 1000000, "its clock stands elsewhere");
		again.tsc = s.tsc;
		check(!memcmp(&s, &again, sizeof(s)), "saved, restored and saved is not saved");
		check(to->lg.halted && to->lg.ts && to->lg.pae == pae && !to->lg.linear &&
		      to->lg.cr3 == w->lg.cr3 && to->lg.ring_cursor == 17 && to->timer == 123456 &&
		      to->lg.irqs == (1u << 9 | 1u << 31) && to->lg.stack_pages == 2 &&
		      to->lg.pages->esp1 == STACK + 8192, "it has forgotten something");
		check(!memcmp(&to->lg.idt, &w->lg.idt, sizeof(w->lg.idt)), "a gate is another");
		check(!memcmp(to->gate_handler, w->gate_handler, sizeof(w->gate_handler)),
		      "a real gate is another");
		check(!memcmp(lg_regs(&to->lg), lg_regs(&w->lg), 7 * 8), "a register is another");
		check((u8 *)to->lg.data != (u8 *)w->lg.data &&
		      to->lg.data->syscall_vec == 0x80, "lguest_data is not the new one");
		check(world_enter(to) == SLEEPS, "it is all masked, and it woke up");
		to->lg.data->blocked_interrupts = 0;
		check(world_enter(to) == ENTERS && lg_regs(&to->lg)->eip == w->lg.idt[41].offset,
		      "the interrupt that had waited is not delivered");
		check(mmu_access(to, STACK + 12, A_WRITE, 0, &faults) && faults == 0,
		      "the stack was not pinned again");
		check(mmu_access(to, CODE, A_READ, 0, &faults) && faults == 1,
		      "the shadow does not fill");
		mmu_check(to, to->lg.cr3);
		world_free(w);
		world_free(to);
	}
}

/* Before INIT there is less, and that is also a Guest. */
static void newborn(void **state)
{
	struct world *w = empty(), *to;
	struct lg_snapshot s = saved(w);

	(void)state;
	check(s.flags == LG_SAVED_LINEAR && !s.data_gpa, "flags %#x", s.flags);
	to = restored(w, &s);
	check(world_enter(to) == ENTERS && lg_regs(&to->lg)->eip == WORLD_EIP, "it does not run");
	check(world_hypercall(to, LHCALL_LGUEST_INIT, WORLD_DATA, 0, 0, 0) == ENTERS, "%s",
	      to->lg.text);
	world_free(w);
	world_free(to);
}

#define REFUSED(words, change) do { \
	struct lg_snapshot s = good; \
	const char *why; \
	\
	change; \
	why = lg_saved_wrong(&to->lg, &s); \
	check(why, "accepted: " #change); \
	check(strstr(why, words) && strlen(why) < LG_WHY_MAX, #change ": it says '%s'", why); \
} while (0)

/* Each of these would be the end of the Host, or of somebody's patience. */
static void lies(void **state)
{
	struct world *w = talker(false), *to = empty();
	const struct lg_snapshot good = saved(w);
	u32 i;

	(void)state;
	check(!lg_saved_wrong(&to->lg, &good), "the truth is refused");
	REFUSED("version", s.interface++);
	REFUSED("version", s.bytes--);
	REFUSED("memory", s.pages++);
	REFUSED("flags", s.flags |= 32);
	REFUSED("ring", s.regs.cs = 0x60);
	REFUSED("ring", s.regs.cs = 0x62; s.regs.ss = 0x6a);
	REFUSED("ring", s.regs.ss = 0x68);
	REFUSED("ring", s.regs.ss = 0x7b);
	REFUSED("selector", s.regs.cs = 0x10 | 1);
	REFUSED("selector", s.regs.ss = 0x18 | 1);
	REFUSED("selector", s.regs.ds = 0x18);
	REFUSED("selector", s.regs.es = 0x1b);
	REFUSED("selector", s.regs.fs = 0x100);
	REFUSED("selector", s.regs.gs = 0x0f);
	REFUSED("selector", s.regs.ds = 0x10069);
	REFUSED("EFLAGS", s.regs.eflags &= ~0x200u);
	REFUSED("EFLAGS", s.regs.eflags &= ~2u);
	REFUSED("EFLAGS", s.regs.eflags |= 0x1000);
	REFUSED("EFLAGS", s.regs.eflags |= 0x2000);
	for (i = 15; i < 32; i++)
		if (i != 16 && i != 18 && i != 21)
			REFUSED("EFLAGS", s.regs.eflags |= 1u << i);
	REFUSED("gate", s.idt[1] = 0x00008c0000000000ull);
	REFUSED("cursor", s.ring_cursor = LHCALL_RING_SIZE);
	REFUSED("cursor", s.ring_cursor = ~0u);
	REFUSED("lguest_data", s.data_gpa = FRAMES * 4096 - sizeof(struct lguest_data) + 1);
	REFUSED("lguest_data", s.data_gpa = ~0u);
	REFUSED("kernel_address", s.kernel_address = LG_RESERVED);
	REFUSED("stack", s.stack_pages = 3);
	REFUSED("stack", s.ss1 = 0x68);
	REFUSED("stack", s.ss1 = 0);
	REFUSED("stack", s.ss1 = 0x10069);
	REFUSED("INIT", s.flags &= ~LG_SAVED_INITIALISED);
	REFUSED("tables", s.flags |= LG_SAVED_LINEAR);
	world_free(w);
	w = empty();
	{
		const struct lg_snapshot good = saved(w);

		REFUSED("INIT", s.flags |= LG_SAVED_HALTED);
		REFUSED("INIT", s.flags &= ~LG_SAVED_LINEAR);
		REFUSED("INIT", s.ring_cursor = 1);
		REFUSED("tables", s.flags |= LG_SAVED_PAE);
		REFUSED("tables", s.cr3 = 4096);
	}
	world_free(w);
	world_free(to);
}

static void harmless(struct world *w)
{
	struct lg_trap_frame *regs = lg_regs(&w->lg);
	u64 d;
	u32 i;

	check((regs->cs & 3) == 1 || (regs->cs & 3) == 3, "cs %#x", (u32)regs->cs);
	check((regs->eflags & 0x23202) == 0x202, "eflags %#x", (u32)regs->eflags);
	for (i = 0; i < 32; i++) {
		d = w->lg.pages->gdt[i];
		if (d >> 47 & 1)
			check((d >> 44 & 1) && (d >> 45 & 1) && !((d >> 43 & 1) && (d >> 53 & 1)),
			      "GDT entry %u is %#llx", i, (unsigned long long)d);
	}
	for (i = 0; i < 256; i++)
		check(!w->gate_dpl[i] || i == 0x80 || i < 32, "gate %u is open", i);
	mmu_check_tables(w);
}

static u32 nasty(void)
{
	static const u32 values[] = { 0, 1, 2, 3, 4, 5, 0x60, 0x61, 0x69, 0x73, 0x7b, 0x80, 0x1000,
				      0x20000, FRAMES * 4096 - 8, FRAMES * 4096, KERNEL, 0xffbfffff,
				      0xffffffff, 0x7fffffff, STACK };

	return chance(70) ? values[below(sizeof(values) / 4)] : random32();
}

/* Envelopes by people with bad intentions: refused, or a Guest that lives or dies. */
static void forgeries(void **state)
{
	static const u32 traps[] = { 13, 14, 14, 0x1f, 0x1f, 0x80, 6, 7 };
	u32 round, i, taken = 0, *word;
	struct lg_snapshot s;
	struct world *w, *to;

	(void)state;
	for (round = 0; round < 1500; round++) {
		w = talker(chance(50));
		s = saved(w);
		for (i = 0; i < 1 + below(3); i++) {
			word = (u32 *)&s + (chance(80) ? 2 + below(34) : below(sizeof(s) / 4));
			if (chance(40))
				*word ^= 1u << below(32);
			else
				*word = nasty();
		}
		to = empty();
		if (!lg_saved_wrong(&to->lg, &s)) {
			memcpy(to->ram, w->ram, FRAMES * 4096);
			if (chance(30))		/* a forger writes to memory as well */
				to->ram[below(FRAMES * 4096)] ^= 1 << below(8);
			world_restore(to, &s);
			harmless(to);
			taken++;
			if (world_enter(to) != DEAD)
				for (i = 0; i < 20 && !to->lg.over; i++) {
					lg_regs(&to->lg)->eax = below(24);
					lg_regs(&to->lg)->ebx = nasty();
					lg_regs(&to->lg)->ecx = nasty();
					to->lg.pages->cr2 = nasty();
					world_trap(to, traps[below(8)], below(8));
					if (!to->lg.over)
						harmless(to);
				}
		}
		world_free(to);
		world_free(w);
	}
	printf("# snapshot: %u forgeries, %u were let in\n", round, taken);
	check(taken > round / 10 && taken < round * 9 / 10, "%u of %u: this tests little", taken,
	      round);
}

/* Its clock goes on where it was, at the rate that it was told. */
static void the_clock(void **state)
{
	struct world *w = talker(false), *to;
	struct lg_trap_frame *regs;
	struct lg_snapshot s = saved(w);
	u32 faults = 0, code = guest_entry(w, guest_pte_gpa(w, w->lg.cr3, CODE, false)) & ~0xfffu;
	u64 now;

	(void)state;
	world_put32(w, code, 0xf9010f);		/* RDTSCP */
	world_put32(w, code + 4, 0x310f);	/* RDTSC */
	world_put32(w, code + 8, 0xfa);		/* CLI */
	s.flags &= ~LG_SAVED_HALTED;
	s.irqs = 0;
	s.tsc = 0x123456789abcull;
	s.tsc_khz = 2 * lg_os_tsc_khz();
	to = restored(w, &s);
	regs = lg_regs(&to->lg);
	now = lg_tsc(&to->lg) - s.tsc;
	check(now > 0 && now <= 4000, "twice the rate: %llu", (unsigned long long)now);
	check(lg_tsc(&to->lg) > s.tsc + now, "it stands still");

	/* Nobody has fetched from there: as ever, the Guest's own. */
	regs->eip = CODE;
	check(world_trap(to, 13, 0) != DEAD, "%s", to->lg.text);
	regs->cs = 0x61;
	regs->esp = STACK + 4096;
	check(mmu_access(to, CODE, A_READ, 0, &faults), "the code is not there");
	regs->eip = CODE + 4;
	regs->eax = regs->edx = regs->ecx = 77;
	check(world_trap(to, 13, 0) == ENTERS && regs->eip == CODE + 6, "RDTSC is not finished");
	now = regs->edx << 32 | regs->eax;
	check(now > s.tsc && now < s.tsc + 1000000 && regs->ecx == 77, "it reads %#llx",
	      (unsigned long long)now);
	regs->eip = CODE;
	regs->cs = 0x73;
	check(world_trap(to, 13, 0) == ENTERS && regs->eip == CODE + 3 && !regs->ecx,
	      "RDTSCP in ring 3 is not finished");
	check((regs->edx << 32 | regs->eax) > now, "backwards");
	/* What is none of these goes on to where it went before, and so does all of a clockless one. */
	regs->cs = 0x61;
	regs->eip = CODE + 8;
	check(world_trap(to, 13, 0) == ENTERS && regs->eip == CODE + 9 &&
	      to->lg.stats.scalar[LG_STAT_cli_skipped] == 1, "CLI");
	check(saved(to).tsc > now && saved(to).tsc_khz == s.tsc_khz, "a second envelope");
	world_free(to);
	s.tsc_khz = 0;
	to = restored(w, &s);
	check(!to->lg.moved.yes && lg_tsc(&to->lg) < s.tsc, "nobody said that this is a clock");
	world_free(to);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(the_same), TEST(newborn), TEST(lies),
					    TEST(forgeries), TEST(the_clock) };

	random_start("snapshot");
	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
