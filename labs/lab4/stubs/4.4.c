/* SPDX-License-Identifier: MIT */
int check_entry(const struct image *img, struct complaint *c)
{
	/* TODO 4.4.  STATUS_BAD_ENTRY if nothing of the file will be at img->entry. */
	return complain(c, STATUS_INTERNAL, "%s: is 0x%x a good entry?", img->name, img->entry);
}
