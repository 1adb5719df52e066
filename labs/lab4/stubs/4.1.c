/* SPDX-License-Identifier: MIT */
int check_header(const struct image *img, const Elf32_Ehdr *h, struct complaint *c)
{
	/* TODO 4.1.  One `return complain(c, STATUS_..., "%s: ...", img->name, ...)` for each
	 * thing that is wrong; exit_status.h has the statuses. */
	(void)img;
	(void)h;
	(void)c;
	return 0;
}
