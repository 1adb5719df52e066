/* SPDX-License-Identifier: GPL-2.0-only */
enum lg_result walk(struct lguest *lg, u32 gva, struct walk *w)
{
	/* TODO 9.2.  lg->linear, lg->pae and lg->cr3 say where to begin; read_entry() reads an
	 * entry and tells its address; check_directory() takes DIRECTORY_BITS, or for a PDPT
	 * LG_PTE_PRESENT.  The CPU's picture of both formats is in H:500. */
	w->present = false;
	lg_kill(lg, LG_MEM_VIRTUAL, "nobody has walked to %#x yet (9.2)", gva);
	return LG_OUT;
}
