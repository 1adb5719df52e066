/* SPDX-License-Identifier: GPL-2.0-only */
enum lg_result shut_down(struct lguest *lg, u32 gpa, u32 how)
{
	/* TODO 6.4.  The farewell: at most 128 bytes at gpa, into lg->text.  The kind of end:
	 * lg->over = LG_RUN_POWEROFF or LG_RUN_RESTART. */
	(void)gpa;
	(void)how;
	lg->over = LG_RUN_POWEROFF;
	return LG_OUT;
}
