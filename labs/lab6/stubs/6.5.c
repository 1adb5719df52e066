/* SPDX-License-Identifier: GPL-2.0-only */
enum lg_result do_hypercall(struct lguest *lg, const struct hcall_args *args)
{
	/* TODO 6.5.  One case for each LHCALL_ number of include/lguest.h; docs/ABI.md 2.2 is
	 * the list, and lg.h has the functions that most of them lead to.
	 * LG_HC_UNKNOWN: "Bad hypercall %u".  The first word works already, so that a Guest
	 * gets as far as its second. */
	if (args->number == LHCALL_LGUEST_INIT)
		return initialise(lg, args->arg1);
	return LG_RESUME;
}
