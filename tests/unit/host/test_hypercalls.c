// SPDX-License-Identifier: MIT
/*
 * Each hypercall in peace, and each way it can end a Guest (ABI.md 2).  What a call does
 * to tables, gates, stacks and interrupts has its own test; here is the switchboard.
 */
#include "world.h"

#define FRAMES	16u
#define MEMORY	(FRAMES * 4096u)

static const struct world_plan usual = { .kernel_address = 0xc0000000, .frames = FRAMES };

static struct world *fresh(void)
{
	return world_new(&usual);
}

static u32 junk(void)
{
	static const u32 values[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff };

	return chance(50) ? values[below(5)] : random32();
}

/* ---- LGUEST_INIT ---- */

static void init_fills_in(void **state)
{
	struct world_plan plan = usual;
	struct world *w;
	u8 before[sizeof(struct lguest_data)], after[sizeof(struct lguest_data)];
	const u32 reserve_mem = offsetof(struct lguest_data, reserve_mem);
	const u32 tsc_khz = offsetof(struct lguest_data, tsc_khz);
	u32 sec, nsec, gpas[] = { WORLD_DATA, 0x1fcd, 0x3001, MEMORY - sizeof(before), 0x2a90 }, i, b;

	(void)state;
	plan.raw = true;
	for (i = 0; i < 5; i++) {
		w = world_new(&plan);
		memset(w->ram + MEMORY / 2, 0xa5, MEMORY / 4);
		world_data(w, gpas[i], &plan);
		world_read(w, gpas[i], before, sizeof(before));
		check(world_hypercall(w, LHCALL_LGUEST_INIT, gpas[i], junk(), junk(), junk()) == ENTERS, "%s",
		      w->lg.text);
		world_read(w, gpas[i], after, sizeof(after));
		memcpy(&sec, after + 12, 4);
		memcpy(&nsec, after + 16, 4);
		/* The test's clock: its nanoseconds follow from its seconds (world.c). */
		check(sec > 1600000000 && nsec == sec % 1000000000, "time is %u.%09u", sec, nsec);
		assert_int_equal(world_get32(w, gpas[i] + reserve_mem), 0x400000);
		assert_int_equal(world_get32(w, gpas[i] + tsc_khz), 2893210);
		for (b = 0; b < sizeof(after); b++)	/* nothing else is touched */
			if (!(b >= 12 && b < 20) && !(b >= reserve_mem && b < reserve_mem + 4) &&
			    !(b >= tsc_khz && b < tsc_khz + 4))
				check(before[b] == after[b], "INIT wrote to byte %u", b);
		assert_int_equal(w->lg.stats.hypercall_direct[LHCALL_LGUEST_INIT], 1);
		check(w->lg.noirq_start == plan.noirq_start && w->lg.noirq_end == plan.noirq_end,
		      "remembered for the no-interrupt range: %#x to %#x", w->lg.noirq_start,
		      w->lg.noirq_end);
		check(w->lg.kernel_address == plan.kernel_address &&
		      w->lg.shared == plan.kernel_address >> 30,
		      "lg_shadow_kernel_address was not told %#x", plan.kernel_address);
		world_free(w);
	}
}

/* Six slots are pending when INIT comes: they are not run by it. */
static void init_leaves_the_ring(void **state)
{
	struct world_plan plan = usual;
	struct world *w;

	(void)state;
	plan.raw = true;
	w = world_new(&plan);
	memset(w->ram + WORLD_DATA + 24, 0, 6);
	world_put32(w, WORLD_DATA + offsetof(struct lguest_data, hcalls), LHCALL_SET_CLOCKEVENT);
	assert_int_equal(world_hypercall(w, LHCALL_LGUEST_INIT, WORLD_DATA, 0, 0, 0), ENTERS);
	assert_int_equal(w->tolds, 0);
	assert_int_equal(w->ram[WORLD_DATA + 24], 0);
	assert_int_equal(world_hypercall(w, LHCALL_FLUSH_ASYNC, 0, 0, 0, 0), ENTERS);
	assert_int_equal(w->tolds, 1);
	assert_int_equal(w->ram[WORLD_DATA + 24 + 5], 0xff);
	world_free(w);
}

