/* SPDX-License-Identifier: MIT */
static inline void hypercall(u32 number, u32 arg1, u32 arg2, u32 arg3, u32 arg4)
{
	(void)number, (void)arg1, (void)arg2, (void)arg3, (void)arg4;
}
