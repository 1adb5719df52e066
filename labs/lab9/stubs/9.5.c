/* SPDX-License-Identifier: GPL-2.0-only */
enum lg_result fill(struct lguest *lg, u32 gva, u32 error, struct walk *w, u32 outcome)
{
	/* TODO 9.5.  check_pte, lg_want_frame, lg_shadow_make (NULL: return LG_AGAIN),
	 * set_accessed_dirty, shadow_entry, count_fill if the entry changes.  At the end:
	 * lg_trace_page_fault(lg, gva, error, outcome, directory, pte, was, entry). */
	(void)error;
	(void)w;
	(void)outcome;
	lg_kill(lg, LG_MEM_VIRTUAL, "the shadow of %#x cannot be filled yet (9.5)", gva);
	return LG_OUT;
}

enum lg_result lg_page_fault(struct lguest *lg, u32 gva, u32 error)
{
	/* TODO 9.5.  walk(), access_allowed(), reflect_fault(), fill() with LG_FAULT_FILL,
	 * heal().  reflect_fault() wants a struct walk that is all zero for the reserved area. */
	lg_kill(lg, LG_MEM_VIRTUAL, "a page fault at %#x (%#x), and nobody knows what to do (9.5)",
		gva, error);
	return LG_OUT;
}
