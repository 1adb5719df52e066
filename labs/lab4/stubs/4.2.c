/* SPDX-License-Identifier: MIT */
int check_segment(const struct image *img, unsigned i, const struct segment *s,
		  struct complaint *c)
{
	/* TODO 4.2.  Segment i of the file; img->segment[0] to [img->count - 1] are the ones that
	 * passed before it.  complain_short() for what the file has not. */
	return complain(c, STATUS_INTERNAL, "%s: segment %u at 0x%x: not checked yet", img->name, i,
			s->paddr);
}