static void init_refused(void **state)
{
	static const u32 size = sizeof(struct lguest_data);
	const u32 outside[] = { MEMORY - size + 1, MEMORY - 1, MEMORY, 0xffffffff, 0 - size,
				0x80000000, 0xfffff000 };
	static const u32 kernel[] = { 0xffc00000, 0xffc00001, 0xffffffff };
	static const u32 syscalls[] = { 0, 0x40, 0x81, 0x180, 0xffffffff };
	struct world_plan plan = usual;
	struct world *w;
	u32 i;

	(void)state;
	plan.raw = true;
	for (i = 0; i < 7; i++) {
		w = world_new(&plan);
		assert_int_equal(world_hypercall(w, LHCALL_LGUEST_INIT, outside[i], 0, 0, 0), DEAD);
		expect_dead(w, LG_HC_BAD_DATA, "bad guest page");
		world_free(w);
	}
	for (i = 0; i < 3; i++) {
		plan.kernel_address = kernel[i];
		w = world_new(&plan);
		assert_int_equal(world_hypercall(w, LHCALL_LGUEST_INIT, WORLD_DATA, 0, 0, 0), DEAD);
		expect_dead(w, LG_HC_BAD_KERNEL, "bad kernel address 0xff");
		world_free(w);
	}
	plan.kernel_address = 0xffbfffff;	/* the last good one */
	w = world_new(&plan);
	assert_int_equal(world_hypercall(w, LHCALL_LGUEST_INIT, WORLD_DATA, 0, 0, 0), ENTERS);
	world_free(w);
	for (i = 0; i < 5; i++) {
		w = world_new(&plan);
		world_put32(w, WORLD_DATA + offsetof(struct lguest_data, syscall_vec),
			    syscalls[i]);
		assert_int_equal(world_hypercall(w, LHCALL_LGUEST_INIT, WORLD_DATA, 0, 0, 0), DEAD);
		expect_dead(w, LG_HC_BAD_SYSCALL, "bad syscall vector");
		world_free(w);
	}
}

static void init_twice(void **state)
{
	struct world *w = fresh();

	(void)state;
	assert_int_equal(world_hypercall(w, LHCALL_LGUEST_INIT, WORLD_DATA, 0, 0, 0), DEAD);
	expect_dead(w, LG_HC_INIT_TWICE, "already have lguest_data");
	world_free(w);
	w = fresh();
	assert_int_equal(world_hypercall(w, LHCALL_LGUEST_INIT, 0x5000, 0, 0, 0), DEAD);
	expect_dead(w, LG_HC_INIT_TWICE, "already have lguest_data");
	world_free(w);
}

/* The Launcher changes kernel_address meanwhile: what was checked is what is remembered. */
static void init_reads_once(void **state)
{
	struct world_plan plan = usual;
	struct world *w;
	enum state s;
	u32 i;

	(void)state;
	random_start("init_reads_once");
	plan.raw = true;
	for (i = 0; i < 40; i++) {
		w = world_new(&plan);
		/* Not this one yet; but now lguest_data is mapped. */
		world_put32(w, WORLD_DATA + offsetof(struct lguest_data, syscall_vec), 0x81);
		check(world_hypercall(w, LHCALL_LGUEST_INIT, WORLD_DATA, 0, 0, 0) == DEAD &&
		      w->lg.data, "INIT with syscall vector 0x81: the Guest lives");
		world_revive(w);
		w->lg.data->syscall_vec = 0x80;
		world_scramble(&w->lg.data->kernel_address, 0xc0000000, LG_RESERVED);
		s = world_hypercall(w, LHCALL_LGUEST_INIT, WORLD_DATA, 0, 0, 0);
		world_settle();
		if (s == DEAD)
			expect_dead(w, LG_HC_BAD_KERNEL, "bad kernel address");
		else
			check(w->lg.kernel_address == 0xc0000000, "the Launcher changed "
			      "kernel_address meanwhile, and %#x got past the check",
			      w->lg.kernel_address);
		world_free(w);
	}
}

