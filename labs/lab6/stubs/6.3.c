/* SPDX-License-Identifier: GPL-2.0-only */
enum lg_result initialise(struct lguest *lg, u32 gpa)
{
	/* TODO 6.3.  Reasons to end here, and how the sentences begin (people search for them):
	 *   LG_HC_INIT_TWICE	"already have lguest_data"
	 *   LG_HC_BAD_DATA	"bad guest page"
	 *   LG_HC_BAD_SYSCALL	"bad syscall vector %#x"
	 *   LG_HC_BAD_KERNEL	"bad kernel address %#x"
	 * Set lg->data_gpa before you want LG_WANT_DATA; lg->data is the
	 * page once you have it.  docs/ABI.md 2.3 lists what Host and Guest write there.
	 * lg->initialised says that all of this is over. */
	(void)lg;
	(void)gpa;
	return LG_RESUME;
}
