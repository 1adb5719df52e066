/* SPDX-License-Identifier: MIT */
/*G:768 ip
 * ip: who we are on the network, whom we know there, and what was counted. :*/
#include "user.h"

int main(int argc, char **argv)
{
	char chunk[512];
	int n, fd = open("/proc/net");

	(void)argc;
	if (fd < 0)
		die("%s: /proc/net: %s\n", argv[0], error_text(fd));
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		put(chunk, n);
	return n < 0;
}
