// SPDX-License-Identifier: MIT
/*
 * The asynchronous ring (ABI.md 3.3) against a model: a producer that writes by the
 * Guest's rules and lags or floods as it likes, and a list of what must have happened.
 * Everything that happened is in the world's journal, so "in order" and "exactly once"
 * are one comparison.
 */
#include "world.h"

enum { RING = LHCALL_RING_SIZE };

static u8 *status_byte(struct world *w, u32 slot)
{
	return &w->lg.data->hcall_status[slot];
}

/* The Guest's side: its index, and what it expects the journal to say. */
struct producer {
	struct world *w;
	u32 index;
	struct told want[8192];
	u32 wants;
	u32 tls;		/* the last value queued for GDT entry 6 */
	u32 serial;
	bool ts;
};

static void expect(struct producer *p, enum what what, u32 a, u32 b, u32 c)
{
	p->want[p->wants++] = (struct told){ what, a, b, c };
}

struct call {
	u32 n, a1, a2, a3, a4;
};

/* Some call whose effect can be seen, and what will be seen. */
static struct call any_call(struct producer *p, bool with_again)
{
	struct call c = { 0, random32(), random32(), random32(), random32() };
	u64 tls[3];
	u32 gpa;

	p->serial++;
	switch (below(with_again ? 8 : 7)) {
	case 0: case 1:
		c.n = LHCALL_SET_CLOCKEVENT;
		c.a1 = p->serial;
		expect(p, TOLD_TIMER, c.a1, 0, 0);
		break;
	case 2:
		c.n = LHCALL_TS;
		c.a1 = p->serial & 8;
		if (p->ts != !!c.a1)		/* the CPU hears only of changes */
			expect(p, TOLD_TS, !!c.a1, 0, 0);
		p->ts = c.a1;
		break;
	case 3:
		c.n = LHCALL_LOAD_IDT_ENTRY;
		c.a1 = 0x80;
		c.a2 = p->serial & 0xffff;
		c.a3 = 0x00108f00;
		expect(p, TOLD_GATE, 0x80, 0, 0x00100000 | c.a2);
		break;
	case 4:
		c.n = LHCALL_NOTIFY;
		c.a1 = p->serial;
		expect(p, TOLD_NOTIFY, c.a1, 0, 0);
		break;
	case 5:
		c.n = LHCALL_NOTIFY;
		c.a1 = 0;			/* nothing happens */
		break;
	case 6:
		c.n = chance(50) ? LHCALL_FLUSH_ASYNC : LHCALL_SEND_INTERRUPTS;
		break;
	case 7:
		/* Needs a frame that was never touched, or two. */
		c.n = LHCALL_LOAD_TLS;
		gpa = p->w->next_frame * 4096 - 8;
		if (p->w->next_frame + 1 < p->w->lg.pfn_limit)
			p->w->next_frame++;
		c.a1 = gpa;
		tls[0] = tls[1] = tls[2] = 0x00cff30000000000ull | p->serial;
		p->tls = p->serial;
		world_write(p->w, gpa, tls, sizeof(tls));
		break;
	}
	return c;
}

static enum state direct(struct producer *p, struct call c)
{
	return world_hypercall(p->w, c.n, c.a1, c.a2, c.a3, c.a4);
}

/* The Guest's rule: a free slot is filled, a full ring means a direct call. */
static bool queue(struct producer *p, struct call c)
{
	static const u8 pending[] = { 0, 0, 0, 1, 0x7f, 0x80, 0xfe };
	u32 slot = p->index;

	if (*status_byte(p->w, slot) != 0xff)
		return false;
	p->w->lg.data->hcalls[slot] = (struct hcall_args){ c.n, c.a1, c.a2, c.a3, c.a4 };
	*status_byte(p->w, slot) = pending[below(7)];
	p->index = (slot + 1) % RING;
	return true;
}

static void compare(struct producer *p)
{
	u32 i;

	for (i = 0; i < p->wants && i < p->w->tolds; i++)
		check(!memcmp(&p->want[i], &p->w->told[i], sizeof(struct told)),
		      "event %u: %u(%#x) instead of %u(%#x)", i, p->w->told[i].what,
		      p->w->told[i].a, p->want[i].what, p->want[i].a);
	check(p->wants == p->w->tolds, "%u events instead of %u", p->w->tolds, p->wants);
	check(p->w->lg.pages->gdt[6] == 0 || (u32)p->w->lg.pages->gdt[6] == p->tls,
	      "the last LOAD_TLS is %#x instead of %#x", (u32)p->w->lg.pages->gdt[6], p->tls);
	p->wants = 0;
	world_forget(p->w);
}

