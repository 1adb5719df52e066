/* SPDX-License-Identifier: GPL-2.0-only */
void lg_show_gate(struct lguest *lg, u32 vector)
{
	/* TODO 7.3.  lg_arch_set_gate(), with what the CPU may know of lg->idt[vector]:
	 * vector_is_ours, dpl_is_honoured, may_be_direct.  The debugger's wishes are here: */
	bool debugger = lg->debug && (vector == LG_VECTOR_DB || vector == LG_VECTOR_BP);

	/* Nothing is direct while it steps; #DB and #BP never while it is there. */
	(void)(debugger || lg->debug_step);
	/* A breakpoint in ring 3 must get here whatever the Guest's gate says: DPL 3. */
}

void lg_load_idt_entry(struct lguest *lg, u32 vector, u32 low, u32 high)
{
	/* TODO 7.3.  A gate in two words (SDM vol. 3, figure 6-2): offset 15..0 in low; offset
	 * 31..16, P, DPL and type in high.  Keep it in lg->idt[vector], then lg_show_gate().
	 *   LG_TRAP_VECTOR	"Setting idt entry %u"
	 *   LG_TRAP_GATE_TYPE	"bad IDT type %u" */
	(void)lg;
	(void)vector;
	(void)low;
	(void)high;
}
