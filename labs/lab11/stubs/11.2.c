// SPDX-License-Identifier: GPL-2.0-only
static void lg_set_syscall(struct lg_pages *pages, u32 handler)
{
	/* The gate leads to lg_stubs + 16 * 0x80: to the Host, each time. */
	(void)pages, (void)handler;
}

void lg_arch_set_gate(struct lguest *lg, unsigned int vector, unsigned int dpl, u32 handler)
{
	/* All gates stay at DPL 0, and traps.c finishes each INT n by hand (H:230). */
	(void)lg, (void)vector, (void)dpl, (void)handler;
}
