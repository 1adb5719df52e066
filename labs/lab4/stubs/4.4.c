/* SPDX-License-Identifier: MIT */
int check_entry(const struct image *img, struct complaint *c)
{
	/* TODO 4.4.  STATUS_BAD_ENTRY if nothing of the file will be at img->entry.  Is it a virtual
	 * address?  Say that it has to be a physical one. */
	return complain(c, STATUS_INTERNAL, "%s: is 0x%x a good entry?", img->name, img->entry);
}
