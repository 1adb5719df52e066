/* SPDX-License-Identifier: GPL-2.0-only */
enum lg_result initialise(struct lguest *lg, u32 gpa)
{
	/* TODO 6.3.  Reasons to end here: LG_HC_INIT_TWICE, LG_HC_BAD_DATA, LG_HC_BAD_SYSCALL,
	 * LG_HC_BAD_KERNEL.  Set lg->data_gpa before you want LG_WANT_DATA; lg->data is the
	 * page once you have it.  docs/ABI.md 2.3 lists what Host and Guest write there. */
	(void)lg;
	(void)gpa;
	return LG_RESUME;
}
