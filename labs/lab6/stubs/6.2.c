/* SPDX-License-Identifier: GPL-2.0-only */
enum lg_result lg_read(struct lguest *lg, u32 gpa, void *to, u32 len)
{
	/* TODO 6.2.  Outside: lg_kill(lg, LG_MEM_READ, "bad read address %#x len %u", gpa, len).
	 * Inside: byte gpa + n is in frame number (gpa + n) >> LG_PAGE_SHIFT, which we see at
	 * lg->frame[number], if it is not NULL.  If it is: return lg_want_frame(). */
	(void)lg;
	(void)gpa;
	(void)to;
	(void)len;
	return LG_OUT;
}