static void before_init(void **state)
{
	struct world_plan plan = usual;
	char words[64];
	struct world *w;
	u32 number;

	(void)state;
	plan.raw = true;
	for (number = 0; number < 40; number++) {
		if (number == LHCALL_LGUEST_INIT)
			continue;
		w = world_new(&plan);
		assert_int_equal(world_hypercall(w, number, junk(), junk(), junk(), junk()), DEAD);
		snprintf(words, sizeof(words), "hypercall %u before INIT", number);
		expect_dead(w, LG_HC_BEFORE_INIT, words);
		assert_int_equal(w->tolds, 0);
		world_free(w);
	}
}

/* ---- Numbers ---- */

static void unknown_numbers(void **state)
{
	static const u32 numbers[] = { 3, 11, 12, LHCALL_SET_PMD, 20, 21, 64, 255, 256, 0x7fffffff,
				       0x80000000, 0x80000001, 0xffffffff,
				       0x100 + LHCALL_SET_CLOCKEVENT };
	char words[64];
	struct world *w;
	u32 i, in_ring;

	(void)state;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		for (in_ring = 0; in_ring < 2; in_ring++) {
			w = fresh();		/* SET_PMD is unknown without PAE */
			if (in_ring) {
				w->lg.data->hcalls[0].number = numbers[i];
				w->lg.data->hcall_status[0] = 0;
			}
			check(world_hypercall(w, in_ring ? 0 : numbers[i], junk(), junk(), junk(),
					      junk()) == DEAD, "hypercall %u%s%s: the Guest lives",
			      numbers[i], numbers[i] == LHCALL_SET_PMD ? ", without PAE" : "",
			      in_ring ? ", in the ring" : "");
			snprintf(words, sizeof(words), "Bad hypercall %u", numbers[i]);
			expect_dead(w, LG_HC_UNKNOWN, words);
			world_free(w);
		}
	}
}

/* What else kills is decided elsewhere; a dead Guest is not to go on. */
static void death_is_told(void **state)
{
	static const struct { u32 number, arg1, arg2; enum lg_reason reason; } fatal[] = {
		{ LHCALL_LOAD_GDT_ENTRY, LGUEST_GDT_ENTRIES, 0, LG_SEG_GDT_INDEX },
		{ LHCALL_LOAD_IDT_ENTRY, 256, 0, LG_TRAP_VECTOR },
		{ LHCALL_SET_STACK, LGUEST_USER_DS, 0x9000, LG_TRAP_STACK_SS },
		{ LHCALL_SET_PTE, 0, LG_RESERVED, LG_PT_SWITCHER },
		{ LHCALL_SET_PGD, 0, 1024, LG_PT_PGD_INDEX },
		{ LHCALL_LOAD_TLS, MEMORY, 0, LG_MEM_READ },
	};
	struct world *w;
	u32 i, in_ring;

	(void)state;
	for (i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		for (in_ring = 0; in_ring < 2; in_ring++) {
			w = fresh();
			if (in_ring) {
				w->lg.data->hcalls[0] = (struct hcall_args){ fatal[i].number,
					fatal[i].arg1, fatal[i].arg2, 0, 0 };
				w->lg.data->hcall_status[0] = 0;
			}
			check(world_hypercall(w, in_ring ? 0 : fatal[i].number, fatal[i].arg1,
					      fatal[i].arg2, 0, 0) == DEAD,
			      "hypercall %u: the Guest lives", fatal[i].number);
			expect_dead(w, fatal[i].reason, "");
			world_free(w);
		}
	}
}

