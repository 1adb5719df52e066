// SPDX-License-Identifier: MIT
/*
 * Lab 0: words for exits.  The oracle of exit_class is a table of frames, made by hand: cs
 * with each RPL, and each vector where something changes, one below and one above.
 */
#include "test.h"

static const char *named(uint32_t vector)
{
	static char text[48];

	return vector_name(vector, text, sizeof(text));
}

static void names(void **state)
{
	static const struct { uint32_t vector; const char *name; } row[] = {
		{ 0, "#DE divide" }, { 2, "NMI" }, { 6, "#UD bad instruction" }, { 7, "#NM no FPU" },
		{ 8, "#DF double fault" }, { 11, "#NP no segment" }, { 12, "#SS stack segment" },
		{ 13, "#GP protection" }, { 14, "#PF page fault" },
		{ 17, "#AC alignment" }, { 19, "#XF SIMD error" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		assert_string_equal(named(row[i].vector), row[i].name);
}

static void borders(void **state)
{
	(void)state;
	assert_string_equal(named(20), "vector 20");
	assert_string_equal(named(30), "vector 30");
	assert_string_equal(named(31), "hypercall");
	assert_string_equal(named(32), "real interrupt");
	assert_string_equal(named(127), "real interrupt");
	assert_string_equal(named(128), "system call");
	assert_string_equal(named(129), "real interrupt");
	assert_string_equal(named(255), "real interrupt");
}

/* A fault in the Switcher is 256 and more: whoever keeps a vector in a byte loses it. */
static void switcher(void **state)
{
	char text[16];

	(void)state;
	assert_string_equal(named(256), "fault 0 in the Switcher");
	assert_string_equal(named(256 + 13), "fault 13 in the Switcher");
	assert_string_equal(named(256 + 255), "fault 255 in the Switcher");
	/* However small the place is, it ends with a NUL. */
	memset(text, 'x', sizeof(text));
	assert_int_equal(strlen(vector_name(256 + 13, text, 8)), 7);
	assert_int_equal(text[8], 'x');
}

#define RING1	0x61u
#define RING3	0x73u

static const char *class_name(enum exit_class class)
{
	static const char *const name[] = {
		[EXIT_USER] = "EXIT_USER", [EXIT_KERNEL] = "EXIT_KERNEL",
		[EXIT_HYPERCALL] = "EXIT_HYPERCALL", [EXIT_INTERRUPT] = "EXIT_INTERRUPT",
		[EXIT_SWITCHER] = "EXIT_SWITCHER",
	};

	return class < EXIT_CLASSES ? name[class] : "no class at all";
}

static void classes(void **state)
{
	static const struct { uint32_t cs, vector; enum exit_class want; } row[] = {
		{ RING1, 14, EXIT_KERNEL }, { RING3, 14, EXIT_USER },
		{ RING1, 0, EXIT_KERNEL }, { RING3, 0, EXIT_USER },
		{ RING1, 13, EXIT_KERNEL }, { RING3, 13, EXIT_USER },
		{ RING1, 0x1f, EXIT_HYPERCALL },
		{ RING1, 0x1e, EXIT_KERNEL }, { RING3, 0x1e, EXIT_USER },
		{ RING1, 0x20, EXIT_INTERRUPT }, { RING3, 0x20, EXIT_INTERRUPT },
		{ RING3, 0x80, EXIT_USER }, { RING1, 0x80, EXIT_KERNEL },
		{ RING3, 0x81, EXIT_INTERRUPT }, { RING1, 0xff, EXIT_INTERRUPT },
		{ RING1, 2, EXIT_INTERRUPT }, { RING3, 2, EXIT_INTERRUPT },
		{ RING3, 18, EXIT_INTERRUPT },
		{ RING1, 256, EXIT_SWITCHER }, { RING3, 256 + 14, EXIT_SWITCHER },
		{ RING3, 256 + 0x80, EXIT_SWITCHER }, { RING1, 256 + 0x1f, EXIT_SWITCHER },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (exit_class(row[i].cs, row[i].vector) != row[i].want)
			fail_msg("cs %#x, vector %#x: %s, expected %s", row[i].cs, row[i].vector,
				 class_name(exit_class(row[i].cs, row[i].vector)),
				 class_name(row[i].want));
}

/* Only the lowest two bits of cs tell the ring; the rest names a descriptor. */
static void any_selector(void **state)
{
	(void)state;
	for (uint32_t cs = 0; cs < 0x10000; cs += 5) {
		enum exit_class want = (cs & 3) == 3 ? EXIT_USER : EXIT_KERNEL;

		if (exit_class(cs, 14) != want)
			fail_msg("cs %#x, vector 14: %s, expected %s", cs,
				 class_name(exit_class(cs, 14)), class_name(want));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names), cmocka_unit_test(borders), cmocka_unit_test(switcher),
		cmocka_unit_test(classes), cmocka_unit_test(any_selector),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
