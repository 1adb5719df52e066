/* SPDX-License-Identifier: MIT */
enum exit_class exit_class(uint32_t cs, uint32_t vector)
{
	/* TODO 0.2.  Whose doing was it?  cs is the Guest's at the exit. */
	(void)cs;
	(void)vector;
	return EXIT_CLASSES;
}