/* Arguments that a call does not have may hold anything (ABI.md 2.2). */
static void junk_is_ignored(void **state)
{
	struct world *w = fresh();
	u32 i;

	(void)state;
	random_start("junk_is_ignored");
	lg_regs(&w->lg)->esp = 0x9000;
	for (i = 0; i < 2000; i++) {
		world_forget(w);
		assert_int_equal(world_hypercall(w, LHCALL_FLUSH_ASYNC, junk(), junk(), junk(), junk()), ENTERS);
		assert_int_equal(world_hypercall(w, LHCALL_SEND_INTERRUPTS, junk(), junk(), junk(),
						 junk()), ENTERS);
		assert_int_equal(world_hypercall(w, LHCALL_FLUSH_TLB, i & 1, junk(), junk(), junk()), ENTERS);
		assert_int_equal(w->tolds, 0);
		assert_int_equal(world_hypercall(w, LHCALL_SET_CLOCKEVENT, i, junk(), junk(), junk()), ENTERS);
		check(w->timer == i, "SET_CLOCKEVENT(%u): lg_os_set_timer was told %u", i, w->timer);
		assert_int_equal(world_hypercall(w, LHCALL_TS, i & 8, junk(), junk(), junk()), ENTERS);
		check(w->ts == !!(i & 8), "TS(%u): lg_arch_set_ts left the real CR0.TS %s", i & 8,
		      w->ts ? "set" : "clear");
		check(w->lg.ts == !!(i & 8), "TS(%u): lg->ts is %u", i & 8, w->lg.ts);
		check(world_hypercall(w, LHCALL_SET_PTE, 0x5000, 0x400000, 0x5063, junk()) == ENTERS,
		      "SET_PTE without PAE, argument 4 is junk: %s", w->lg.text);
		assert_int_equal(world_hypercall(w, LHCALL_NOTIFY, i + 1, junk(), junk(), junk()), ENTERS);
		assert_int_equal(w->told[w->tolds - 1].what, TOLD_NOTIFY);
		assert_int_equal(w->told[w->tolds - 1].a, i + 1);
		assert_int_equal(world_hypercall(w, LHCALL_HALT, junk(), junk(), junk(), junk()), SLEEPS);
		w->lg.data->blocked_interrupts = ~1u;
		lg_irq_raise(&w->lg, 0);
		assert_int_equal(world_enter(w), ENTERS);
		w->lg.irqs = 0;
	}
	world_free(w);
}

/* The Guest asks although all that was raised is masked by now: it need not ask again. */
static void asked_for_nothing(void **state)
{
	struct world *w = fresh();

	(void)state;
	lg_irq_raise(&w->lg, 3);
	w->lg.data->irq_enabled = LGUEST_IF;
	w->lg.data->irq_pending = LGUEST_IF;
	w->lg.data->blocked_interrupts = 1u << 3;
	check(world_hypercall(w, LHCALL_SEND_INTERRUPTS, 0, 0, 0, 0) == ENTERS, "%s", w->lg.text);
	check(w->lg.data->irq_pending == 0,
	      "SEND_INTERRUPTS, and nothing can be delivered: irq_pending is still %#x",
	      w->lg.data->irq_pending);
	check(w->lg.irqs == 1u << 3, "SEND_INTERRUPTS: raised was 0x8, and is %#x", w->lg.irqs);
	world_free(w);
}

/* NOTIFY goes out once per call, in order, and 0 never. */
static void notify(void **state)
{
	static const u32 values[] = { 1, 0x40000000, 0xffffffff, 0x1234, 0x1234 };
	struct world *w = fresh();
	u32 i;

	(void)state;
	for (i = 0; i < 5; i++)
		assert_int_equal(world_hypercall(w, LHCALL_NOTIFY, values[i], 0, 0, 0), ENTERS);
	assert_int_equal(world_hypercall(w, LHCALL_NOTIFY, 0, 0, 0, 0), ENTERS);
	check(w->tolds == 5, "6 calls, one of them NOTIFY(0): %u were passed on, not 5", w->tolds);
	for (i = 0; i < 5; i++) {
		assert_int_equal(w->told[i].what, TOLD_NOTIFY);
		assert_int_equal(w->told[i].a, values[i]);
	}
	world_free(w);
}

