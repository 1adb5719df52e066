/* SPDX-License-Identifier: MIT */
int image_fits(const struct image *img, uint64_t ram, struct complaint *c)
{
	/* TODO 4.5.  STATUS_OVERLAP below BOOT_END, STATUS_OUTSIDE beyond ram bytes,
	 * STATUS_TOO_LITTLE if img->needs is more. */
	return complain(c, STATUS_INTERNAL, "%s: %u segments in %" PRIu64 " MiB?", img->name,
			img->count, ram / MIB);
}
