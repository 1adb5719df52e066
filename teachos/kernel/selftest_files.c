/* SPDX-License-Identifier: MIT */
/*G:746 Paths, disks, files: are they what they say?
 *
 * What needs a disk is skipped where there is none: `--block=FILE`.
 */
#include "selftest.h"

SELFTEST(plain_paths, "files/paths are made plain")
{
	static const char *const pairs[][2] = {
		{"/", "/"}, {".", "/"}, {"..", "/"}, {"/..", "/"}, {"/../..", "/"},
		{"a", "/a"}, {"/a/", "/a"}, {"//a///b", "/a/b"}, {"/a/./b/.", "/a/b"},
		{"/a/b/..", "/a"}, {"/a/b/../../..", "/"}, {"/a/../b", "/b"},
		{"a/..b/...", "/a/..b/..."}, {"./a/..", "/"}, {"/.a", "/.a"},
	};
	char to[PATH_SIZE], longest[PATH_SIZE + 8];
	u32 i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		CHECK_EQUAL(path_absolute(to, pairs[i][0]), 0);
		CHECK(!strcmp(to, pairs[i][1]), "%s became %s", pairs[i][0], to);
	}
	CHECK_EQUAL(path_absolute(to, ""), -ENOENT);
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[PATH_SIZE - 1] = '\0';		/* 255 bytes and the NUL: just fits */
	CHECK_EQUAL(path_absolute(to, longest), 0);
	longest[PATH_SIZE - 1] = 'x';
	longest[PATH_SIZE] = '\0';
	CHECK_EQUAL(path_absolute(to, longest), -ENAMETOOLONG);
	return NULL;
}

static const char *filetest(const char *where)
{
	int status = run_program("/bin/filetest", where);

	CHECK(!status, "status 0x%x: step %d", status, status >> 8);
	return NULL;
}

SELFTEST(files_tmp, "files/everything that programs do, in /tmp")
{
	const char *why = filetest("/tmp");

	if (!why)
		CHECK_EQUAL(tmp_files(), 0);
	return why;
}

/* Where the first disk is mounted, if it can be written to; NULL. */
static const char *mounted(void)
{
	struct fs_usage usage;
	struct node *root;
	const char *path;

	if (!disk_number(0) || !mount_of_disk(disk_number(0), &path, &root) ||
	    root->ops->usage(root, &usage) || usage.read_only)
		return NULL;
	return path;
}

SELFTEST(files_disk, "files/everything that programs do, on a disk")
{
	if (!mounted())
		return test_skip("there is no disk with ext2 that can be written to");
	return filetest(mounted());
}

/* The same sectors, in one request and in many that are under way together. */
SELFTEST(disk_requests, "disk/many requests at once bring what one brings")
{
	static struct disk_request whole, part[8];
	struct disk *disk = disk_number(0);
	u32 frame, other, i;
	const char *why = NULL;

	if (!disk || disk->sectors < 8)
		return test_skip("there is no disk");
	frame = frame_alloc_zeroed();
	other = frame_alloc_zeroed();
	whole = (struct disk_request){.action = DISK_READ, .count = 1,
		.part = {{phys_to_virt(frame), PAGE_SIZE}}};
	disk_submit(disk, &whole);
	for (i = 0; i < 8; i++) {
		part[i] = (struct disk_request){.action = DISK_READ, .sector = i, .count = 1,
			.part = {{(u8 *)phys_to_virt(other) + i * SECTOR_SIZE, SECTOR_SIZE}}};
		disk_submit(disk, &part[i]);
	}
	for (i = 8; i-- && !why;)
		if (disk_wait(disk, &part[i]))
			why = "a request failed";
	if (!why && disk_wait(disk, &whole))
		why = "the large request failed";
	if (!why && memcmp(phys_to_virt(frame), phys_to_virt(other), PAGE_SIZE))
		why = "they are different";
	frame_put(frame);
	frame_put(other);
	return why;
}

SELFTEST(disk_end, "disk/behind its end is an error, and polling works, too")
{
	struct disk *disk = disk_number(0);
	struct disk_request r = {.action = DISK_READ, .count = 1};
	u32 frame = disk ? frame_alloc() : 0;
	int last, behind, polled;
	bool irqs;

	if (!frame)
		return test_skip("there is no disk");
	r.part[0].memory = phys_to_virt(frame);
	r.part[0].length = SECTOR_SIZE;
	r.sector = disk->sectors - 1;
	disk_submit(disk, &r);
	last = disk_wait(disk, &r);
	irqs = irq_save();			/* nobody can be woken now */
	disk_submit(disk, &r);
	polled = disk_wait(disk, &r);
	irq_restore(irqs);
	r.sector = disk->sectors;
	disk_submit(disk, &r);
	behind = disk_wait(disk, &r);
	frame_put(frame);
	CHECK_EQUAL(last, 0);
	CHECK_EQUAL(polled, 0);
	CHECK_EQUAL(behind, -EIO);
	return NULL;
}
/*:*/
