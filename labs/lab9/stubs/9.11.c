/* SPDX-License-Identifier: GPL-2.0-only */
enum lg_result lg_guest_address(struct lguest *lg, u32 gva, bool write, void **address)
{
	/* TODO 9.11.  walk() does the first half.
	 *   LG_MEM_VIRTUAL	"Bad address %#x: %s, needed to %s at eip %#x": "not mapped",
	 *			"reserved" or "read-only"; "deliver a trap or interrupt" or
	 *			"read the instruction" */
	(void)write;
	(void)address;
	lg_kill(lg, LG_MEM_READ, "nothing can be done in the Guest's name at %#x yet (9.11)", gva);
	return LG_OUT;
}
