// SPDX-License-Identifier: MIT
/*
 * The IDT (ABI.md 5.1, 5.2): 256 vectors x 16 types x 4 DPLs x present or not, against
 * tables written out by hand.
 */
#include "world.h"

static bool in(const u8 *list, u32 n, u32 vector)
{
	return vector < 256 && memchr(list, vector, n) != NULL;
}

static bool ignored(u32 vector)
{
	static const u8 list[] = { 2, 8, 15, 0x1f };

	return in(list, sizeof(list), vector);
}

/* `int n` may find the Guest's own DPL. */
static bool open_to_int(u32 vector)
{
	static const u8 list[] = { 0, 1, 3, 4, 5, 6, 9, 10, 11, 12, 16, 17, 18, 19, 20, 21, 22,
				   23, 24, 25, 26, 27, 28, 29, 30, 0x80 };

	return in(list, sizeof(list), vector);
}

/* ABI.md would let 18 be direct as well.  A real machine check is for Linux. */
static bool direct(u32 vector)
{
	return open_to_int(vector) && vector != 18;
}

static struct world *fresh(void)
{
	return world_new(&(struct world_plan){ .kernel_address = 0xc0000000 });
}

static void truth_table(void **state)
{
	struct world *w = fresh();
	u32 vector, type, dpl, present, low, high, offset, tolds, i;
	struct lg_gate before, *gate;
	enum state s;
	char words[64];

	(void)state;
	random_start("gates");
	for (i = 0; i < 256 * 16 * 4 * 2; i++) {
		vector = i & 255;
		type = i >> 8 & 15;
		dpl = i >> 12 & 3;
		present = i >> 14 & 1;
		offset = random32() | 1;
		/* Selector and the five low bits of the high word may be anything; so may S. */
		low = (offset & 0xffff) | random32() << 16;
		high = (offset & 0xffff0000) | present << 15 | dpl << 13 | type << 8 |
		       (random32() & 0x10ff);
		gate = &w->lg.idt[vector];
		before = *gate;
		world_forget(w);
		tolds = w->tolds;
		s = world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, vector, low, high, random32());

		if (ignored(vector)) {
			check(s == ENTERS && w->tolds == tolds, "vector %u is not the Guest's",
			      vector);
			check(!memcmp(&before, gate, sizeof(before)) && !gate->present,
			      "vector %u is not the Guest's", vector);
			continue;
		}
		if (present && type != 14 && type != 15) {
			check(s == DEAD, "vector %u: a gate of type %u was taken", vector, type);
			snprintf(words, sizeof(words), "bad IDT type %u", type);
			expect_dead(w, LG_TRAP_GATE_TYPE, words);
			check(w->tolds == tolds, "a bad gate reached the CPU");
			world_revive(w);
			continue;
		}
		check(s == ENTERS, "vector %u type %u, %spresent: %s", vector, type,
		      present ? "" : "not ", w->lg.text);
		check(gate->present == present, "vector %u: present", vector);
		if (present)
			check(gate->offset == offset && gate->type == type && gate->dpl == dpl,
			      "vector %u: offset %#x type %u dpl %u became %#x, %u, %u", vector,
			      offset, type, dpl, gate->offset, gate->type, gate->dpl);
		check(w->gate_dpl[vector] == (present && open_to_int(vector) ? dpl : 0),
		      "vector %u dpl %u: the real gate has DPL %u", vector, dpl,
		      w->gate_dpl[vector]);
		check(w->gate_handler[vector] ==
		      (present && type == 15 && direct(vector) ? offset : 0),
		      "vector %u type %u: direct to %#x", vector, type, w->gate_handler[vector]);
		for (low = tolds; low < w->tolds; low++)
			check(w->told[low].a == vector, "gate %u changed with %u",
			      w->told[low].a, vector);
	}
	assert_int_equal(w->gate_dpl[0x1f], 1);
	world_free(w);
}

static void past_the_end(void **state)
{
	static const u32 bad[] = { 256, 257, 256 + 14, 0x80000000, 0xffffffff };
	struct world *w = fresh();
	char words[64];
	u32 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, bad[i], 0x1234, 0x8e00, 0), DEAD);
		snprintf(words, sizeof(words), "Setting idt entry %u", bad[i]);
		expect_dead(w, LG_TRAP_VECTOR, words);
		assert_int_equal(w->tolds, 0);
		world_revive(w);
	}
	world_free(w);
}

/* A task gate for the double fault, as Linux loads it, is no reason to die. */
static void task_gate_for_8(void **state)
{
	struct world *w = fresh();

	(void)state;
	assert_int_equal(world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, 8, 0xf8 << 16, 0x8500, 0), ENTERS);
	world_free(w);
}

