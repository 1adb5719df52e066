/* SPDX-License-Identifier: MIT */
/* What the tests of TeachOS's pure files share: cmocka in the order it wants, and seeds. */
#ifndef TEACHOS_TEST_H
#define TEACHOS_TEST_H

#include <setjmp.h>
#include <time.h>

#include "lib.h"

#include <cmocka.h>

#define TEST(f) cmocka_unit_test(f)

/* xorshift: the same numbers everywhere for the same seed. */
extern u64 random_state;
u32 random32(void);
static inline u32 below(u32 n)
{
	return random32() % n;
}

/* SEED=n in the environment repeats a run. */
void random_start(const char *test);

#endif
