/* SPDX-License-Identifier: MIT */
/*G:742 mount
 * mount /dev/DISK DIRECTORY [ro]: shows a disk's files there.  mount alone: as df. :*/
#include "files.h"

static int mount(const char *disk, const char *directory, u32 flags)
{
	int result;

	asm volatile("int $0x80" : "=a"(result)
		     : "0"(SYS_mount), "b"(disk), "c"(directory), "d"("ext2"), "S"(flags)
		     : "memory");
	return result;
}

int main(int argc, char **argv)
{
	char *df[] = {"df", NULL};
	int error;

	if (argc == 1)
		die("mount: %s\n", error_text(execve("/bin/df", df)));
	if (argc < 3 || argc > 4 || (argc == 4 && strcmp(argv[3], "ro")))
		die("mount: expected /dev/DISK DIRECTORY [ro], or nothing\n");
	error = mount(argv[1], argv[2], argc == 4);
	if (error)
		die("mount: %s on %s: %s\n", argv[1], argv[2], error_text(error));
	return 0;
}
