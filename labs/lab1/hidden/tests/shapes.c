/* SPDX-License-Identifier: MIT */
/* hypercall() and ring_push() where students do not see them: in loops, with one value for
 * all words, with constants, with memory that both sides use. */
#include "hypercall.h"

u32 bell, ledger[32];

/* Asks until somebody rings.  -> how often */
u32 waits(u32 n);
u32 waits(u32 n)
{
	u32 times = 0;

	bell = 0;
	while (!bell && times < 1000) {
		hypercall(n, times, n ^ times, ~n, times * n);
		times++;
	}
	return times;
}

/* One entry after the other; the Host reads each, and corrects others. */
u32 books(u32 n);
u32 books(u32 n)
{
	u32 sum = 0, i;

	for (i = 0; i < n; i++) {
		ledger[i] = ledger[i] * 3 + i;
		hypercall(LHCALL_SET_PMD, i, n, ledger[(i + 1) % n], sum);
		sum = sum * 5 + ledger[(i + 2) % n];
	}
	return sum;
}

void one_value(u32 n);
void one_value(u32 n)
{
	hypercall(n, n, n, n, n);
	hypercall(LHCALL_HALT, 0, 0, 0, 0);
	hypercall(LHCALL_TS, 1, 2, 3, 4);
	hypercall(n, n, n, n, n);
}

bool push(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4);
bool push(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4)
{
	return ring_push(number, arg1, arg2, arg3, arg4);
}

/* As many as there is room for, in one go. */
u32 push_all(u32 number, u32 first);
u32 push_all(u32 number, u32 first)
{
	u32 n = 0;

	while (n < 3 * LHCALL_RING_SIZE && ring_push(number, first + n, ~first, first * n, n))
		n++;
	return n;
}
