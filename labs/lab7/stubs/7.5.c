/* SPDX-License-Identifier: GPL-2.0-only */
enum lg_result lg_deliver(struct lguest *lg, unsigned int vector, bool has_error, u32 error)
{
	/* TODO 7.5.  lg_guest_address() gives our address of a Guest's, or LG_AGAIN.
	 *   LG_TRAP_UNHANDLED	"unhandled trap %u at %#x (%#x)": vector, eip, cr2 for a page
	 *			fault, else the error code
	 * Each death is also told the obituary: return lg_undelivered().
	 *   LG_MEM_VIRTUAL	"Bad address %#x": a word across the end of a page */
	(void)has_error;
	(void)error;
	lg_kill(lg, LG_TRAP_UNHANDLED, "trap %u cannot be delivered yet", vector);
	return LG_OUT;
}
