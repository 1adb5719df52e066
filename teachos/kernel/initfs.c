/* SPDX-License-Identifier: MIT */
/*G:470 A box of files
 *
 * A kernel needs programs before it has found a disk, and there may be none.  So they
 * travel inside the kernel's image, as a tar archive: `tar tf
 * build/teachos/initfs.tar` shows what is in it.  A tar file is a row of 512-byte
 * blocks: one with name and size (in octal digits, as text), then the contents, and so
 * on; a block of zeros ends it.
 *
 * Nothing is copied: each file becomes a node whose bytes are where they are.  A few
 * names that the kernel answers to itself are hung beside them, so that `ls` finds them.
 */
#include "kernel.h"

struct tar_header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8];
	char type;		/* '0' a file, '5' a directory (its name ends in '/') */
	char rest[355];
};
_Static_assert(sizeof(struct tar_header) == 512, "POSIX ustar");

extern const char initfs_start[], initfs_end[];		/* initfs_image.asm */

static u32 octal(const char *s, u32 length)
{
	u32 value = 0;

	for (; length-- && *s >= '0' && *s <= '7'; s++)
		value = value * 8 + *s - '0';
	return value;
}

static bool add(const struct tar_header *h, u32 size)
{
	char name[sizeof(h->name) + 1];
	u32 length = strnlen(h->name, sizeof(h->name));

	memcpy(name, h->name, length);
	while (length && name[length - 1] == '/')
		length--;
	name[length] = '\0';
	return tmp_add(name, h->type == '5' ? S_IFDIR | 0755 : S_IFREG | 0755,
		       (const char *)(h + 1), size);
}

void initfs_init(void)
{
	const struct tar_header *h = (const void *)initfs_start;
	bool good = true;
	u32 size;

	mount_add("", tmp_root, NULL);
	for (; good && (const char *)(h + 1) <= initfs_end && h->name[0];
	     h += 1 + (size + 511) / 512) {
		size = octal(h->size, sizeof(h->size));
		good = add(h, size);
	}
	good = good && tmp_add("dev", S_IFDIR | 0755, NULL, 0) &&
	       tmp_add("dev/console", S_IFCHR | 0600, NULL, 0) &&
	       tmp_add("proc", S_IFDIR | 0755, NULL, 0) &&
	       tmp_add("proc/ps", S_IFREG | 0444, NULL, 0) &&
	       tmp_add("proc/meminfo", S_IFREG | 0444, NULL, 0) &&
	       tmp_add("proc/disks", S_IFREG | 0444, NULL, 0);
	if (!good)
		panic("no memory for the names of the first files");
}
/*:*/
