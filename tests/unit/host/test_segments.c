// SPDX-License-Identifier: MIT
/*
 * The wall (ABI.md section 6).  The oracle takes a descriptor apart byte by byte, as SDM
 * vol. 3, figure 3-8 draws it; it shares no mask with the Host.
 */
#include "world.h"

/* Byte 5: P DPL(2) S type(4).  Upper half of byte 6: G D/B L AVL. */
static u64 oracle(u64 d)
{
	static const u8 allowed_dpl[4] = { 1, 1, 3, 3 };
	u8 byte[8], dpl, flags;

	memcpy(byte, &d, 8);
	if (!(byte[5] & 0x10))
		return 0;			/* a gate, a TSS, an LDT */
	dpl = allowed_dpl[(byte[5] >> 5) & 3];
	byte[5] = (byte[5] & 0x9f) | dpl << 5 | 0x01;
	flags = byte[6] >> 4;
	if (byte[5] & 0x08)
		flags &= 0xd;			/* code: not 64 bits */
	else if (byte[5] & 0x02)
		flags |= 0x4;			/* a stack: 32 bits */
	byte[6] = (byte[6] & 0x0f) | flags << 4;
	memcpy(&d, byte, 8);
	return d;
}

/* What must hold whatever the rules are in detail. */
static void harmless(u64 asked, u64 given)
{
	u32 access = (given >> 40) & 0xff;

	if (!(access & 0x80))
		return;
	check(access & 0x10, "%#llx became the system descriptor %#llx",
	      (unsigned long long)asked, (unsigned long long)given);
	check(access & 0x20, "%#llx became %#llx, with an even DPL", (unsigned long long)asked,
	      (unsigned long long)given);
	check(!((access & 8) && (given >> 53 & 1)), "%#llx became 64-bit code: %#llx",
	      (unsigned long long)asked, (unsigned long long)given);
	check(access & 1, "%#llx became %#llx: the CPU would write to the GDT",
	      (unsigned long long)asked, (unsigned long long)given);
}

/* In words, for those who do not read descriptors yet. */
static const char *kind(u64 d)
{
	return !(d >> 44 & 1) ? "system" : d >> 43 & 1 ? "code" : d >> 41 & 1 ? "writable data" :
	       "read-only data";
}

static const char *parts_of(u64 bits)
{
	static const struct { u64 mask; const char *name; } part[] = {
		{ 1ull << 40, "accessed" }, { 7ull << 41, "type" }, { 1ull << 44, "S" },
		{ 3ull << 45, "DPL" }, { 1ull << 47, "P" }, { 1ull << 52, "AVL" },
		{ 1ull << 53, "L" }, { 1ull << 54, "D/B" }, { 1ull << 55, "G" },
		{ 0xff0f00ffffffffffull, "base or limit" },
	};
	static char text[100];
	size_t i, n = 0;

	text[0] = '\0';
	for (i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		if (bits & part[i].mask)
			n += snprintf(text + n, sizeof(text) - n, "%s%s", n ? ", " : "",
				      part[i].name);
	return text;
}

static void one(u64 d)
{
	u64 got = lg_sanitise_descriptor(d);

	check(got == oracle(d), "%s, DPL %u: %016llx became %016llx instead of %016llx; wrong: %s",
	      kind(d), (u32)(d >> 45) & 3, (unsigned long long)d, (unsigned long long)got,
	      (unsigned long long)oracle(d), parts_of(got ^ oracle(d)));
	harmless(d, got);
	check(lg_sanitise_descriptor(got) == got, "%016llx: a second wash changes it",
	      (unsigned long long)d);
}

static void every_class(void **state)
{
	static const u64 rest[] = { 0, 0xff0f00ffffffffffull & ~(0xffull << 40),
				    0x0000000012345678ull, 0xab0500cdef001234ull };
	u32 access, flags, i;

	(void)state;
	for (access = 0; access < 256; access++)
		for (flags = 0; flags < 16; flags++)
			for (i = 0; i < 4; i++)
				one((rest[i] & ~(0xf0ffull << 40)) | (u64)access << 40 |
				    (u64)flags << 52);
}

static void random_descriptors(void **state)
{
	u32 i;

	(void)state;
	random_start("segments");
	for (i = 0; i < 300000; i++)
		one((u64)random32() << 32 | random32());
}

static bool is_ours(u32 entry)
{
	static const u8 ours[] = { 2, 3, 10, 11, 16, 31 };

	return memchr(ours, entry, sizeof(ours)) != NULL;
}

static u64 gdt_before[LG_GDT_WORDS];

/* Entry `entry` is now `want`, all others are as they were. */
static void only(struct world *w, u32 entry, u64 want)
{
	u32 i;

	for (i = 0; i < LG_GDT_WORDS; i++) {
		u64 expected = i == entry ? want : gdt_before[i];

		check(w->lg.pages->gdt[i] == expected,
		      "loading entry %u: entry %u is %#llx instead of %#llx", entry, i,
		      (unsigned long long)w->lg.pages->gdt[i], (unsigned long long)expected);
	}
	memcpy(gdt_before, w->lg.pages->gdt, sizeof(gdt_before));
}

static void load_gdt_entry(void **state)
{
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000 });
	u32 entry, round, i;
	u64 d;

	(void)state;
	random_start("load_gdt_entry");
	/* Something of the Switcher's, to see that it stays. */
	for (i = 0; i < LG_GDT_WORDS; i++)
		if (is_ours(i) || i >= 32)
			w->lg.pages->gdt[i] = 0x00af9b0000000000ull + i;
	memcpy(gdt_before, w->lg.pages->gdt, sizeof(gdt_before));
	for (round = 0; round < 50; round++) {
		for (entry = 0; entry < 32; entry++) {
			d = (u64)random32() << 32 | random32();
			if (chance(70))
				d |= 1ull << 44;
			assert_int_equal(world_hypercall(w, LHCALL_LOAD_GDT_ENTRY, entry, d, d >> 32, random32()),
					 ENTERS);
			only(w, entry, is_ours(entry) ? gdt_before[entry] : oracle(d));
		}
	}
	world_free(w);
}

