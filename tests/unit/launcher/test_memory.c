// SPDX-License-Identifier: MIT
/* The one door, and the walls beside it. */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static struct guest_memory m;
static struct complaint c;

static int set_up(void **state)
{
	(void)state;
	return memory_create(&m, 2, &c);
}

static int tear_down(void **state)
{
	(void)state;
	memory_destroy(&m);
	return 0;
}

/* memory_at(gpa, len): a pointer to gpa if that is good, else NULL. */
static void ask(uint64_t gpa, uint64_t len, bool good)
{
	uint8_t *p = memory_at(&m, gpa, len);

	if (!p != !good)
		fail_msg("%#llx bytes at %#llx are %s memory, which ends at %#llx; memory_at() says %s",
			 (unsigned long long)len, (unsigned long long)gpa, good ? "in" : "not in",
			 (unsigned long long)m.limit, p ? "here they are" : "NULL");
	if (p && p != m.base + gpa)
		fail_msg("memory_at(%#llx) leads to base + %#llx", (unsigned long long)gpa,
			 (unsigned long long)(p - m.base));
}

static void limits(void **state)
{
	uint64_t limit = 2 * MIB + 4096;

	(void)state;
	assert_int_equal(m.ram, 2 * MIB);
	assert_int_equal(m.limit, limit);
	ask(0, 1, true);
	ask(0, limit, true);
	ask(0, limit + 1, false);
	ask(limit - 1, 1, true);
	ask(limit - 1, 2, false);
	ask(limit, 0, true);
	ask(limit, 1, false);
	ask(limit + 1, 0, false);
}

/* Every sum that could wrap does wrap in here, and every number is wider than 32 bits once. */
static void wraps(void **state)
{
	(void)state;
	ask(UINT64_MAX, 1, false);
	ask(UINT64_MAX - 3, 8, false);
	ask(0x1000, UINT64_MAX, false);
	ask(0x1000, UINT64_MAX - 0xfff, false);
	ask(0xfffffff0, 0x20, false);
	ask(1ull << 63, 1ull << 63, false);
	ask(1ull << 32 | 0x1000, 1, false);
	ask(0x1000, 1ull << 32 | 1, false);
}

/* Against an oracle that counts on its fingers. */
static void random_ranges(void **state)
{
	(void)state;
	random_start("random_ranges");
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t gpa = m.limit - 64 + below(128), len = below(128);
		bool good = true;

		for (uint64_t b = 0; b < len; b++)
			good &= gpa + b < m.limit;
		if (!len)
			good = gpa <= m.limit;
		ask(gpa, len, good);
	}
}

static void copies(void **state)
{
	uint8_t in[16], out[16];
	uint16_t word;

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		in[i] = (uint8_t)(i * 7 + 1);
	assert_true(memory_store(&m, m.limit - 16, in, 16));
	assert_true(memory_fetch(&m, m.limit - 16, out, 16));
	assert_memory_equal(in, out, 16);
	assert_false(memory_store(&m, m.limit - 15, in, 16));
	assert_false(memory_fetch(&m, m.limit - 15, out, 16));
	assert_true(memory_store16(&m, 0x100, 0xbeef));
	assert_true(memory_load16(&m, 0x100, &word));
	assert_int_equal(word, 0xbeef);
	assert_int_equal(m.base[0x100], 0xef);
	assert_false(memory_load16(&m, 0x101, &word));
	assert_false(memory_load16(&m, m.limit, &word));
	assert_false(memory_store16(&m, m.limit - 1, 0));
}

static void hand_out(void **state)
{
	uint32_t pfn = memory_hand_out(&m, 10246);
	unsigned rings = 1;

	(void)state;
	assert_int_equal(pfn, 513);		/* 2 MiB are 512 pages, and one of descriptors */
	assert_int_equal(m.limit, 2 * MIB + 4 * 4096);
	memset(memory_at(&m, pfn * 4096ull, 3 * 4096), 0xff, 3 * 4096);
	while (memory_hand_out(&m, 10246))
		rings++;
	assert_int_equal(rings, 255 / 3);
	assert_int_equal(m.limit, 2 * MIB + 256 * 4096);
	assert_int_equal(memory_hand_out(&m, 1), 0);
}

static void wipe(void **state)
{
	(void)state;
	memset(m.base, 0x55, m.limit);
	memory_wipe(&m);
	for (uint64_t i = 0; i < m.limit; i += 512)
		assert_int_equal(m.base[i], 0);
}

/* Does touching `at` kill a process? */
static bool deadly(const volatile uint8_t *at)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(*at ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void guards(void **state)
{
	(void)state;
	assert_true(deadly(m.base - 1));
	assert_true(deadly(m.base + m.limit));
	assert_false(deadly(m.base));
	assert_false(deadly(m.base + m.limit - 1));
	memory_hand_out(&m, 1);
	assert_false(deadly(m.base + m.limit - 1));
	assert_true(deadly(m.base + m.limit));
}

/* A large Guest costs nothing until it uses what it has. */
static void untouched(void **state)
{
	static unsigned char present[(64u * MIB) / 4096];
	struct guest_memory big;
	unsigned touched = 0;

	(void)state;
	assert_int_equal(memory_create(&big, 64, &c), 0);
	big.base[5 * MIB] = 1;
	assert_int_equal(mincore(big.base, 64u * MIB, present), 0);
	for (unsigned i = 0; i < sizeof(present); i++)
		touched += present[i] & 1;
	memory_destroy(&big);
	assert_in_range(touched, 1, 512);	/* 512: if the kernel gives 2 MiB at once */
}

static void host_has(void **state)
{
	uint64_t has = memory_host_has();

	(void)state;
	assert_true(has > MIB);
	assert_true(has <= (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
}

#define ON_MEMORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_MEMORY(limits), ON_MEMORY(wraps), ON_MEMORY(random_ranges), ON_MEMORY(copies),
		ON_MEMORY(hand_out), ON_MEMORY(wipe), ON_MEMORY(guards), TEST(untouched),
		TEST(host_has),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
