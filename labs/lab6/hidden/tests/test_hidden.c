// SPDX-License-Identifier: MIT
/*
 * Lab 6, where no student looks: lg_read against a copy made byte by byte, good ranges and
 * bad ones in turn, in a Guest of seven frames that come and go; and a ring that is filled
 * and run from two sides, against a queue in an array.
 */
#include "world.h"

#define FRAMES	7u
#define END	(FRAMES * 4096)

static void forget_some_frames(struct world *w)
{
	for (u32 pfn = 0; pfn < FRAMES; pfn++)
		if (chance(30))
			w->lg.frame[pfn] = NULL;
}

static void reads(void **state)
{
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000,
							 .frames = FRAMES });
	static u8 to[END + 64];
	u32 good = 0, bad = 0;

	(void)state;
	random_start("reads");
	for (u32 i = 0; i < END; i++)
		w->ram[i] = (u8)random32();
	for (u32 round = 0; round < 1500; round++) {
		u32 gpa = chance(60) ? below(END) : chance(50) ? END - below(40) : random32();
		u32 len = chance(60) ? below(5000) : chance(50) ? below(3) : random32();
		bool inside = gpa <= END && len <= END - gpa;
		enum lg_result r;

		if (inside && len > END)
			continue;
		forget_some_frames(w);
		memset(to, 0x5a, sizeof(to));
		for (u32 turns = 0; (r = lg_read(&w->lg, gpa, to, len)) == LG_AGAIN; turns++) {
			check(turns <= FRAMES, "asks for more frames than there are");
			check(w->lg.want == LG_WANT_FRAME && w->lg.want_pfn < FRAMES,
			      "wants %u, frame %u", w->lg.want, w->lg.want_pfn);
			world_enter(w);
		}
		if (!inside) {
			bad++;
			check(r == LG_OUT, "lg_read(%#x, %#x) of %#x bytes said %d", gpa, len, END, r);
			expect_dead(w, LG_MEM_READ, "bad read address");
			world_revive(w);
			len = 0;
		} else {
			good++;
			check(r == LG_RESUME, "lg_read(%#x, %#x) said %d", gpa, len, r);
			for (u32 i = 0; i < len; i++)
				check(to[i] == w->ram[gpa + i], "lg_read(%#x, %#x): byte %u is "
				      "%#x, expected %#x", gpa, len, i, to[i], w->ram[gpa + i]);
		}
		for (u32 i = len; i < sizeof(to); i++)
			check(to[i] == 0x5a, "lg_read(%#x, %#x) wrote to byte %u", gpa, len, i);
	}
	check(good > 300 && bad > 200, "%u good, %u bad", good, bad);
	world_free(w);
}

/* Clocks only: each has its own number, and the world writes down which were wound up. */
static void ring(void **state)
{
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000 });
	u32 queued[LHCALL_RING_SIZE], waiting = 0, index = 0, serial = 1;

	(void)state;
	random_start("ring");
	for (u32 round = 0; round < 3000; round++) {
		for (u32 n = below(LHCALL_RING_SIZE + 1 - waiting); n; n--) {
			w->lg.data->hcalls[index] = (struct hcall_args){
				LHCALL_SET_CLOCKEVENT, serial, random32(), random32(), random32() };
			w->lg.data->hcall_status[index] = below(255);
			index = (index + 1) % LHCALL_RING_SIZE;
			queued[waiting++] = serial++;
		}
		if (chance(30))
			continue;
		world_forget(w);
		assert_int_equal(world_hypercall(w, LHCALL_SET_CLOCKEVENT, serial, 0, 0, 0), ENTERS);
		check(w->tolds == waiting + 1, "%u clocks were wound up, expected %u", w->tolds,
		      waiting + 1);
		for (u32 i = 0; i < waiting; i++)
			check(w->told[i].what == TOLD_TIMER && w->told[i].a == queued[i],
			      "call %u of %u: clock %u, expected %u", i, waiting, w->told[i].a,
			      queued[i]);
		check(w->told[waiting].a == serial, "the direct call came before the queued ones");
		for (u32 i = 0; i < LHCALL_RING_SIZE; i++)
			check(w->lg.data->hcall_status[i] == LHCALL_RING_FREE, "slot %u: %#x", i,
			      w->lg.data->hcall_status[i]);
		serial++;
		waiting = 0;
	}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(reads), TEST(ring) };

	return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
