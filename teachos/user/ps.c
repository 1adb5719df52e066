/* SPDX-License-Identifier: MIT */
/*G:833 ps
 * ps: the processes. :*/
#include "user.h"

int main(int argc, char **argv)
{
	char chunk[512];
	int n, fd = open("/proc/ps");

	no_arguments(argc, argv);
	if (fd < 0)
		die("%s: /proc/ps: %s\n", argv[0], error_text(fd));
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		write(1, chunk, n);
	return n < 0;
}