static void all_free(struct producer *p)
{
	u32 slot;

	for (slot = 0; slot < RING; slot++)
		check(*status_byte(p->w, slot) == 0xff, "slot %u is %#x", slot,
		      *status_byte(p->w, slot));
}

static struct producer *fresh(struct world_plan *plan)
{
	struct producer *p = calloc(1, sizeof(*p));

	p->w = world_new(plan);
	return p;
}

static void done(struct producer *p)
{
	world_free(p->w);
	free(p);
}

static struct world_plan plan = { .kernel_address = 0xc0000000, .frames = 220,
				  .data_gpa = 0x1fcd };	/* across two pages */

static void random_producers(void **state)
{
	struct producer *p;
	struct call c;
	u32 round, step, burst, full = 0, wraps = 0;

	(void)state;
	random_start("random_producers");
	for (round = 0; round < 30; round++) {
		p = fresh(&plan);
		for (step = 0; step < 120; step++) {
			for (burst = below(chance(20) ? 100 : 12); burst; burst--) {
				u32 before = p->index;

				c = any_call(p, true);
				if (!queue(p, c)) {
					full++;
					check(direct(p, c) == ENTERS, "%s", p->w->lg.text);
					all_free(p);
					compare(p);
				}
				wraps += p->index < before;
			}
			c = any_call(p, false);
			check(direct(p, c) == ENTERS, "%s", p->w->lg.text);
			all_free(p);
			compare(p);
		}
		done(p);
	}
	check(full > 10 && wraps > 100, "full %u times, wrapped %u times", full, wraps);
}

/* All slots, from every starting point. */
static void full_ring(void **state)
{
	struct producer *p = fresh(&plan);
	u32 start, i;
	struct call c;

	(void)state;
	for (start = 0; start < RING; start++) {
		for (i = 0; i < RING; i++) {
			c = (struct call){ LHCALL_SET_CLOCKEVENT, start * 100 + i + 1, 0, 0, 0 };
			check(queue(p, c), "slot %u is not free", i);
			expect(p, TOLD_TIMER, c.a1, 0, 0);
		}
		check(!queue(p, c), "one too many fits");
		c.a1 = start * 100 + 99;
		expect(p, TOLD_TIMER, c.a1, 0, 0);
		assert_int_equal(direct(p, c), ENTERS);
		all_free(p);
		compare(p);
		/* One more, to begin elsewhere. */
		check(queue(p, c), "no room");
		expect(p, TOLD_TIMER, c.a1, 0, 0);
		assert_int_equal(direct(p, (struct call){ LHCALL_FLUSH_ASYNC, 0, 0, 0, 0 }), ENTERS);
		compare(p);
	}
	done(p);
}

/* The Host starts at its cursor and stops at the first free slot: what stands behind a
 * gap waits for its turn. */
static void stops_at_a_gap(void **state)
{
	struct producer *p = fresh(&plan);
	struct lguest_data *data = p->w->lg.data;

	(void)state;
	data->hcalls[0] = (struct hcall_args){ LHCALL_SET_CLOCKEVENT, 1, 0, 0, 0 };
	data->hcalls[2] = (struct hcall_args){ LHCALL_SET_CLOCKEVENT, 3, 0, 0, 0 };
	data->hcalls[RING - 1] = (struct hcall_args){ LHCALL_SET_CLOCKEVENT, RING, 0, 0, 0 };
	*status_byte(p->w, 0) = *status_byte(p->w, 2) = *status_byte(p->w, RING - 1) = 0;
	expect(p, TOLD_TIMER, 1, 0, 0);
	assert_int_equal(direct(p, (struct call){ LHCALL_FLUSH_ASYNC, 0, 0, 0, 0 }), ENTERS);
	compare(p);
	assert_int_equal(*status_byte(p->w, 0), 0xff);
	assert_int_equal(*status_byte(p->w, 2), 0);
	assert_int_equal(*status_byte(p->w, RING - 1), 0);
	data->hcalls[1] = (struct hcall_args){ LHCALL_SET_CLOCKEVENT, 2, 0, 0, 0 };
	*status_byte(p->w, 1) = 0;
	expect(p, TOLD_TIMER, 2, 0, 0);
	expect(p, TOLD_TIMER, 3, 0, 0);
	assert_int_equal(direct(p, (struct call){ LHCALL_FLUSH_ASYNC, 0, 0, 0, 0 }), ENTERS);
	compare(p);
	assert_int_equal(*status_byte(p->w, RING - 1), 0);
	done(p);
}

