// SPDX-License-Identifier: MIT
#include "test.h"

u64 random_state = 1;

u32 random32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (u32)(random_state >> 16);
}

void random_start(const char *test)
{
	const char *given = getenv("SEED");

	random_state = given ? strtoull(given, NULL, 0) : (u64)time(NULL) * 2654435761u;
	random_state |= 1;
	printf("# %s: SEED=%llu\n", test, (unsigned long long)random_state);
}