static void past_the_end(void **state)
{
	static const u32 bad[] = { 32, 33, 34, 64, 0x20000000, 0x80000000, 0xffffffff };
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000 });
	char words[64];
	u32 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(gdt_before, w->lg.pages->gdt, sizeof(gdt_before));
		assert_int_equal(world_hypercall(w, LHCALL_LOAD_GDT_ENTRY, bad[i], 0xffff, 0x00cfbb00, 0), DEAD);
		snprintf(words, sizeof(words), "too many gdt entries %u", bad[i]);
		expect_dead(w, LG_SEG_GDT_INDEX, words);
		only(w, 0, gdt_before[0]);
		world_revive(w);
	}
	world_free(w);
}

static void load_tls(void **state)
{
	/* The last one ends exactly where memory does. */
	static const u32 good[] = { 0x5000, 0x6ff0, 0x7ffc, 0x9123, 64 * 4096 - 24 };
	static const u32 bad[] = { 64 * 4096 - 23, 64 * 4096, 0xfffffff0, 0xffffffff,
				   0xffffffe8, 0x80000000 };
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000 });
	char words[64];
	u64 tls[3];
	u32 i, j;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		for (j = 0; j < 3; j++)
			tls[j] = ((u64)random32() << 32 | random32()) | 1ull << 44;
		memcpy(gdt_before, w->lg.pages->gdt, sizeof(gdt_before));
		world_write(w, good[i], tls, sizeof(tls));
		assert_int_equal(world_hypercall(w, LHCALL_LOAD_TLS, good[i], random32(), 0, 0), ENTERS);
		gdt_before[7] = oracle(tls[1]);
		gdt_before[8] = oracle(tls[2]);
		only(w, 6, oracle(tls[0]));
	}
	check(w->again >= 6, "frames were not fetched one by one: %u", w->again);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(world_hypercall(w, LHCALL_LOAD_TLS, bad[i], 0, 0, 0), DEAD);
		snprintf(words, sizeof(words), "bad read address %#x len 24", bad[i]);
		expect_dead(w, LG_MEM_READ, words);
		only(w, 0, gdt_before[0]);
		world_revive(w);
	}
	world_free(w);
}

static void base_of_a_segment(void **state)
{
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000 });
	u32 i, base, entry, rpl;

	(void)state;
	random_start("base_of_a_segment");
	for (i = 0; i < 2000; i++) {
		base = random32();
		entry = 17 + below(14);
		rpl = below(4);
		/* Base 23..0 at bit 16, base 31..24 at bit 56; readable code, limit of 4 GiB. */
		world_hypercall(w, LHCALL_LOAD_GDT_ENTRY, entry, base << 16 | 0xffff,
				(base & 0xff000000) | 0x00cfba00 | (base >> 16 & 0xff), 0);
		assert_int_equal(lg_segment_base(&w->lg, entry * 8 + rpl), base);
		/* An LDT selector, and what is past the end, name nothing. */
		assert_int_equal(lg_segment_base(&w->lg, entry * 8 + rpl + 4), 0);
		assert_int_equal(lg_segment_base(&w->lg, 256 + entry * 8 + rpl), 0);
	}
	world_free(w);
}

static void at_the_first_instruction(void **state)
{
	struct world *w = world_new(&(struct world_plan){ .raw = true });
	u32 i;

	(void)state;
	for (i = 0; i < LG_GDT_WORDS; i++)
		check(w->lg.pages->gdt[i] == (i == 12 ? 0x00cfbb000000ffffull :
					      i == 13 ? 0x00cfb3000000ffffull : 0),
		      "entry %u is %#llx", i, (unsigned long long)w->lg.pages->gdt[i]);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_class), TEST(random_descriptors), TEST(load_gdt_entry),
		TEST(past_the_end), TEST(load_tls), TEST(base_of_a_segment),
		TEST(at_the_first_instruction),
	};

	return cmocka_run_group_tests_name("segments", tests, NULL, NULL);
}