static void timer(void **state)
{
	static const u32 values[] = { 1, 100, 0xffffffff, 0, 0x80000000, 0 };
	struct world *w = fresh();
	u32 i;

	(void)state;
	for (i = 0; i < 6; i++)
		assert_int_equal(world_hypercall(w, LHCALL_SET_CLOCKEVENT, values[i], 0, 0, 0), ENTERS);
	assert_int_equal(w->tolds, 6);
	for (i = 0; i < 6; i++)
		check(w->told[i].what == TOLD_TIMER && w->told[i].a == values[i], "timer %u", i);
	check(w->lg.stats.scalar[LG_STAT_timer_armed] == 4,
	      "armed 4 times, cancelled twice: timer_armed counts %llu",
	      (unsigned long long)w->lg.stats.scalar[LG_STAT_timer_armed]);
	/* 0 cancels, but what has expired already stays (ABI.md 4). */
	lg_irq_raise(&w->lg, 0);
	world_hypercall(w, LHCALL_SET_CLOCKEVENT, 0, 0, 0, 0);
	assert_int_equal(w->lg.irqs, 1);
	world_free(w);
}

/* ---- SHUTDOWN ---- */

static void shutdown_strings(void **state)
{
	static const u32 gpas[] = { 0x5000, 0x5fff, 0x6f81, MEMORY - 128, 0 };
	struct world *w;
	static const u32 hows[] = { 1, 2, 0, 3, 0x80000002, 0xffffffff };
	u32 i, h, how, length;
	char text[200];

	(void)state;
	for (i = 0; i < 5; i++) {
		for (h = 0; h < sizeof(hows) / sizeof(hows[0]); h++) {
			how = hows[h];
			for (length = 0; length < 128; length += length < 120 ? 31 : 1) {
				w = fresh();
				memset(text, 'a' + length % 26, sizeof(text));
				text[length] = '\0';
				world_write(w, gpas[i], text, 128);
				check(world_hypercall(w, LHCALL_SHUTDOWN, gpas[i], how, junk(),
						      junk()) == DEAD,
				      "SHUTDOWN(%#x, %#x): the Guest lives", gpas[i], how);
				check(w->lg.over == (how == 2 ? LG_RUN_RESTART : LG_RUN_POWEROFF),
				      "SHUTDOWN(%#x, %#x): over is %u", gpas[i], how, w->lg.over);
				assert_string_equal(w->lg.text, text);
				assert_int_equal(w->kills, 0);
				world_free(w);
			}
		}
	}
}

/* 128 bytes without an end: 127 are taken. */
static void shutdown_without_end(void **state)
{
	struct world *w = fresh();

	(void)state;
	memset(w->ram + 0x5fa0, 'x', 4096);
	assert_int_equal(world_hypercall(w, LHCALL_SHUTDOWN, 0x5fa0, 1, 0, 0), DEAD);
	check(strlen(w->lg.text) == 127, "a farewell of %zu bytes", strlen(w->lg.text));
	assert_int_equal(strspn(w->lg.text, "x"), 127);
	world_free(w);
}

static void shutdown_unreadable(void **state)
{
	static const u32 bad[] = { 0x40000000, MEMORY - 127, MEMORY, 0xffffffff, 0xffffff80 };
	char words[64];
	struct world *w;
	u32 i;

	(void)state;
	for (i = 0; i < 5; i++) {
		w = fresh();
		assert_int_equal(world_hypercall(w, LHCALL_SHUTDOWN, bad[i], 1, 0, 0), DEAD);
		snprintf(words, sizeof(words), "bad read address %#x len 128", bad[i]);
		expect_dead(w, LG_MEM_READ, words);
		world_free(w);

		w = fresh();
		assert_int_equal(world_hypercall(w, LHCALL_SHUTDOWN, bad[i], 2, 0, 0), DEAD);
		check(w->lg.over == LG_RUN_RESTART, "restart at %#x: %u, %s", bad[i], w->lg.over,
		      w->lg.text);
		assert_int_equal(strlen(w->lg.text), 0);
		world_free(w);
	}
}

