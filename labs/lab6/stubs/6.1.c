/* SPDX-License-Identifier: GPL-2.0-only */
bool lg_range_ok(struct lguest *lg, u32 gpa, u32 len)
{
	/* TODO 6.1.  The Guest has lg->pfn_limit frames of LG_PAGE_SIZE bytes. */
	(void)lg;
	(void)gpa;
	(void)len;
	return false;
}