/* Which traps find the Guest's gate, and what is said if there is none. */
static void reflected_or_dead(void **state)
{
	struct world *w = fresh();
	struct lg_trap_frame *regs = lg_regs(&w->lg);
	u32 vector, loaded;
	char words[64];

	(void)state;
	for (loaded = 0; loaded < 2; loaded++) {
		for (vector = 0; vector < 32; vector++) {
			if (vector == 0x1f || vector == 14 || vector == 7 || vector == 13)
				continue;
			if (loaded)
				world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, vector, 0x4000 + vector, 0x00108e00, 0);
			regs->cs = 0x61;
			regs->esp = 0x8000;
			regs->eip = 0x654321;
			if (world_trap(w, vector, 0x5a) == ENTERS) {
				check(loaded && !ignored(vector), "trap %u was delivered", vector);
				assert_int_equal(regs->eip, 0x104000 + vector);
				assert_int_equal(regs->cs, 0x61);
				assert_int_equal(w->lg.stats.reflected[vector], 1);
				continue;
			}
			check(!loaded || ignored(vector), "trap %u: %s", vector, w->lg.text);
			snprintf(words, sizeof(words), "unhandled trap %u at 0x654321 (0x5a)",
				 vector);
			expect_dead(w, LG_TRAP_UNHANDLED, words);
			world_revive(w);
		}
	}
	world_free(w);
}

/* An interrupt gate for system calls is not lost: the Host reflects it. */
static void syscall_through_interrupt_gate(void **state)
{
	struct world *w = fresh();
	struct lg_trap_frame *regs = lg_regs(&w->lg);

	(void)state;
	world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, 0x80, 0x5678, 0x0010ee00, 0);
	assert_int_equal(w->gate_dpl[0x80], 3);
	assert_int_equal(w->gate_handler[0x80], 0);
	w->lg.data->irq_enabled = 0x200;
	regs->esp = 0x8000;
	assert_int_equal(world_trap(w, 0x80, 0), ENTERS);
	assert_int_equal(regs->eip, 0x105678);
	assert_int_equal(regs->esp, 0x8000 - 12);
	assert_int_equal(w->lg.data->irq_enabled, 0);
	world_free(w);
}

/* #NM belongs to the Guest only if it set TS (ABI.md 5.3). */
static void device_not_available(void **state)
{
	struct world *w = fresh();
	struct lg_trap_frame *regs = lg_regs(&w->lg);

	(void)state;
	world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, 7, 0x7000, 0x00108e00, 0);
	regs->esp = 0x8000;
	assert_int_equal(world_trap(w, 7, 0), ENTERS);
	assert_int_equal(regs->eip, WORLD_EIP);		/* the Host's own affair */
	world_hypercall(w, LHCALL_TS, 8, 0, 0, 0);
	assert_true(w->ts);
	assert_int_equal(world_trap(w, 7, 0), ENTERS);
	assert_int_equal(regs->eip, 0x107000);
	assert_int_equal(regs->esp, 0x8000 - 12);
	world_hypercall(w, LHCALL_TS, 0, 0, 0, 0);
	assert_false(w->ts);
	world_free(w);
}

/* What the Switcher says when something cannot be loaded, or when it is broken. */
static void not_a_vector(void **state)
{
	static const u32 traps[] = { 0x100 + 13, 0x100 + 12, 0x300 + 13, 0x300 + 11 };
	struct world *w = fresh();
	u32 i;

	(void)state;
	for (i = 0; i < 4; i++) {
		assert_int_equal(world_trap(w, traps[i], 0x68), DEAD);
		expect_dead(w, LG_SEG_LOAD, "unhandled trap 256 at 0x123456 (0x68)");
		world_revive(w);
	}
	assert_int_equal(world_trap(w, 0x400 + 14, 2), DEAD);
	expect_dead(w, LG_HOST_SWITCHER, "trap 14 in the Switcher");
	world_free(w);
}

/* The last sixteen exits are kept for the obituary; LG_AGAIN makes no second record. */
static void last_exits(void **state)
{
	struct world *w = fresh();
	struct lg_trap_frame *regs = lg_regs(&w->lg);
	const struct lg_exit_record *r;
	u32 i, first = w->lg.exits;

	(void)state;
	world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, 6, 0x4000, 0x8e00, 0);
	for (i = 0; i < 40; i++) {
		regs->cs = 0x61;
		regs->esp = 0x8000 + i % 8 * 0x1000;
		regs->eip = 0x1000 + i;
		regs->eax = 0x77 + i;
		w->lg.pages->cr2 = 0x2000 + i;
		assert_int_equal(world_trap(w, 6, 0x10 + i), ENTERS);
	}
	assert_int_equal(w->lg.exits, first + 1 + 40);
	check(w->again >= 8, "nothing had to be fetched");
	for (i = 24; i < 40; i++) {
		r = &w->lg.exit_record[(first + 1 + i) % LG_EXIT_RECORDS];
		check(r->vector == 6 && r->error == 0x10 + i && r->cs == 0x61 &&
		      r->eip == 0x1000 + i && r->number == 0x77 + i && r->cr2 == 0x2000 + i,
		      "record of exit %u", i);
	}
	assert_int_equal(w->lg.stats.exit_vector[6], 40);
	assert_int_equal(w->lg.stats.reflected[6], 40);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(truth_table), TEST(past_the_end), TEST(task_gate_for_8),
		TEST(reflected_or_dead), TEST(syscall_through_interrupt_gate),
		TEST(device_not_available), TEST(not_a_vector), TEST(last_exits),
	};

	return cmocka_run_group_tests_name("gates", tests, NULL, NULL);
}
