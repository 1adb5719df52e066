/* SPDX-License-Identifier: GPL-2.0-only */
enum lg_result lg_pin_stack(struct lguest *lg)
{
	/* TODO 9.12.  lg->pages->esp1, lg->stack_pages; lg_shadow_find() with the current root.
	 *   LG_TRAP_STACK_PAGE	"bad stack page %#x: %s": "not writable" or "not mapped" */
	lg_kill(lg, LG_TRAP_STACK_SS, "the stack cannot be pinned yet (9.12)");
	return LG_OUT;
}
