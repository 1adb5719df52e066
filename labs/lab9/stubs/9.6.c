/* SPDX-License-Identifier: GPL-2.0-only */
void apply_pte(struct lguest *lg, struct lg_root *root, u32 gva, u64 pte)
{
	/* TODO 9.6.  lg_shadow_find() and shadow_entry(). */
	(void)lg;
	(void)root;
	(void)gva;
	(void)pte;
}

void lg_set_pte(struct lguest *lg, u32 root_gpa, u32 gva, u64 pte)
{
	/* TODO 9.6.  The counters are set_pte_kernel, set_pte_absent and set_pte_user.
	 *   LG_PT_SWITCHER	"attempt to set pte into Switcher pages: %#x" */
	(void)root_gpa;
	lg_kill(lg, LG_PT_BAD_PTE, "SET_PTE of %#x, %#llx: not yet (9.6)", gva,
		(unsigned long long)pte);
}
