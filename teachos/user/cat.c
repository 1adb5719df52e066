/* SPDX-License-Identifier: MIT */
/*G:831 cat
 * cat FILE...: shows files, or what is typed until Ctrl-D. :*/
#include "user.h"

static int show(int fd, const char *name)
{
	char chunk[512];
	int n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		write(1, chunk, n);
	if (n < 0)
		printf("cat: %s: %s\n", name, error_text(n));
	return n < 0;
}

int main(int argc, char **argv)
{
	int i, fd, bad = 0;

	if (argc == 1)
		return show(0, "console");
	for (i = 1; i < argc; i++) {
		fd = open(argv[i]);
		if (fd < 0) {
			printf("cat: %s: %s\n", argv[i], error_text(fd));
			bad = 1;
			continue;
		}
		bad |= show(fd, argv[i]);
		close(fd);
	}
	return bad;
}
