/* SPDX-License-Identifier: MIT */
/*G:757 touch
 * touch FILE...: makes an empty file, or tells an old one that it was changed now. :*/
#include "files.h"

int main(int argc, char **argv)
{
	int i, fd, bad = 0;

	if (argc < 2)
		die("touch: expected the name of a file\n");
	for (i = 1; i < argc; i++) {
		fd = syscall(SYS_utime, (u32)argv[i], 0, 0);
		if (fd == -2)
			fd = open_flags(argv[i], O_WRONLY | O_CREAT);
		if (fd > 0)
			close(fd);
		if (fd < 0)
			complain("touch: %s: %s\n", argv[i], error_text(fd));
		bad |= fd < 0;
	}
	return bad;
}
