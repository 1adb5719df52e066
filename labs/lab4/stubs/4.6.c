/* SPDX-License-Identifier: MIT */
int image_load(const struct image *img, const struct guest_memory *m, struct complaint *c)
{
	/* TODO 4.6.  memory_at() gives our address of the Guest's, fetch() reads from the file,
	 * verbose() tells whoever typed --verbose. */
	(void)m;
	return complain(c, STATUS_INTERNAL, "%s: not loaded", img->name);
}
