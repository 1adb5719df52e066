// SPDX-License-Identifier: MIT
/*
 * Lab 7: which exceptions push an error code.  The oracle is the column "Error Code" of
 * SDM vol. 3, table 6-1, typed in one by one: Y or N for the vectors 0 to 21.
 */
#include "world.h"

static const char table[] = "NNNNNNNNYNYYYYYNNYNNNN";

static void of_the_table(void **state)
{
	u32 vector;

	(void)state;
	for (vector = 0; vector < 21; vector++)
		check(lg_trap_has_error(vector) == (table[vector] == 'Y'),
		      "vector %u: expected %s", vector, table[vector] == 'Y' ? "an error code" : "none");
}

/* Interrupts, system calls, and what has no name: none (ABI.md 4.1). */
static void of_all_others(void **state)
{
	u32 vector;

	(void)state;
	check(lg_trap_has_error(13), "vector 13: expected an error code");
	for (vector = 21; vector < 256; vector++)
		check(!lg_trap_has_error(vector), "vector %u: expected none", vector);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(of_the_table), TEST(of_all_others) };

	return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
