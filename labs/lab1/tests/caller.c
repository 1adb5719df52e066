/* SPDX-License-Identifier: MIT */
/* The inline functions of hypercall.h, as somebody uses them: compiled as the kernel is. */
#include "hypercall.h"

u32 shared;

void call_it(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4);
void call_it(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4)
{
	hypercall(number, arg1, arg2, arg3, arg4);
}

/* A word that the Host reads in the call, and writes. */
u32 across(void);
u32 across(void)
{
	shared = 1;
	hypercall(LHCALL_LOAD_TLS, 2, 3, 4, 5);
	return shared;
}

/* More values than registers are alive across the call. */
u32 mixed(u32 a, u32 b, u32 c, u32 d);
u32 mixed(u32 a, u32 b, u32 c, u32 d)
{
	u32 e = a * 3 + b, f = b * 5 ^ c, g = c * 7 + d, h = d * 11 ^ a, i;

	for (i = 0; i < 3; i++) {
		hypercall(a, b, c, d, e);
		e = e * 31 + a;
		f = f * 37 + b;
		g = g * 41 + c;
		h = h * 43 + d;
	}
	return e ^ f ^ g ^ h ^ a ^ b ^ c ^ d;
}

bool push_it(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4);
bool push_it(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4)
{
	return ring_push(number, arg1, arg2, arg3, arg4);
}