/* A Launcher's thread that marks every slot again as fast as we free it: once round at most. */
static void mark_all(struct world *w, u32 ns)
{
	(void)ns;
	memset(w->lg.data->hcall_status, 0, RING);
}

static void never_more_than_the_ring(void **state)
{
	struct producer *p = fresh(&plan);
	u32 i;

	(void)state;
	for (i = 0; i < RING; i++)
		p->w->lg.data->hcalls[i] =
			(struct hcall_args){ LHCALL_SET_CLOCKEVENT, i + 1, 0, 0, 0 };
	mark_all(p->w, 0);
	p->w->on_timer = mark_all;
	assert_int_equal(direct(p, (struct call){ LHCALL_TS, 8, 0, 0, 0 }), ENTERS);
	for (i = 0; i < RING; i++)
		expect(p, TOLD_TIMER, i + 1, 0, 0);
	expect(p, TOLD_TS, 1, 0, 0);
	compare(p);
	done(p);
}

/* A kill ends everything: what stands behind it is not done, nor is the direct call. */
static void killed_in_the_middle(void **state)
{
	struct producer *p;
	u32 where, i;

	(void)state;
	for (where = 0; where < RING; where++) {
		p = fresh(&plan);
		for (i = 0; i < RING; i++) {
			struct call c = { LHCALL_SET_CLOCKEVENT, i + 1, 0, 0, 0 };

			if (i == where)
				c = (struct call){ LHCALL_LOAD_GDT_ENTRY, 32, 0, 0, 0 };
			else if (i < where)
				expect(p, TOLD_TIMER, c.a1, 0, 0);
			queue(p, c);
		}
		assert_int_equal(direct(p, (struct call){ LHCALL_TS, 8, 0, 0, 0 }), DEAD);
		expect_dead(p->w, LG_SEG_GDT_INDEX, "too many gdt entries 32");
		compare(p);
		for (i = where + 1; i < RING; i++)
			check(*status_byte(p->w, i) != 0xff, "slot %u was done after the end", i);
		done(p);
	}
}

/* The goodbye may be queued as well. */
static void shutdown_in_the_ring(void **state)
{
	struct producer *p = fresh(&plan);

	(void)state;
	strcpy((char *)p->w->ram + 0x5000, "Power down");
	queue(p, (struct call){ LHCALL_SHUTDOWN, 0x5000, 1, 0, 0 });
	queue(p, (struct call){ LHCALL_SET_CLOCKEVENT, 1, 0, 0, 0 });
	assert_int_equal(direct(p, (struct call){ LHCALL_FLUSH_ASYNC, 0, 0, 0, 0 }), DEAD);
	assert_int_equal(p->w->lg.over, LG_RUN_POWEROFF);
	assert_string_equal(p->w->lg.text, "Power down");
	compare(p);
	done(p);
}

static void init_in_the_ring(void **state)
{
	struct producer *p = fresh(&plan);

	(void)state;
	queue(p, (struct call){ LHCALL_LGUEST_INIT, 0x1fcd, 0, 0, 0 });
	assert_int_equal(direct(p, (struct call){ LHCALL_FLUSH_ASYNC, 0, 0, 0, 0 }), DEAD);
	expect_dead(p->w, LG_HC_INIT_TWICE, "already have lguest_data");
	done(p);
}

/* A direct NOTIFY behind queued ones, a HALT behind queued ones: all once. */
static void notify_and_halt(void **state)
{
	struct producer *p = fresh(&plan);
	u32 i;

	(void)state;
	for (i = 1; i <= 5; i++) {
		queue(p, (struct call){ LHCALL_NOTIFY, i, 0, 0, 0 });
		expect(p, TOLD_NOTIFY, i, 0, 0);
	}
	expect(p, TOLD_NOTIFY, 6, 0, 0);
	assert_int_equal(direct(p, (struct call){ LHCALL_NOTIFY, 6, 0, 0, 0 }), ENTERS);
	compare(p);
	queue(p, (struct call){ LHCALL_NOTIFY, 7, 0, 0, 0 });
	expect(p, TOLD_NOTIFY, 7, 0, 0);
	assert_int_equal(direct(p, (struct call){ LHCALL_HALT, 0, 0, 0, 0 }), SLEEPS);
	compare(p);
	done(p);
}

