// SPDX-License-Identifier: MIT
/*
 * Lab 6: what lg_range_ok and lg_read promise, one promise a test.  The oracle is a loop
 * over single bytes, in numbers that are large enough not to wrap.
 */
#include "world.h"

static struct world *small(u32 frames)
{
	return world_new(&(struct world_plan){ .kernel_address = 0xc0000000, .frames = frames });
}

/* gpa, len, good: for a Guest of eight frames. */
static void range_table(void **state)
{
	static const struct { u32 gpa, len; bool good; } row[] = {
		{ 0, 0, true }, { 0, 1, true }, { 0, 0x8000, true }, { 0, 0x8001, false },
		{ 0x7fff, 1, true }, { 0x7fff, 2, false }, { 0x8000, 0, true }, { 0x8000, 1, false },
		{ 0x7000, 0x1000, true }, { 0x7001, 0x1000, false },
		{ 0xffffffff, 1, false }, { 0xfffff000, 0x1000, false }, { 0xfffff000, 0x2000, false },
		{ 0x1000, 0xffffffff, false }, { 1, 0xffffffff, false }, { 0, 0xffffffff, false },
		{ 0x80000000, 0x80000000, false },
	};
	struct world *w = small(8);

	(void)state;
	for (u32 i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		check(lg_range_ok(&w->lg, row[i].gpa, row[i].len) == row[i].good,
		      "lg_range_ok(%#x, %#x) with 8 frames: expected %s", row[i].gpa, row[i].len,
		      row[i].good ? "inside" : "outside");
	world_free(w);
}

/* Any size of Guest, up to all 4 GiB: pfn_limit << 12 does not fit into 32 bits then. */
static void range_of_any_guest(void **state)
{
	struct world *w = small(8);
	u32 limit = w->lg.pfn_limit, i;

	(void)state;
	random_start("range_of_any_guest");
	for (i = 0; i < 20000; i++) {
		u64 frames = chance(10) ? 0x100000 : 1 + below(0x100000), end = frames * 4096;
		u32 gpa = chance(50) ? random32() : (u32)(end - below(5000)), len;
		bool good;

		len = chance(30) ? random32() : chance(50) ? below(9000) : (u32)(end - gpa);
		good = (u64)gpa <= end && (u64)len <= end - gpa;
		w->lg.pfn_limit = (u32)frames;
		check(lg_range_ok(&w->lg, gpa, len) == good,
		      "lg_range_ok(%#x, %#x) with %#x frames: expected %s", gpa, len, (u32)frames,
		      good ? "inside" : "outside");
	}
	w->lg.pfn_limit = limit;
	world_free(w);
}

/* Read with all frames at hand, or fetch them as they are asked for. */
static enum lg_result read_through(struct world *w, u32 gpa, void *to, u32 len, u32 *fetched)
{
	enum lg_result r;

	while ((r = lg_read(&w->lg, gpa, to, len)) == LG_AGAIN) {
		check(w->lg.want == LG_WANT_FRAME, "LG_AGAIN, but want is %u", w->lg.want);
		check(w->lg.want_pfn < w->lg.pfn_limit && !w->lg.frame[w->lg.want_pfn],
		      "asked for frame %u, which %s", w->lg.want_pfn,
		      w->lg.want_pfn < w->lg.pfn_limit ? "is there" : "does not exist");
		world_enter(w);
		++*fetched;
		check(*fetched <= 64, "asks for frames without end");
	}
	return r;
}

/* Frames that are neighbours for the Guest are not neighbours for us. */
static void read_across_frames(void **state)
{
	struct world *w = small(32);
	u8 *to = malloc(32 * 4096);
	u32 i, fetched = 0;

	(void)state;
	random_start("read_across_frames");
	for (i = 0; i < 32 * 4096; i++)
		w->ram[i] = (u8)(i * 31 + (i >> 12));
	for (i = 0; i < 2000; i++) {
		u32 gpa = below(32 * 4096), len = below(32 * 4096 - gpa + 1);

		if (chance(60))
			len = len < 64 ? len : below(64);
		if (len > 32 * 4096 - gpa)
			len = 32 * 4096 - gpa;
		assert_int_equal(read_through(w, gpa, to, len, &fetched), LG_RESUME);
		check(!memcmp(to, w->ram + gpa, len), "lg_read(%#x, %#x) brought something else",
		      gpa, len);
	}
	check(fetched > 8, "only %u frames were ever asked for", fetched);
	free(to);
	world_free(w);
}

/* Out of range: the Guest is dead, for the right reason, and nothing was copied. */
static void read_outside(void **state)
{
	static const struct { u32 gpa, len; } row[] = {
		{ 0x8000, 1 }, { 0x7ff0, 17 }, { 0xffffffff, 1 }, { 0xfffffff0, 32 },
		{ 0x7000, 0xffffffff }, { 0, 0x8001 },
	};
	struct world *w;
	u8 to[64], before[64];

	(void)state;
	memset(before, 0xa5, sizeof(before));
	for (u32 i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		w = small(8);
		memcpy(to, before, sizeof(to));
		assert_int_equal(lg_read(&w->lg, row[i].gpa, to, row[i].len), LG_OUT);
		expect_dead(w, LG_MEM_READ, "bad read address");
		check(!memcmp(to, before, sizeof(to)), "bytes were copied for a dead Guest");
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(range_table), TEST(range_of_any_guest), TEST(read_across_frames),
		TEST(read_outside),
	};

	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
