/* SPDX-License-Identifier: MIT */
/*G:470 A box of files
 *
 * TeachOS has no disk yet, so its programs travel inside the kernel's image, as a
 * tar archive: `tar tf build/teachos/initfs.tar` shows what is in it.  A tar file
 * is a row of 512-byte blocks: one with name and size (in octal digits, as text),
 * then the contents, and so on; a block of zeros ends it.
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

static const struct tar_header *next_header(const struct tar_header *h)
{
	if (!h)
		h = (const void *)initfs_start;
	else
		h += 1 + (octal(h->size, sizeof(h->size)) + 511) / 512;
	return (const char *)(h + 1) <= initfs_end && h->name[0] ? h : NULL;
}

/* Paths are absolute; "./bin/sh", "/bin/sh" and "bin/sh" are one. */
const char *path_plain(const char *path)
{
	while (*path == '/' || (path[0] == '.' && (path[1] == '/' || !path[1])))
		path++;
	return path;
}

const char *initfs_find(const char *path, u32 *size)
{
	const struct tar_header *h = NULL;

	while ((h = next_header(h)) != NULL) {
		if (h->type != '0' || strncmp(path_plain(h->name), path_plain(path), sizeof(h->name)))
			continue;
		*size = octal(h->size, sizeof(h->size));
		return (const char *)(h + 1);
	}
	return NULL;
}

/* The part of h's name below directory, or NULL if it is not directly in there. */
static const char *name_in(const struct tar_header *h, const char *directory)
{
	const char *name = path_plain(h->name), *slash;
	u32 length = strlen(directory);

	while (length && directory[length - 1] == '/')
		length--;
	if (length) {
		if (strncmp(name, directory, length) || name[length] != '/')
			return NULL;
		name += length + 1;
	}
	slash = strchr(name, '/');
	return *name && (!slash || !slash[1]) ? name : NULL;
}

const char *initfs_list(const char *directory, u32 n, bool *is_directory)
{
	const struct tar_header *h = NULL;

	while ((h = next_header(h)) != NULL) {
		const char *name = name_in(h, path_plain(directory));

		if (!name || n--)
			continue;
		*is_directory = h->type == '5';
		return name;
	}
	return NULL;
}

bool initfs_is_directory(const char *path)
{
	bool ignored;

	return !*path_plain(path) || initfs_list(path, 0, &ignored);
}
/*:*/