/* ---- SET_STACK ---- */

static void set_stack(void **state)
{
	struct world *w = fresh();
	u32 ss, pages;

	(void)state;
	for (ss = 0; ss < 512; ss++) {
		if ((ss & 3) == 1) {
			check(world_hypercall(w, LHCALL_SET_STACK, ss, 0x8ff8, ss >> 3 & 1, junk()) ==
			      ENTERS, "ss %#x: %s", ss, w->lg.text);
			check(w->lg.pages->ss1 == ss && w->lg.pages->esp1 == 0x8ff8,
			      "ss %#x esp 0x8ff8 became ss1 %#x esp1 %#x", ss, w->lg.pages->ss1,
			      w->lg.pages->esp1);
			check(w->lg.stack_pages == (ss >> 3 & 1), "%u pages became %u", ss >> 3 & 1,
			      w->lg.stack_pages);
		} else {
			check(world_hypercall(w, LHCALL_SET_STACK, ss, 0x8ff8, 0, junk()) == DEAD,
			      "ss %#x, RPL %u: the Guest lives", ss, ss & 3);
			expect_dead(w, LG_TRAP_STACK_SS, "bad stack segment");
			world_revive(w);
		}
	}
	for (pages = 3; pages; pages = pages * 5 + (pages >> 28)) {
		check(world_hypercall(w, LHCALL_SET_STACK, 0x69, 0x8ff8, pages, 0) == DEAD,
		      "%u pages: the Guest lives", pages);
		expect_dead(w, LG_TRAP_STACK_PAGES, "bad stack pages");
		world_revive(w);
		if (pages > 0x10000000)
			break;
	}
	assert_int_equal(world_hypercall(w, LHCALL_SET_STACK, 0x69, 0x8ff8, 0xffffffff, 0), DEAD);
	expect_dead(w, LG_TRAP_STACK_PAGES, "bad stack pages");
	world_free(w);
}

/* In linear mode the pages that do not exist are a "bad stack page", or a bad entry. */
static void stack_beyond_memory(void **state)
{
	struct world *w = fresh();

	(void)state;
	check(world_hypercall(w, LHCALL_SET_STACK, 0x69, MEMORY + 4096, 1, 0) == DEAD,
	      "a stack behind the end of memory: the Guest was entered all the same, so nobody "
	      "tried to pin it");
	expect_dead(w, LG_PT_PTE_FRAME, "bad page table entry");
	world_free(w);
	w = fresh();
	assert_int_equal(world_hypercall(w, LHCALL_SET_STACK, 0x69, MEMORY, 2, 0), ENTERS);
	world_free(w);
	w = fresh();
	assert_int_equal(world_hypercall(w, LHCALL_SET_STACK, 0x69, 0, 1, 0), DEAD);
	expect_dead(w, LG_TRAP_STACK_PAGE, "bad stack page 0xffffffff");
	world_free(w);
}

/* ---- What page table calls refuse ---- */

