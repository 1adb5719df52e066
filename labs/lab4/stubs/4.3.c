/* SPDX-License-Identifier: MIT */
int check_elf(struct image *img, struct complaint *c)
{
	/* TODO 4.3.  fetch() reads from the file, with all checks; check_header() and
	 * check_segment() say whether what it read can be true.  img->segment is an array of
	 * yours (calloc; image_close frees it), img->count how many are in it, img->entry the
	 * entry point. */
	return complain(c, STATUS_INTERNAL, "%s: no program headers are read yet", img->name);
}
