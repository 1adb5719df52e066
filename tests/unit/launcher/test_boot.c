// SPDX-License-Identifier: MIT
/*
 * The zero page against ABI.md section 1.3, with the offsets written out once more:
 * a test that used the Launcher's own names would agree with its mistakes.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

static struct complaint c;

static void put(uint8_t *page, unsigned offset, uint64_t value, unsigned bytes)
{
	memcpy(page + offset, &value, bytes);
}

static void expect_page(uint64_t ram, uint32_t initrd, const uint8_t *want)
{
	uint8_t page[4096] = { 0 };

	zero_page_fill(page, ram, initrd);
	for (unsigned i = 0; i < sizeof(page); i++)
		if (page[i] != want[i])
			fail_msg("offset 0x%x is %02x instead of %02x", i, page[i], want[i]);
}

static void common(uint8_t *want, uint64_t ram)
{
	memset(want, 0, 4096);
	put(want, 0x1e8, 1, 1);
	put(want, 0x206, 0x0207, 2);
	put(want, 0x211, 0x40, 1);
	put(want, 0x228, 0x1000, 4);
	put(want, 0x230, 0x01000000, 4);
	put(want, 0x23c, 1, 4);
	put(want, 0x2d0, 0, 8);
	put(want, 0x2d8, ram, 8);
	put(want, 0x2e0, 1, 4);
}

static void without_initrd(void **state)
{
	uint8_t want[4096];

	(void)state;
	common(want, 64u * MIB);
	expect_page(64u * MIB, 0, want);
	common(want, 3072ull * MIB);
	expect_page(3072ull * MIB, 0, want);
}

static void with_initrd(void **state)
{
	uint8_t want[4096];

	(void)state;
	common(want, 64u * MIB);
	put(want, 0x210, 0xff, 1);
	put(want, 0x218, 0x04000000 - 0x3000, 4);
	put(want, 0x21c, 0x3000, 4);
	expect_page(64u * MIB, 0x2001, want);
	put(want, 0x218, 0x04000000 - 0x2000, 4);
	put(want, 0x21c, 0x2000, 4);
	expect_page(64u * MIB, 0x2000, want);
}

static void table_is_set(void **state)
{
	struct initrd rd = { .fd = -1 };
	struct guest_memory m;
	char line[COMMAND_LINE_MAX + 1];

	(void)state;
	memset(line, 'x', COMMAND_LINE_MAX);
	line[COMMAND_LINE_MAX] = '\0';
	assert_int_equal(memory_create(&m, 1, &c), 0);
	assert_int_equal(boot_set_table(&m, line, &rd, &c), 0);
	assert_string_equal((char *)m.base + 0x1000, line);
	assert_int_equal(m.base[0x206], 7);
	for (unsigned i = 0x1000 + COMMAND_LINE_MAX; i < MIB; i++)
		assert_int_equal(m.base[i], 0);
	memory_destroy(&m);
}

/* ---- initrd ---- */

static struct segment segment = { .paddr = 0x80000, .memsz = 0x1000 };
static const struct image kernel = { .count = 1, .segment = &segment };

static int open_initrd(struct initrd *rd, size_t bytes, char name[64])
{
	static uint8_t data[2 * MIB];
	int fd = memfd_create("initrd", 0);

	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)(i * 3 + 1);
	assert_int_equal(write(fd, data, bytes), bytes);
	snprintf(name, 64, "/proc/self/fd/%d", fd);
	return initrd_open(rd, name, &kernel, MIB, &c);
}

static void initrd_is_at_the_top(void **state)
{
	struct guest_memory m;
	struct initrd rd;
	char name[64];

	(void)state;
	assert_int_equal(open_initrd(&rd, 5000, name), 0);
	assert_int_equal(rd.size, 5000);
	assert_int_equal(memory_create(&m, 1, &c), 0);
	assert_int_equal(boot_set_table(&m, "", &rd, &c), 0);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(m.base[MIB - 8192 + i], (uint8_t)(i * 3 + 1));
	for (unsigned i = MIB - 8192 + 5000; i < MIB + 4096; i++)
		assert_int_equal(m.base[i], 0);
	memory_destroy(&m);
}

static void initrd_refused(void **state)
{
	struct initrd rd;
	char name[64];

	(void)state;
	assert_int_equal(initrd_open(&rd, "/no/such", &kernel, MIB, &c), STATUS_BAD_INITRD);
	assert_int_equal(initrd_open(&rd, "/", &kernel, MIB, &c), STATUS_BAD_INITRD);
	assert_int_equal(open_initrd(&rd, 0, name), STATUS_BAD_INITRD);
	assert_int_equal(open_initrd(&rd, 2 * MIB, name), STATUS_BAD_INITRD);
	/* 0x7f000 bytes end just behind the kernel; one more needs another page. */
	assert_int_equal(open_initrd(&rd, 0x7f000, name), 0);
	assert_int_equal(open_initrd(&rd, 0x7f001, name), STATUS_BAD_INITRD);
	assert_non_null(strstr(c.text, "where the kernel is"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_initrd), TEST(with_initrd), TEST(table_is_set),
		TEST(initrd_is_at_the_top), TEST(initrd_refused),
	};

	return cmocka_run_group_tests_name("boot", tests, NULL, NULL);
}