static void page_table_calls_refuse(void **state)
{
	static const struct {
		u32 number, a1, a2, a3;
		enum lg_reason reason;		/* LG_ALIVE: fine */
		const char *words;
	} calls[] = {
		{ LHCALL_SET_PTE, 0x5000, 0xffc00000, 0, LG_PT_SWITCHER,
		  "attempt to set pte into Switcher pages" },
		{ LHCALL_SET_PTE, 0x5000, 0xffffffff, 0x63, LG_PT_SWITCHER,
		  "attempt to set pte into Switcher pages" },
		{ LHCALL_SET_PTE, 0x5000, 0xffbfffff, 0, LG_ALIVE, "" },
		{ LHCALL_SET_PTE, 0x5000, 0xc0000000, 0x50e1, LG_PT_BAD_PTE, "bad page table entry 0x50e1" },
		{ LHCALL_SET_PTE, 0x5000, 0xc0000000, 0x50e0, LG_ALIVE, "not present, so not looked at" },
		{ LHCALL_SET_PTE, 0x5000, 0xc0000000, 0x5081, LG_ALIVE, "looked at when used" },
		{ LHCALL_SET_PTE, 0x5000, 0x08000000, FRAMES << 12 | 0x21, LG_PT_PTE_FRAME,
		  "bad page table entry 0x10021" },
		{ LHCALL_SET_PTE, 0x5000, 0x08000000, 0xfffff063, LG_PT_PTE_FRAME, "bad page table entry" },
		{ LHCALL_SET_PTE, 0x5000, 0x08000000, (FRAMES - 1) << 12 | 0x63, LG_ALIVE, "" },
		{ LHCALL_SET_PTE, 0x5000, 0x08000000, FRAMES << 12 | 0x60, LG_ALIVE, "" },
		{ LHCALL_SET_PGD, 0x5000, 1024, 0, LG_PT_PGD_INDEX, "Attempt to set pgd 1024/1024" },
		{ LHCALL_SET_PGD, 0x5000, 0xffffffff, 0, LG_PT_PGD_INDEX,
		  "Attempt to set pgd 4294967295/1024" },
		{ LHCALL_SET_PGD, 0x5000, 1023, 0, LG_ALIVE, "" },
		{ LHCALL_SET_PGD, 0x9999, 0, 0, LG_ALIVE, "no such root" },
		{ LHCALL_SET_PMD, 0x5000, 0, 0, LG_HC_UNKNOWN, "Bad hypercall" },
	};
	struct world *w;
	u32 i;

	(void)state;
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		w = fresh();
		check(world_hypercall(w, LHCALL_NEW_PGTABLE, 0x5000, 0, 0, 0) == ENTERS, "%s", w->lg.text);
		check(world_hypercall(w, calls[i].number, calls[i].a1, calls[i].a2, calls[i].a3,
				      junk()) == (calls[i].reason ? DEAD : ENTERS),
		      "call %u: %s", i, w->lg.text);
		if (calls[i].reason)
			expect_dead(w, calls[i].reason, calls[i].words);
		world_free(w);
	}
	/* A PDPT has four slots. */
	for (i = 3; i < 5; i++) {
		w = fresh();
		world_write(w, 0x5000, (u64[]){ 0x6001, 0, 0, 0 }, 32);
		check(world_hypercall(w, LHCALL_NEW_PGTABLE, 0x5000, 0, 0, 0) == ENTERS, "%s", w->lg.text);
		assert_true(w->lg.pae);
		check(world_hypercall(w, LHCALL_SET_PGD, 0x5000, i, junk(), junk()) ==
		      (i < 4 ? ENTERS : DEAD), "SET_PGD of slot %u of 4: %s", i, w->lg.text);
		if (i == 4)
			expect_dead(w, LG_PT_PGD_INDEX, "Attempt to set pgd 4/4");
		world_free(w);
	}
}

/* NEW_PGTABLE itself checks nothing; the next walk does. */
static void new_pgtable_anywhere(void **state)
{
	static const u32 bad[] = { MEMORY, 0xfffff000, 0x80000000 };
	struct world *w;
	u32 i;

	(void)state;
	for (i = 0; i < 3; i++) {
		w = fresh();
		assert_int_equal(world_hypercall(w, LHCALL_NEW_PGTABLE, bad[i], 0, 0, 0), ENTERS);
		w->lg.pages->cr2 = 0x8000;
		assert_int_equal(world_trap(w, 14, 0), DEAD);
		expect_dead(w, LG_MEM_READ, "bad read address 0x");
		world_free(w);
	}
}

