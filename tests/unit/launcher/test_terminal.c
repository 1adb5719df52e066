// SPDX-License-Identifier: MIT
/* Ctrl-A, in all the pieces in which keys can arrive. */
#include "test.h"

static bool pending;
static char text[64];
static size_t n;

static enum escape filter(const char *keys, size_t len)
{
	memcpy(text, keys, len);
	n = len;
	return escape_filter(text, &n, &pending);
}

static int fresh(void **state)
{
	(void)state;
	pending = false;
	return 0;
}

static void expect(const char *left)
{
	assert_int_equal(n, strlen(left));
	assert_memory_equal(text, left, n);
}

static void plain(void **state)
{
	(void)state;
	assert_int_equal(filter("hello\003\r", 7), ESCAPE_NONE);
	expect("hello\003\r");
	assert_int_equal(filter("", 0), ESCAPE_NONE);
	assert_int_equal(filter("x", 1), ESCAPE_NONE);
	expect("x");
}

static void leave(void **state)
{
	(void)state;
	assert_int_equal(filter("ab\001xcd", 6), ESCAPE_LEAVE);
	expect("ab");
	assert_int_equal(filter("\001X", 2), ESCAPE_LEAVE);
}

static void leave_in_two(void **state)
{
	(void)state;
	assert_int_equal(filter("ab\001", 3), ESCAPE_NONE);
	expect("ab");
	assert_true(pending);
	assert_int_equal(filter("x", 1), ESCAPE_LEAVE);
	expect("");
}

static void send_ctrl_a(void **state)
{
	(void)state;
	assert_int_equal(filter("a\001\001b", 4), ESCAPE_NONE);
	expect("a\001b");
	assert_int_equal(filter("\001", 1), ESCAPE_NONE);
	expect("");
	assert_int_equal(filter("\001x", 2), ESCAPE_NONE);	/* it was sent; x is just x */
	expect("\001x");
	assert_int_equal(filter("\001\001\001x", 4), ESCAPE_LEAVE);
	expect("\001");
}

static void reminder(void **state)
{
	(void)state;
	assert_int_equal(filter("a\001hb", 4), ESCAPE_HELP);
	expect("ab");
	assert_false(pending);
}

#define FRESH(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(plain), FRESH(leave), FRESH(leave_in_two), FRESH(send_ctrl_a), FRESH(reminder),
	};

	return cmocka_run_group_tests_name("terminal", tests, NULL, NULL);
}
