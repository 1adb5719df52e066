/* SPDX-License-Identifier: GPL-2.0-only */
enum lg_result general_protection(struct lguest *lg)
{
	/* TODO 7.6.  From ring 1 with error code 0: perhaps emulate() knows it.  With bit 1 of
	 * the error code: perhaps an INT n, is_software_interrupt() can tell.  fetch_code() gets
	 * the bytes at eip; skip() steps over them.  Anything else: reflect(). */
	return reflect(lg, LG_VECTOR_GP, ~lg_regs(lg)->error);
}
