/* SPDX-License-Identifier: GPL-2.0-only */
void lg_set_stack(struct lguest *lg, u32 ss, u32 esp, u32 pages)
{
	/* TODO 7.4.  lg->pages->ss1 and ->esp1, lg->stack_pages; and who pins it?
	 *   LG_TRAP_STACK_SS	"bad stack segment %u"
	 *   LG_TRAP_STACK_PAGES "bad stack pages %u" */
	(void)lg;
	(void)ss;
	(void)esp;
	(void)pages;
}
