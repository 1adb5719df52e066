/* SPDX-License-Identifier: MIT */
/*G:832 ls
 * ls [DIRECTORY]: the names in it, directories with a slash. :*/
#include "user.h"

struct dirent {
	u32 inode, offset;
	u16 length;
	char name[];
};

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/";
	u32 buffer[256];
	int fd = open(path), n = 0, at;

	if (fd < 0)
		die("ls: %s: %s\n", path, error_text(fd));
	while ((n = syscall(SYS_getdents, fd, (u32)buffer, sizeof(buffer))) > 0) {
		for (at = 0; at < n;) {
			struct dirent *d = (void *)((char *)buffer + at);
			bool directory = ((char *)d)[d->length - 1] == 4;

			printf("%s%s\n", d->name, directory ? "/" : "");
			at += d->length;
		}
	}
	if (n < 0)
		die("ls: %s: %s\n", path, error_text(n));
	return 0;
}
