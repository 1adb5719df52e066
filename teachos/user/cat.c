/* SPDX-License-Identifier: MIT */
/*G:831 cat
 * cat FILE...: shows files, or what it is fed (until Ctrl-D, if you type it). :*/
#include "user.h"

static int show(int fd, const char *name)
{
	char chunk[512];
	int n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		put(chunk, n);
	if (n < 0)
		complain("cat: %s: %s\n", name, error_text(n));
	return n < 0;
}

int main(int argc, char **argv)
{
	return for_each_file("cat", argv + 1, argc - 1, show);
}
