/* SPDX-License-Identifier: MIT */
/* What all tests of the Launcher share: cmocka in the order it wants, and seeds. */
#ifndef LAUNCHER_TEST_H
#define LAUNCHER_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "launcher.h"

#define TEST(f) cmocka_unit_test(f)

/* xorshift: the same numbers everywhere for the same seed. */
static uint64_t random_state;

static inline uint32_t random32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

static inline uint32_t below(uint32_t n)
{
	return random32() % n;
}

/* SEED=n in the environment repeats a run. */
static inline void random_start(const char *test)
{
	const char *given = getenv("SEED");

	random_state = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u;
	random_state |= 1;
	printf("# %s: SEED=%llu\n", test, (unsigned long long)random_state);
}

#endif