/* Only a hypercall runs the ring: an exception does not. */
static void nobody_else_runs_it(void **state)
{
	struct producer *p = fresh(&plan);

	(void)state;
	queue(p, (struct call){ LHCALL_SET_CLOCKEVENT, 1, 0, 0, 0 });
	assert_int_equal(world_trap(p->w, 7, 0), ENTERS);
	compare(p);
	assert_true(*status_byte(p->w, 0) != 0xff);
	done(p);
}

/* What a Guest queues for a context switch is all in force afterwards (ABI.md 11, 8):
 * the frame of a trap goes to the new stack, in the new address space. */
static void context_switch(void **state)
{
	struct world_plan usual = { .kernel_address = 0xc0000000 };
	struct producer *p = fresh(&usual);
	struct world *w = p->w;
	u32 a, b, stack_a, stack_b;
	u64 tls[3] = { 0x00cff30000001111ull, 0, 0 };

	(void)state;
	a = guest_root(w);
	b = guest_root(w);
	stack_a = world_frame(w);
	stack_b = world_frame(w);
	guest_map(w, a, 0x08000000, stack_a * 4096 | 0x67);
	guest_map(w, b, 0x08000000, stack_b * 4096 | 0x67);
	world_write(w, 0x3000, tls, sizeof(tls));
	direct(p, (struct call){ LHCALL_LOAD_IDT_ENTRY, 6, 0x1234, 0x00108e00, 0 });
	direct(p, (struct call){ LHCALL_NEW_PGTABLE, a, 0, 0, 0 });
	queue(p, (struct call){ LHCALL_NEW_PGTABLE, b, 0, 0, 0 });
	queue(p, (struct call){ LHCALL_SET_STACK, 0x69, 0x08001000, 1, 0 });
	queue(p, (struct call){ LHCALL_LOAD_TLS, 0x3000, 0, 0, 0 });
	queue(p, (struct call){ LHCALL_TS, 8, 0, 0, 0 });
	assert_int_equal(direct(p, (struct call){ LHCALL_FLUSH_ASYNC, 0, 0, 0, 0 }), ENTERS);
	assert_true(w->ts);
	assert_int_equal((u32)w->lg.pages->gdt[6], 0x1111);
	assert_int_equal(w->lg.cr3, b);
	lg_regs(&w->lg)->cs = 0x73;
	lg_regs(&w->lg)->ss = 0x7b;
	lg_regs(&w->lg)->esp = 0x0badcafe;
	assert_int_equal(world_trap(w, 6, 0), ENTERS);
	assert_int_equal(lg_regs(&w->lg)->esp, 0x08001000 - 20);
	assert_int_equal(world_get32(w, stack_b * 4096 + 4096 - 8), 0x0badcafe);
	assert_int_equal(world_get32(w, stack_a * 4096 + 4096 - 8), 0);
	done(p);
}

/* The Launcher changes the number in a slot meanwhile: what is counted is what was done. */
static void slots_are_read_once(void **state)
{
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000 });
	__u64 *counted = w->lg.stats.hypercall_ring;
	u64 alarms, others;
	u32 i, slot;

	(void)state;
	random_start("slots_are_read_once");
	for (i = 0; i < 24; i++) {
		world_forget(w);
		counted[LHCALL_SET_CLOCKEVENT] = counted[LHCALL_FLUSH_ASYNC] = 0;
		slot = w->lg.ring_cursor;
		w->lg.data->hcalls[slot] = (struct hcall_args){
			.number = LHCALL_SET_CLOCKEVENT, .arg1 = i + 1 };
		*status_byte(w, slot) = 0;
		world_scramble(&w->lg.data->hcalls[slot].number, LHCALL_SET_CLOCKEVENT,
			       LHCALL_FLUSH_ASYNC);
		check(world_hypercall(w, LHCALL_FLUSH_ASYNC, 0, 0, 0, 0) == ENTERS, "%s",
		      w->lg.text);
		world_settle();
		alarms = counted[LHCALL_SET_CLOCKEVENT];
		others = counted[LHCALL_FLUSH_ASYNC];
		check(alarms + others == 1 && w->tolds == alarms, "the Launcher changed a number in "
		      "the ring meanwhile: one call was %s, and the other counted",
		      w->tolds ? "SET_CLOCKEVENT" : "FLUSH_ASYNC");
	}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_producers), TEST(full_ring), TEST(stops_at_a_gap),
		TEST(never_more_than_the_ring), TEST(killed_in_the_middle),
		TEST(shutdown_in_the_ring), TEST(init_in_the_ring), TEST(notify_and_halt), TEST(slots_are_read_once),
		TEST(nobody_else_runs_it), TEST(context_switch),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