/* ---- The range check: a small world, completely ---- */

static void every_range(void **state)
{
	static const u32 edges[] = { 0x7fffffff, 0x80000000, 0xfffff000, 0xfffffff0, 0xffffffff,
				     0xffff8000, 0xffff8001, 0xffff7fff };
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000,
							  .frames = 8 });
	u8 *to = malloc(8 * 4096 + 64);
	u32 as[256], n = 0, i, j, page;
	enum lg_result r;
	bool ok;

	(void)state;
	for (page = 0; page <= 9; page++)
		for (i = 0; i < 9; i++)
			as[n++] = page * 4096 + i - 4;
	for (i = 0; i < 8; i++)
		as[n++] = edges[i];
	for (i = 0; i < 8 * 4096; i++)
		w->ram[i] = i * 7 + (i >> 8);
	for (i = 0; i < n; i++) {
		for (j = 0; j < n; j++) {
			u64 a = as[i], len = as[j];

			/* Byte by byte, in unlimited numbers: a + k < 8 pages for all k < len. */
			ok = len == 0 ? a <= 8 * 4096 : a < 8 * 4096 && len <= 8 * 4096 - a;
			check(lg_range_ok(&w->lg, a, len) == ok, "lg_range_ok(%#x, %#x)", as[i],
			      as[j]);
			if (len > 8 * 4096 && ok)
				fail_msg("the test is wrong");
			if (!ok) {
				assert_int_equal(lg_read(&w->lg, a, to, len), LG_OUT);
				expect_dead(w, LG_MEM_READ, "bad read address");
				world_revive(w);
				continue;
			}
			memset(to, 0xee, 8 * 4096 + 64);
			while ((r = lg_read(&w->lg, a, to, len)) == LG_AGAIN) {
				u32 pfn = w->lg.want_pfn;

				check(pfn < 8 && !w->lg.frame[pfn], "wants %u", pfn);
				world_enter(w);		/* fetches it */
			}
			assert_int_equal(r, LG_RESUME);
			check(!memcmp(to, w->ram + a, len), "lg_read(%#x, %#x)", as[i], as[j]);
			check(to[len] == 0xee, "lg_read(%#x, %#x) wrote too much", as[i], as[j]);
		}
	}
	free(to);
	world_free(w);
}

/* LG_AGAIN does not count a call twice. */
static void counts(void **state)
{
	struct world *w = fresh();

	(void)state;
	w->lg.data->hcalls[0] = (struct hcall_args){ .number = LHCALL_LOAD_TLS, .arg1 = 0x7ff0 };
	w->lg.data->hcall_status[0] = 0;
	world_hypercall(w, LHCALL_LOAD_TLS, 0xbff0, 0, 0, 0);
	check(w->again >= 4, "nothing had to be fetched: %u", w->again);
	assert_int_equal(w->lg.stats.hypercall_ring[LHCALL_LOAD_TLS], 1);
	assert_int_equal(w->lg.stats.hypercall_direct[LHCALL_LOAD_TLS], 1);
	assert_int_equal(w->lg.stats.exit_vector[0x1f], 2);	/* INIT, and this */
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(init_fills_in), TEST(init_leaves_the_ring), TEST(init_refused),
		TEST(init_twice), TEST(init_reads_once), TEST(before_init), TEST(unknown_numbers), TEST(death_is_told),
		TEST(junk_is_ignored), TEST(asked_for_nothing), TEST(notify), TEST(timer), TEST(shutdown_strings),
		TEST(shutdown_without_end), TEST(shutdown_unreadable), TEST(set_stack),
		TEST(stack_beyond_memory), TEST(page_table_calls_refuse),
		TEST(new_pgtable_anywhere), TEST(every_range), TEST(counts),
	};

	return cmocka_run_group_tests_name("hypercalls", tests, NULL, NULL);
}
